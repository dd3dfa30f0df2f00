"""`Results.over_time()`: frames per second over time, one row per slice, and per 50 ms of what has no slices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sqlalchemy import select

from hwprof import speed
from hwprof.printable import printable
from hwprof.records import Role
from hwprof.store import schema
from hwprof.store.database import Database
from hwprof.store.scope import RunFilter

CASE = ("framework", "network", "size", "shape", "batch", "threads", "precision")
COLUMNS = ("run", "kind", "round", *CASE, "window", "role", "turn", "at_s", "seconds", "fps")
ROLES = (Role.BARE.value, Role.PAIRED.value, Role.COUNTED.value)


def build(database: Database, kind: str | None) -> pd.DataFrame:
    """One row per slice or bin, in the order of runs, windows and time. `turn` is NaN where there are no slices.

    `at_s`: begin of the slice or bin, in seconds since the run's first window began; `fps`: throughput within it.
    Columns of the case are as in the frame of runs, which `run` joins.
    """
    r, c, w, s = schema.run, schema.cases, schema.window, schema.slices
    columns = (w.c.run_id, w.c.idx, w.c.role, w.c.t0_ns, w.c.t1_ns, w.c.elapsed_ns, w.c.latencies)
    sliced = (s.c.t0_ns.label("starts"), s.c.t1_ns.label("ends"), s.c.iterations.label("counts"), s.c.turns)
    case = (r.c.uid, r.c.kind, r.c.round, *(c.c[name] for name in CASE))
    query = (
        select(*columns, *sliced, *case)
        .join(r, w.c.run_id == r.c.id)
        .join(c, r.c.case_id == c.c.id)
        .outerjoin(s, (s.c.run_id == w.c.run_id) & (s.c.window_idx == w.c.idx))
        .where(w.c.role.in_(ROLES), w.c.iterations > 0)
        .order_by(w.c.run_id, w.c.idx)
    )
    only = RunFilter(kind, database.condition)
    found: dict[str, list[NDArray[Any]]] = {name: [] for name in COLUMNS}
    with database.read() as connection:
        for row in connection.execution_options(yield_per=500).execute(only.apply(query)):
            start, length, iterations, turns = _points(row)
            values: Sequence[Any] = (printable(row.uid), row.kind, row.round, *(_plain(row, name) for name in CASE))
            n = len(start)
            for name, value in zip(COLUMNS, (*values, row.idx, row.role), strict=False):
                column = np.empty(n, dtype=object if isinstance(value, str) else np.int64)
                column[:] = value
                found[name].append(column)
            with np.errstate(divide="ignore"):
                fps = row.batch * iterations * 1e9 / length
            for name, points in zip(COLUMNS[-4:], (turns, start, length / 1e9, fps), strict=True):
                found[name].append(points)
    frame = pd.DataFrame({name: np.concatenate(parts) if parts else [] for name, parts in found.items()})
    frame["at_s"] = (frame["at_s"] - frame.groupby("run")["at_s"].transform("min")) / 1e9
    return frame


def _points(row: Any) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """(start in ns, length in ns, inferences, turn) of each slice or bin of a window."""
    if row.starts is None:
        elapsed = row.t1_ns - row.t0_ns if row.elapsed_ns is None else row.elapsed_ns
        start, length, iterations = speed.bins(_ints(row.latencies), elapsed)
        return start + row.t0_ns, length, iterations, np.full(len(start), np.nan)
    starts, ends = _ints(row.starts), _ints(row.ends)
    return starts, ends - starts, _ints(row.counts), _ints(row.turns).astype(np.float64)


def _ints(blob: bytes) -> NDArray[np.int64]:
    return np.frombuffer(blob, dtype="<i8").astype(np.int64)


def _plain(row: Any, name: str) -> Any:
    value = getattr(row, name)
    return printable(value) if isinstance(value, str) else value
