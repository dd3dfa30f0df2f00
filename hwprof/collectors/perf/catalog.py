"""Which CPU this is, what its events are called and what they mean on it."""

from __future__ import annotations

import fnmatch
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from hwprof.collectors.perf.abi import Type
from hwprof.collectors.perf.names import ANCHORS, AUTO_HARDWARE, AUTO_SOFTWARE, HARDWARE, SOFTWARE
from hwprof.collectors.perf.sysfs import Pmu, read_pmus
from hwprof.collectors.protocol import Unavailable
from hwprof.errors import HwprofError
from hwprof.records import Origin

TABLES = Path(__file__).resolve().parents[2] / "configs" / "cpus"

# Names that mean the same on every CPU that has them. A CPU's table says by which code, or why it has none.
CANONICAL: dict[str, str] = {
    "branch-mispredictions": "mispredicted branches",
    "dtlb-misses": "data accesses whose translation had to be walked or refilled",
    "fp-instructions": "scalar and vector floating-point instructions",
    "fp-operations": "floating-point operations, each lane counted, a multiply-add as two",
    "itlb-misses": "instruction fetches whose translation had to be walked or refilled",
    "l1d-accesses": "accesses to the first-level data cache",
    "l1d-misses": "misses or refills of the first-level data cache",
    "l1i-misses": "misses or refills of the first-level instruction cache",
    "l2-accesses": "accesses to the second-level cache",
    "l2-misses": "misses or refills of the second-level cache",
    "llc-accesses": "accesses to the last-level cache",
    "llc-misses": "misses of the last-level cache",
    "loads": "load instructions",
    "stalls-backend": "cycles without issue because of execution or memory",
    "stalls-frontend": "cycles without issue because no instruction was delivered",
    "stores": "store instructions",
    "vector-instructions": "vector (SIMD) instructions",
    "vector-loads": "vector load instructions",
    "vector-stores": "vector store instructions",
}


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


def load_tables(directory: Path = TABLES) -> tuple[Table, ...]:
    """Every table of `directory`, by file name."""
    return tuple(parse_table(p.read_text(encoding="utf-8"), str(p)) for p in sorted(directory.glob("*.toml")))


def cpu_ids(cpuinfo: str) -> tuple[str, ...]:
    """Vendor ids of all kinds of core in a /proc/cpuinfo text, without repetition.

    RISC-V mvendorid-marchid-mimpid, Arm implementer-part, x86 vendor-family-model (family decimal, model hexadecimal).
    """
    ids: list[str] = []
    for block in re.split(r"\n\s*\n", cpuinfo):
        entry = {}
        for line in block.splitlines():
            key, colon, value = line.partition(":")
            if colon:
                entry[key.strip()] = value.strip()
        if "mvendorid" in entry:
            found = "-".join(_hexadecimal(entry.get(k, "0x0")) for k in ("mvendorid", "marchid", "mimpid"))
        elif "CPU implementer" in entry:
            found = f"{_hexadecimal(entry['CPU implementer'])}-{_hexadecimal(entry.get('CPU part', '0x0'))}"
        elif "vendor_id" in entry and entry.get("model", "").isdigit():
            found = f"{entry['vendor_id']}-{entry.get('cpu family', '')}-{int(entry['model']):x}"
        else:
            continue
        if found not in ids:
            ids.append(found)
    return tuple(ids)


def _hexadecimal(text: str) -> str:
    try:
        return hex(int(text, 16))
    except ValueError:
        return text


def is_emulated(root: Path = Path("/")) -> bool:
    """Whether this machine is an emulator's: then its PMU counts what the emulator invents.

    Arm's and RISC-V's QEMU boards say so in the device tree, x86 in the CPU's name. KVM guests on Arm use the same
    board name: their PMU is real, but can't be told apart here.
    """
    base = root / "sys/firmware/devicetree/base"
    for name in ("model", "compatible"):
        text = _read(base / name).lower()
        if "qemu" in text or "dummy-virt" in text:
            return True
    vendor = _read(root / "sys/class/dmi/id/sys_vendor")
    return "QEMU" in vendor and bool(
        re.search(r"model name\s*:.*(QEMU|TCG)|uarch\s*:.*qemu", _read(root / "proc/cpuinfo"))
        or "mvendorid" in _read(root / "proc/cpuinfo")
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


class Catalog:
    """Names and meanings on the machine below `root`."""

    def __init__(self, root: Path = Path("/"), tables: Path = TABLES) -> None:
        self.root = root
        self._tables = tables

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Vendor ids of the kinds of core."""
        return cpu_ids(_read(self.root / "proc/cpuinfo"))

    @cached_property
    def table(self) -> Table | None:
        """This CPU's table; None where there is none, or where cores of several kinds would need several."""
        found = {t.name: t for i in self.ids for t in load_tables(self._tables) if _matches(t, i)}
        return next(iter(found.values())) if len(found) == 1 and len(self.ids) == 1 else None

    @cached_property
    def pmus(self) -> dict[str, Pmu]:
        """PMUs of sysfs."""
        return read_pmus(self.root)

    @property
    def core_pmus(self) -> tuple[Pmu, ...]:
        """PMUs of the cores; more than one: cores of several kinds."""
        return tuple(p for p in self.pmus.values() if p.core)

    @property
    def hybrid(self) -> bool:
        """Cores of several kinds, each with a PMU of its own."""
        return len(self.core_pmus) > 1

    @cached_property
    def origin(self) -> Origin:
        """Who counts a hardware event here."""
        return Origin.EMULATED if is_emulated(self.root) else Origin.HARDWARE

    def generic(self, name: str) -> tuple[str, Unavailable | None]:
        """What a generic name means on this CPU in particular, and why it must not be used here (None: it may)."""
        if name in SOFTWARE:
            return "", None
        if self.hybrid:
            pmus = " or ".join(f"{p.name}/.../" for p in self.core_pmus)
            return "", Unavailable(
                "this machine has cores of several kinds, and the name would count on one kind only",
                f"pin the run to cores of one kind (--cpus) and name its PMU: {pmus}",
            )
        said = self.table.generic.get(name, "") if self.table else ""
        if said.startswith("absent:"):
            return "", Unavailable(f"not on {self.table_name}: {said.removeprefix('absent:').strip()}")
        # Of which level these two are, only a table can say: without one that must not pass in silence.
        return said or (HARDWARE[name][1] if name in ("cache-references", "cache-misses") else ""), None

    @property
    def table_name(self) -> str:
        """Name of the CPU, or its ids where no table knows it."""
        return self.table.name if self.table else (", ".join(self.ids) or "this CPU")

    def canonical(self, name: str) -> TableEvent | Unavailable:
        """The event behind a canonical name here, or why there is none: never something near it."""
        if self.hybrid:
            return Unavailable("this machine has cores of several kinds", "name the event by its PMU, with --cpus")
        if self.table is None:
            return Unavailable(
                f"no event table for {self.table_name}",
                "use generic names, or add a table (docs/adding-a-collector.md)",
            )
        if name in self.table.events:
            return self.table.events[name]
        return Unavailable(f"not on {self.table.name}: {self.table.absent.get(name, 'no event counts it')}")

    @property
    def auto(self) -> tuple[str, ...]:
        """The best set of this CPU: the anchors, its table's choice (else generic names), the kernel's own."""
        hardware = self.table.auto if self.table and self.table.auto else AUTO_HARDWARE
        return tuple(dict.fromkeys((*ANCHORS, *hardware, *AUTO_SOFTWARE)))


def _matches(table: Table, cpu: str) -> bool:
    return any(fnmatch.fnmatchcase(cpu, pattern) for pattern in table.match)
