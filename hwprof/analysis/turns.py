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


@dataclass(frozen=True, slots=True)
class MeasuredTurn:
    """The bare slices of one turn, in order of time, each as its latencies."""

    t0_ns: int
    slices: tuple[tuple[int, ...], ...]


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
    for window in run.windows:
        if window.role is not Role.PAIRED or window.slices is None:
            continue
        at = 0
        for t0, count, turn in zip(window.slices.t0_ns, window.slices.iterations, window.slices.turns, strict=True):
            found.setdefault(turn, []).append((t0, window.latencies_ns[at : at + count]))
            at += count
    ordered = [sorted(slices) for _, slices in sorted(found.items())]
    return [MeasuredTurn(slices[0][0], tuple(latencies for _, latencies in slices)) for slices in ordered]


def trend(turns: Sequence[MeasuredTurn]) -> TurnEffect | None:
    """Latency at the end of turns against their beginning: last against first slice, or the halves of a single one.

    None: too few turns or inferences to tell.
    """
    logs = []
    for turn in turns:
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
    """Of the runs of one set: key of the case, key of the case before, log latency less the mean of the run."""
    everything: list[tuple[int, str, float]] = []
    for run in runs:
        medians = [(turn.t0_ns, statistics.median(turn.slices[0])) for turn in turns_of(run)]
        logs = [(at, math.log(median)) for at, median in medians if median > 0]
        if logs:
            mean = statistics.fmean(value for _, value in logs)
            everything += [(at, run.case.key, value - mean) for at, value in logs]
    everything.sort()
    for (_, before, _), (_, case, value) in itertools.pairwise(everything):
        yield case, before, value
