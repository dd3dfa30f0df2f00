"""Many runs without windows in one transaction: what other programs report is a row per run, and tables have thousands.

Cases, machines, states and software are looked up once each instead of once a run, and rows are inserted together.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Connection, Text, func, insert, select, type_coerce
from sqlalchemy.exc import IntegrityError

from hwprof import speed
from hwprof.records import Run, to_json
from hwprof.store import machines, schema
from hwprof.store.database import Database
from hwprof.store.writer import AlreadyDone, case_id

# Rows of one transaction: another writer waits for no longer, and an error costs no more.
CHUNK = 2000


def add_reported(database: Database, runs: Sequence[Run], experiment_id: int) -> int:
    """Save the runs that are not stored yet; how many those were. Their uids must differ.

    What was saved before an error stays. Raises AlreadyDone where the round of a case has a good run in this
    experiment, ValueError for a run with windows.
    """
    added = 0
    saved: dict[object, Any] = {}  # rows that runs refer to, of the transactions that are done
    for start in range(0, len(runs), CHUNK):
        chunk = runs[start : start + CHUNK]
        count, parents = database.write(partial(_add, runs=chunk, experiment_id=experiment_id, saved=saved))
        saved |= parents
        added += count
    return added


def imported(database: Database) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """Uid, round and record of the runs that other programs measured, in the order in which they were saved."""
    r = schema.run
    query = select(r.c.uid, r.c.round, r.c.facts).where(type_coerce(r.c.facts, Text).contains('"imported"'))
    with database.read() as connection:
        for row in connection.execute(query.order_by(r.c.id)):
            if "imported" in row.facts:
                yield row.uid, row.round, row.facts["imported"]


def _add(
    connection: Connection, runs: Sequence[Run], experiment_id: int, saved: dict[object, Any]
) -> tuple[int, dict[object, Any]]:
    """How many runs were new, and the rows they refer to that are not in `saved`. May be begun again."""
    known = _known(connection, runs)
    fresh = [run for run in runs if run.uid not in known]
    if any(run.windows or run.series or run.layers for run in fresh):
        raise ValueError("a run with windows is added by Results.add")
    first = (connection.scalar(select(func.max(schema.run.c.id))) or 0) + 1
    fresh_parents: dict[object, Any] = {}
    parents = ChainMap(fresh_parents, saved)  # writes go into the first
    rows, doubts = [], []
    for identity, run in enumerate(fresh, first):
        own = speed.of_run(run)
        rows.append(
            {
                "id": identity,
                "uid": run.uid,
                "experiment_id": experiment_id,
                **_parents(connection, run, parents),
                "kind": run.kind.value,
                "round": run.round,
                "attempt": run.attempt,
                "status": "ok" if run.failure is None else "failed",
                "started_utc": run.started_utc,
                "load_ns": run.load_ns,
                **{name: getattr(own, name) for name in ("latency_ns", "fps", "throughput")},
                **{name: to_json(getattr(run, name)) for name in ("failure", "env", "facts", "fidelity")},
            }
        )
        doubts += [
            {"run_id": identity, "seq": seq, "window_idx": d.window, "code": d.code, "detail": to_json(d.detail)}
            for seq, d in enumerate(run.doubts)
        ]
    try:
        for table, found in ((schema.run, rows), (schema.doubt, doubts)):
            if found:
                connection.execute(insert(table), found)
    except IntegrityError as error:  # the index run_done
        raise AlreadyDone(
            "a round of these cases is done already", "import into a new file: --results NEW.db"
        ) from error
    return len(fresh), fresh_parents


def _known(connection: Connection, runs: Sequence[Run]) -> set[str]:
    """The uids of these runs that are stored."""
    column = schema.run.c.uid
    found: set[str] = set()
    uids = [run.uid for run in runs]
    for start in range(0, len(uids), 500):  # SQLite bounds the number of parameters
        found |= set(connection.scalars(select(column).where(column.in_(uids[start : start + 500]))))
    return found


def _parents(connection: Connection, run: Run, known: MutableMapping[object, Any]) -> dict[str, int]:
    """The rows that a run refers to, each looked up once."""
    host_key = "host", schema.dumps([to_json(run.machine), to_json(run.host_state)])
    if host_key not in known:
        known[host_key] = machines.add_host(connection, run.machine, run.host_state)
    software = to_json(run.software)
    software_key = "software", schema.dumps(software)
    if software_key not in known:
        known[software_key] = machines.add_facts(connection, schema.software, software)
    case_key = run.case, run.macs, run.params
    if case_key not in known:
        known[case_key] = case_id(connection, run.case, run.macs, run.params)
    machine_id, host_id = known[host_key]
    return {
        "case_id": known[case_key],
        "machine_id": machine_id,
        "host_state_id": host_id,
        "software_id": known[software_key],
    }
