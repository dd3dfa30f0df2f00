"""The event tables of configs/cpus: what is in a file, and which CPU it is for."""

from __future__ import annotations

import fnmatch
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from hwprof.collectors.perf.abi import Type
from hwprof.collectors.perf.names import CACHE, HARDWARE
from hwprof.collectors.perf.slots import SlotFormulas, parse_formulas
from hwprof.collectors.review import CpuBounds
from hwprof.errors import HwprofError

NO_FORMULAS = "its table has no formulas for the slots"
TABLES = Path(__file__).resolve().parents[2] / "configs" / "cpus"

# Names that mean the same on every CPU that has them. A CPU's table says by which code, or why it has none.
CANONICAL: dict[str, str] = {
    "backend-stalls": "cycles without issue because of execution or memory",
    "branch-mispredictions": "mispredicted branches",
    "dtlb-misses": "data accesses whose translation had to be walked or refilled",
    "fp-instructions": "scalar and vector floating-point instructions",
    "fp-operations": "floating-point operations, each lane counted, a multiply-add as two",
    "frontend-stalls": "cycles without issue because no instruction was delivered",
    "itlb-misses": "instruction fetches whose translation had to be walked or refilled",
    "l1d-accesses": "accesses to the first-level data cache",
    "l1d-misses": "misses or refills of the first-level data cache",
    "l1i-misses": "misses or refills of the first-level instruction cache",
    "l2-accesses": "accesses to the second-level cache",
    "l2-misses": "misses or refills of the second-level cache",
    "llc-accesses": "accesses to the last-level cache",
    "llc-misses": "misses of the last-level cache",
    "loads": "load instructions",
    "stores": "store instructions",
    "vector-instructions": "vector (SIMD) instructions",
    "vector-loads": "vector load instructions",
    "vector-stores": "vector store instructions",
}
# Canonical too, but the kernel's own codes count them, as `perf stat` does: a table says what they are on its CPU.
KERNELS_OWN = ("cycles", "instructions", "branches", "branch-misses")


def unit_of(name: str) -> str:
    """What a canonical event counts, in one word."""
    if name.startswith("branch"):
        return "branches"
    if name.endswith("stalls") or name == "cycles":
        return "cycles"
    last = name.rpartition("-")[2]
    return last if last in ("operations", "misses", "accesses") else "instructions"


@dataclass(frozen=True, slots=True)
class TableEvent:
    """One canonical event of a table: attr.type and config of the event, and what to know about it."""

    type: int
    config: int
    config1: int = 0
    meaning: str = ""
    caveat: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class CpuTable:
    """One file of configs/cpus. `generic`: what a generic name means on this CPU, or `absent: reason`.

    `max_ipc`: instructions that can retire in a cycle. `at_most`: pairs of events of one meaning, a part and its whole.
    `cycles`: raw codes that count nothing but cycles, under whatever name: time in another unit. `topdown`: what its
    events make of the slots; `no_topdown`: why that is not to be had. `caches`: a core's l1d and l2 as size/ways/line,
    `vlen`, bits of a vector register (absent: no vectors), `source` of all.
    """

    name: str
    verified: str
    match: tuple[str, ...]
    sources: tuple[str, ...] = ()
    counters: int | None = None
    max_ipc: float | None = None
    at_most: tuple[tuple[str, str], ...] = ()
    quirks: tuple[str, ...] = ()
    auto: tuple[str, ...] = ()
    generic: Mapping[str, str] = field(default_factory=dict)
    events: Mapping[str, TableEvent] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    vendor: Mapping[str, int] = field(default_factory=dict)
    cycles: tuple[int, ...] = ()
    topdown: tuple[SlotFormulas, ...] = ()
    no_topdown: str = ""
    caches: Mapping[str, str] = field(default_factory=dict)

    def matches(self, cpu: str, pmu: str = "", stepping: str = "") -> bool:
        """Whether the table is for a core with this id, whose PMU has this name.

        A pattern is a shell pattern for the id. It may end in `-STEPPING` (x86), and in `:PMU` where one id stands for
        cores of several kinds, which only the names of their PMUs tell apart (`GenuineIntel-6-97:cpu_atom`).
        """
        ids = (cpu, f"{cpu}-{stepping}") if stepping else (cpu,)
        for pattern in self.match:
            wanted, colon, kind = pattern.partition(":")
            if (not colon or kind == (pmu or "cpu")) and any(fnmatch.fnmatchcase(i, wanted) for i in ids):
                return True
        return False


_KEYS = {
    "name", "verified", "match", "sources", "counters", "max_ipc", "at_most", "quirks", "auto", "generic", "events",
    "absent", "vendor", "cycles", "topdown", "caches",
}  # fmt: skip
_EVENT_KEYS = {"type", "code", "config", "config1", "meaning", "caveat", "unit"}
_TYPES = {"hardware": Type.HARDWARE, "cache": Type.HW_CACHE, "raw": Type.RAW}


def parse_table(text: str, source: str, unreadable: dict[str, str] | None = None) -> CpuTable:
    """A table from TOML. Raises HwprofError, naming the file and the key, where it breaks the schema.

    `unreadable`: takes the reason of each single event that does (name -> why), which the table then lacks.
    """
    try:
        data = tomllib.loads(text)
        if unknown := set(data) - _KEYS:
            raise ValueError(f"unknown key {', '.join(sorted(unknown))}")
        events, absent = {}, dict(data.get("absent", {}))
        for name, entry in data.get("events", {}).items():
            try:
                events[name] = _table_event(name, entry)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                if unreadable is None:
                    raise
                unreadable[name] = absent[name] = f"its entry in {source} can't be read: {error}"
        if unknown := (set(events) | set(absent)) - set(CANONICAL):
            raise ValueError(f"{', '.join(sorted(unknown))}: no canonical name")
        return CpuTable(
            name=data["name"],
            verified=data["verified"],
            match=tuple(data["match"]["ids"]),
            sources=tuple(data.get("sources", ())),
            counters=data.get("counters"),
            max_ipc=data.get("max_ipc"),
            at_most=_pairs(data.get("at_most", ()), {*events, *data.get("vendor", ())}),
            quirks=tuple(data.get("quirks", ())),
            auto=tuple(data.get("auto", ())),
            generic=data.get("generic", {}),
            events=events,
            absent=absent,
            vendor=data.get("vendor", {}),
            cycles=tuple(int(code) for code in data.get("cycles", ())),
            caches=data.get("caches", {}),
            **_topdown(data.get("topdown", ""), {"cycles", *data.get("vendor", ())}),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise HwprofError(f"{source}: {error}", "compare it with the other tables of hwprof/configs/cpus") from error


def _topdown(entry: str | Sequence[Mapping[str, Any]], own: set[str]) -> dict[str, Any]:
    """Formulas over events of this table, or the reason for which there are none."""
    if isinstance(entry, str):
        return {"no_topdown": entry}
    found = tuple(parse_formulas(one) for one in entry)
    if unknown := {name for formulas in found for name in formulas.events} - own:
        raise ValueError(f"topdown: {', '.join(sorted(unknown))}: no event of this table")
    return {"topdown": found}


def _pairs(pairs: Sequence[Sequence[str]], own: set[str]) -> tuple[tuple[str, str], ...]:
    """Pairs of events that this CPU or the kernel has; ValueError where there is none of a name."""
    found = tuple((part, whole) for part, whole in pairs)
    if unknown := {name for pair in found for name in pair} - own - set(HARDWARE) - set(CACHE):
        raise ValueError(f"at_most: {', '.join(sorted(unknown))}: no event of this table")
    return found


def _table_event(name: str, entry: Mapping[str, Any]) -> TableEvent:
    if unknown := set(entry) - _EVENT_KEYS:
        raise ValueError(f"{name}: unknown key {', '.join(sorted(unknown))}")
    # A code of 2^63 and more (SBI firmware events) is no TOML integer: it may be written as a string.
    config = entry["config"] if "config" in entry else entry["code"]
    config = int(config, 0) if isinstance(config, str) else int(config)
    if not 0 <= config < 1 << 64:
        raise ValueError(f"{name}: {config:#x} does not fit into 64 bits")
    return TableEvent(
        type=_TYPES[entry.get("type", "raw")],
        config=config,
        config1=int(entry.get("config1", 0)),
        meaning=entry.get("meaning", CANONICAL.get(name, "")),
        caveat=entry.get("caveat", ""),
        unit=entry.get("unit", ""),
    )


@lru_cache
def load_tables(directory: Path = TABLES) -> tuple[CpuTable, ...]:
    """Every table of `directory`, by file name."""
    return tuple(_load(p) for p in sorted(directory.glob("*.toml")))


def _load(path: Path, unreadable: dict[str, str] | None = None) -> CpuTable:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise HwprofError(f"{path} can't be read: {error}", "compare it with the other tables") from error
    return parse_table(text, str(path), unreadable)


def with_caches(directory: Path = TABLES) -> dict[str, CpuTable]:
    """The tables that know the geometry of their caches, by the name of their file."""
    named = {path.stem: path for path in sorted(directory.glob("*.toml"))}
    return {stem: table for stem, path in named.items() if (table := _load(path)).caches}


def own_tables() -> tuple[tuple[CpuTable, ...], dict[str, str]]:
    """The user's own tables (HWPROF_CPUS) as far as they can be read; file or event -> why it can't."""
    found, unreadable = [], {}
    own = os.environ.get("HWPROF_CPUS")
    for path in sorted(Path(own).glob("*.toml")) if own else ():
        bad: dict[str, str] = {}
        try:
            found.append(_load(path, bad))
        except HwprofError as error:
            unreadable[path.name] = error.message
        unreadable |= {f"{path.name}: {name}": why for name, why in bad.items()}
    return tuple(found), unreadable


def find_table(
    cpu: str, pmu: str = "", stepping: str = "", directory: Path = TABLES, lenient: bool = False
) -> CpuTable | None:
    """The table for a core, by its id and the name of its PMU. None: there is none.

    The folder named by HWPROF_CPUS, if any, holds tables of the user's own, which come first. One that breaks the
    schema raises HwprofError; `lenient`: it is done without, as far as it can't be read (`own_tables` says why).
    """
    own = os.environ.get("HWPROF_CPUS")
    first = own_tables()[0] if lenient else load_tables(Path(own)) if own else ()
    tables = (*first, *load_tables(directory))
    return next((t for t in tables if t.matches(cpu, pmu, stepping)), None)


def bounds_of(machine: Mapping[str, Any]) -> CpuBounds:
    """What the counts of a machine can't exceed, by its hardware facts; of several kinds of core what all allow.

    A kind without a table allows what no CPU exceeds.
    """
    pmus = ("cpu_core", "cpu_atom", "cpu_lowpower") if machine.get("kinds") else ("",)
    found: list[CpuTable | None] = []
    for known in machine.get("ids", ()):
        cpu, stepping = table_id(known)
        tables = [find_table(cpu, pmu, stepping, lenient=True) for pmu in pmus]
        found += [table for table in tables if table is not None] or [None]
    if not found:
        return CpuBounds()
    widest = max((table and table.max_ipc) or CpuBounds().max_ipc for table in found)
    pairs = [frozenset(table.at_most) if table else frozenset() for table in found]
    return CpuBounds(widest, frozenset.intersection(*pairs))


def slot_formulas(machine: Mapping[str, Any]) -> SlotFormulas | str:
    """What the cores of a machine make of their slots, by its hardware facts; else why that is not to be had."""
    known = machine.get("ids", ())
    if machine.get("kinds") or len(known) != 1:
        return "cores of several kinds, or of an unknown one"
    cpu, stepping = table_id(known[0])
    table = find_table(cpu, stepping=stepping, lenient=True)
    if table is None:
        return f"no event table for {known[0]}"
    found = next((formulas for formulas in table.topdown if formulas.fits(known[0])), None)
    return found or f"not on {table.name}: {table.no_topdown or NO_FORMULAS}"


def table_id(known: str) -> tuple[str, str]:
    """(id, stepping) by which tables know a core, of its id in the facts of a machine (`hwprof.machine.ids`)."""
    parts = known.split("-")
    if len(parts) == 5:  # Arm: implementer, architecture, variant, part, revision
        return f"{int(parts[0], 16):#x}-{int(parts[3], 16):#x}", ""
    if len(parts) == 4 and parts[2].isdigit() and parts[3].isdigit():  # x86: vendor, family, model, stepping
        return f"{parts[0]}-{parts[1]}-{int(parts[2]):x}", f"{int(parts[3]):x}"
    return known, ""
