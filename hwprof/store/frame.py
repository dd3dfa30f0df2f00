"""`Results.frame()`: one row per run, by bulk queries; nothing is done row by row in the database.

Counts are per frame (value / (iterations x batch) of the windows they were counted in), levels as they are. Missing
is NaN. Simulated counts have columns of their own, taken from the simulated run of the same case, machine and
experiment. `df.attrs["metrics"]` describes every metric column.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Row, Select, and_, case, func, or_, select

from hwprof.analysis import performance
from hwprof.records import Exactness, Fidelity, Kind, Origin, Role, from_json
from hwprof.store import schema
from hwprof.store.columns import REDUCE, ROLES, WORST, Column, Floats, Metric, column_name, per_of, reduce_of
from hwprof.store.database import Database

MIB = float(1 << 20)
RUN_COLUMNS = (
    "run experiment kind framework network recipe size batch threads cpus precision machine machine_id round attempt "
    "status failure started_utc fps throughput counted_throughput latency_ms p90_ms p99_ms outliers iterations load_ms "
    "peak_rss_mib max_rel top1 faithful macs params"
).split()


def build(database: Database, kind: str | None) -> pd.DataFrame:
    """The frame of all runs of one kind, or of all."""
    with database.read() as connection:
        runs = _runs(connection, kind)
        rows = {run.id: index for index, run in enumerate(runs)}
        base = _identity(runs, _experiments(connection), _labels(connection))
        base |= _speed(connection, kind, runs, rows)
        metrics = {
            row.id: Metric(row.name, row.unit, row.domain, row.source, row.meaning)
            for row in connection.execute(select(schema.metric))
        }
        columns: dict[str, Column] = {}
        targets = {identity: [index] for identity, index in rows.items()}
        _fill(columns, _readings(connection, kind), metrics, targets, len(runs))
        if kind == Kind.NATIVE:
            partners = _simulated(connection, runs)
            _fill(columns, _readings(connection, Kind.SIMULATED), metrics, partners, len(runs))
    taken = set(base)
    named = {(f"metric.{n}" if n in taken else n): column for n, column in sorted(columns.items())}
    frame = pd.DataFrame({**base, **{name: column.values for name, column in named.items()}})
    frame.attrs["metrics"] = {name: column.attributes() for name, column in named.items()}
    frame.attrs["results"] = str(database.path)
    return frame


def _of_kind(query: Select[Any], kind: str | None) -> Select[Any]:
    return query if kind is None else query.where(schema.run.c.kind == str(kind))


def _runs(connection: Connection, kind: str | None) -> Sequence[Row[Any]]:
    r, c = schema.run, schema.cases
    case_columns = [column.label(f"case_{column.name}") for column in c.c]
    query = select(r, *case_columns).join(c, r.c.case_id == c.c.id).order_by(r.c.id)
    return connection.execute(_of_kind(query, kind)).all()


def _experiments(connection: Connection) -> dict[int, str]:
    """Names; those of unlike experiments of one name get their id behind them."""
    e = schema.experiment
    found = {row.id: row.name for row in connection.execute(select(e.c.id, e.c.name))}
    names = list(found.values())
    return {i: name if names.count(name) == 1 else f"{name} #{i}" for i, name in found.items()}


def _labels(connection: Connection) -> dict[int, str]:
    """What machines are called; two boards of one model must not be taken for one."""
    m = schema.machine
    found = {row.id: row.label for row in connection.execute(select(m.c.id, m.c.label))}
    names = list(found.values())
    return {
        i: name if name and names.count(name) == 1 else f"{name} {i:016x}"[:-8].strip() for i, name in found.items()
    }


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _floats(values: Iterable[Any]) -> Floats:
    return np.array([_number(value) for value in values], dtype=np.float64)


def _identity(runs: Sequence[Row[Any]], experiments: Mapping[int, str], labels: Mapping[int, str]) -> dict[str, Any]:
    def texts(values: Iterable[Any]) -> pd.Series:
        return pd.Series(list(values), dtype=object)

    fidelity = [None if r.fidelity is None else from_json(Fidelity, r.fidelity) for r in runs]
    out: dict[str, Any] = dict.fromkeys(RUN_COLUMNS)
    out |= {
        "run": texts(r.uid for r in runs),
        "experiment": texts(experiments.get(r.experiment_id) for r in runs),
        "cpus": texts(",".join(str(cpu) for cpu in r.case_cpus) for r in runs),
        "machine": texts(labels[r.machine_id] for r in runs),
        "machine_id": texts(f"{r.machine_id:016x}" for r in runs),
        "failure": texts(None if r.failure is None else r.failure["code"] for r in runs),
        "fps": _floats(r.fps for r in runs),
        "throughput": _floats(r.throughput for r in runs),
        "latency_ms": _floats(r.latency_ns for r in runs) / 1e6,
        "load_ms": _floats(r.load_ns for r in runs) / 1e6,
        "peak_rss_mib": _floats(r.facts.get("peak_rss_bytes") for r in runs) / MIB,
        "max_rel": _floats(None if f is None else f.max_rel for f in fidelity),
        "top1": _floats(None if f is None else f.top1 for f in fidelity),
        "faithful": texts(None if f is None else f.faithful for f in fidelity),
        "macs": _floats(r.case_macs for r in runs),
        "params": _floats(r.case_params for r in runs),
    }
    for name in ("kind", "status", "started_utc"):
        out[name] = texts(getattr(r, name) for r in runs)
    for name in ("framework", "network", "recipe", "precision"):
        out[name] = texts(getattr(r, f"case_{name}") for r in runs)
    for name in ("size", "batch", "threads"):
        out[name] = np.array([getattr(r, f"case_{name}") for r in runs], dtype=np.int64)
    for name in ("round", "attempt"):
        out[name] = np.array([getattr(r, name) for r in runs], dtype=np.int64)
    options = [dict(r.case_options) for r in runs]
    for name in sorted({name for option in options for name in option}):
        out[f"option.{name}"] = texts(option.get(name) for option in options)
    return out


def _speed(
    connection: Connection, kind: str | None, runs: Sequence[Row[Any]], rows: Mapping[int, int]
) -> dict[str, Floats]:
    """What is computed from latencies, over bare windows; and the throughput of counted windows, to lay beside it."""
    n, w, r = len(runs), schema.window, schema.run
    out = {name: np.full(n, np.nan) for name in ("p90_ms", "p99_ms", "outliers", "iterations", "counted_throughput")}
    bare = select(w.c.run_id, w.c.latencies).join(r, w.c.run_id == r.c.id).where(w.c.role == Role.BARE.value)
    pooled: list[Any] = []

    def settle(run_id: int) -> None:
        values = np.concatenate(pooled)
        pooled.clear()
        if len(values):
            index = rows[run_id]
            out["p90_ms"][index], out["p99_ms"][index] = np.percentile(values, (90, 99)) / 1e6
            out["outliers"][index] = performance.outliers(values)
            out["iterations"][index] = len(values)

    last: int | None = None
    for run_id, blob in connection.execution_options(yield_per=500).execute(
        _of_kind(bare, kind).order_by(w.c.run_id, w.c.idx)
    ):
        if last is not None and run_id != last:
            settle(last)
        pooled.append(np.frombuffer(blob, dtype="<i8"))
        last = run_id
    if last is not None:
        settle(last)
    counted = select(w.c.run_id, func.sum(w.c.iterations), func.sum(w.c.t1_ns - w.c.t0_ns)).join(
        r, w.c.run_id == r.c.id
    )
    counted = counted.where(w.c.role == Role.COUNTED.value).group_by(w.c.run_id)
    for run_id, iterations, elapsed in connection.execute(_of_kind(counted, kind)):
        if elapsed > 0:
            index = rows[run_id]
            out["counted_throughput"][index] = performance.throughput(iterations * runs[index].case_batch, elapsed)
    return out


def _readings(connection: Connection, kind: str | None) -> dict[tuple[int, str, str], Any]:
    """(metric id, role, origin) -> (run ids, sums over the windows of a run): arrays of one element per run."""
    v, w, r, c = schema.reading, schema.window, schema.run, schema.cases
    there = v.c.value.is_not(None)
    length = w.c.t1_ns - w.c.t0_ns
    rank = case({e.value: position for position, e in enumerate(WORST)}, value=v.c.exactness)

    def where_there(expression: Any) -> Any:
        return func.sum(case((there, expression), else_=0))

    query = (
        select(
            v.c.metric_id,
            w.c.role,
            v.c.origin,
            v.c.run_id,
            func.sum(v.c.value),
            func.count(v.c.value),
            where_there(w.c.iterations * c.c.batch),
            where_there(length),
            func.sum(v.c.value * length),
            func.max(v.c.value),
            func.max(case((there, rank), else_=-1)),
            func.max(v.c.why),
        )
        .join(w, and_(v.c.run_id == w.c.run_id, v.c.window_idx == w.c.idx))
        .join(r, v.c.run_id == r.c.id)
        .join(c, r.c.case_id == c.c.id)
        .group_by(v.c.run_id, w.c.role, v.c.metric_id, v.c.origin)
    )
    found: dict[tuple[int, str, str], list[Any]] = defaultdict(list)
    for row in connection.execute(_of_kind(query, kind)):
        found[row[0], row[1], row[2]].append(row[3:])
    return found


def _fill(
    columns: dict[str, Column],
    readings: Mapping[tuple[int, str, str], Sequence[Any]],
    metrics: Mapping[int, Metric],
    targets: Mapping[int, Sequence[int]],
    n: int,
) -> None:
    """Put readings into their columns. `targets`: run id -> the rows it belongs to."""
    priority = {role.value: position for position, role in enumerate(ROLES)}
    # the best role first: what is there is not overwritten by what comes from a lesser window
    order = sorted(readings, key=lambda key: (priority[key[1]], not _known(readings[key]), key[0]))
    for key in order:
        metric_id, _, origin = key
        metric = metrics[metric_id]
        own = [row for row in readings[key] if targets.get(row[0])]
        if not own:
            continue
        column = _column(columns, metric, origin, n, _known(own))
        table = np.array([[_number(v) for v in row[1:7]] for row in own]).T
        with np.errstate(divide="ignore", invalid="ignore"):
            values = REDUCE[reduce_of(metric, column.per)](*table)
        for row, value in zip(own, values, strict=True):
            if row[7] >= 0 and np.isfinite(value):
                for index in targets[row[0]]:
                    if np.isnan(column.values[index]):
                        column.values[index] = value
                        column.exactness.add(WORST[row[7]].value)
                        column.origins.add(origin)
                        column.sources[metric.source] = column.meanings[metric.meaning] = None
                        column.domains[metric.domain] = None
            elif row[8]:
                column.why[row[8]] = None


def _known(rows: Sequence[Any]) -> bool:
    return any(row[2] for row in rows)


def _column(columns: dict[str, Column], metric: Metric, origin: str, n: int, known: bool) -> Column:
    """The column of a metric. A metric of the same name in another unit gets one of its own."""
    name = column_name(metric, origin)
    column = columns.get(name)
    if column is not None and known and column.unit != metric.unit:
        if not column.sources:  # so far it was only missing, and a missing value needs no unit
            column.unit, column.per = metric.unit, per_of(metric)
            return column
        name = f"{name} [{metric.unit}]"
        column = columns.get(name)
    if column is None:
        column = columns[name] = Column(name, metric.unit, per_of(metric), np.full(n, np.nan))
    return column


def _simulated(connection: Connection, runs: Sequence[Row[Any]]) -> dict[int, list[int]]:
    """Simulated run id -> rows of the native runs of the same case, machine and experiment; the latest one counts."""
    r = schema.run
    query = (
        select(r.c.id, r.c.case_id, r.c.machine_id, r.c.experiment_id)
        .where(r.c.kind == Kind.SIMULATED.value, r.c.status == "ok")
        .order_by(r.c.id)
    )
    latest = {(row.case_id, row.machine_id, row.experiment_id): row.id for row in connection.execute(query)}
    partners: dict[int, list[int]] = defaultdict(list)
    for index, run in enumerate(runs):
        partner = latest.get((run.case_id, run.machine_id, run.experiment_id))
        if partner is not None:
            partners[partner].append(index)
    return partners
