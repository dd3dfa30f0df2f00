"""The speed ratio of one case on two sides: over sets, over rounds in turn, or over rounds as they come. Pure.

What was measured side by side in one set is compared by slices, one ratio per set. Rounds that were measured in turn
share the machine's drift and are paired. Other rounds are compared by Welch's t. The drift of the machine between one
side and the other is then in no interval.
"""

from __future__ import annotations

import enum
import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hwprof.analysis import estimator
from hwprof.analysis.comparison.measured import RunSummary
from hwprof.analysis.estimator import Estimator
from hwprof.analysis.factors.identity import disjoint
from hwprof.analysis.side_by_side import log_ratio
from hwprof.speed import Interval

FEWEST_PAIRS = 3
EQUAL = 1e-9  # logarithms that differ by rounding errors


class Pairing(enum.StrEnum):
    """What a ratio is taken over."""

    SETS = "sets"
    ROUNDS = "rounds in turn"
    NONE = "rounds"


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

    `in_turn`: the rounds of both sides were measured in turn, or in sets. `old`, `new`: the speeds of the rounds.
    """

    ratio: LogRatio
    alone: LogRatio
    pairing: Pairing
    pairs: int
    in_turn: bool
    old: tuple[float, ...]
    new: tuple[float, ...]

    @property
    def conflict(self) -> bool:
        """Whether slices and bare stretches contradict each other: their intervals don't meet."""
        return disjoint(self.ratio.factor, self.alone.factor)


def measured_ratio(old: Sequence[RunSummary], new: Sequence[RunSummary], by: Estimator) -> PairedRatio | None:
    """The ratio by an estimator of the rounds that have it; None where all rounds of a side lack it."""
    old, new = ([m for m in side if estimator.value(m.speed, by)] for side in (old, new))
    if not old or not new:
        return None
    values = [tuple(estimator.value(m.speed, by) or math.nan for m in side) for side in (old, new)]
    x, y = ([math.log(v) for v in side] for side in values)
    shared, paired = in_turn(old, new), interleaved(old, new)
    alone = estimate(x, y, paired)
    of_sets = _over_sets(old, new, by)
    if of_sets and len(of_sets) >= min(2, len(x), len(y)):
        ratio = estimate([0.0] * len(of_sets), of_sets, paired=True)
        return PairedRatio(ratio, alone, Pairing.SETS, len(of_sets), True, *values)
    pairing = Pairing.ROUNDS if paired else Pairing.NONE
    return PairedRatio(alone, alone, pairing, len(x) if paired else 0, shared, *values)


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


def estimate(x: Sequence[float], y: Sequence[float], paired: bool) -> LogRatio:
    """Mean of y less mean of x: by the paired t, or by Welch's t; no bounds where a side has one value."""
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
