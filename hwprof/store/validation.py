"""Verdicts of `hwprof events --validate` on events, stored with the host, and the readings that they make suspect."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from hwprof.records import Counter, Exactness, Reading, to_json
from hwprof.store import schema
from hwprof.store.columns import MODIFIERS
from hwprof.store.machines import add_host
from hwprof.store.readings import metric_ids, metric_key

Event = tuple[str, str]  # name, source
# A verdict of earlier versions -> what it is called now.
RENAMED = {"lying": "miscounts"}


@dataclass(frozen=True, slots=True)
class NewVerdict:
    """One event's verdict. `failed`: its counts are not usable. `evidence`: the numbers of the verdict, as JSON."""

    counter: Counter
    verdict: str
    failed: bool
    why: str
    at_utc: str
    evidence: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """A verdict in the results."""

    machine: str
    event: str
    source: str
    verdict: str
    failed: bool
    why: str
    at_utc: str


def add(
    connection: Connection, machine: Mapping[str, Any], host_state: Mapping[str, Any], found: Sequence[NewVerdict]
) -> None:
    """Store the verdicts with this host; earlier ones on the same events are replaced."""
    _, host_id = add_host(connection, machine, host_state)
    keys = [metric_key(v.counter) for v in found]
    ids = metric_ids(connection, dict.fromkeys(keys))
    table = schema.validation
    for key, v in zip(keys, found, strict=True):
        host_event = {"host_state_id": host_id, "metric_id": ids[key]}
        connection.execute(delete(table).filter_by(**host_event))
        evidence = {**to_json(v.evidence), "failed": v.failed, "why": v.why, "at_utc": v.at_utc}
        connection.execute(insert(table), {**host_event, "verdict": v.verdict, "evidence": evidence})


def latest(connection: Connection) -> dict[tuple[int, str], dict[Event, StoredVerdict]]:
    """The last verdict on each event, by machine and kernel: another kernel may map a name to another code."""
    v, h, m, k = schema.validation, schema.host_state, schema.metric, schema.machine
    query = (
        select(h.c.machine_id, h.c.facts, k.c.label, m.c.name, m.c.source, v.c.verdict, v.c.evidence)
        .join(h, v.c.host_state_id == h.c.id)
        .join(k, h.c.machine_id == k.c.id)
        .join(m, v.c.metric_id == m.c.id)
        .order_by(v.c.host_state_id, v.c.metric_id)
    )
    found: dict[tuple[int, str], dict[Event, StoredVerdict]] = defaultdict(dict)
    for row in connection.execute(query):
        evidence = row.evidence if isinstance(row.evidence, dict) else {}
        stored = StoredVerdict(
            row.label,
            row.name,
            row.source,
            RENAMED.get(row.verdict, row.verdict),
            bool(evidence.get("failed")),
            str(evidence.get("why", "")),
            str(evidence.get("at_utc", "")),
        )
        events = found[row.machine_id, _kernel(row.facts)]
        before = events.get((row.name, row.source))
        if before is None or before.at_utc <= stored.at_utc:
            events[row.name, row.source] = stored
    return dict(found)


class Suspects:
    """Events that failed, looked up for a run by the host it ran on."""

    def __init__(self, connection: Connection) -> None:
        failed = {
            key: {event: stored for event, stored in events.items() if stored.failed}
            for key, events in latest(connection).items()
        }
        self._by_host: dict[int, dict[Event, StoredVerdict]] = {}
        if not any(failed.values()):
            return
        h = schema.host_state
        for row in connection.execute(select(h.c.id, h.c.machine_id, h.c.facts)):
            if own := failed.get((row.machine_id, _kernel(row.facts))):
                self._by_host[row.id] = own

    def __bool__(self) -> bool:
        return bool(self._by_host)

    def why(self, host_state_id: int, name: str, source: str) -> str:
        """Why an event's counts are not usable on this host; empty: they are."""
        events = self._by_host.get(host_state_id, {})
        stored = events.get((name, source)) or events.get((MODIFIERS.sub("", name), source))
        if stored is None:  # the sum over kinds of core is as good as its parts
            stored = next((s for (event, _), s in events.items() if event.startswith(f"{name}@")), None)
        return f"failed validation: {stored.verdict}, {stored.why}" if stored else ""

    def mark(self, host_state_id: int, reading: Reading) -> Reading:
        """The reading, SUSPECT where its event failed; a missing one stays missing."""
        if reading.value is None or not self._by_host:
            return reading
        if why := self.why(host_state_id, reading.metric, reading.source):
            return replace(reading, exactness=Exactness.SUSPECT, why="; ".join(filter(None, (why, reading.why))))
        return reading


def _kernel(facts: Any) -> str:
    return str(facts.get("kernel", "")) if isinstance(facts, dict) else ""
