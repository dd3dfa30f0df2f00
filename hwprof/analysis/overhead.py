"""Measurement overhead: counted against bare slices. No figure without its interval, no doubt but by its lower end.

A pair is a bare and a counted slice right after each other, in random order; its log ratio is that of the two medians.
The overhead of a case is the median over the pairs of all its runs, with the interval of order statistics (the sign
test). Neighbouring pairs are alike (correlation about .2), so that the ranks are those of 98 %: in simulation they
cover .96 to .99 at a correlation of .2, .94 to .98 at .3, where those of 95 % cover .91 to .97 and .89 to .96.
Below seven pairs there is no interval. A slice that waited for the disk is refused, with its partner.

Runs without slices have pairs of windows. Those of a second differ by 10 to 20 % on a machine that does nothing else.
They are of different runs, so that their ranks are those of 95 % (six pairs at least). Within a run all have one
order, and a clock that falls would look like overhead: at least a third of the pairs must be of either order.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hwprof import speed
from hwprof.machine.facts import machine_id
from hwprof.printable import plural
from hwprof.records import Doubt, Kind, Role, Run, Slices, Window

# Percent of the latency that the lower end must exceed for a doubt.
DOUBTED = 3.0
# What the ranks are of, so that an interval over pairs that follow each other covers 95 %.
SLICE_CONFIDENCE = 0.98
MAJOR_FAULTS = "rusage-major-faults"


@dataclass(frozen=True, slots=True)
class Overhead:
    """What counting adds to the median latency, in percent; None where `pairs` are too few, or of one order.

    `of`: what the pairs are of; `refused`: pairs that were not used.
    """

    pairs: int
    percent: float | None = None
    low: float | None = None
    high: float | None = None
    of: str = "slices"
    refused: int = 0

    def __str__(self) -> str:
        """`+1.2 % [+0.8, +1.9]`, or that it is not known."""
        refused = f" ({self.refused} refused: a slice waited for the disk)" if self.refused else ""
        if self.percent is None or self.low is None or self.high is None:
            return f"not known from {plural(self.pairs, 'pair')} of {self.of}{refused}"
        interval = f"[{self.low:+.1f}, {self.high:+.1f}], 95 % over {plural(self.pairs, 'pair')} of {self.of}"
        return f"{self.percent:+.1f} % {interval}{refused}"


def estimate(runs: Iterable[Run]) -> Overhead:
    """The overhead of one case, over all its rounds; of pairs of slices where there are some."""
    good = [run for run in runs if run.kind is Kind.NATIVE and run.failure is None]
    sliced = [slice_pairs(bare, counted) for run in good for bare, counted in sliced_windows(run)]
    if sliced:
        logs = np.concatenate([kept for kept, _ in sliced])
        return _over(logs, Overhead(len(logs), refused=sum(refused for _, refused in sliced)), SLICE_CONFIDENCE)
    found = [pair for run in good for pair in window_pairs(run)]
    first = sum(counted_first for counted_first, _ in found)
    one_order = 3 * min(first, len(found) - first) < len(found)
    values = np.array([] if one_order else [value for _, value in found])
    return _over(values, Overhead(len(found), of="windows"), speed.CONFIDENCE)


def _over(logs: NDArray[np.float64], unknown: Overhead, confidence: float) -> Overhead:
    """The median of the log ratios in percent with its interval; `unknown` where there is no interval."""
    if not len(logs):
        return unknown
    middle, low, high = speed.median_interval(logs, confidence)
    if low is None or high is None:
        return unknown
    percent, lower, upper = (100 * math.expm1(v) for v in (middle, low, high))
    return Overhead(unknown.pairs, percent, lower, upper, unknown.of, unknown.refused)


def sliced_windows(run: Run) -> Iterator[tuple[Window, Window]]:
    """The bare and the counted slices of each pass."""
    for bare, counted in pairwise(sorted(run.windows, key=lambda w: w.index)):
        if bare.role is Role.PAIRED and counted.role is Role.COUNTED and counted.slices is not None:
            yield bare, counted


def slice_pairs(bare: Window, counted: Window) -> tuple[NDArray[np.float64], int]:
    """Log of counted over bare median latency of the pairs of one pass in order, and how many were refused."""
    assert bare.slices is not None
    assert counted.slices is not None
    waited = [_waited(slices) for slices in (bare.slices, counted.slices)]
    medians = [
        np.array(speed.slice_medians(w.latencies_ns, slices.iterations))
        for w, slices in ((bare, bare.slices), (counted, counted.slices))
    ]
    number = min(map(len, medians))  # a run that was stopped may have a slice without a partner
    (a, b), refused = (m[:number] for m in medians), waited[0][:number] | waited[1][:number]
    there = (a > 0) & (b > 0)
    return np.log(b[there & ~refused] / a[there & ~refused]), int(refused.sum())


def _waited(slices: Slices) -> NDArray[np.bool_]:
    """Which slices had a major page fault, or read what had been swapped out (which is one)."""
    faults = next((c.raw for c in slices.counts if c.metric == MAJOR_FAULTS), (0,) * len(slices.t0_ns))
    return np.array([bool(n) for n in faults], dtype=np.bool_)


def window_pairs(run: Run) -> list[tuple[bool, float]]:
    """(counted first, log of counted over bare median latency) of each pair of windows of a run without slices."""
    windows = [w for w in sorted(run.windows, key=lambda w: w.index) if w.role in (Role.BARE, Role.COUNTED)]
    found = []
    for first, second in zip(windows[::2], windows[1::2], strict=False):
        a, b = (statistics.median(w.latencies_ns) if w.latencies_ns else 0 for w in (first, second))
        if first.role is second.role or min(a, b) <= 0:
            continue
        change = math.log(b / a)
        counted_first = first.role is Role.COUNTED
        found.append((counted_first, -change if counted_first else change))
    return found


def doubts_by_run(runs: Iterable[Run]) -> Iterator[tuple[Run, Doubt]]:
    """Every run of a case whose overhead is doubtful, with that doubt. A case is one of a machine."""
    cases: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        cases.setdefault((run.case.key, machine_id(run.machine)), []).append(run)
    for group in cases.values():
        yield from ((run, doubt) for doubt in doubts(group) for run in group)


def doubts(runs: Iterable[Run]) -> list[Doubt]:
    """A doubt where the interval of one case lies above 3 % of the latency."""
    found = estimate(runs)
    if found.low is None or found.low <= DOUBTED:
        return []
    figures = {"percent": found.percent, "low": found.low, "high": found.high}
    return [Doubt("overhead", {**figures, "pairs": found.pairs, "of": found.of})]
