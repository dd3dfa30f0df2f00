"""The runs that reading is restricted to, as a condition that the database evaluates; and what else the file holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Select,
    Text,
    and_,
    bindparam,
    func,
    or_,
    select,
    true,
    type_coerce,
)

from hwprof.printable import plural, printable
from hwprof.records import Kind
from hwprof.store import schema

if TYPE_CHECKING:
    from hwprof.store.masking import Masker

Query = TypeVar("Query", bound=Select[Any])
LISTED = 3  # experiments that a sentence names
# Kinds of runs that explain the speed of others and have none themselves.
EXPLAINING = (Kind.SIMULATED, Kind.LAYERS)
SINGLE_TEXT = "single measurement"
# Good runs of programs with a counted region and frames: facts are canonical JSON.
REGIONS = and_(
    schema.run.c.kind == Kind.COMMAND.value,
    schema.run.c.status == "ok",
    func.json_extract(type_coerce(schema.run.c.facts, Text), "$.fps_source") == "region",
)


@dataclass(frozen=True, slots=True)
class ExperimentRuns:
    """An experiment in a file with the number of its runs. `identity` None: runs that are of none.

    `is_single`: of one command (`hwprof run`, `tune`, ...), not of an experiment file or an imported table. `last_utc`:
    when the last of its runs began, "" where that is unknown; `newest`: the highest number of a run.
    """

    identity: int | None
    name: str
    is_single: bool
    runs: int
    last_utc: str
    newest: int

    @property
    def title(self) -> str:
        """`quick of 2026-11-02`."""
        return printable(self.name) + (f" of {self.last_utc[:10]}" if self.last_utc else "")

    @property
    def order(self) -> tuple[str, int]:
        """The latest has the largest one."""
        return self.last_utc, self.newest


@dataclass(frozen=True, slots=True)
class Condition:
    """Row ids that a run must have; None: any. `experiments` may hold None: runs of no experiment.

    `numbers`: stretches of run numbers; `since`, `until`: as of a Selection. Runs of EXPLAINING kinds on
    `explained_machines` with a case of `explained_cases` are added, whatever their experiment.
    """

    experiments: tuple[int | None, ...] | None = None
    cases: tuple[int, ...] | None = None
    machines: tuple[int, ...] | None = None
    software: tuple[int, ...] | None = None
    hosts: tuple[int, ...] | None = None
    numbers: tuple[tuple[int, int], ...] | None = None
    since: str = ""
    until: str = ""
    explained_cases: tuple[int, ...] = ()
    explained_machines: tuple[int, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether every run fits."""
        return self == Condition()

    def clause(self) -> ColumnElement[bool]:
        """The condition on the table of runs."""
        r = schema.run
        parts: list[ColumnElement[bool]] = []
        if self.experiments is not None:
            own = [r.c.experiment_id.in_(_literal([e for e in self.experiments if e is not None]))]
            own += [r.c.experiment_id.is_(None)] if None in self.experiments else []
            parts.append(or_(*own))
        for column, ids in (
            (r.c.case_id, self.cases),
            (r.c.machine_id, self.machines),
            (r.c.software_id, self.software),
            (r.c.host_state_id, self.hosts),
        ):
            parts += [column.in_(_literal(ids))] if ids is not None else []
        if self.numbers is not None:
            parts.append(or_(*(r.c.id.between(first, last) for first, last in self.numbers)))
        if self.since or self.until:
            parts.append(r.c.started_utc != "")
        parts += [r.c.started_utc >= self.since] if self.since else []
        parts += [r.c.started_utc < self.until] if self.until else []
        whole = and_(*parts) if parts else true()
        if not self.explained_cases:
            return whole
        explaining = and_(
            r.c.kind.in_([str(kind) for kind in EXPLAINING]),
            r.c.status == "ok",
            r.c.case_id.in_(_literal(self.explained_cases)),
            r.c.machine_id.in_(_literal(self.explained_machines)),
        )
        return or_(whole, explaining)


def _literal(ids: Sequence[int]) -> Any:
    """Numbers as text of the query: databases limit the number of parameters."""
    return bindparam(None, list(ids), BigInteger, expanding=True, literal_execute=True)


@dataclass(frozen=True, slots=True)
class RunFilter:
    """What every query on runs is restricted to: a kind, and a condition. None: any.

    Programs that say themselves what is counted (hwprof.h) and how many frames that was are measured as networks are,
    without imports and loading: they are among the native runs too.
    """

    kind: str | None = None
    condition: Condition | None = None

    def apply(self, query: Query) -> Query:
        """The query, which has the table of runs in it."""
        if self.kind is not None:
            kind = schema.run.c.kind == str(self.kind)
            query = query.where(or_(kind, REGIONS) if self.kind == Kind.NATIVE else kind)
        return query if self.condition is None else query.where(self.condition.clause())

    def restrict(self, query: Query, column: Column[Any]) -> Query:
        """The query, with row ids of these runs alone in a column."""
        if self.kind is None and self.condition is None:
            return query
        return query.where(column.in_(self.apply(select(schema.run.c.id))))


@dataclass(frozen=True, slots=True)
class Scope:
    """The runs that words selected. `runs`: their number; `terms`: keys with values as they were understood.

    `experiments` of which they are, `others`: the rest of the file, the latest first. `suffix`: what stands
    behind a file's name in a command that is to take the same experiment, "" for the default.
    """

    condition: Condition
    runs: int
    terms: tuple[str, ...]
    experiments: tuple[ExperimentRuns, ...]
    others: tuple[ExperimentRuns, ...]
    suffix: str = ""

    @property
    def title(self) -> str:
        """`experiment quick of 2026-11-02, 48 runs`; with the terms that narrow it."""
        runs = plural(self.runs, "run")
        if not self.experiments:
            return f"{runs} with {', '.join(map(printable, self.terms))}" if self.terms else runs
        alone = len(self.experiments) == 1
        parts = [held_text(self.experiments, alone), *map(printable, self.terms)]
        return ", ".join([*parts, runs] if alone or self.terms else parts)

    def mask(self, masker: Masker) -> Scope:
        """The names as others may see them."""
        first, rest = (
            tuple(replace(e, name=masker.text(e.name)) for e in found) for found in (self.experiments, self.others)
        )
        return replace(self, experiments=first, others=rest, terms=tuple(map(masker.text, self.terms)))

    def rest(self, command: str) -> str:
        """One sentence on what else the file holds, "" for nothing. `command`: the one that takes all of it."""
        if not self.others:
            return ""
        return f"Also in this file: {held_text(self.others)}: {command}"


def held_text(found: Sequence[ExperimentRuns], is_alone: bool = False) -> str:
    """`3 experiments (quick of 2026-11-02, 48 runs; ...), 5 single measurements (15 runs)`.

    `is_alone`: an experiment is named without the number of its runs.
    """
    planned, single = ([e for e in found if e.is_single is is_single] for is_single in (False, True))
    parts = []
    if planned and is_alone:
        parts.append(f"experiment {planned[0].title}")
    elif planned:
        named = [f"{e.title}, {plural(e.runs, 'run')}" for e in planned[:LISTED]]
        named += ["..."] if len(planned) > LISTED else []
        parts.append(f"{plural(len(planned), 'experiment')} ({'; '.join(named)})")
    if single and is_alone:
        parts.append(f"{SINGLE_TEXT} {single[0].title}")
    elif single:
        # each run of no experiment is a measurement
        number = sum(e.runs if e.identity is None else 1 for e in single)
        runs = sum(e.runs for e in single)
        parts.append(plural(number, SINGLE_TEXT) + (f" ({plural(runs, 'run')})" if runs != number else ""))
    return ", ".join(parts)
