"""What a host can do at most, kept with it: written by `hwprof calibrate`, read by the roofline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from hwprof.records import to_json
from hwprof.store import schema
from hwprof.store.writer import machine_label


@dataclass(frozen=True, slots=True)
class StoredCeiling:
    """One ceiling of one host. `machine_id` as in the frame; `evidence` says what, of, cpus, at_utc and how."""

    machine_id: str
    machine: str
    name: str
    value: float
    unit: str
    evidence: Mapping[str, Any]


def add(
    connection: Connection,
    machine: Mapping[str, Any],
    host_state: Mapping[str, Any],
    found: Sequence[tuple[str, float, str, Mapping[str, Any]]],
) -> None:
    """Keep (name, value, unit, evidence) with this host; those of the same names are replaced."""
    facts, state = to_json(machine), to_json(host_state)
    machine_id = schema.content_id(facts)
    host_id = schema.content_id([machine_id, state])
    label = machine_label(machine)
    for table, row in (
        (schema.machine, {"id": machine_id, "label": label, "facts": facts}),
        (schema.host_state, {"id": host_id, "machine_id": machine_id, "facts": state}),
    ):
        if connection.scalar(select(table.c.id).where(table.c.id == row["id"])) is None:
            connection.execute(insert(table), row)
    c = schema.ceiling
    for name, value, unit, evidence in found:
        connection.execute(delete(c).where(c.c.host_state_id == host_id, c.c.name == name))
        row = {"host_state_id": host_id, "name": name, "value": value, "unit": unit, "evidence": to_json(evidence)}
        connection.execute(insert(c), row)


def stored(connection: Connection) -> list[StoredCeiling]:
    """All ceilings; of one machine and name the one measured last."""
    c, h, m = schema.ceiling, schema.host_state, schema.machine
    query = (
        select(h.c.machine_id, m.c.label, c.c.name, c.c.value, c.c.unit, c.c.evidence)
        .join(h, c.c.host_state_id == h.c.id)
        .join(m, h.c.machine_id == m.c.id)
    )
    latest: dict[tuple[int, str], StoredCeiling] = {}
    for row in connection.execute(query):
        one = StoredCeiling(f"{row.machine_id:016x}", row.label, row.name, row.value, row.unit, row.evidence or {})
        before = latest.get((row.machine_id, row.name))
        if before is None or str(before.evidence.get("at_utc", "")) <= str(one.evidence.get("at_utc", "")):
            latest[row.machine_id, row.name] = one
    return list(latest.values())
