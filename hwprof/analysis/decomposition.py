"""Throughput as a product, and the ratio of two cases as a product of factors.

    throughput = parallelism x clock x IPC / work per frame
    (frames/s)   (CPU-s / s)  (cycles / CPU-s)  (instructions / cycle)  (instructions / frame)

is exact when all four come from the same window and domain. FPS (batch / median latency) adds `tail` = FPS /
throughput of the bare windows, and the comparison of bare and counted windows adds `observer`. A machine that counts
no cycles has a shorter product: throughput = parallelism / CPU seconds per frame.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hwprof import speed
from hwprof.collectors.vocabulary import Name
from hwprof.records import Exactness, Kind, Reading, Role, Run, Window

SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
FULL = ("parallelism", "clock", "ipc", "work")
CLOCKLESS = ("parallelism", "cpu time per frame")
# Factors that divide: more of them is slower.
DIVISORS = frozenset({"work", "cpu time per frame"})
LARGEST = 700.0  # logs beyond it have no exponential: two rounds may leave an interval without an end


@dataclass(frozen=True, slots=True)
class Identity:
    """One run's factors. `factors` multiply (divisors divide) to `throughput` of its counted windows, frames/s.

    `fps`, `tail` and `observer` stand apart: fps = throughput x observer x tail.
    """

    factors: Mapping[str, float]
    throughput: float
    fps: float
    tail: float
    observer: float
    merged: str = ""  # which factors could not be told apart, and why

    def product(self) -> float:
        """Throughput out of the factors."""
        return math.prod(1 / v if name in DIVISORS else v for name, v in self.factors.items())


def exact(window: Window) -> dict[str, Reading]:
    """Readings that may enter a product: exact, and of both user and kernel mode."""
    return {
        r.metric: r
        for r in window.readings
        if r.value is not None and r.exactness is Exactness.EXACT and r.domain in ("user+kernel", "process")
    }


def seconds(reading: Reading) -> float:
    """A reading in a unit of time, as seconds."""
    return (reading.value or 0.0) * SECONDS[reading.unit]


def identity(run: Run) -> Identity | None:
    """The factors of a native run; None where not even CPU time was counted, or a kind of window is absent or empty."""
    counted = [w for w in run.windows if w.role is Role.COUNTED]
    bare = [w for w in run.windows if w.role is Role.BARE]
    if run.failure is not None or not counted or not bare:
        return None
    readings = [exact(w) for w in counted]
    if any(Name.TASK_CLOCK not in r for r in readings):
        return None
    batch = run.case.batch
    frames = batch * sum(len(w.latencies_ns) for w in counted)
    elapsed = sum(w.elapsed_s for w in counted)
    cpu = sum(seconds(r[Name.TASK_CLOCK]) for r in readings)
    if min(frames, elapsed, cpu) <= 0:
        return None
    throughput = frames / elapsed
    factors: dict[str, float] = {"parallelism": cpu / elapsed}
    merged = ""
    cycles = total(readings, Name.CYCLES)
    instructions = total(readings, Name.INSTRUCTIONS)
    if cycles and instructions:
        factors |= {"clock": cycles / cpu, "ipc": instructions / cycles, "work": instructions / frames}
    else:
        factors["cpu time per frame"] = cpu / frames
        merged = "clock, IPC and work per frame can't be told apart without cycles and instructions of both modes"
    latencies = [t for w in bare for t in w.latencies_ns]
    bare_s = sum(w.elapsed_s for w in bare)
    latency = speed.latency_ns(latencies) if latencies else 0.0
    if min(latency, bare_s) <= 0:
        return None
    bare_throughput = batch * len(latencies) / bare_s
    fps = speed.fps(batch, latency)
    return Identity(factors, throughput, fps, fps / bare_throughput, bare_throughput / throughput, merged)


def identities(runs: Iterable[Run]) -> dict[str, Identity]:
    """The factors of every native run that has them, by uid."""
    found = {run.uid: identity(run) for run in runs if run.kind is Kind.NATIVE}
    return {uid: one for uid, one in found.items() if one is not None}


def total(readings: Sequence[Mapping[str, Reading]], metric: str) -> float | None:
    """Total over the windows; None where it is not in all of them, for then it is of other windows than the rest."""
    values = [r[metric].value for r in readings if metric in r]
    return sum(v or 0.0 for v in values) if len(values) == len(readings) else None


@dataclass(frozen=True, slots=True)
class Factor:
    """One factor of a ratio A / B with its 95 % interval from rounds (None below two rounds each)."""

    name: str
    ratio: float
    low: float | None
    high: float | None


def factor(name: str, x: Sequence[float], y: Sequence[float], paired: bool = False) -> Factor:
    """Ratio of two cases from the logs of their rounds; 95 % by Welch's t, or the paired t (rounds in order)."""
    difference = statistics.fmean(x) - statistics.fmean(y)
    if min(len(x), len(y)) < 2:
        return Factor(name, math.exp(difference), None, None)
    spread = [i - j for i, j in zip(x, y, strict=True)] if paired else []
    if (paired and _constant(spread)) or (_constant(x) and _constant(y)):
        return Factor(name, math.exp(difference), math.exp(difference), math.exp(difference))
    # scipy.stats' ttest_ind and ttest_rel give the same, at a hundred times the time: a page has thousands of factors
    from scipy.special import stdtrit

    if paired:
        error, free = _variance(spread) / len(spread), len(spread) - 1.0
    else:
        own = [_variance(v) / len(v) for v in (x, y)]
        error = sum(own)
        # Welch (1947) and Satterthwaite (1946): degrees of freedom of two unequal variances
        free = error**2 / sum(v**2 / (len(of) - 1) for v, of in zip(own, (x, y), strict=True))
    half = float(stdtrit(free, 0.975)) * math.sqrt(error)
    return Factor(name, *(math.exp(v) if v < LARGEST else math.inf for v in _three(difference, half)))


def _variance(values: Sequence[float]) -> float:
    middle = statistics.fmean(values)
    return math.fsum((v - middle) ** 2 for v in values) / (len(values) - 1)


def _three(middle: float, half: float) -> tuple[float, float, float]:
    return middle, middle - half, middle + half


def _constant(values: Sequence[float]) -> bool:
    """Equal but for rounding: a t interval of them would be made of rounding errors."""
    return max(values) - min(values) < 1e-12
