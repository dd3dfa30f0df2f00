"""Speed ratio of two runs that were measured side by side in a set, from their bare slices. Pure."""

from __future__ import annotations

import math

import numpy as np

from hwprof import speed
from hwprof.analysis.estimator import Estimator
from hwprof.collectors.vocabulary import Name
from hwprof.records import Role, Run, Slices
from hwprof.store.columns import CPU_TIMES, Floats

# Columns of `speed.Turns.logs`; all three are times.
COLUMN = {Estimator.FPS: 0, Estimator.THROUGHPUT: 1, Estimator.CPU_TIME: 2}


def bare_turns(run: Run) -> speed.Turns | None:
    """The bare slices of a run by turn, without those in which a page came from the disk; None: it has none."""
    tables = []
    for window in run.windows:
        if window.role is not Role.PAIRED or window.slices is None or not window.slices.iterations:
            continue
        one = window.slices
        columns = (
            np.asarray(one.turns, dtype=np.float64),
            np.asarray(speed.slice_medians(window.latencies_ns, one.iterations)),
            np.subtract(one.t1_ns, one.t0_ns).astype(np.float64),
            sum((_count(one, name) for name in CPU_TIMES), np.zeros(len(one.turns))),
            np.asarray(one.iterations, dtype=np.float64),
        )
        faults = np.nan_to_num(_count(one, Name.RUSAGE_MAJOR_FAULTS))
        tables.append(np.stack(columns)[:, faults == 0])
    if not tables:
        return None
    turns, medians, elapsed, cpu_s, iterations = np.concatenate(tables, axis=1)
    return speed.by_turn(turns, medians, elapsed, cpu_s, iterations, run.case.batch)


def _count(slices: Slices, name: Name) -> Floats:
    """A count per slice in its unit; NaN: unknown."""
    for counts in slices.counts:
        if counts.metric == name:
            raw = [math.nan if value is None else float(value) for value in counts.raw]
            return np.asarray(raw, dtype=np.float64) * counts.scale
    return np.full(len(slices.turns), np.nan)


def log_ratio(fast: speed.Turns, slow: speed.Turns, estimator: Estimator) -> float | None:
    """Log of the speed of `fast` over that of `slow` in the turns that both have; None: too few, or not known."""
    logs = speed.side_by_side([fast, slow])[:, COLUMN[estimator]]
    ratio = float(logs[1] - logs[0])
    return ratio if math.isfinite(ratio) else None
