"""Whether a run's speed changed while it was measured: a trend, or one change. Said only with evidence.

Slices (and bins of the bare stretch) are joined to blocks, for neighbours correlate. The trend is a Theil-Sen slope
of the logarithms, its interval that of Sen (1968). A change is where Pettitt's statistic of ranks (1979) is largest,
against permutations of the blocks; its size is Hodges and Lehmann's, with the interval of the Mann-Whitney test. Each
of up to eight tests of a run has the level of half a percent.
"""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwprof.analysis.over_time.throughput import SpeedTrace, bare
from hwprof.records import Doubt, Kind, Run
from hwprof.speed import Interval

Floats = NDArray[np.float64]

LEVEL = 0.005
LEAST = 0.05  # change of a logarithm below which nothing is said
NEAREST = 0.03  # what the interval must exclude at least
MIN_BLOCKS, MAX_BLOCKS = 12, 40
LONG_S = 0.1  # a slice that is a block by itself
PERMUTATIONS = 1999


@dataclass(frozen=True, slots=True)
class Drift:
    """A change of one quantity (latency or throughput) while a run was measured, in percent with a 99.5 % interval.

    `at_s`: when it changed at once, since the first slice; None: a trend, and `percent` is that over `seconds`.
    `alone`: seen in the bare stretch, not in the slices.
    """

    quantity: str
    alone: bool
    seconds: float
    percent: float
    low: float
    high: float
    at_s: float | None = None
    p: float | None = None


def theil_sen(x: Floats, y: Floats, level: float = LEVEL) -> Interval:
    """Median of the slopes of all pairs of points, and its interval (Sen 1968, with ties of `y`). Shape (n,), n > 1."""
    first, second = np.triu_indices(len(x), 1)
    steps = x[second] - x[first]
    slopes = np.sort((y[second] - y[first])[steps != 0] / steps[steps != 0])
    n, ties = len(x), np.unique(y, return_counts=True)[1]
    variance = (n * (n - 1) * (2 * n + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18
    reach = _z(level) * math.sqrt(max(0.0, variance))
    low, high = round((len(slopes) - reach) / 2) - 1, round((len(slopes) + reach) / 2)
    middle = float(np.median(slopes))
    if low < 0 or high >= len(slopes):
        return Interval(middle, None, None)
    return Interval(middle, float(slopes[low]), float(slopes[high]))


def find(run: Run) -> Drift | None:
    """What changed most in a native run: its latency, else its throughput; None: nothing that there is evidence for."""
    if run.failure is not None or run.kind is not Kind.NATIVE:
        return None
    found = [
        drift
        for sliced in (True, False)
        if (trace := bare(run, sliced)) is not None
        for quantity in ("latency", "throughput")
        if (drift := of_trace(trace, quantity)) is not None
    ]
    latency = [d for d in found if d.quantity == "latency"]
    return max(latency or found, key=lambda d: abs(math.log1p(d.percent / 100)), default=None)


def of_trace(trace: SpeedTrace, quantity: str) -> Drift | None:
    """The trend or the one change of one quantity, whichever leaves less unexplained; None: no evidence."""
    at, values, ends = _blocks(trace, trace.latency_ns if quantity == "latency" else trace.fps)
    if len(values) < MIN_BLOCKS or np.ptp(values) < LEAST:
        return None
    seconds = float(at[-1] - at[0])
    options: list[tuple[float, Drift]] = []
    slope = theil_sen(at, values)
    if _is_clear(slope, seconds):
        rest = values - slope.value * at
        value, low, high = (100 * math.expm1((s or 0.0) * seconds) for s in slope)
        misfit = float(np.abs(rest - np.median(rest)).sum())
        options.append((misfit, Drift(quantity, not trace.sliced, seconds, value, low, high)))
    place = _split(values)
    size = _shift(values[:place], values[place:])
    if _is_clear(size) and (p := _permutation_p(values)) <= LEVEL:
        misfit = sum(float(np.abs(v - np.median(v)).sum()) for v in (values[:place], values[place:]))
        value, low, high = (100 * math.expm1(s or 0.0) for s in size)
        at_s = float(ends[place - 1])
        options.append((misfit, Drift(quantity, not trace.sliced, seconds, value, low, high, at_s, p)))
    return min(options, key=lambda option: option[0])[1] if options else None


def doubts(run: Run) -> list[Doubt]:
    """A doubt where the speed changed by more than 5 % while it was measured."""
    found = find(run)
    return [] if found is None else [Doubt("drift", {"percent": abs(found.percent), "quantity": found.quantity})]


def _blocks(trace: SpeedTrace, values: Floats) -> tuple[Floats, Floats, Floats]:
    """(middle, log of the quantity, end) of blocks of neighbours, in s since the first slice."""
    if not len(values) or not (values > 0).all():
        return np.empty(0), np.empty(0), np.empty(0)
    least = 2 if trace.sliced and statistics.median(trace.seconds.tolist()) < LONG_S else 1
    size = max(least, math.ceil(len(values) / MAX_BLOCKS))
    starts = np.arange(0, len(values) // size * size, size)
    bounds = [*starts[1:].tolist(), len(values)]
    parts = [slice(int(a), b) for a, b in zip(starts, bounds, strict=True)] if len(starts) else []
    middle, logs = trace.at_s + trace.seconds / 2, np.log(values)
    at = np.array([middle[p].mean() for p in parts])
    ends = np.array([(trace.at_s + trace.seconds)[p][-1] for p in parts])
    return at, np.array([np.median(logs[p]) for p in parts]), ends


def _pettitt(values: Floats) -> Floats:
    """|U| of each split of rows of series: shape (m, n) in, (m, n - 1) out."""
    n = values.shape[1]
    ranks = np.argsort(np.argsort(values, axis=1, kind="stable"), axis=1, kind="stable") + 1.0
    return np.asarray(np.abs(2 * np.cumsum(ranks, axis=1)[:, :-1] - np.arange(1, n) * (n + 1)))


def _split(values: Floats) -> int:
    """Where the series is cut: the number of blocks before."""
    return 1 + int(np.argmax(_pettitt(values[None, :])[0]))


def _permutation_p(values: Floats) -> float:
    """How often blocks in random order have a statistic as large anywhere."""
    seen = float(_pettitt(values[None, :]).max())
    rng = np.random.default_rng(0)
    shuffled = rng.permuted(np.tile(values, (PERMUTATIONS, 1)), axis=1)
    return (1 + int((_pettitt(shuffled).max(axis=1) >= seen).sum())) / (1 + PERMUTATIONS)


def _shift(before: Floats, after: Floats) -> Interval:
    """Median of all differences (Hodges and Lehmann), with the interval of the Mann-Whitney test."""
    differences = np.sort((after[:, None] - before[None, :]).ravel())
    a, b = len(before), len(after)
    # the least and the largest are as far as it goes
    low = max(0, math.floor(a * b / 2 - _z(LEVEL) * math.sqrt(a * b * (a + b + 1) / 12)))
    return Interval(float(np.median(differences)), float(differences[low]), float(differences[-1 - low]))


def _is_clear(change: Interval, scale: float = 1.0) -> bool:
    """Large enough, and its interval on one side of 0 and away from it. `scale`: to the whole stretch."""
    if change.low is None or change.high is None or change.low * change.high <= 0:
        return False
    return abs(change.value) * scale >= LEAST and min(abs(change.low), abs(change.high)) * scale >= NEAREST


def _z(level: float) -> float:
    return statistics.NormalDist().inv_cdf(1 - level / 2)
