"""Records from rows: runs as they were added, in bulk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, Text, func, select, type_coerce

from hwprof.errors import ResultsError
from hwprof.records import (
    Case,
    Doubt,
    Exactness,
    Failure,
    Fidelity,
    Kind,
    Origin,
    Reading,
    Role,
    Run,
    Series,
    Shape,
    SliceCounts,
    Slices,
    Window,
    from_json,
)
from hwprof.store import layers, packing, schema
from hwprof.store.scope import RunFilter
from hwprof.store.validation import Suspects

# Runs per transaction when they are streamed, and of runs with a few readings: transactions are short, memory is small.
CHUNK = 64
CHUNK_OF_FEW = 500
# Doubts of earlier versions that are omitted: "observer" derived the measurement overhead from one pair of windows.
WITHDRAWN = frozenset({"observer"})
# calling an enumeration takes longer than a look-up in a dict
_EXACTNESS = {str(member): member for member in Exactness}
_ORIGINS = {str(member): member for member in Origin}
_ROLES = {str(member): member for member in Role}
_SHAPES: dict[str | None, Shape | None] = {None: None, **{str(member): member for member in Shape}}
Facts = dict[tuple[str, int | str], Any]  # (table, row id) or (column, text) -> its value


@dataclass(frozen=True, slots=True)
class StoredExperiment:
    """An experiment in the results, with how many of its runs are ok and how many attempts failed."""

    id: int
    name: str
    toml: str
    plan_hash: str
    seed: int
    ok: int
    failed: int


def experiments(connection: Connection, runs: RunFilter) -> list[StoredExperiment]:
    """All experiments, the oldest first; `runs`: those that are counted."""
    e, r = schema.experiment, schema.run
    counts: dict[tuple[int | None, str], int] = {
        (row[0], row[1]): row[2]
        for row in connection.execute(
            runs.apply(select(r.c.experiment_id, r.c.status, func.count())).group_by(r.c.experiment_id, r.c.status)
        )
    }
    columns = (e.c.id, e.c.name, e.c.toml, e.c.plan_hash, e.c.seed)
    return [
        StoredExperiment(*row, ok=counts.get((row[0], "ok"), 0), failed=counts.get((row[0], "failed"), 0))
        for row in connection.execute(select(*columns).order_by(e.c.id))
    ]


def id_of(connection: Connection, prefix: str) -> int:
    """Row id of the one run whose uid begins with `prefix`. ResultsError for none and for several."""
    prefix = prefix.strip().lower()
    table = schema.run
    if not prefix:
        raise ResultsError("an empty run id", "`hwprof run` prints the id of a run")
    found = connection.execute(
        select(table.c.id, table.c.uid).where(table.c.uid.startswith(prefix, autoescape=True)).order_by(table.c.id)
    ).all()
    exact = [row for row in found if row.uid == prefix]
    if len(found) == 1 or exact:
        return int((exact or found)[0].id)
    if not found:
        raise ResultsError(f"no run '{prefix}' in the results", "`hwprof list runs` lists them")
    names = ", ".join(row.uid for row in found[:4]) + (", ..." if len(found) > 4 else "")
    raise ResultsError(f"'{prefix}' is ambiguous: {len(found)} runs begin with it ({names})", "give more letters")


def runs(
    connection: Connection,
    ids: Sequence[int],
    metrics: Sequence[str] | None = None,
    facts: Facts | None = None,
) -> Iterator[Run]:
    """The runs of these row ids, in this order. `metrics`: with these readings only, and without series.

    Many runs have the same case, environment and long facts of machine, state and software: `facts` keeps them, so
    that they are one object.
    """
    facts = {} if facts is None else facts
    r = schema.run
    columns = (type_coerce(column, Text) if column.name in _SHARED else column for column in r.c)
    rows = {row.id: row for row in connection.execute(select(*columns).where(r.c.id.in_(ids))).all()}
    wanted = {row.case_id for row in rows.values()} - {identity for name, identity in facts if name == "cases"}
    for found in connection.execute(select(schema.cases).where(schema.cases.c.id.in_(wanted))):
        facts["cases", found.id] = case_of(found), found.macs, found.params
    for table in (schema.machine, schema.host_state, schema.software):
        wanted = {getattr(row, f"{table.name}_id") for row in rows.values()}
        unknown = [identity for identity in wanted if (table.name, identity) not in facts]
        for found in connection.execute(select(table.c.id, table.c.facts).where(table.c.id.in_(unknown))):
            facts[table.name, found.id] = found.facts
    windows = _windows(connection, {identity: row.host_state_id for identity, row in rows.items()}, metrics)
    series = _series(connection, ids) if metrics is None else defaultdict(list)
    doubts = _doubts(connection, ids)
    profiled = layers.of_runs(connection, [identity for identity in ids if rows[identity].kind == Kind.LAYERS])
    for identity in ids:
        row = rows[identity]
        case, macs, params = facts["cases", row.case_id]
        yield Run(
            uid=row.uid,
            case=case,
            kind=Kind(row.kind),
            round=row.round,
            attempt=row.attempt,
            started_utc=row.started_utc,
            load_ns=row.load_ns,
            windows=tuple(windows[identity]),
            series=tuple(series[identity]),
            env=_decode(facts, "env", row.env, None),
            facts=row.facts,
            fidelity=_decode(facts, "fidelity", row.fidelity, Fidelity),
            doubts=tuple(doubts[identity]),
            failure=None if row.failure is None else from_json(Failure, row.failure),
            layers=tuple(profiled.get(identity, ())),
            macs=macs,
            params=params,
            machine=facts["machine", row.machine_id],
            host_state=facts["host_state", row.host_state_id],
            software=facts["software", row.software_id],
        )


_CASE = ("framework", "network", "recipe", "size", "batch", "threads", "cpus", "precision", "options", "shape")
_SHARED = ("env", "fidelity")  # mostly the same from run to run: read as text, decoded once


def _decode(facts: Facts, name: str, text: str | None, kind: Any) -> Any:
    """The value of a JSON text, a record of `kind` where that is given; the same object for the same text."""
    if text is None:
        return None
    key = name, text
    if key not in facts:
        value = schema.loads(text)
        facts[key] = value if kind is None else from_json(kind, value)
    return facts[key]


def case_of(row: Row[Any]) -> Case:
    """The record of a row of the table of cases."""
    fields = {name: getattr(row, name) for name in _CASE}
    fields["cpus"] = tuple(fields["cpus"])
    fields["options"] = tuple((name, value) for name, value in fields["options"])
    return Case(**fields)


def _of_runs(
    connection: Connection, table: Table, ids: Sequence[int], order: Sequence[str], metrics: Sequence[str] | None = None
) -> Iterator[Any]:
    query: Select[Any] = select(table).where(table.c.run_id.in_(ids))
    if metrics is not None:
        query = query.where(table.c.metric_id.in_(select(schema.metric.c.id).where(schema.metric.c.name.in_(metrics))))
    if "metric_id" in table.c:
        m = schema.metric
        named = (m.c.name, m.c.unit, m.c.domain, m.c.source, m.c.meaning, m.c.shape)
        query = query.add_columns(*named).join(m, table.c.metric_id == m.c.id)
    yield from connection.execute(query.order_by(table.c.run_id, *(table.c[name] for name in order))).all()


def _windows(
    connection: Connection, hosts: Mapping[int, int], metrics: Sequence[str] | None
) -> dict[int, list[Window]]:
    """Windows by run. `hosts`: run -> its host state. Readings of events that failed validation there are SUSPECT."""
    ids, suspects = tuple(hosts), Suspects(connection)
    readings: dict[tuple[int, int], list[Reading]] = defaultdict(list)
    for row in _of_runs(connection, schema.reading, ids, ("window_idx", "seq"), metrics):
        # by position: looking up each of a dozen names takes longer than the rest
        run, at, _, _, value, raw, wide, enabled, running_ns, running, exact, origin, why, *named = row
        name, unit, domain, source, meaning, shape = named
        reading = Reading(
            name,
            value,
            unit,
            _EXACTNESS[exact],
            _ORIGINS[origin],
            domain,
            source,
            meaning,
            running,
            raw if wide is None else int(wide),
            enabled,
            running_ns,
            why,
            _SHAPES[shape],
        )
        readings[run, at].append(suspects.mark(hosts[run], reading) if suspects else reading)
    found: dict[int, list[Window]] = defaultdict(list)
    slices = _slices(connection, ids, metrics)
    rows = list(_of_runs(connection, schema.window, ids, ("idx",)))
    is_recorded = metrics is None and any(row.role == Role.RECORDED for row in rows)
    recorded = _inferences(connection, ids) if is_recorded else {}
    for row in rows:
        run, at, role, pass_, t0_ns, t1_ns, _, latencies, _, disturbed = row
        own, watched = tuple(readings[run, at]), None if disturbed is None else packing.unpack_ints(disturbed)
        times = packing.unpack_ints(latencies)
        counts = tuple(c for c in recorded.get((run, at), ()) if len(c.raw) == len(times))
        sliced = slices.get((run, at))
        found[run].append(Window(at, _ROLES[role], pass_, t0_ns, t1_ns, times, own, sliced, watched, counts))
    return found


def _slices(connection: Connection, ids: Sequence[int], metrics: Sequence[str] | None) -> dict[tuple[int, int], Slices]:
    """Slices by run and window."""
    counts: dict[tuple[int, int], list[SliceCounts]] = defaultdict(list)
    for row in _of_runs(connection, schema.slice_counts, ids, ("window_idx", "seq"), metrics):
        values, shape = packing.unpack_counts(row.raw), _SHAPES[row.shape] or Shape.COUNT
        counts[row.run_id, row.window_idx].append(
            SliceCounts(row.name, values, row.unit, row.domain, row.source, row.scale, shape)
        )
    found = {}
    for row in _of_runs(connection, schema.slices, ids, ("window_idx",)):
        t0, t1, iterations, turns = map(packing.unpack_ints, (row.t0_ns, row.t1_ns, row.iterations, row.turns))
        key = row.run_id, row.window_idx
        found[key] = Slices(t0, t1, iterations, turns, tuple(counts[key]))
    return found


def _inferences(connection: Connection, ids: Sequence[int]) -> dict[tuple[int, int], list[SliceCounts]]:
    """Counts of each inference by run and window, in the order of the metrics' ids."""
    found: dict[tuple[int, int], list[SliceCounts]] = defaultdict(list)
    for row in _of_runs(connection, schema.iteration_counts, ids, ("window_idx", "metric_id")):
        values = packing.unpack_small(row.vals)
        if values is not None:
            shape = _SHAPES[row.shape] or Shape.COUNT
            counts = SliceCounts(row.name, values, row.unit, row.domain, row.source, shape=shape)
            found[row.run_id, row.window_idx].append(counts)
    return found


def _series(connection: Connection, ids: Sequence[int]) -> dict[int, list[Series]]:
    found: dict[int, list[Series]] = defaultdict(list)
    for row in _of_runs(connection, schema.series, ids, ("seq",)):
        found[row.run_id].append(
            Series(
                row.name,
                row.unit,
                row.label,
                row.source,
                Origin(row.origin),
                bool(row.cumulative),
                row.interval_ns,
                packing.unpack_ints(row.at_ns),
                packing.unpack_floats(row.vals),
                _SHAPES[row.shape],
            )
        )
    return found


def _doubts(connection: Connection, ids: Sequence[int]) -> dict[int, list[Doubt]]:
    found: dict[int, list[Doubt]] = defaultdict(list)
    for row in _of_runs(connection, schema.doubt, ids, ("seq",)):
        if row.code not in WITHDRAWN:
            found[row.run_id].append(Doubt(row.code, row.detail, row.window_idx))
    return found
