"""Whether the turns of a case are long enough: a trend within them, or an effect of the case that came before.

A turn begins with inferences that are not measured. Where they do not suffice, latency falls within the turn, or it
depends on whose data lay in the caches. Tests are on bare slices: Wilcoxon's signed-rank test ("Individual comparisons
by ranking methods", 1945) and Kruskal and Wallis's ("Use of ranks in one-criterion variance analysis", 1952).
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hwprof.records import Role, Run

TREND, PREDECESSOR = "trend", "predecessor"
# An effect is one where chance gives it in less than one of a hundred, and which is large enough to matter.
LEVEL = 0.01
LEAST = 0.02
# Below eight values the signed-rank test has no p below 1 %.
LEAST_TURNS = 8
LEAST_EACH = 5  # turns behind each predecessor
LEAST_HALF = 2  # inferences in half a slice


# On a core that others use, a process that has waited runs undisturbed at first, and is then taken off. This is no
# effect of its turn.
DISTURBED = "involuntary-switches"


@dataclass(frozen=True, slots=True)
class MeasuredTurn:
    """The bare slices of one turn, in order of time, each as its latencies.

    `is_disturbed`: the scheduler took the CPU away in one of them.
    """

    t0_ns: int
    slices: tuple[tuple[int, ...], ...]
    is_disturbed: bool = False


@dataclass(frozen=True, slots=True)
class TurnEffect:
    """`effect`: relative change of latency from begin to end, or between the extreme predecessors."""

    what: str
    effect: float
    p: float
    turns: int

    @property
    def matters(self) -> bool:
        """Whether it is neither chance nor negligible."""
        return self.p < LEVEL and abs(self.effect) > LEAST


def turns_of(run: Run) -> list[MeasuredTurn]:
    """The turns of one run; none of one that was not measured in slices."""
    found: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
    disturbed = set()
    for window in run.windows:
        slices = window.slices
        if window.role is not Role.PAIRED or slices is None:
            continue
        counted = next((counts.raw for counts in slices.counts if counts.metric == DISTURBED), ())
        disturbed |= {turn for turn, switches in zip(slices.turns, counted, strict=False) if switches}
        at = 0
        for t0, count, turn in zip(slices.t0_ns, slices.iterations, slices.turns, strict=True):
            found.setdefault(turn, []).append((t0, window.latencies_ns[at : at + count]))
            at += count
    turns = []
    for turn, unordered in sorted(found.items()):
        ordered = sorted(unordered)
        latencies = tuple(one for _, one in ordered)
        turns.append(MeasuredTurn(ordered[0][0], latencies, turn in disturbed))
    return turns


def member_key(run: Run) -> str:
    """Identifies the member of a set that a run is of: its case, in the environment where there are several."""
    return run.case.key + str(run.facts.get("environment", ""))


def trend(turns: Sequence[MeasuredTurn]) -> TurnEffect | None:
    """Latency at the end of turns against their beginning: last against first slice, or the halves of a single one.

    None: too few turns or inferences to tell.
    """
    logs = []
    for turn in turns:
        if turn.is_disturbed:
            continue
        first, last = turn.slices[0], turn.slices[-1]
        if len(turn.slices) == 1:
            half = len(first) // 2
            if half < LEAST_HALF:
                continue
            first, last = first[:half], first[half:]
        if min(first) > 0 and min(last) > 0:  # a clock too coarse for it shows nothing
            logs.append(math.log(statistics.median(last) / statistics.median(first)))
    if len(logs) < LEAST_TURNS or not any(logs):
        return None
    from scipy.stats import wilcoxon

    p = float(wilcoxon(logs).pvalue)
    return TurnEffect(TREND, math.expm1(statistics.median(logs)), p, len(logs))


def predecessor(turns: Sequence[tuple[str, float]]) -> TurnEffect | None:
    """Log latency of turns (less the mean of their run) by the case that had its turn before; None: too few."""
    groups: dict[str, list[float]] = {}
    for before, value in turns:
        groups.setdefault(before, []).append(value)
    enough = [values for values in groups.values() if len(values) >= LEAST_EACH]
    if len(enough) < 2 or len({value for values in enough for value in values}) == 1:
        return None
    from scipy.stats import kruskal

    middles = [statistics.median(values) for values in enough]
    p = float(kruskal(*enough).pvalue)
    return TurnEffect(PREDECESSOR, math.expm1(max(middles) - min(middles)), p, sum(map(len, enough)))


def by_predecessor(runs: Sequence[Run]) -> Iterator[tuple[str, str, float]]:
    """Of the runs of one set: key of the member, key of the one before, log latency less the mean of the run.

    Disturbed turns come before others, and are left out themselves.
    """
    everything: list[tuple[int, str, float | None]] = []
    for run in runs:
        medians = [(turn, statistics.median(turn.slices[0])) for turn in turns_of(run)]
        logs = {turn.t0_ns: math.log(m) for turn, m in medians if m > 0 and not turn.is_disturbed}
        mean = statistics.fmean(logs.values()) if logs else 0.0
        everything += [
            (turn.t0_ns, member_key(run), logs[turn.t0_ns] - mean if turn.t0_ns in logs else None)
            for turn, _ in medians
        ]
    for (_, before, _), (_, member, value) in itertools.pairwise(sorted(everything, key=lambda one: one[0])):
        if value is not None:
            yield member, before, value
