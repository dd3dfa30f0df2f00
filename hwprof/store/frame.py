"""`Results.frame()`: one row per run, by bulk queries; nothing is done row by row in the database.

Counts are per frame (value / (iterations x batch) of the windows they were counted in), levels as they are. Missing
is NaN. Texts are printable: a name may hold a line end, or a byte that is no UTF-8. Simulated counts have columns of
their own, taken from the simulated run of the same case, machine and experiment. `df.attrs["metrics"]` describes every
metric column.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import Connection, Row, Text, func, select, type_coerce

from hwprof import speed
from hwprof.networks.stored_precision import main_precision
from hwprof.printable import printable
from hwprof.records import Exactness, Fidelity, Kind, Origin, Role, from_json
from hwprof.store import schema
from hwprof.store.columns import (
    ROLES,
    WORST,
    Column,
    Description,
    Floats,
    MetricRow,
    call_of,
    column_name,
    metric_of,
    session_of,
    settings_of,
    version_of,
)
from hwprof.store.database import Database
from hwprof.store.machine_power import power_columns
from hwprof.store.machines import labels, last_levels
from hwprof.store.observed import name_programs
from hwprof.store.paired import PAIRED, SHARES, paired_columns, share_columns
from hwprof.store.readings import Sums, reduce, sum_readings
from hwprof.store.scope import RunFilter
from hwprof.store.validation import Suspects, latest

MIB = float(1 << 20)
RUNS_PER_STEP = 1000  # whose percentiles are computed in one call
RUN_COLUMNS = (
    *("run", "experiment", "kind", "framework", "network", "recipe", "size", "shape", "batch", "threads", "cpus"),
    *("precision", "machine", "machine_id", "round", "attempt", "status", "failure", "started_utc"),
    *("fps", "throughput", *SHARES, "set", *PAIRED, "power_sensors", "power_why"),
    *("counted_throughput", "latency_ms", "p90_ms", "p99_ms", "outliers", "iterations", "last_level_mib"),
    *("load_ms", "peak_rss_mib", "max_rel", "top1", "faithful", "agreement", "macs", "params", "emulated", "computed"),
    *("tuned", "threads_tuned", "call", "version", "kernel", "governor", "session", "first_ms", "undisturbed"),
)


def build(database: Database, kind: str | None) -> pd.DataFrame:
    """The frame of the chosen runs of one kind, or of every kind."""
    only, every, simulated = (RunFilter(k, database.condition) for k in (kind, None, Kind.SIMULATED))
    with database.read() as connection:
        runs = _runs(connection, only)
        rows = {run.id: index for index, run in enumerate(runs)}
        calls = _calls(connection)
        base = _identity(runs, _experiments(connection), labels(connection), calls)
        base |= _conditions(connection, runs) | power_columns(runs)
        base["last_level_mib"] = _floats(map(last_levels(connection).get, (run.machine_id for run in runs)))
        if kind == Kind.NATIVE:
            name_programs(base, runs)
        base |= _speed(connection, only, runs, rows)
        base |= paired_columns(connection, only, runs, rows)
        readings = sum_readings(connection, only)
        emulated = _emulated_runs(connection, readings)
        base["emulated"] = np.array([run.id in emulated for run in runs], dtype=bool)
        metrics = {
            row.id: metric_of(row.shape, row.name, row.unit, row.domain, row.source, row.meaning)
            for row in connection.execute(select(schema.metric))
        }
        base |= share_columns(readings, metrics, runs, rows, _hosts(connection))
        columns: dict[str, Column] = {}
        targets = {identity: [index] for identity, index in rows.items()}
        whys = _whys(connection, every)
        suspects = Suspects(connection)
        hosts = [run.host_state_id for run in runs]
        _fill(columns, readings, metrics, whys, targets, suspects, hosts)
        if kind == Kind.NATIVE:
            partners = _simulated_partners(connection, runs, calls)
            _fill(columns, sum_readings(connection, simulated), metrics, whys, partners, suspects, hosts)
        verdicts = [stored for events in latest(connection).values() for stored in events.values()]
    named = {(f"metric.{n}" if n in base else n): column for n, column in sorted(columns.items())}
    frame = pd.DataFrame({**base, **{name: column.values for name, column in named.items()}})
    frame.attrs["metrics"] = Description({name: column.attributes() for name, column in named.items()})
    frame.attrs |= {"results": str(database.path), "validation": [asdict(stored) for stored in verdicts]}
    return frame


def _runs(connection: Connection, only: RunFilter) -> Sequence[Row[Any]]:
    r, c = schema.run, schema.cases
    case_columns = [column.label(f"case_{column.name}") for column in c.c if column is not c.c.id]
    # rounds of a case mostly have the same fidelity: read as text, decoded once. `env` is not needed here
    run_columns = [
        type_coerce(column, Text) if column.name == "fidelity" else column for column in r.c if column is not r.c.env
    ]
    query = select(*run_columns, *case_columns).join(c, r.c.case_id == c.c.id).order_by(r.c.id)
    return connection.execute(only.apply(query)).all()


def _experiments(connection: Connection) -> dict[int, str]:
    """Experiment id -> name, with the id appended where several experiments have the same name."""
    e = schema.experiment
    found = {row.id: row.name for row in connection.execute(select(e.c.id, e.c.name))}
    names = list(found.values())
    return {i: name if names.count(name) == 1 else f"{name} #{i}" for i, name in found.items()}


def _emulated_runs(connection: Connection, readings: Sequence[Sums]) -> frozenset[int]:
    """Runs on an emulated machine, whether or not its PMU counted anything: their time is the emulator's."""
    r = schema.run
    counted = (run for sums in readings if sums.origin is Origin.EMULATED for run in sums.run.astype(np.int64).tolist())
    hosts = [identity for identity, state in _hosts(connection).items() if state.get("emulated")]
    return frozenset(counted) | frozenset(connection.scalars(select(r.c.id).where(r.c.host_state_id.in_(hosts))))


def _hosts(connection: Connection) -> dict[int, Mapping[str, Any]]:
    """Id -> how the machine was set."""
    h = schema.host_state
    return {row.id: row.facts or {} for row in connection.execute(select(h.c.id, h.c.facts))}


def _calls(connection: Connection) -> dict[int, str]:
    """Software id -> how the framework was called; "" where that isn't recorded."""
    s = schema.software
    return {row.id: call_of(row.facts or {}) for row in connection.execute(select(s.c.id, s.c.facts))}


def _conditions(connection: Connection, runs: Sequence[Row[Any]]) -> dict[str, pd.Series]:
    """Versions of the framework, kernel, governor and session of each run: what differs in them is no round."""
    s, hosts = schema.software, _hosts(connection)
    versions = {row.id: row.facts or {} for row in connection.execute(select(s.c.id, s.c.facts))}
    found = {
        "version": [version_of(versions[r.software_id]) for r in runs],
        "kernel": [settings_of(hosts[r.host_state_id])[0] for r in runs],
        "governor": [settings_of(hosts[r.host_state_id])[1] for r in runs],
        "session": [session_of(r.facts) for r in runs],
    }
    return {name: pd.Series([printable(v) for v in values], dtype=object) for name, values in found.items()}


def _floats(values: Iterable[Any]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _speeds(values: Iterable[Any]) -> Floats:
    """NaN for what is neither a speed nor a time: 0 and infinities, which imported files may hold."""
    found = _floats(values)
    return np.where(np.isfinite(found) & (found > 0), found, np.nan)


def _identity(
    runs: Sequence[Row[Any]], experiments: Mapping[int, str], labels: Mapping[int, str], calls: Mapping[int, str]
) -> dict[str, Any]:
    def texts(values: Iterable[Any]) -> pd.Series:
        return pd.Series([printable(v) if isinstance(v, str) else v for v in values], dtype=object)

    kinds = {text: from_json(Fidelity, schema.loads(text)) for text in {r.fidelity for r in runs} - {None}}
    fidelity = [kinds.get(r.fidelity) for r in runs]
    out: dict[str, Any] = dict.fromkeys(RUN_COLUMNS)
    out |= {
        "run": texts(r.uid for r in runs),
        "experiment": texts(experiments.get(r.experiment_id) for r in runs),
        "call": texts(calls[r.software_id] for r in runs),
        "cpus": texts(",".join(str(cpu) for cpu in r.case_cpus) for r in runs),
        "machine": texts(labels[r.machine_id] for r in runs),
        "machine_id": texts(f"{r.machine_id:016x}" for r in runs),
        "failure": texts(None if r.failure is None else r.failure["code"] for r in runs),
        "fps": _speeds(r.fps for r in runs),
        "throughput": _speeds(r.throughput for r in runs),
        "latency_ms": _speeds(r.latency_ns for r in runs) / 1e6,
        "load_ms": _floats(r.load_ns for r in runs) / 1e6,
        "first_ms": _floats((r.facts.get("warmup") or {}).get("first_ns") or None for r in runs) / 1e6,
        "peak_rss_mib": _floats(r.facts.get("peak_rss_bytes") for r in runs) / MIB,
        "max_rel": _floats(None if f is None else f.max_rel for f in fidelity),
        "top1": _floats(None if f is None else f.top1 for f in fidelity),
        "faithful": texts(None if f is None or f.max_rel is None else f.faithful for f in fidelity),
        "agreement": texts(None if f is None else f.state for f in fidelity),
        "computed": texts(main_precision(r.facts.get("computed")) or None for r in runs),
        "macs": _floats(r.case_macs for r in runs),
        "params": _floats(r.case_params for r in runs),
    }
    of_case = ("case_framework", "case_network", "case_recipe", "case_shape", "case_precision")
    for name in ("kind", "status", "started_utc", *of_case):
        out[name.removeprefix("case_")] = texts(getattr(r, name) for r in runs)
    for name in ("case_size", "case_batch", "case_threads", "round", "attempt"):
        out[name.removeprefix("case_")] = np.array([getattr(r, name) for r in runs], dtype=np.int64)
    tuned = [r.facts.get("tuned") for r in runs]
    out["tuned"] = texts(None if t is None else " ".join(["tuned", *t["given"]]) for t in tuned)
    out["threads_tuned"] = np.array([t is not None and not t["threads_given"] for t in tuned], dtype=bool)
    options = [dict(r.case_options) for r in runs]
    for name in sorted({name for option in options for name in option}):
        out[f"option.{printable(name)}"] = texts(option.get(name) for option in options)
    return out


def _speed(
    connection: Connection, only: RunFilter, runs: Sequence[Row[Any]], rows: Mapping[int, int]
) -> dict[str, Floats]:
    """What is computed from the latencies of bare windows, and the throughput of counted windows."""
    n, w, r = len(runs), schema.window, schema.run
    names = ("p90_ms", "p99_ms", "outliers", "iterations", "counted_throughput", "undisturbed")
    out = {name: np.full(n, np.nan) for name in names}
    bare = (
        select(w.c.run_id, w.c.latencies, w.c.disturbed)
        .join(r, w.c.run_id == r.c.id)
        .where(w.c.role == Role.BARE.value)
    )
    pooled: dict[int, list[bytes]] = {}
    for run_id, blob, disturbed in connection.execution_options(yield_per=500).execute(
        only.apply(bare).order_by(w.c.run_id, w.c.idx)
    ):
        pooled.setdefault(rows[run_id], []).append(blob)
        if disturbed is not None and blob:
            out["undisturbed"][rows[run_id]] = 1 - len(disturbed) / len(blob)
    alike: dict[int, list[int]] = defaultdict(list)
    for index, blobs in pooled.items():
        alike[sum(map(len, blobs))].append(index)
    # runs with the same number of latencies form a matrix: one call for all of them
    for length, indices in alike.items():
        for start in range(0, len(indices) if length else 0, RUNS_PER_STEP):
            some = indices[start : start + RUNS_PER_STEP]
            values = np.frombuffer(b"".join(b for i in some for b in pooled[i]), dtype="<i8").reshape(len(some), -1)
            out["p90_ms"][some], out["p99_ms"][some] = np.percentile(values, (90, 99), axis=1) / 1e6
            out["outliers"][some] = speed.outliers_of_each(values)
            out["iterations"][some] = values.shape[1]
    elapsed = func.sum(func.coalesce(w.c.elapsed_ns, w.c.t1_ns - w.c.t0_ns))
    counted = select(w.c.run_id, func.sum(w.c.iterations), elapsed).join(r, w.c.run_id == r.c.id)
    counted = counted.where(w.c.role == Role.COUNTED.value).group_by(w.c.run_id)
    for run_id, iterations, elapsed_ns in connection.execute(only.apply(counted)):
        if elapsed_ns > 0:
            index = rows[run_id]
            out["counted_throughput"][index] = speed.throughput(iterations * runs[index].case_batch, elapsed_ns)
    return out


def _fill(
    columns: dict[str, Column],
    readings: Sequence[Sums],
    metrics: Mapping[int, MetricRow],
    whys: Mapping[int, Sequence[str]],
    targets: Mapping[int, Sequence[int]],
    suspects: Suspects,
    hosts: Sequence[int],
) -> None:
    """Put readings into their columns. `targets`: run id -> the rows it belongs to; `hosts`: host state of each row."""

    # the best window first, a PMU before /proc: what is there is not overwritten by what is second best
    def place(sums: Sums) -> tuple[bool, int, bool, int]:
        perf = metrics[sums.metric_id].source.startswith("perf")
        return not sums.has_values, ROLES.index(sums.role), not perf, sums.metric_id

    pairs = [(run, row) for run in sorted(targets) for row in targets[run]]
    known, into = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    for sums in sorted(readings, key=place):
        metric = metrics[sums.metric_id]
        # runs are in rising order on both sides: of each run of the sums, the stretch of its rows
        first, last = (np.searchsorted(known, sums.run.astype(np.int64), side) for side in ("left", "right"))
        source = np.repeat(np.arange(len(first)), last - first)
        if not len(source):
            continue
        before = np.repeat(np.cumsum(last - first) - (last - first), last - first)
        rows = into[np.repeat(first, last - first) + np.arange(len(source)) - before]
        column = _column(columns, metric, sums.origin, len(hosts), sums.has_values)
        with np.errstate(divide="ignore", invalid="ignore"):
            values = reduce(metric, sums)[source]
        fresh = (sums.rank[source] >= 0) & np.isfinite(values) & np.isnan(column.values[rows])
        column.values[rows[fresh]] = values[fresh]
        if fresh.any():
            column.exactness |= {WORST[int(rank)].value for rank in np.unique(sums.rank[source][fresh])}
            column.origins.add(sums.origin.value)
            for texts, text in (
                (column.sources, metric.source),
                (column.meanings, metric.meaning),
                (column.domains, metric.domain),
            ):
                if text:
                    texts[text] = None
            if suspects:
                reasons = {suspects.why(h, metric.name, metric.source) for h in {hosts[row] for row in rows[fresh]}}
                reasons -= {""}
                column.exactness |= {Exactness.SUSPECT.value} if reasons else set()
                column.why = {**dict.fromkeys(sorted(reasons)), **column.why}
        column.why |= dict.fromkeys(whys.get(sums.metric_id, ()))


def _whys(connection: Connection, every: RunFilter) -> dict[int, list[str]]:
    """Why a metric is missing where it is; the most frequent reason first."""
    v = schema.reading
    query = (
        select(v.c.metric_id, v.c.why)
        .where(v.c.value.is_(None), v.c.why != "")
        .group_by(v.c.metric_id, v.c.why)
        .order_by(func.count().desc(), v.c.why)
    )
    found: dict[int, list[str]] = defaultdict(list)
    for metric_id, why in connection.execute(every.restrict(query, v.c.run_id)):
        found[metric_id].append(why)
    return found


def _column(columns: dict[str, Column], metric: MetricRow, origin: str, n: int, known: bool) -> Column:
    """The column of a metric. A metric of the same name in another unit, or of another shape, gets one of its own."""
    name = column_name(metric, origin)
    column = columns.get(name)
    if column is not None and known and (column.unit, column.per) != (metric.unit, metric.per):
        if not column.origins:  # so far it was only missing, and a missing value needs no unit
            column.unit, column.per = metric.unit, metric.per
            return column
        name = f"{name} [{metric.unit if column.unit != metric.unit else metric.shape}]"
        column = columns.get(name)
    if column is None:
        column = columns[name] = Column(name, metric.unit, metric.per, np.full(n, np.nan))
    return column


def _simulated_partners(
    connection: Connection, runs: Sequence[Row[Any]], calls: Mapping[int, str]
) -> dict[int, list[int]]:
    """Simulated run id -> rows of the native runs of the same case, machine, experiment and call; the latest counts."""
    r = schema.run
    query = (
        select(r.c.id, r.c.case_id, r.c.machine_id, r.c.experiment_id, r.c.software_id)
        .where(r.c.kind == Kind.SIMULATED.value, r.c.status == "ok")
        .order_by(r.c.id)
    )

    def place(run: Any) -> tuple[Any, ...]:
        return run.case_id, run.machine_id, run.experiment_id, calls[run.software_id]

    latest = {place(row): row.id for row in connection.execute(query)}
    partners: dict[int, list[int]] = defaultdict(list)
    for index, run in enumerate(runs):
        partner = latest.get(place(run))
        if partner is not None:
            partners[partner].append(index)
    return partners
