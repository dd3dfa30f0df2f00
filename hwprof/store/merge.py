"""Takes the runs of one results file into another: whole rows of every table, ids translated.

Rows are copied as they are, not by way of records: what only later versions of the program fill goes along.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from hwprof.store import schema
from hwprof.store.readings import MetricKey, insert_one, metric_ids, stored_metrics
from hwprof.store.writer import AlreadyDone, done_already

# Tables that a run refers to -> its column, and the column that identifies their rows in every file.
PARENTS = {
    "machine": ("machine_id", "id"),
    "host_state": ("host_state_id", "id"),
    "software": ("software_id", "id"),
    "cases": ("case_id", "sha256"),
    "experiment": ("experiment_id", "plan_hash"),
}
# Tables whose rows belong to one run, parents first.
OF_RUN = (
    "window",
    "reading",
    "slices",
    "slice_counts",
    "iteration_counts",
    "series",
    "layer",
    "layer_reading",
    "doubt",
)
# Tables about machines, taken over where this file has no row of the same key.
OF_MACHINE = ("validation", "tuning", "ceiling")
Metrics = Mapping[int, tuple[MetricKey, str | None]]  # id in the other file -> the metric and its recorded shape


@dataclass(frozen=True, slots=True)
class MergeResult:
    """Numbers of the other file's runs. `rivals`: uids omitted, as the same round of the same case is here."""

    added: int
    known: int
    rivals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parcel:
    """One run with everything it refers to, as plain rows."""

    run: Mapping[str, Any]
    parents: Mapping[str, Mapping[str, Any] | None]
    children: Mapping[str, Sequence[Mapping[str, Any]]]
    metrics: Metrics


def pack(connection: Connection, run_id: int) -> Parcel:
    """Everything about one run of the other file."""
    run = _row(connection, schema.run, run_id) or {}
    tables = schema.metadata.tables
    parents = {name: _row(connection, tables[name], run[column]) for name, (column, _) in PARENTS.items()}
    children = {name: _rows(connection, tables[name], tables[name].c.run_id == run_id) for name in OF_RUN}
    return Parcel(run, parents, children, _metrics(connection, [r for rows in children.values() for r in rows]))


def unpack(connection: Connection, parcel: Parcel) -> bool | None:
    """Insert one run: True if it was added, False if its uid is here, None if another run holds its place."""
    r = schema.run
    if connection.scalar(select(r.c.id).where(r.c.uid == parcel.run["uid"])) is not None:
        return False
    row = {name: value for name, value in parcel.run.items() if name != "id"}
    for name, (column, unique) in PARENTS.items():
        parent = parcel.parents[name]
        row[column] = None if parent is None else _parent(connection, schema.metadata.tables[name], parent, unique)
    try:
        done_already(connection, row)
    except AlreadyDone:
        return None
    identity = insert_one(connection, r, row)
    ids = _translation(connection, parcel.metrics)
    for name in OF_RUN:
        rows = [_translate(child, ids) | {"run_id": identity} for child in parcel.children[name]]
        if rows:
            connection.execute(insert(schema.metadata.tables[name]), rows)
    return True


def machine_rows(connection: Connection) -> tuple[dict[str, list[Mapping[str, Any]]], Metrics]:
    """The other file's validations, tunings and ceilings, the machines they are of, and the metrics they name."""
    names = ("machine", "host_state", *OF_MACHINE)
    found = {name: _rows(connection, schema.metadata.tables[name]) for name in names}
    return found, _metrics(connection, [row for rows in found.values() for row in rows])


def add_machine_rows(
    connection: Connection, tables: Mapping[str, Sequence[Mapping[str, Any]]], metrics: Metrics
) -> None:
    """Insert those whose key is not here yet."""
    ids = _translation(connection, metrics)
    for name, rows in tables.items():
        table = schema.metadata.tables[name]
        for row in rows:
            new = _translate(row, ids)
            same = [column == new[column.name] for column in table.primary_key]
            if connection.execute(select(*table.primary_key).where(*same)).first() is None:
                connection.execute(insert(table), new)


def _row(connection: Connection, table: Table, identity: int | None) -> Mapping[str, Any] | None:
    found = connection.execute(select(table).where(table.c.id == identity)).mappings().first()
    return None if found is None else dict(found)


def _rows(connection: Connection, table: Table, *where: Any) -> list[Mapping[str, Any]]:
    query = select(table).where(*where).order_by(*table.primary_key)
    return [dict(row) for row in connection.execute(query).mappings()]


def _metrics(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> Metrics:
    wanted = {row["metric_id"] for row in rows if "metric_id" in row}
    found = stored_metrics(connection, schema.metric.c.id, wanted)
    return {identity: (key, shape) for identity, key, shape in found}


def _translation(connection: Connection, metrics: Metrics) -> dict[int, int]:
    mine = metric_ids(connection, dict(metrics.values()))
    return {other: mine[key] for other, (key, _) in metrics.items()}


def _translate(row: Mapping[str, Any], metrics: Mapping[int, int]) -> dict[str, Any]:
    return {**row, "metric_id": metrics[row["metric_id"]]} if "metric_id" in row else dict(row)


def _parent(connection: Connection, table: Table, row: Mapping[str, Any], unique: str) -> int:
    found = connection.scalar(select(table.c.id).where(table.c[unique] == row[unique]))
    if found is not None:
        return int(found)
    return insert_one(connection, table, {name: value for name, value in row.items() if name != "id" or unique == "id"})
