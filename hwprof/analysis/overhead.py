"""Measurement overhead: counted against bare windows. No figure without its interval, no doubt but by its lower end.

A pair is a bare and a counted window next to each other. Windows of a second differ by 10 to 20 % on a machine that
does nothing else, so that a single pair says nothing. The interval is that of the median over all pairs of a case
(order statistics, the sign test): below six pairs it has no 95 % level. Within a run all pairs have one order, and a
clock that falls would look like overhead; rounds alternate, so at least a third of the pairs must be of either order.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hwprof import speed
from hwprof.machine.facts import machine_id
from hwprof.records import Doubt, Kind, Role, Run

# Percent of the latency that the lower end must exceed for a doubt.
DOUBTED = 3.0


@dataclass(frozen=True, slots=True)
class Overhead:
    """What counting adds to the median latency, in percent; None where `pairs` are too few, or of one order."""

    pairs: int
    percent: float | None = None
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        """`+1.2 % [+0.8 ... +1.9]`, or that it is not known."""
        if self.percent is None or self.low is None or self.high is None:
            return f"not known from {self.pairs} pair{'s' * (self.pairs != 1)} of windows"
        return f"{self.percent:+.1f} % [{self.low:+.1f} ... {self.high:+.1f}], 95 % over {self.pairs} pairs of windows"


def estimate(runs: Iterable[Run]) -> Overhead:
    """The overhead of one case, over all its rounds."""
    found = [pair for run in runs for pair in pairs(run)]
    logs = [value for _, value in found]
    first = sum(counted_first for counted_first, _ in found)
    if 3 * min(first, len(found) - first) < len(found) or not found:
        return Overhead(len(found))
    middle, low, high = speed.median_interval(logs)
    if low is None or high is None:
        return Overhead(len(found))
    return Overhead(len(found), *(100 * math.expm1(v) for v in (middle, low, high)))


def pairs(run: Run) -> list[tuple[bool, float]]:
    """(counted first, log of counted over bare median latency) of each pair of a native run without a failure."""
    if run.kind is not Kind.NATIVE or run.failure is not None:
        return []
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
    return [Doubt("overhead", {"percent": found.percent, "low": found.low, "high": found.high, "pairs": found.pairs})]
