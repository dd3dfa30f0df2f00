"""The speed ratio of one case on two sides: over sets, rounds in turn, sessions, or the calibrated noise of one. Pure.

What was measured side by side in one set is compared by slices, one ratio per set. Rounds that were measured in turn
share the machine's drift and are paired. All else was measured in sessions of its own, whose noise is in every round
alike: it takes several sessions of a side, or what sessions of this machine are known to differ by. Without it the
rounds give an interval of these sessions only, and no test.
"""

from __future__ import annotations

import enum
import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from hwprof.analysis import estimator
from hwprof.analysis.comparison.measured import RunSummary
from hwprof.analysis.comparison.sessions import SessionNoise, by_session, estimate_noise
from hwprof.analysis.estimator import Estimator
from hwprof.analysis.factors.identity import disjoint
from hwprof.analysis.side_by_side import log_ratio
from hwprof.speed import Interval

FEWEST_PAIRS = 3
EQUAL = 1e-9  # logarithms that differ by rounding errors


class Pairing(enum.StrEnum):
    """What a ratio is tested over."""

    SETS = "sets"
    ROUNDS = "rounds in turn"
    SESSIONS = "sessions"
    CALIBRATED = "calibrated session noise"
    NONE = "nothing"


class LogRatio(NamedTuple):
    """A log ratio with its 95 % interval and the p of no difference; None: nothing to test."""

    value: float
    low: float | None
    high: float | None
    p: float | None

    @property
    def factor(self) -> Interval:
        """The ratio itself."""
        low, high = (None if v is None else math.exp(v) for v in (self.low, self.high))
        return Interval(math.exp(self.value), low, high)


@dataclass(frozen=True, slots=True)
class PairedRatio:
    """Speed in NEW over speed in OLD. `alone`: the same ratio from the bare stretches of the rounds.

    `within`: what the rounds say of these sessions, by Welch's t; no test of the program. `sessions`: of each side.
    `pairs`: sets or rounds in turn. `old`, `new`: the speeds of the rounds. `why`: there is nothing to test.
    """

    ratio: LogRatio
    alone: LogRatio
    within: LogRatio
    pairing: Pairing
    pairs: int
    sessions: tuple[int, int]
    old: tuple[float, ...]
    new: tuple[float, ...]
    why: str = ""

    @property
    def conflict(self) -> bool:
        """Whether slices and bare stretches contradict each other: their intervals don't meet."""
        return disjoint(self.ratio.factor, self.alone.factor)


def measured_ratio(
    old: Sequence[RunSummary], new: Sequence[RunSummary], by: Estimator, noise: SessionNoise | None = None
) -> PairedRatio | None:
    """The ratio by an estimator of the rounds that have it; None where all rounds of a side lack it.

    The sessions of the runs are marked. `noise`: of sessions on the machine of both sides, by this estimator.
    """
    old, new = ([m for m in side if estimator.value(m.speed, by)] for side in (old, new))
    if not old or not new:
        return None
    values = [tuple(estimator.value(m.speed, by) or math.nan for m in side) for side in (old, new)]
    x, y = ([math.log(v) for v in side] for side in values)
    a, b = list(by_session(old, x).values()), list(by_session(new, y).values())
    made = partial(PairedRatio, within=estimate(x, y), sessions=(len(a), len(b)), old=values[0], new=values[1])
    paired, shared = interleaved(old, new), in_turn(old, new)
    of_rounds = estimate(x, y, paired)
    of_sets = _over_sets(old, new, by)
    if of_sets and len(of_sets) >= min(2, len(x), len(y)):
        ratio = estimate([0.0] * len(of_sets), of_sets, paired=True)
        why = "one set" if len(of_sets) == 1 else ""
        return made(ratio=ratio, alone=of_rounds, pairing=Pairing.SETS, pairs=len(of_sets), why=why)
    if shared:
        return made(ratio=of_rounds, alone=of_rounds, pairing=Pairing.ROUNDS, pairs=len(x))
    ratio, pairing, why = over_sessions(a, b, noise)
    return made(ratio=ratio, alone=ratio, pairing=pairing, pairs=0, why=why)


def over_sessions(
    old: Sequence[Sequence[float]], new: Sequence[Sequence[float]], noise: SessionNoise | None
) -> tuple[LogRatio, Pairing, str]:
    """The ratio of two sides that were measured in sessions of their own, and why it can't be tested ("" if it can).

    `old`, `new`: log speeds of the rounds of each session. Their own noise is taken where both sides have several
    sessions, or more is known from them than from `noise` of the machine. Both sides are taken to scatter alike.
    """
    x, y = ([statistics.fmean(rounds) for rounds in side] for side in (old, new))
    value = statistics.fmean(y) - statistics.fmean(x)
    untested = LogRatio(value, None, None, None)
    sides = [{f"{at} {i}": rounds for i, rounds in enumerate(side)} for at, side in (("old", old), ("new", new))]
    known, pairing = estimate_noise(sides), Pairing.SESSIONS
    if noise is not None and min(len(x), len(y)) == 1 and (known is None or known.freedom < noise.freedom):
        if noise.exceeded_by([*old, *new]):
            return untested, Pairing.NONE, "rounds scatter more than when the session noise was calibrated"
        known, pairing = noise, Pairing.CALIBRATED
    if known is None:
        several = max(map(len, (*old, *new))) > 1
        return untested, Pairing.NONE, "one session each" + ("" if several else " of one round")
    from scipy.stats import t

    variance, freedom = known.variance([[len(rounds) for rounds in side] for side in (old, new)])
    error = max(math.sqrt(variance), EQUAL)
    half, p = error * float(t.ppf(0.975, freedom)), 2 * float(t.sf(abs(value) / error, freedom))
    return LogRatio(value, value - half, value + half, p), pairing, ""


def _over_sets(old: Sequence[RunSummary], new: Sequence[RunSummary], by: Estimator) -> list[float]:
    """The log ratio of each set that both sides have a run in."""
    beside = {m.set_id: m.turns for m in new if m.set_id is not None and m.turns is not None}
    pairs = [(beside[m.set_id], m.turns) for m in old if m.set_id in beside and m.turns is not None]
    found = [log_ratio(ours, theirs, by) for ours, theirs in pairs]
    return [ratio for ratio in found if ratio is not None]


def in_turn(old: Sequence[RunSummary], new: Sequence[RunSummary]) -> bool:
    """Whether round r of both sides was over before round r + 1 of either began, on one machine; two rounds at least.

    Both sides then share the machine's drift.
    """
    if not all(m.started_utc for m in (*old, *new)) or repr(old[0].machine) != repr(new[0].machine):
        return False
    rounds = sorted({m.round for m in old})
    if len(rounds) < 2 or sorted(m.round for m in old) != rounds or sorted(m.round for m in new) != rounds:
        return False
    times = [[m.started_utc for m in (*old, *new) if m.round == r] for r in rounds]
    return all(max(a) < min(b) for a, b in itertools.pairwise(times))


def interleaved(old: Sequence[RunSummary], new: Sequence[RunSummary]) -> bool:
    """Whether rounds are paired: they were measured in turn, and there are enough of them."""
    return len({m.round for m in old}) >= FEWEST_PAIRS and in_turn(old, new)


def estimate(x: Sequence[float], y: Sequence[float], paired: bool = False) -> LogRatio:
    """Mean of y less mean of x: by the paired t, else by Welch's; no bounds where a side has one value."""
    change = np.subtract(y, x) if paired else None
    difference = statistics.fmean(y) - statistics.fmean(x) if change is None else float(change.mean())
    if min(len(x), len(y)) < 2:
        return LogRatio(difference, None, None, None)
    if (max(np.ptp(x), np.ptp(y)) if change is None else np.ptp(change)) < EQUAL:
        return LogRatio(difference, difference, difference, 1.0 if abs(difference) < EQUAL else 0.0)
    from scipy import stats  # late: it takes a second to load

    found = stats.ttest_ind(y, x, equal_var=False) if change is None else stats.ttest_1samp(change, 0.0)
    interval = found.confidence_interval()
    return LogRatio(difference, float(interval.low), float(interval.high), float(found.pvalue))
