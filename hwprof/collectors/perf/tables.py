"""The event tables of configs/cpus: what is in a file, and which CPU it is for."""

from __future__ import annotations

import fnmatch
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from hwprof.collectors.perf.abi import Type
from hwprof.errors import HwprofError

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
class Table:
    """One file of configs/cpus. `generic`: what a generic name means on this CPU, or `absent: reason`."""

    name: str
    verified: str
    match: tuple[str, ...]
    sources: tuple[str, ...] = ()
    counters: int | None = None
    quirks: tuple[str, ...] = ()
    auto: tuple[str, ...] = ()
    generic: Mapping[str, str] = field(default_factory=dict)
    events: Mapping[str, TableEvent] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    vendor: Mapping[str, int] = field(default_factory=dict)

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
    "name", "verified", "match", "sources", "counters", "quirks", "auto", "generic", "events", "absent", "vendor",
}  # fmt: skip
_EVENT_KEYS = {"type", "code", "config", "config1", "meaning", "caveat", "unit"}
_TYPES = {"hardware": Type.HARDWARE, "cache": Type.HW_CACHE, "raw": Type.RAW}


def parse_table(text: str, source: str) -> Table:
    """A table from TOML. Raises HwprofError, naming the file and the key, where it breaks the schema."""
    try:
        data = tomllib.loads(text)
        if unknown := set(data) - _KEYS:
            raise ValueError(f"unknown key {', '.join(sorted(unknown))}")
        events = {name: _table_event(name, entry) for name, entry in data.get("events", {}).items()}
        if unknown := (set(events) | set(data.get("absent", {}))) - set(CANONICAL):
            raise ValueError(f"{', '.join(sorted(unknown))}: no canonical name")
        return Table(
            name=data["name"],
            verified=data["verified"],
            match=tuple(data["match"]["ids"]),
            sources=tuple(data.get("sources", ())),
            counters=data.get("counters"),
            quirks=tuple(data.get("quirks", ())),
            auto=tuple(data.get("auto", ())),
            generic=data.get("generic", {}),
            events=events,
            absent=data.get("absent", {}),
            vendor=data.get("vendor", {}),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise HwprofError(f"{source}: {error}", "compare it with the other tables of hwprof/configs/cpus") from error


def _table_event(name: str, entry: Mapping[str, Any]) -> TableEvent:
    if unknown := set(entry) - _EVENT_KEYS:
        raise ValueError(f"{name}: unknown key {', '.join(sorted(unknown))}")
    # A code of 2^63 and more (SBI firmware events) is no TOML integer: it may be written as a string.
    config = entry["config"] if "config" in entry else entry["code"]
    return TableEvent(
        type=_TYPES[entry.get("type", "raw")],
        config=int(config, 0) if isinstance(config, str) else int(config),
        config1=int(entry.get("config1", 0)),
        meaning=entry.get("meaning", CANONICAL.get(name, "")),
        caveat=entry.get("caveat", ""),
        unit=entry.get("unit", ""),
    )


@lru_cache
def load_tables(directory: Path = TABLES) -> tuple[Table, ...]:
    """Every table of `directory`, by file name."""
    return tuple(parse_table(p.read_text(encoding="utf-8"), str(p)) for p in sorted(directory.glob("*.toml")))


def find_table(cpu: str, pmu: str = "", stepping: str = "", directory: Path = TABLES) -> Table | None:
    """The table for a core, by its id and the name of its PMU. None: there is none.

    The folder named by HWPROF_CPUS, if any, holds tables of the user's own, which come first.
    """
    own = os.environ.get("HWPROF_CPUS")
    tables = (*(load_tables(Path(own)) if own else ()), *load_tables(directory))
    return next((t for t in tables if t.matches(cpu, pmu, stepping)), None)
