"""All readings of a results file as arrays, summed per run, metric and role of the window."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Column, Connection, Select, Table, case, func, insert, select, update

from hwprof.printable import encodable
from hwprof.records import Counter, Exactness, Origin, Reading, Role, Shape
from hwprof.store import schema
from hwprof.store.columns import ROLES, WORST, Floats, MetricRow
from hwprof.store.scope import RunFilter

Ints = NDArray[np.int64]

PEAK = re.compile(r"(^|[-_.])(peak|max|hwm)([-_.]|$)")
SLICE = 20_000  # rows fetched at a time
CHUNK = 500  # values of one IN: databases limit the number of parameters
ORIGINS = tuple(Origin)
KINDS = len(WORST) * len(ORIGINS)
WIDTH = 1 << 20  # more windows than a run has: run and window in one number


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
    def has_values(self) -> bool:
        """Whether any run has a value."""
        return bool((self.count > 0).any())


def reduce(metric: MetricRow, sums: Sums) -> Floats:
    """One number per run: a count per frame, a total per window, the largest of a peak, a level's mean over time."""
    if metric.shape is Shape.COUNT:
        return sums.total / sums.frames
    if metric.shape is Shape.TOTAL:
        return sums.total / sums.count
    if PEAK.search(metric.name):
        return sums.largest
    return np.where(sums.ns > 0, sums.weighted / sums.ns, sums.total / sums.count)


def sum_readings(connection: Connection, runs: RunFilter) -> list[Sums]:
    """All readings of these runs, fetched in slices as plain numbers and summed here: the database is slower at it."""
    v = schema.reading
    # few numbers per reading: turning them into objects is what takes the time
    what = v.c.metric_id * KINDS + _code(v.c.exactness, WORST) * len(ORIGINS) + _code(v.c.origin, ORIGINS)
    query = select(v.c.run_id * WIDTH + v.c.window_idx, what, func.coalesce(v.c.value, 0.0))
    query = runs.restrict(query, v.c.run_id)
    place, codes, value = _numbers(connection, query.order_by(v.c.run_id, v.c.window_idx, v.c.seq), "qqd")
    if not len(place):
        return []
    run, metric = place // WIDTH, codes // KINDS
    origin, exactness = codes % len(ORIGINS), codes % KINDS // len(ORIGINS)
    role, frames, ns = _windows(connection, runs, place)
    order, sort = _sort((metric * len(ROLES) + role) * len(ORIGINS) + origin)
    run = run[order]
    first = np.flatnonzero(np.diff(sort, prepend=-1) | np.diff(run, prepend=-1))
    value, frames, ns, exactness = (array[order] for array in (value, frames, ns, exactness))
    there = exactness != WORST.index(Exactness.MISSING)

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
    run, sort = run[first].astype(np.float64), sort[first]
    found = []
    for start, stop in pairwise([0, *(np.flatnonzero(np.diff(sort)) + 1).tolist(), len(sort)]):
        rest, origin_code = divmod(int(sort[start]), len(ORIGINS))
        metric_id, role_code = divmod(rest, len(ROLES))
        own = [array[start:stop] for array in (run, *sums)]
        found.append(Sums(metric_id, ROLES[role_code], ORIGINS[origin_code], *own))
    return found


def _sort(codes: Ints) -> tuple[Ints, Ints]:
    """Stable order of small non-negative integers, and the integers in it.

    The integers are replaced by their places among the different ones, of which there are some hundreds: numpy sorts
    16 bits by radix, in a tenth of the time that comparisons take.
    """
    known = np.flatnonzero(np.bincount(codes))
    places = np.zeros(int(known[-1]) + 1, dtype=np.int64)
    places[known] = np.arange(len(known))
    small = places[codes]
    order = np.argsort(small.astype(np.uint16) if len(known) <= 1 << 16 else small, kind="stable")
    return order, codes[order]


def _windows(connection: Connection, runs: RunFilter, place: Ints) -> tuple[Ints, Floats, Floats]:
    """Role (place in ROLES), frames and length in ns of the window that each reading belongs to."""
    w, r, c = schema.window, schema.run, schema.cases
    query = (
        select(
            w.c.run_id * WIDTH + w.c.idx,
            _code(w.c.role, ROLES),
            w.c.iterations * c.c.batch,
            func.coalesce(w.c.elapsed_ns, w.c.t1_ns - w.c.t0_ns),
        )
        .join(r, w.c.run_id == r.c.id)
        .join(c, r.c.case_id == c.c.id)
        .order_by(w.c.run_id, w.c.idx)
    )
    windows, role, frames, ns = _numbers(connection, runs.apply(query), "qqdd")
    at = np.searchsorted(windows, place)
    return role[at], frames[at], ns[at]


def _code(column: Any, values: Sequence[StrEnum]) -> Any:
    return case({e.value: position for position, e in enumerate(values)}, value=column)


def _numbers(connection: Connection, query: Select[Any], types: str) -> list[Any]:
    """A query without NULLs, one array per column; `types`: q int64, d float64 each.

    The driver's own cursor: a Row object for each of millions of rows takes longer than reading them.
    """
    text = str(query.compile(connection, compile_kwargs={"literal_binds": True}))
    cursor = connection.connection.cursor()
    try:
        cursor.execute(text)
        parts: list[list[Any]] = [[] for _ in types]
        while rows := cursor.fetchmany(SLICE):
            for part, dtype, column in zip(parts, types, zip(*rows, strict=True), strict=True):
                part.append(np.array(column, dtype=dtype))
    finally:
        cursor.close()
    return [np.concatenate([np.empty(0, dtype), *part]) for part, dtype in zip(parts, types, strict=True)]


MetricKey = tuple[str, str, str, str, str, str]
KEY = ("name", "unit", "domain", "source", "meaning", "config")  # columns of the metric table that make its key


def metric_ids(connection: Connection, metrics: Mapping[MetricKey, str | None]) -> dict[MetricKey, int]:
    """Ids of metrics by key, inserted where they are new. `metrics`: key -> recorded shape, None where there is none.

    A metric takes the shape that was recorded last.
    """
    table = schema.metric
    found: dict[MetricKey, int] = {}
    for identity, key, shape in stored_metrics(connection, table.c.name, {key[0] for key in metrics}):
        found[key] = identity
        if (recorded := metrics.get(key)) not in (None, shape):
            connection.execute(update(table).where(table.c.id == identity).values(shape=recorded))
    for key, shape in metrics.items():
        if key not in found:
            found[key] = insert_one(connection, table, {**dict(zip(KEY, key, strict=True)), "shape": shape})
    return {key: found[key] for key in metrics}


def stored_metrics(
    connection: Connection, column: Column[Any], values: Iterable[Any]
) -> Iterator[tuple[int, MetricKey, str | None]]:
    """(id, key, shape) of the metrics with these values in a column."""
    wanted, table = sorted(values), schema.metric
    for start in range(0, len(wanted), CHUNK):
        for row in connection.execute(select(table).where(column.in_(wanted[start : start + CHUNK]))).all():
            yield row.id, (row.name, row.unit, row.domain, row.source, row.meaning, row.config), row.shape


def metric_key(metric: Reading | Counter) -> MetricKey:
    """The key of the metric of a reading or a counter."""
    return storable_key((metric.metric, metric.unit, metric.domain, metric.source, metric.meaning, ""))


def shapes_of(readings: Iterable[Reading]) -> dict[MetricKey, str | None]:
    """The metrics of readings, each with its recorded shape. That of a value precedes that of a missing reading."""
    found: dict[MetricKey, str | None] = {}
    for reading in sorted(readings, key=lambda r: r.value is not None):
        key = metric_key(reading)
        found[key] = reading.shape or found.get(key)
    return found


def storable_key(key: MetricKey) -> MetricKey:
    """A key as it is stored: a byte that is no UTF-8 (in the path of a meter's log, say) is escaped."""
    name, unit, domain, source, meaning, config = map(encodable, key)
    return name, unit, domain, source, meaning, config


def insert_one(connection: Connection, table: Table, row: Mapping[str, Any]) -> int:
    """Insert a row; the key that the database gave it."""
    key = connection.execute(insert(table), dict(row)).inserted_primary_key
    assert key is not None
    return int(key[0])
