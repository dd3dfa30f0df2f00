"""A CPU table of what validated here: for the owner of a board, and for everybody who has its core.

An event is in it only where its verdict is right. All others are absent, with the reason. What the table at hand knows
of the core beside its events (vendor's names, bounds, quirks) stays as it is.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from hwprof.collectors.perf.abi import Type
from hwprof.collectors.perf.catalog import Catalog
from hwprof.collectors.perf.kinds import CoreKind
from hwprof.collectors.perf.names import CACHE, HARDWARE
from hwprof.collectors.perf.skeleton import pattern
from hwprof.collectors.perf.tables import CANONICAL, CpuTable, TableEvent
from hwprof.errors import NotAvailable, UsageError
from hwprof.machine.kinds import usable_cpus
from hwprof.records import Origin
from hwprof.studies.validation.bench import Result
from hwprof.studies.validation.verdicts import EventVerdict

_TYPES = {Type.HARDWARE: "hardware", Type.HW_CACHE: "cache"}
_NOT_HERE = "not validated when this table was written"


def kind_of(catalog: Catalog, cpus: Collection[int] | None = None) -> CoreKind:
    """The one kind of core that was counted; UsageError where there are several, NotAvailable without ids.

    `cpus`: those that this process may use (default: asked of the kernel).
    """
    ours = set(usable_cpus(catalog.root) if cpus is None else cpus)
    used = [kind for kind in catalog.kinds if not kind.cpus or ours & set(kind.cpus)]
    if len(used) != 1 or len(used[0].ids) > 1:
        raise UsageError("--export is of one kind of core, and this process may use several", "keep it on one: taskset")
    if not used[0].ids:
        raise NotAvailable("/proc/cpuinfo gives no ids by which a table could be found", "a newer kernel prints them")
    return used[0]


def verified_table(
    results: Sequence[Result], kind: CoreKind, catalog: Catalog, machine: Mapping[str, Any], kernel: str, date: str
) -> str:
    """TOML of a table for these cores. NotAvailable where nothing was counted by hardware, or nothing was right.

    `machine`: hardware facts; `kernel`: its release; `date`: as 2026-01-31.
    """
    mine = {_name(result, kind): result for result in results if _is_of(result, kind)}
    right = {name for name, result in mine.items() if _is_right(result)}
    if not right:
        raise NotAvailable("no hardware event validated here: there is no table to write", "hwprof doctor says why")
    model = str(machine.get("model", "")) or kind.ids[0]
    old = kind.table
    verified = f"{machine.get('board') or model}, Linux {kernel}, {date}"
    lines = [
        f"# Written by `hwprof events --validate --export` on {verified}. Core: {kind.ids[0]}.",
        f"name = {_text(old.name if old else model)}",
        f"verified = {_text(verified)}",
        "sources = [",
        *(f"    {_text(source)}," for source in (*(old.sources if old else ()), f"counted on {verified}")),
        "]",
        *(_kept(old, right) if old else ()),
        f"auto = {json.dumps(_auto(old, right))}",
        "",
        "[match]",
        f"ids = {json.dumps(list(old.match) if old else [pattern(kind, catalog)])}",
        "",
        "[generic]",
        *_generic(mine, right, kind, verified),
    ]
    events = {name: old.events[name] for name in CANONICAL if old and name in old.events and name in right}
    for name, event in events.items():
        lines += ["", f"[events.{name}]", *_event(event)]
    lines += ["", "[absent]"]
    for name in CANONICAL:
        if name not in events:
            lines.append(f"{name} = {_text(_why_absent(name, mine, kind, verified))}")
    if old and old.vendor:
        lines += ["", "[vendor]", *(f"{json.dumps(name)} = {code:#x}" for name, code in old.vendor.items())]
    if old and old.caches:
        lines += ["", "[caches]", *(f"{name} = {_text(value)}" for name, value in old.caches.items())]
    return "\n".join((*lines, *(_formulas(old) if old else ()))) + "\n"


def _is_of(result: Result, kind: CoreKind) -> bool:
    on = result.assessment.metric.partition("@")[2]
    return not on or on == kind.name


def _name(result: Result, kind: CoreKind) -> str:
    return result.assessment.metric.removesuffix(f"@{kind.name}")


def _is_right(result: Result) -> bool:
    """Of a count by hardware: an emulator's says nothing of a core."""
    return result.assessment.verdict is EventVerdict.RIGHT and result.origin is Origin.HARDWARE


def _kept(old: CpuTable, right: Collection[str]) -> list[str]:
    """What the old table knows beside its events, as far as its names are still there."""
    names = {*right, *old.vendor, *HARDWARE, *CACHE}
    pairs = [pair for pair in old.at_most if set(pair) <= names]
    return [
        *([f"counters = {old.counters}"] if old.counters else []),
        *([f"max_ipc = {old.max_ipc:g}"] if old.max_ipc else []),
        *([f"at_most = {json.dumps([list(pair) for pair in pairs])}"] if pairs else []),
        *(["quirks = [", *(f"    {_text(quirk)}," for quirk in old.quirks), "]"] if old.quirks else []),
        *([f"cycles = [{', '.join(f'{code:#x}' for code in old.cycles)}]"] if old.cycles else []),
        *([f"topdown = {_text(old.no_topdown)}"] if old.no_topdown else []),
    ]


def _formulas(old: CpuTable) -> list[str]:
    """The table's formulas for the slots, as they were."""
    lines = []
    for formulas in old.topdown:
        entries = {field.name: getattr(formulas, field.name) for field in dataclasses.fields(formulas)}
        lines += ["", "[[topdown]]", *(f"{key} = {json.dumps(value)}" for key, value in entries.items())]
    return lines


def _auto(old: CpuTable | None, right: Collection[str]) -> list[str]:
    chosen = old.auto if old else tuple(name for name in HARDWARE if name not in ("cycles", "instructions"))
    return [name for name in chosen if name in right]


def _generic(mine: Mapping[str, Result], right: Collection[str], kind: CoreKind, verified: str) -> list[str]:
    """What the kernel's names are: as known before where that was right, and absent where they miscount."""
    said = dict(kind.table.generic) if kind.table else {}
    for name in (*HARDWARE, *CACHE):
        result = mine.get(name)
        if result is not None and name in right:
            said.setdefault(name, result.counter.meaning if result.counter and result.counter.meaning else "as named")
        elif result is not None and result.assessment.verdict.failed and result.origin is Origin.HARDWARE:
            said[name] = f"absent: {_verdict(result)} on {verified}"
    return [f"{json.dumps(name)} = {_text(meaning)}" for name, meaning in said.items()]


def _event(event: TableEvent) -> list[str]:
    lines = [f"code = {event.config:#x}"] if event.type == Type.RAW else _named(event)
    if event.config1:
        lines.append(f"config1 = {event.config1:#x}")
    for key in ("meaning", "caveat", "unit"):
        if text := getattr(event, key):
            lines.append(f"{key} = {_text(text)}")
    return lines


def _named(event: TableEvent) -> list[str]:
    return [f"type = {_text(_TYPES[Type(event.type)])}", f"config = {event.config:#x}"]


def _why_absent(name: str, mine: Mapping[str, Result], kind: CoreKind, verified: str) -> str:
    if kind.table and name in kind.table.absent:
        return kind.table.absent[name]
    if kind.table is None or name not in kind.table.events:
        return "not looked up yet"
    result = mine.get(name)
    code = f"{kind.table.events[name].config:#x}"
    return f"{code}: {_NOT_HERE}" if result is None else f"{code}: {_verdict(result)} on {verified}"


def _verdict(result: Result) -> str:
    assessment = result.assessment
    return f"{assessment.verdict.value}, {assessment.why}" if assessment.why else assessment.verdict.value


def _text(text: str) -> str:
    """A TOML basic string."""
    return json.dumps(text, ensure_ascii=False)
