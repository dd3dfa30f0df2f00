"""Brings a results file to the schema of today, one version after the other, in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from sqlalchemy import Connection, inspect, select, update

from hwprof import __version__
from hwprof.errors import ResultsError
from hwprof.store import schema
from hwprof.store.database import Database, NotWritable, not_ours

# Version -> what turns a file of that version into one of the next. A step uses plain SQL of its own time, never the
# tables of schema.py, which move on.
Step = Callable[[Connection], object]
STEPS: Mapping[int, Step] = {
    1: lambda connection: connection.exec_driver_sql("ALTER TABLE metric ADD COLUMN shape TEXT"),
    2: lambda connection: add_slices(connection),
    3: lambda connection: connection.exec_driver_sql("ALTER TABLE cases ADD COLUMN shape TEXT NOT NULL DEFAULT ''"),
}


def add_slices(connection: Connection) -> None:
    """Schema 3: the tables of slices, and what a window of slices has."""
    key = "run_id INTEGER NOT NULL, window_idx INTEGER NOT NULL"
    window = 'FOREIGN KEY (run_id, window_idx) REFERENCES "window" (run_id, idx)'
    columns = ", ".join(f"{name} BLOB NOT NULL" for name in ("t0_ns", "t1_ns", "iterations", "turns", "medians"))
    for text in (
        'ALTER TABLE "window" ADD COLUMN elapsed_ns BIGINT',
        'ALTER TABLE "window" ADD COLUMN disturbed BLOB',
        f"CREATE TABLE slices ({key}, {columns}, PRIMARY KEY (run_id, window_idx), {window})",
        f"CREATE TABLE slice_counts ({key}, seq INTEGER NOT NULL, metric_id INTEGER NOT NULL REFERENCES metric (id), "
        f"scale FLOAT NOT NULL, raw BLOB NOT NULL, PRIMARY KEY (run_id, window_idx, seq), {window})",
    ):
        connection.exec_driver_sql(text)


def version_of(connection: Connection, path: Path) -> int | None:
    """Schema version of the file; None for an empty database. ResultsError for another program's."""
    names = set(inspect(connection).get_table_names())
    if not names:
        return None
    if "meta" not in names or {column["name"] for column in inspect(connection).get_columns("meta")} != {
        "key",
        "value",
    }:
        raise not_ours(path)
    facts = {str(key): str(value) for key, value in connection.execute(select(schema.meta))}
    if facts.get("format") != schema.FORMAT or not facts.get("schema_version", "").isdecimal():
        raise not_ours(path)
    return int(facts["schema_version"])


def bring_up_to_date(
    database: Database, create: bool, steps: Mapping[int, Step] | None = None, target: int | None = None
) -> None:
    """Create the tables in an empty file (only with `create`), migrate an old one, refuse a newer one.

    An old file that may not be written is read as a migrated copy.
    """
    path, steps, aim = database.path, STEPS if steps is None else steps, schema.VERSION if target is None else target
    with database.read() as connection:
        version = version_of(connection, path)
    if version == aim:
        return
    if version is not None and version > aim:
        raise ResultsError(
            f"{path} was written by a newer hwprof (schema {version}, this one knows {aim})",
            "pip install --upgrade hwprof",
        )
    if version is None and not create:
        raise ResultsError(f"{path} holds no results", "measure something first: hwprof sweep quick")

    def change(connection: Connection) -> None:
        now = version_of(connection, path)  # another process may have been quicker
        if now is None:
            schema.metadata.create_all(connection)
            values = {"format": schema.FORMAT, "schema_version": str(aim), "created_by": f"hwprof {__version__}"}
            connection.execute(schema.meta.insert(), [{"key": k, "value": v} for k, v in values.items()])
            return
        for step in range(now, aim):
            if step not in steps:
                raise ResultsError(
                    f"{path} has schema {now}, from which no way leads to {aim}", "read it with the hwprof it is from"
                )
            steps[step](connection)
        connection.execute(update(schema.meta).where(schema.meta.c.key == "schema_version").values(value=str(aim)))

    try:
        database.write(change)
    except NotWritable:
        if version is None:
            raise
        with database.private_copy():
            database.write(change)
