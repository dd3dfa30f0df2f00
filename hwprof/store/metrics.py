"""Metrics as rows of their own: every reading names one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from hwprof.printable import encodable
from hwprof.records import Reading
from hwprof.store import schema

MetricKey = tuple[str, str, str, str, str, str]


def metric_ids(connection: Connection, keys: Iterable[MetricKey]) -> dict[MetricKey, int]:
    """Ids of metrics (name, unit, domain, source, meaning, config), new ones made."""
    wanted = dict.fromkeys(keys)
    table = schema.metric
    columns = (table.c.name, table.c.unit, table.c.domain, table.c.source, table.c.meaning, table.c.config)
    found: dict[MetricKey, int] = {}
    names = sorted({key[0] for key in wanted})
    for start in range(0, len(names), 500):  # databases limit the number of parameters
        rows = connection.execute(select(table.c.id, *columns).where(table.c.name.in_(names[start : start + 500])))
        for row in rows:
            found[row.name, row.unit, row.domain, row.source, row.meaning, row.config] = row.id
    for key in wanted:
        if key not in found:
            named = dict(zip([c.name for c in columns], key, strict=True))
            found[key] = insert_one(connection, table, named)
    return {key: found[key] for key in wanted}


def metric_key(reading: Reading) -> MetricKey:
    """What identifies the metric of a reading."""
    return described((reading.metric, reading.unit, reading.domain, reading.source, reading.meaning, ""))


def described(key: MetricKey) -> MetricKey:
    """A key as it is stored: a byte that is no UTF-8 (in the path of a meter's log, say) is escaped."""
    name, unit, domain, source, meaning, config = map(encodable, key)
    return name, unit, domain, source, meaning, config


def insert_one(connection: Connection, table: Table, row: Mapping[str, Any]) -> int:
    """Insert a row; the key that the database gave it."""
    key = connection.execute(insert(table), dict(row)).inserted_primary_key
    assert key is not None
    return int(key[0])
