"""Metrics as rows of their own: every reading names one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Table, insert, select, update

from hwprof.printable import encodable
from hwprof.records import Reading
from hwprof.store import schema

MetricKey = tuple[str, str, str, str, str, str]


def metric_ids(
    connection: Connection, keys: Iterable[MetricKey], shapes: Mapping[MetricKey, str | None] | None = None
) -> dict[MetricKey, int]:
    """Ids of metrics (name, unit, domain, source, meaning, config), new ones made.

    `shapes`: those that are recorded. A metric takes the shape that was recorded last.
    """
    wanted = dict.fromkeys(keys)
    shapes = shapes or {}
    table = schema.metric
    columns = (table.c.name, table.c.unit, table.c.domain, table.c.source, table.c.meaning, table.c.config)
    found: dict[MetricKey, int] = {}
    names = sorted({key[0] for key in wanted})
    for start in range(0, len(names), 500):  # databases limit the number of parameters
        rows = connection.execute(select(table).where(table.c.name.in_(names[start : start + 500]))).all()
        for row in rows:
            key = (row.name, row.unit, row.domain, row.source, row.meaning, row.config)
            found[key] = row.id
            if key in wanted and (shape := shapes.get(key)) not in (None, row.shape):
                connection.execute(update(table).where(table.c.id == row.id).values(shape=shape))
    for key in wanted:
        if key not in found:
            named = dict(zip([c.name for c in columns], key, strict=True))
            found[key] = insert_one(connection, table, {**named, "shape": shapes.get(key)})
    return {key: found[key] for key in wanted}


def metric_key(reading: Reading) -> MetricKey:
    """What identifies the metric of a reading."""
    return described((reading.metric, reading.unit, reading.domain, reading.source, reading.meaning, ""))


def shapes_of(readings: Iterable[Reading]) -> dict[MetricKey, str | None]:
    """The metrics of readings, each with its recorded shape. A missing reading's does not overrule a value's."""
    found: dict[MetricKey, str | None] = {}
    for reading in sorted(readings, key=lambda r: r.value is not None):
        key = metric_key(reading)
        found[key] = reading.shape or found.get(key)
    return found


def described(key: MetricKey) -> MetricKey:
    """A key as it is stored: a byte that is no UTF-8 (in the path of a meter's log, say) is escaped."""
    name, unit, domain, source, meaning, config = map(encodable, key)
    return name, unit, domain, source, meaning, config


def insert_one(connection: Connection, table: Table, row: Mapping[str, Any]) -> int:
    """Insert a row; the key that the database gave it."""
    key = connection.execute(insert(table), dict(row)).inserted_primary_key
    assert key is not None
    return int(key[0])
