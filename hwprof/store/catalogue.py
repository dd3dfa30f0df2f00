"""What a results file holds, by its small tables, and which of its runs a selection means.

Names and settings are looked up in the tables of cases, machines, software and experiments; what comes out is a
condition of row numbers, which the database evaluates. Runs are not read.
"""

from __future__ import annotations

import datetime
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, func, select

from hwprof.errors import ResultsError
from hwprof.printable import plural
from hwprof.records import Case
from hwprof.store import reader, schema
from hwprof.store.columns import UNRECORDED, call_of, settings_of, version_of
from hwprof.store.scope import Condition, ExperimentRuns, RunFilter, Scope
from hwprof.store.selection import (
    ALL,
    FIELDS,
    LAST,
    RUN_KEYS,
    SINGLE,
    Selection,
    Vocabulary,
    case_value,
    fits,
    parse,
    run_range,
)

# How the text of an experiment begins that a command made of its options; an experiment file has more than comments.
COMMAND = re.compile(r"# hwprof[ .](?:run|layers|scaling|tune|explain|compare|record|profile)\b")
RERUN = re.compile(r"# hwprof explain\b")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The small tables of a file. `reruns`: experiments that measured a pair again (`hwprof explain`)."""

    experiments: tuple[ExperimentRuns, ...]
    reruns: frozenset[int]
    cases: Mapping[int, Case]
    machines: Mapping[int, str]
    software: Mapping[int, Mapping[str, tuple[str, ...]]]  # id -> "version", "call" -> what they are called
    hosts: Mapping[int, Mapping[str, tuple[str, ...]]]  # id -> "kernel", "governor"

    def values(self) -> dict[str, set[str]]:
        """Key -> values that a run of the file may have."""
        found: dict[str, set[str]] = defaultdict(set)
        for case in self.cases.values():
            for key in (*(k for k in FIELDS if k not in RUN_KEYS), *(name for name, _ in case.options)):
                found[key].add(case_value(case, key))
        found["machine"] = set(self.machines.values())
        for table in (self.software, self.hosts):
            for facts in table.values():
                for key, texts in facts.items():
                    found[key].update(texts)
        found["experiment"] = {e.name for e in self.experiments if e.identity is not None}
        found["experiment"] |= {f"#{e.identity}" for e in self.experiments if e.identity is not None}
        return found

    @property
    def latest(self) -> tuple[ExperimentRuns, ...]:
        """The latest experiment; where there is none, all single measurements."""
        planned = [e for e in self.experiments if not e.is_single]
        return (planned[0],) if planned else self.experiments


def is_single(toml: str) -> bool:
    """Whether an experiment is one of a command's options; `toml`: its text."""
    lines = [line for line in toml.splitlines() if line.strip()]
    return bool(lines and COMMAND.match(lines[0])) and all(line.startswith(("#", "{")) for line in lines)


def read(connection: Connection) -> Catalogue:
    """The catalogue, with experiments that have runs alone, the latest first."""
    e, r, c, m = schema.experiment, schema.run, schema.cases, schema.machine
    s, h = schema.software, schema.host_state
    names = {row.id: row for row in connection.execute(select(e.c.id, e.c.name, e.c.toml))}
    counts = select(r.c.experiment_id, func.count(), func.max(r.c.started_utc), func.max(r.c.id))
    held = []
    for identity, number, last, newest in connection.execute(counts.group_by(r.c.experiment_id)):
        own = names.get(identity)
        name, single = (own.name, is_single(own.toml)) if own is not None else ("", True)
        held.append(ExperimentRuns(identity, name, single, number, last, newest))
    return Catalogue(
        tuple(sorted(held, key=lambda one: one.order, reverse=True)),
        frozenset(i for i, row in names.items() if RERUN.match(row.toml) and is_single(row.toml)),
        {row.id: reader.case_of(row) for row in connection.execute(select(c))},
        {row.id: row.label for row in connection.execute(select(m.c.id, m.c.label))},
        {row.id: _software(row.facts or {}) for row in connection.execute(select(s.c.id, s.c.facts))},
        {row.id: _settings(row.facts or {}) for row in connection.execute(select(h.c.id, h.c.facts))},
    )


def _software(facts: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """A version is called `1.21.0` and `onnxruntime 1.21.0`."""
    full = version_of(facts)
    short = [str(v) for name, v in (facts.get("distributions") or {}).items() if v and name != "numpy"]
    return {"version": tuple(dict.fromkeys((*short, full))), "call": (call_of(facts) or UNRECORDED,)}


def _settings(facts: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    kernel, governor = settings_of(facts)
    return {"kernel": (kernel,), "governor": (governor,)}


def choose(
    connection: Connection,
    words: Sequence[str] = (),
    place: str = "these results",
    default: str = LAST,
    reruns: bool = False,
    now: datetime.datetime | None = None,
) -> Scope:
    """The runs that the terms `words` mean. `default`: the experiment where they name none, no run and no time.

    `reruns`: with what `hwprof explain` measured again of the cases. Raises UsageError for a term that names nothing,
    ResultsError where no run fits.
    """
    held = read(connection)
    known = _vocabulary(connection, held, place)
    selection = parse(words, known, now)
    asked = _experiments(held, selection, place, default)
    ids = held.experiments if asked is None else asked
    complete = len(ids) == len(held.experiments)
    condition = replace(_narrowed(held, selection), experiments=None if complete else tuple(e.identity for e in ids))
    if selection.runs:
        numbers = tuple(_numbers(connection, text, place) for text in selection.runs)
        condition = replace(condition, numbers=numbers)
    count = _count(connection, condition)
    terms = [f"{key}={value}" for key, values in selection.where.items() for value in values]
    terms += [f"run={text}" for text in selection.runs]
    terms += [f"{key}={text}" for key in ("since", "until") if (text := getattr(selection, key))]
    if not count and held.experiments:
        raise _nothing(connection, condition, terms, selection, place, ids)
    if not complete and not selection.runs:
        condition, added = _explained(connection, held, condition, reruns)
        ids = tuple(e for e in held.experiments if e in ids or e.identity in added)
    others = tuple(e for e in held.experiments if e not in ids)
    suffix = "".join(f"{',experiment=' if number else ':'}{name}" for number, name in enumerate(selection.experiments))
    return Scope(condition, count, tuple(terms), () if asked is None and terms else asked or ids, others, suffix)


def default_of(connection: Connection, selectors: Sequence[str], place: str, default: str) -> str:
    """`default`, or every run where a selector names an experiment, runs or times."""
    if not selectors:
        return default
    known = _vocabulary(connection, read(connection), place)
    return ALL if any(parse([text], known).has_scope for text in selectors) else default


def _vocabulary(connection: Connection, held: Catalogue, place: str) -> Vocabulary:
    return Vocabulary(held.values(), lambda text: _has_run(connection, text), place)


def _experiments(held: Catalogue, selection: Selection, place: str, default: str) -> tuple[ExperimentRuns, ...] | None:
    """The experiments that are asked for; None: all."""
    names = selection.experiments or (() if selection.has_scope else (default,))
    if not names or ALL in names:
        return None
    found: list[ExperimentRuns] = []
    for name in names:
        if name == LAST:
            found += held.latest
        elif name == SINGLE:
            found += [e for e in held.experiments if e.is_single]
        else:
            found += _named(held, name, place)
    return tuple(e for e in held.experiments if e in found)


def _named(held: Catalogue, name: str, place: str) -> list[ExperimentRuns]:
    same = [e for e in held.experiments if name.lower() in (e.name.lower(), f"#{e.identity}")]
    if len(same) > 1:
        listed = ", ".join(f"#{e.identity}" for e in sorted(same, key=lambda e: e.identity or 0))
        raise ResultsError(f"{len(same)} experiments in {place} are named '{name}'", f"say which: {listed}")
    if not same:
        raise ResultsError(f"experiment '{name}' of {place} has no run", "measure it again, or name another one")
    return same


def _narrowed(held: Catalogue, selection: Selection) -> Condition:
    """The condition of all keys with values, and of times."""
    cases, machines = set(held.cases), set(held.machines)
    software, hosts = set(held.software), set(held.hosts)
    for key, wanted in selection.where.items():
        if key == "machine":
            machines &= {i for i, label in held.machines.items() if fits(label, key, wanted)}
        elif key in ("version", "call"):
            software &= _having(held.software, key, wanted)
        elif key in RUN_KEYS:
            hosts &= _having(held.hosts, key, wanted)
        else:
            cases &= {i for i, case in held.cases.items() if fits(case_value(case, key), key, wanted)}
    return Condition(
        cases=_part(cases, held.cases),
        machines=_part(machines, held.machines),
        software=_part(software, held.software),
        hosts=_part(hosts, held.hosts),
        since=selection.since,
        until=selection.until,
    )


def _part(ids: set[int], everything: Collection[int]) -> tuple[int, ...] | None:
    """None: all of them."""
    return tuple(sorted(ids)) if len(ids) < len(everything) else None


def _having(table: Mapping[int, Mapping[str, tuple[str, ...]]], key: str, wanted: Sequence[str]) -> set[int]:
    return {i for i, facts in table.items() if any(fits(text, key, wanted) for text in facts[key])}


def _has_run(connection: Connection, text: str) -> bool:
    r = schema.run
    if (numbers := run_range(text)) is not None:
        return connection.scalar(select(r.c.id).where(r.c.id.between(*numbers)).limit(1)) is not None
    by_id = r.c.uid.startswith(text.lower(), autoescape=True)
    if connection.scalar(select(r.c.id).where(by_id).limit(1)) is not None:
        return True
    return text.isdigit() and connection.scalar(select(r.c.id).where(r.c.id == int(text))) is not None


def _numbers(connection: Connection, text: str, place: str) -> tuple[int, int]:
    """First and last number of the runs that a text names. Digits that may be an id and a number are refused."""
    if (numbers := run_range(text)) is not None:
        return numbers
    r = schema.run
    number = connection.scalar(select(r.c.id).where(r.c.id == int(text))) if text.isdigit() else None
    known = connection.execute(select(r.c.id, r.c.uid).where(r.c.uid.startswith(text.lower(), autoescape=True))).first()
    if number is None or (known is not None and known.uid == text.lower()):
        identity = reader.id_of(connection, text)
        return identity, identity
    if known is not None:
        raise ResultsError(
            f"'{text}' is the number of a run of {place} and the begin of the id {known.uid}",
            f"write run={text}-{text} for the number, or more letters of the id",
        )
    return number, number


def _count(connection: Connection, condition: Condition) -> int:
    r = schema.run
    return int(connection.scalar(RunFilter(None, condition).apply(select(func.count()).select_from(r))) or 0)


def _nothing(
    connection: Connection,
    condition: Condition,
    terms: Sequence[str],
    selection: Selection,
    place: str,
    ids: Iterable[ExperimentRuns],
) -> ResultsError:
    """The error where no run fits; with the number of runs that do in other experiments."""
    what = ", ".join(terms)
    elsewhere = _count(connection, replace(condition, experiments=None))
    if condition.experiments is not None and elsewhere and not selection.runs:
        title = ", ".join(e.title for e in ids if e.name) or "what was chosen"
        fits_there = f"{plural(elsewhere, 'run fits', 'runs fit')} in the rest of the file"
        return ResultsError(f"no run of {title} in {place} has {what}", f"{fits_there}: {place}:all")
    remedy = "each fits some run, and none fits all of them" if len(terms) > 1 else "`hwprof export` lists its runs"
    return ResultsError(f"no run of {place} has {what}", remedy)


def _explained(
    connection: Connection, held: Catalogue, condition: Condition, reruns: bool
) -> tuple[Condition, set[int]]:
    """With profiles of layers and simulations of the same networks in the same frameworks, and with reruns of the
    cases if asked for; the experiments that these add."""
    r = schema.run
    pairs = select(r.c.case_id, r.c.machine_id).distinct()
    found = connection.execute(RunFilter(None, condition).apply(pairs)).all()
    own: dict[str, set[str]] = defaultdict(set)
    for case, _ in found:
        own[held.cases[case].framework].add(held.cases[case].network)
    alike = tuple(sorted(i for i, case in held.cases.items() if case.network in own.get(case.framework, ())))
    machines = tuple(sorted({machine for _, machine in found}))
    added: set[int] = set()
    if reruns and condition.experiments is not None:
        again = select(r.c.experiment_id).distinct()
        of_cases = Condition(tuple(sorted(held.reruns)), tuple(sorted({case for case, _ in found})))
        added = set(connection.scalars(RunFilter(None, of_cases).apply(again))) - set(condition.experiments)
        condition = replace(condition, experiments=(*condition.experiments, *sorted(added)))
    return replace(condition, explained_cases=alike, explained_machines=machines), added
