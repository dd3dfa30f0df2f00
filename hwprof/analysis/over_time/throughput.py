"""Frames per second over the time of a run: a point per slice, and per bin of what has no slices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwprof import speed
from hwprof.records import Role, Run, Window

# Windows whose speed is that of this machine.
ROLES = (Role.BARE, Role.PAIRED, Role.COUNTED)


@dataclass(frozen=True, slots=True)
class SpeedTrace:
    """One window over time, arrays of equal length: a point per slice, else per bin of about 50 ms.

    `at_s`: begin of each, since the first window or slice of the run began; `latency_ns`: median of its inferences.
    """

    role: Role
    sliced: bool
    at_s: NDArray[np.float64]
    seconds: NDArray[np.float64]
    fps: NDArray[np.float64]
    latency_ns: NDArray[np.float64]
    iterations: NDArray[np.int64]


def traces(run: Run) -> list[SpeedTrace]:
    """Throughput over time, of each window in its order; nothing of windows without latencies."""
    windows = [w for w in run.windows if w.role in ROLES and w.latencies_ns]
    first = min((w.t0_ns for w in windows), default=0)
    return [trace for w in windows if len((trace := _trace(w, run.case.batch, first)).at_s)]


def _trace(window: Window, batch: int, first_ns: int) -> SpeedTrace:
    latencies = np.asarray(window.latencies_ns, dtype=np.float64)
    if window.slices is None:
        start, length, iterations = speed.bins(latencies, 1e9 * window.elapsed_s)
        start = start + (window.t0_ns - first_ns)
    else:
        start = np.asarray(window.slices.t0_ns, dtype=np.float64) - first_ns
        length = np.asarray(window.slices.t1_ns, dtype=np.float64) - first_ns - start
        iterations = np.asarray(window.slices.iterations, dtype=np.int64)
    order = np.argsort(start, kind="stable")
    medians = np.array(speed.slice_medians(latencies, iterations.tolist()))
    with np.errstate(divide="ignore"):
        fps = batch * iterations * 1e9 / length
    at_s, seconds, fps, medians = (c[order] for c in (start / 1e9, length / 1e9, fps, medians))
    return SpeedTrace(window.role, window.slices is not None, at_s, seconds, fps, medians, iterations[order])


def bare(run: Run, sliced: bool) -> SpeedTrace | None:
    """The bare slices of a run as one trace, or the bins of its bare windows; None where there are none."""
    found = [t for t in traces(run) if t.sliced is sliced and t.role in (Role.BARE, Role.PAIRED)]
    if not found:
        return None
    order = np.argsort(np.concatenate([t.at_s for t in found]), kind="stable")

    def join(column: Callable[[SpeedTrace], NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate([column(t) for t in found])[order]

    return SpeedTrace(
        found[0].role,
        sliced,
        join(lambda t: t.at_s),
        join(lambda t: t.seconds),
        join(lambda t: t.fps),
        join(lambda t: t.latency_ns),
        join(lambda t: t.iterations),
    )
