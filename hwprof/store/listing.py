"""The runs of a results file as one light entry each, without their windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from hwprof.records import Case
from hwprof.store import schema
from hwprof.store.columns import call_of, settings_of
from hwprof.store.database import Database
from hwprof.store.machines import labels
from hwprof.store.reader import case_of
from hwprof.store.scope import RunFilter


@dataclass(frozen=True, slots=True)
class Entry:
    """One run. `order`: its number, which rises with time of saving; `version`: the framework's; `experiment` 0: none.

    `call`: how the adapter called the framework, `kernel`, `governor`: what it ran under, "" where that isn't recorded.
    """

    uid: str
    order: int
    case: Case
    kind: str
    round: int
    ok: bool
    experiment: int
    machine: str  # label
    machine_id: int
    host_state_id: int
    version: str
    call: str = ""
    kernel: str = ""
    governor: str = ""
    started_utc: str = ""
    experiment_name: str = ""

    @property
    def program(self) -> tuple[int, str, str]:
        """What was measured on which machine, whatever the machine was set to."""
        return self.machine_id, self.version, self.call

    @property
    def place(self) -> tuple[tuple[int, str, str], str, str]:
        """The facts that runs of a case must share to be pooled."""
        return self.program, self.kernel, self.governor

    @property
    def machine_key(self) -> str:
        """`machine_id` as the frame and ceilings have it."""
        return f"{self.machine_id:016x}"


def entries(database: Database) -> list[Entry]:
    """One entry per chosen run, in the order in which they were saved."""
    r, c, s, h, x = schema.run, schema.cases, schema.software, schema.host_state, schema.experiment
    query = select(
        *(r.c.id, r.c.uid, r.c.kind, r.c.round, r.c.status, r.c.experiment_id, r.c.machine_id, r.c.host_state_id),
        *(r.c.case_id, r.c.software_id, r.c.started_utc),
    ).order_by(r.c.id)
    with database.read() as connection:
        names = labels(connection)
        mask = (lambda case: case) if database.masker is None else database.masker.case
        cases = {row.id: mask(case_of(row)) for row in connection.execute(select(c))}
        software = {row.id: row.facts or {} for row in connection.execute(select(s))}
        settings = {row.id: settings_of(row.facts or {}) for row in connection.execute(select(h))}
        experiments = {row.id: row.name for row in connection.execute(select(x.c.id, x.c.name))}
        return [
            Entry(
                row.uid,
                row.id,
                cases[row.case_id],
                row.kind,
                row.round,
                row.status == "ok",
                row.experiment_id or 0,
                names[row.machine_id],
                row.machine_id,
                row.host_state_id,
                _version(software[row.software_id]),
                call_of(software[row.software_id]),
                *settings[row.host_state_id],
                row.started_utc,
                experiments.get(row.experiment_id, ""),
            )
            for row in connection.execute(RunFilter(None, database.condition).apply(query))
        ]


def _version(software: Mapping[str, Any]) -> str:
    """The framework's version: that of its first installed distribution (numpy is listed with them)."""
    found = software.get("distributions", {})
    return next((str(v) for name, v in found.items() if v and name != "numpy"), "")
