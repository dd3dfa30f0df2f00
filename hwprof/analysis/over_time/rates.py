"""Rates of a running total (CPU time, energy) over time.

The value of a total is up to one interval of its counter old. Over a step of 20 intervals that is an error of 5 % of
one unit per second, over a step of one interval it is 100 %: a core would be busy for twice the time that there is.
Steps that are too short are joined with their neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwprof.collectors.gauge import samples
from hwprof.collectors.power import observed_interval_ns
from hwprof.collectors.vocabulary import Name
from hwprof.records import Series

INTERVALS = 20  # of the counter, in a step
LEAST_DIFFERENCES = 8  # from which on a common divisor of differences is taken for the counter's own unit
OF_A_CORE = (Name.CPU_BUSY, Name.CPU_STEAL)  # seconds of one core: at most as many as there are
RESOLUTION_S = 1e-6  # of times that are compared


@dataclass(frozen=True, slots=True)
class RateSteps:
    """Mean rates of neighbouring steps, per second. Arrays of equal length; times in s on the clock of the samples."""

    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    rates: NDArray[np.float64]


def rates(series: Series, most: int = 0) -> RateSteps:
    """The rates of a cumulative series. `most`: steps at most (0: no limit).

    Samples without an answer are passed over. What is too short at the end is joined to the step before it. A series
    that is shorter than one step as a whole has one rate. Where a core would still be busy for longer than there is
    time, the times of its samples are off by more than an interval (their reader was preempted): steps are longer.
    """
    known = samples(series)
    at = np.array([t for t, _ in known], dtype=np.float64) / 1e9
    totals = np.array([v for _, v in known], dtype=np.float64)
    least = INTERVALS * quantum_ns(series) / 1e9
    if most and len(at) > most + 1:
        least = max(least, float(at[-1] - at[0]) / most)
    found = _steps(at, totals, least)
    while series.metric in OF_A_CORE and len(found.rates) > 1 and found.rates.max() > 1 + 1 / INTERVALS:
        least = 1.5 * max(least, float((found.end_s - found.start_s).min()))
        found = _steps(at, totals, least)
    return found


def _steps(at: NDArray[np.float64], totals: NDArray[np.float64], least: float) -> RateSteps:
    edges = _edges(at, least)
    start, end = at[edges[:-1]], at[edges[1:]]
    return RateSteps(start, end, np.diff(totals[edges]) / (end - start))


def quantum_ns(series: Series) -> int:
    """How often the total has a new value: as its gauge declares, else as the samples show; 0: not known.

    Time that is counted in ticks has a new value once a tick: all differences are multiples of it.
    """
    if series.interval_ns:
        return series.interval_ns
    if series.metric == Name.ENERGY:
        return observed_interval_ns(series)
    if series.unit != "s":
        return 0
    steps = np.diff([value for _, value in samples(series)])
    steps = np.round(steps[steps > 0] / RESOLUTION_S).astype(np.int64)
    return round(int(np.gcd.reduce(steps)) * RESOLUTION_S * 1e9) if len(steps) >= LEAST_DIFFERENCES else 0


def _edges(at: NDArray[np.float64], least: float) -> NDArray[np.int64]:
    """Indices of the samples between which a rate is taken: at least `least` s from one to the next."""
    edges = [0]
    for index, time in enumerate(at.tolist()):
        if time > at[edges[-1]] and time - at[edges[-1]] >= least:
            edges.append(index)
    last = len(at) - 1
    if last > edges[-1] and at[last] > at[edges[-1]]:
        if len(edges) > 1:
            edges.pop()
        edges.append(last)
    return np.array(edges if len(at) else [], dtype=np.int64)
