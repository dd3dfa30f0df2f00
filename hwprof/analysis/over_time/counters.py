"""Counters over the time of a run: what each counted in each slice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwprof.records import Role, Run, Shape


@dataclass(frozen=True, slots=True)
class CounterTrace:
    """One counter in the slices of one window, arrays of equal length. NaN: could not be read.

    `values`: per frame, of a level (resident set) the value at the end of the slice. `at_s`: begin of the slice since
    the first one of the run.
    """

    metric: str
    unit: str
    domain: str
    source: str
    shape: Shape
    role: Role
    pass_: int
    at_s: NDArray[np.float64]
    seconds: NDArray[np.float64]
    values: NDArray[np.float64]


def traces(run: Run) -> list[CounterTrace]:
    """Every counter of every window with slices, in the order of the windows; empty for runs without slices."""
    sliced = [(w, w.slices) for w in run.windows if w.slices is not None]
    first = min((t for _, slices in sliced for t in slices.t0_ns), default=0)
    found = []
    for window, slices in sliced:
        start = np.asarray(slices.t0_ns, dtype=np.float64) - first
        seconds = (np.asarray(slices.t1_ns, dtype=np.float64) - first - start) / 1e9
        frames = np.asarray(slices.iterations, dtype=np.float64) * run.case.batch
        for c in slices.counts:
            values = np.array([np.nan if raw is None else raw for raw in c.raw], dtype=np.float64) * c.scale
            if c.shape is Shape.COUNT:
                values = values / frames
            place = (window.role, window.pass_, start / 1e9, seconds)
            found.append(CounterTrace(c.metric, c.unit, c.domain, c.source, c.shape, *place, values))
    return found
