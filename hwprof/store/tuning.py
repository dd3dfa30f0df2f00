"""Winners of tunings, kept with the machine that they are of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, insert, select

from hwprof.records import to_json
from hwprof.store import schema
from hwprof.store.writer import machine_label


class Tuning(NamedTuple):
    """One row, with the machine's label."""

    machine: str
    machine_id: int
    key: str
    winner: Mapping[str, Any]
    evidence: Mapping[str, Any]


def add(
    connection: Connection, machine: Mapping[str, Any], key: str, winner: Mapping[str, Any], evidence: Mapping[str, Any]
) -> None:
    """Keep it; what was kept before for the same machine and key is replaced."""
    facts = to_json(machine)
    identity = schema.content_id(facts)
    if connection.scalar(select(schema.machine.c.id).where(schema.machine.c.id == identity)) is None:
        row = {"id": identity, "label": machine_label(machine), "facts": facts}
        connection.execute(insert(schema.machine), row)
    table = schema.tuning
    connection.execute(delete(table).where(table.c.machine_id == identity, table.c.case_key == key))
    row = {"machine_id": identity, "case_key": key, "winner": to_json(winner), "evidence": to_json(evidence)}
    connection.execute(insert(table), row)


def kept(connection: Connection, machine: Mapping[str, Any] | None = None) -> list[Tuning]:
    """All that is kept, of this machine or of every one."""
    t, m = schema.tuning, schema.machine
    query = select(m.c.label, t.c.machine_id, t.c.case_key, t.c.winner, t.c.evidence)
    query = query.join(m, t.c.machine_id == m.c.id).order_by(t.c.machine_id, t.c.case_key)
    if machine is not None:
        query = query.where(t.c.machine_id == schema.content_id(to_json(machine)))
    return [Tuning(*row) for row in connection.execute(query)]
