"""All readings of a results file as arrays, summed per run, metric and role of the window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, case, func, select

from hwprof.records import Exactness, Origin, Role
from hwprof.store import schema
from hwprof.store.columns import ROLES, WORST, Floats

SLICE = 20_000  # rows fetched at a time
ORIGINS = tuple(Origin)
KINDS = len(WORST) * len(ORIGINS)
WIDTH = 1 << 20  # more windows than a run has: run and window in one number, which a float64 holds for 2^33 runs


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over the windows of one role in one run, of one metric of one origin; arrays of one element per run."""

    metric_id: int
    role: Role
    origin: Origin
    run: Floats  # row id of the run
    total: Floats
    count: Floats  # windows in which there is a value
    frames: Floats  # of these windows
    ns: Floats
    weighted: Floats  # value x ns
    largest: Floats
    rank: Floats  # place of the worst exactness in WORST; -1: there is no value

    @property
    def known(self) -> bool:
        """Whether any run has a value."""
        return bool((self.count > 0).any())


def summed(connection: Connection, kind: str | None) -> list[Sums]:
    """All readings of all runs, fetched in slices as plain numbers and summed here: the database is slower at it."""
    v = schema.reading
    # as few numbers per reading as can be: making them into objects is what takes the time
    what = v.c.metric_id * KINDS + _code(v.c.exactness, WORST) * len(ORIGINS) + _code(v.c.origin, ORIGINS)
    query = select(v.c.run_id * WIDTH + v.c.window_idx, what, func.coalesce(v.c.value, 0.0))
    if kind is not None:
        query = query.where(v.c.run_id.in_(of_kind(select(schema.run.c.id), kind)))
    table = _numbers(connection, query.order_by(v.c.run_id, v.c.window_idx, v.c.seq), 3)
    if not len(table):
        return []
    place, codes, value = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2]
    run, metric, origin = place // WIDTH, codes // KINDS, codes % len(ORIGINS)
    exactness: Floats = (codes % KINDS // len(ORIGINS)).astype(np.float64)
    role, frames, ns = _windows(connection, kind, place)
    order = np.lexsort((run, origin, role, metric))
    keys: Floats = np.stack([metric, role, origin, run]).astype(np.float64)[:, order]
    changes = (np.diff(keys, axis=1) != 0).any(axis=0)
    first = np.concatenate([[0], np.flatnonzero(changes) + 1])
    there = exactness[order] != WORST.index(Exactness.MISSING)
    value, frames, ns, exactness = (array[order] for array in (value, frames, ns, exactness))

    def total(values: Floats) -> Floats:
        return np.asarray(np.add.reduceat(np.where(there, values, 0.0), first), dtype=np.float64)

    sums = (
        total(value),
        total(np.ones_like(value)),
        total(frames),
        total(ns),
        total(value * ns),
        np.maximum.reduceat(np.where(there, value, -np.inf), first),
        np.maximum.reduceat(np.where(there, exactness, -1.0), first),
    )
    keys = keys[:, first]
    edges = np.flatnonzero((np.diff(keys[:3], axis=1) != 0).any(axis=0)) + 1
    found = []
    for start, stop in pairwise([0, *edges.tolist(), keys.shape[1]]):
        metric_id, role_code, origin_code = (int(code) for code in keys[:3, start])
        own = [array[start:stop] for array in (keys[3], *sums)]
        found.append(Sums(metric_id, ROLES[role_code], ORIGINS[origin_code], *own))
    return found


def _windows(connection: Connection, kind: str | None, place: NDArray[np.int64]) -> tuple[Floats, Floats, Floats]:
    """Role (place in ROLES), frames and length in ns of the window that each reading belongs to."""
    w, r, c = schema.window, schema.run, schema.cases
    query = (
        select(w.c.run_id * WIDTH + w.c.idx, _code(w.c.role, ROLES), w.c.iterations * c.c.batch, w.c.t1_ns - w.c.t0_ns)
        .join(r, w.c.run_id == r.c.id)
        .join(c, r.c.case_id == c.c.id)
        .order_by(w.c.run_id, w.c.idx)
    )
    table = _numbers(connection, of_kind(query, kind), 4)
    role, frames, ns = table[np.searchsorted(table[:, 0].astype(np.int64), place), 1:].T
    return role, frames, ns


def _code(column: Any, values: Sequence[StrEnum]) -> Any:
    return case({e.value: position for position, e in enumerate(values)}, value=column)


def _numbers(connection: Connection, query: Select[Any], columns: int) -> Floats:
    """A query without NULLs as an array of shape (rows, columns)."""
    result = connection.execution_options(yield_per=SLICE).execute(query)
    slices = [np.fromiter(chain.from_iterable(part), dtype=np.float64) for part in result.partitions()]
    return np.concatenate([np.empty(0), *slices]).reshape(-1, columns)


def of_kind(query: Select[Any], kind: str | None) -> Select[Any]:
    """Only runs of one kind; None: of all."""
    return query if kind is None else query.where(schema.run.c.kind == str(kind))
