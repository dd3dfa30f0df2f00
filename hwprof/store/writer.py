"""Rows from records: what one transaction of `Results.add` does."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Table, insert, select, update

from hwprof import speed
from hwprof.errors import ResultsError
from hwprof.printable import encodable
from hwprof.records import Case, Exactness, Kind, Reading, Run, SliceCounts, to_json
from hwprof.store import layers, machines, packing, schema
from hwprof.store.readings import MetricKey, insert_one, metric_ids, metric_key, shapes_of, storable_key

# Kinds of runs that must have latencies.
TIMED = (Kind.NATIVE, Kind.TUNING)
NO_LATENCY = "a run that measured nothing is saved with its failure"
INT64 = range(-(1 << 63), 1 << 63)


class AlreadyDone(ResultsError):
    """This round of this case has a good run in this experiment already."""


def add_run(connection: Connection, run: Run, experiment_id: int | None) -> int:
    """Insert one run with everything in it; its row id. Raises AlreadyDone and ResultsError."""
    check(connection, run, experiment_id)
    machine_id, host_id = machines.add_host(connection, run.machine, run.host_state)
    own = speed.of_run(run)
    row = {
        "uid": run.uid,
        "experiment_id": experiment_id,
        "case_id": case_id(connection, run.case, run.macs, run.params),
        "machine_id": machine_id,
        "host_state_id": host_id,
        "software_id": machines.add_facts(connection, schema.software, to_json(run.software)),
        "kind": run.kind.value,
        "round": run.round,
        "attempt": run.attempt,
        "status": "ok" if run.failure is None else "failed",
        "failure": to_json(run.failure),
        "started_utc": run.started_utc,
        "load_ns": run.load_ns,
        "env": to_json(run.env),
        "facts": to_json(run.facts),
        "fidelity": to_json(run.fidelity),
        **{name: getattr(own, name) for name in ("latency_ns", "fps", "throughput")},
    }
    done_already(connection, row)
    identity = insert_one(connection, schema.run, row)
    _add_windows(connection, identity, run)
    _add_slices(connection, identity, run)
    _add_inferences(connection, identity, run)
    _add_series(connection, identity, run)
    layers.add(connection, identity, run)
    _insert(
        connection,
        schema.doubt,
        (
            {"run_id": identity, "seq": seq, "window_idx": d.window, "code": d.code, "detail": to_json(d.detail)}
            for seq, d in enumerate(run.doubts)
        ),
    )
    return identity


def check(connection: Connection, run: Run, experiment_id: int | None) -> None:
    """Raise ResultsError for what the database would refuse with a less helpful message."""
    if connection.scalar(select(schema.run.c.id).where(schema.run.c.uid == run.uid)) is not None:
        raise ResultsError(f"run {run.uid} is in the results already", "every run needs a uid of its own")
    if experiment_id is not None:
        known = select(schema.experiment.c.id).where(schema.experiment.c.id == experiment_id)
        if connection.scalar(known) is None:
            raise ResultsError(f"there is no experiment {experiment_id} in the results", "begin_experiment() makes one")
    if (
        run.failure is None
        and run.kind in TIMED
        and not run.facts.get("imported")
        and not any(w.latencies_ns for w in run.windows)
    ):
        raise ResultsError(f"run {run.uid} of {run.case.title} is said to be good and has no latency", NO_LATENCY)
    indices = [w.index for w in run.windows]
    if len(set(indices)) != len(indices):
        raise ResultsError(f"run {run.uid} has two windows of the same index")


def done_already(connection: Connection, row: Mapping[str, Any]) -> None:
    """Raise AlreadyDone where a good run of the same experiment, case, machine, kind and round exists."""
    if row["status"] != "ok" or row["experiment_id"] is None:
        return
    table = schema.run
    same = [table.c[name] == row[name] for name in ("experiment_id", "case_id", "machine_id", "kind", "round")]
    other = connection.scalar(select(table.c.uid).where(*same, table.c.status == "ok"))
    if other is not None:
        raise AlreadyDone(
            f"round {row['round']} of this case is done already (run {other})",
            "another sweep of the same experiment may be writing into this file: stop one of them",
        )


def case_id(connection: Connection, case: Case, macs: int | None, params: int | None) -> int:
    """Id of the case, inserted if it is new. MACs and parameters are the case's: those of one run serve all."""
    table = schema.cases
    key = case.key
    found = connection.execute(select(table.c.id, table.c.macs, table.c.params).where(table.c.sha256 == key)).first()
    known = {name: value for name, value in (("macs", macs), ("params", params)) if value is not None}
    if found is None:
        fields = {f.name: getattr(case, f.name) for f in dataclasses.fields(case)}
        fields |= {"cpus": list(case.cpus), "options": [list(pair) for pair in case.options]}
        return insert_one(connection, table, {"sha256": key, **fields, "macs": None, "params": None, **known})
    if any(getattr(found, name) != value for name, value in known.items()):
        connection.execute(update(table).where(table.c.id == found.id).values(known))
    return int(found.id)


def _add_windows(connection: Connection, run_id: int, run: Run) -> None:
    windows = (
        {
            "run_id": run_id,
            "idx": w.index,
            "role": w.role.value,
            "pass": w.pass_,
            "t0_ns": w.t0_ns,
            "t1_ns": w.t1_ns,
            "iterations": len(w.latencies_ns),
            "latencies": packing.pack_ints(w.latencies_ns),
            "elapsed_ns": None if w.slices is None else w.slices.elapsed_ns,
            "disturbed": None if w.disturbed is None else packing.pack_ints(w.disturbed),
        }
        for w in run.windows
    )
    _insert(connection, schema.window, windows)
    shapes = shapes_of(r for w in run.windows for r in w.readings)
    ids = metric_ids(connection, shapes)
    rows = [
        {"run_id": run_id, "window_idx": w.index, "seq": seq, "metric_id": ids[metric_key(r)], **_reading(r)}
        for w in run.windows
        for seq, r in enumerate(w.readings)
    ]
    _insert(connection, schema.reading, rows)


def _add_slices(connection: Connection, run_id: int, run: Run) -> None:
    sliced = [(w.index, w.latencies_ns, w.slices) for w in run.windows if w.slices is not None]
    rows = [
        {"run_id": run_id, "window_idx": index}
        | {name: packing.pack_ints(getattr(slices, name)) for name in ("t0_ns", "t1_ns", "iterations", "turns")}
        | {"medians": packing.pack_floats(speed.slice_medians(latencies, slices.iterations))}
        for index, latencies, slices in sliced
    ]
    _insert(connection, schema.slices, rows)
    shapes = {_counts_key(c): c.shape.value for _, _, slices in sliced for c in slices.counts}
    ids = metric_ids(connection, shapes)
    counts = [
        {"run_id": run_id, "window_idx": index, "seq": seq, "metric_id": ids[_counts_key(c)], "scale": c.scale}
        | {"raw": packing.pack_counts(c.raw)}
        for index, _, slices in sliced
        for seq, c in enumerate(slices.counts)
    ]
    _insert(connection, schema.slice_counts, counts)


def _add_inferences(connection: Connection, run_id: int, run: Run) -> None:
    recorded = [(w.index, c) for w in run.windows for c in w.inferences]
    if not recorded:
        return
    ids = metric_ids(connection, {_counts_key(c): c.shape.value for _, c in recorded})
    rows = [
        {"run_id": run_id, "window_idx": index, "metric_id": ids[_counts_key(c)], "vals": packing.pack_small(c.raw)}
        for index, c in recorded
    ]
    _insert(connection, schema.iteration_counts, rows)


def _counts_key(counts: SliceCounts) -> MetricKey:
    return storable_key((counts.metric, counts.unit, counts.domain, counts.source, "", ""))


def _reading(reading: Reading) -> dict[str, Any]:
    value, exactness, why = reading.value, reading.exactness, reading.why
    if value is not None and not math.isfinite(value):
        # not a number, so missing: databases would store NULL without an error
        value, exactness, why = None, Exactness.MISSING, f"the collector gave {value}" + (f": {why}" if why else "")
    wide = reading.raw is not None and reading.raw not in INT64
    return {
        "value": value,
        "raw": None if wide else reading.raw,
        "raw_wide": str(reading.raw) if wide else None,
        "enabled_ns": reading.enabled_ns,
        "running_ns": reading.running_ns,
        "running": reading.running,
        "exactness": exactness.value,
        "origin": reading.origin.value,
        "why": encodable(why),
    }


def _add_series(connection: Connection, run_id: int, run: Run) -> None:
    keys = [storable_key((s.metric, s.unit, "", s.source, "", "")) for s in run.series]
    ids = metric_ids(connection, {key: s.shape for s, key in zip(run.series, keys, strict=True)})
    rows = [
        {
            "run_id": run_id,
            "seq": seq,
            "metric_id": ids[key],
            "label": encodable(s.label),
            "origin": s.origin.value,
            "cumulative": int(s.cumulative),
            "interval_ns": s.interval_ns,
            "n": len(s.at_ns),
            "at_ns": packing.pack_ints(s.at_ns),
            "vals": packing.pack_floats(s.values),
        }
        for seq, (s, key) in enumerate(zip(run.series, keys, strict=True))
    ]
    _insert(connection, schema.series, rows)


def _insert(connection: Connection, table: Table, rows: Iterable[dict[str, Any]]) -> None:
    if many := list(rows):
        connection.execute(insert(table), many)
