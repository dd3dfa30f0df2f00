"""Machines and their states, their ceilings (`hwprof roofline --measure`), and the winners of their tunings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, delete, insert, select

from hwprof.machine import facts as machine_facts
from hwprof.records import Ceiling, to_json
from hwprof.store import schema
from hwprof.store.columns import last_level_bytes

# `Ceiling.name`, which older and foreign rows may have alone
NAME = re.compile(r"(?P<what>\S+)(?: (?P<of>.*?))??(?: cpus=(?P<cpus>[\d,]*))?")


class Tuning(NamedTuple):
    """One row, with the machine's label."""

    machine: str
    machine_id: int
    key: str
    winner: Mapping[str, Any]
    evidence: Mapping[str, Any]


def add_facts(connection: Connection, table: Table, facts: Any, identity: int | None = None, **fields: Any) -> int:
    """Id of the row with these facts, inserted if it is new; `identity`: where the facts alone do not make it."""
    identity = schema.content_id(facts) if identity is None else identity
    if connection.scalar(select(table.c.id).where(table.c.id == identity)) is None:
        connection.execute(insert(table), {"id": identity, "facts": facts, **fields})
    return identity


def add_machine(connection: Connection, machine: Mapping[str, Any]) -> int:
    """Id of the machine with these facts, inserted if it is new."""
    return add_facts(connection, schema.machine, to_json(machine), label=machine_facts.label(machine))


def add_host(connection: Connection, machine: Mapping[str, Any], host_state: Mapping[str, Any]) -> tuple[int, int]:
    """Ids of the machine and of its state, inserted if they are new."""
    machine_id, state = add_machine(connection, machine), to_json(host_state)
    identity = schema.content_id([machine_id, state])
    return machine_id, add_facts(connection, schema.host_state, state, identity, machine_id=machine_id)


def labels(connection: Connection) -> dict[int, str]:
    """Machine id -> label, with the id appended where several machines have the same label or none."""
    m = schema.machine
    found = {row.id: row.label for row in connection.execute(select(m.c.id, m.c.label))}
    names = list(found.values())
    return {
        i: name if name and names.count(name) == 1 else f"{name} {i >> 31:08x}".strip() for i, name in found.items()
    }


def add_ceilings(
    connection: Connection, machine: Mapping[str, Any], host_state: Mapping[str, Any], found: Sequence[Ceiling]
) -> None:
    """Store those that have a value with this host; those of the same names are replaced."""
    (_, host_id), table = add_host(connection, machine, host_state), schema.ceiling
    for one in found:
        if one.value is None:
            continue
        connection.execute(delete(table).where(table.c.host_state_id == host_id, table.c.name == one.name))
        evidence = to_json({**one.evidence, "what": one.what, "of": one.of, "cpus": one.cpus})
        row = {"host_state_id": host_id, "name": one.name, "value": one.value, "unit": one.unit, "evidence": evidence}
        connection.execute(insert(table), row)


def ceilings(connection: Connection) -> list[Ceiling]:
    """All ceilings; of one machine and name the one measured last."""
    c, h, m = schema.ceiling, schema.host_state, schema.machine
    query = (
        select(h.c.machine_id, m.c.label, c.c.name, c.c.value, c.c.unit, c.c.evidence)
        .join(h, c.c.host_state_id == h.c.id)
        .join(m, h.c.machine_id == m.c.id)
    )
    latest: dict[tuple[str, str], Ceiling] = {}
    for row in connection.execute(query):
        one = _ceiling(row)
        before = latest.get((one.machine_id, one.name))
        if before is None or str(before.evidence.get("at_utc", "")) <= str(one.evidence.get("at_utc", "")):
            latest[one.machine_id, one.name] = one
    return list(latest.values())


def _ceiling(row: Any) -> Ceiling:
    """The record of a row: from its evidence, else from its name."""
    named = NAME.fullmatch(row.name)
    parts = named.groupdict() if named else {"what": row.name}
    evidence = dict(row.evidence or {})
    what, of = (str(evidence.pop(key, parts.get(key) or "")) for key in ("what", "of"))
    cpus = evidence.pop("cpus", [n for n in (parts.get("cpus") or "").split(",") if n])
    used = tuple(int(cpu) for cpu in cpus or ())
    return Ceiling(what, of, used, row.value, row.unit, evidence, "", f"{row.machine_id:016x}", row.label)


def add_tuning(
    connection: Connection, machine: Mapping[str, Any], key: str, winner: Mapping[str, Any], evidence: Mapping[str, Any]
) -> None:
    """Store the winner; an earlier one of the same machine and key is replaced."""
    identity, table = add_machine(connection, machine), schema.tuning
    connection.execute(delete(table).where(table.c.machine_id == identity, table.c.case_key == key))
    row = {"machine_id": identity, "case_key": key, "winner": to_json(winner), "evidence": to_json(evidence)}
    connection.execute(insert(table), row)


def tunings(connection: Connection, machine: Mapping[str, Any] | None = None) -> list[Tuning]:
    """All stored tunings, of this machine or of every one."""
    t, m = schema.tuning, schema.machine
    query = select(m.c.label, t.c.machine_id, t.c.case_key, t.c.winner, t.c.evidence)
    query = query.join(m, t.c.machine_id == m.c.id).order_by(t.c.machine_id, t.c.case_key)
    if machine is not None:
        query = query.where(t.c.machine_id == schema.content_id(to_json(machine)))
    return [Tuning(*row) for row in connection.execute(query)]


def last_levels(connection: Connection) -> dict[int, float]:
    """Machine id -> MiB of its last-level cache, where that is recorded."""
    m = schema.machine
    sizes = {row.id: last_level_bytes(row.facts or {}) for row in connection.execute(select(m.c.id, m.c.facts))}
    return {identity: size / (1 << 20) for identity, size in sizes.items() if size is not None}
