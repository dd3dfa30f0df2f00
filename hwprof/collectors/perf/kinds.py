"""Kinds of core: which there are, the PMU and table of each, and the code by which each counts an event.

Intel's hybrids and Arm's clusters have one PMU per kind of core, with a number and codes of its own. An event is opened
on each of them; what the kinds counted is told apart (`cycles@cpu_core`) and as their sum (`cycles`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hwprof.collectors.perf.abi import Type
from hwprof.collectors.perf.names import ALIASES, CACHE, HARDWARE
from hwprof.collectors.perf.sysfs import Pmu
from hwprof.collectors.perf.tables import CANONICAL, CpuTable, TableEvent, find_table
from hwprof.collectors.protocol import Unavailable
from hwprof.machine.cpus import MOST_CPUS
from hwprof.machine.ids import blocks

# PERF_PMU_TYPE_SHIFT: HARDWARE and HW_CACHE events go to the PMU whose number is in the upper half of config.
PMU_SHIFT = 32

# What Linux's PMUv3 driver makes of the generic names, by the names it shows in sysfs (drivers/perf/arm_pmuv3.c). The
# PMU's number in config is understood there only since Linux 6.6; the codes themselves always were.
_PMUV3: Mapping[str, tuple[str, ...]] = {
    "cycles": ("cpu_cycles",),
    "instructions": ("inst_retired",),
    "cache-references": ("l1d_cache",),
    "cache-misses": ("l1d_cache_refill",),
    "branches": ("br_retired", "pc_write_retired"),
    "branch-misses": ("br_mis_pred",),
    "bus-cycles": ("bus_cycles",),
    "stalled-cycles-frontend": ("stall_frontend",),
    "stalled-cycles-backend": ("stall_backend",),
    "L1-dcache-loads": ("l1d_cache",),
    "L1-dcache-load-misses": ("l1d_cache_refill",),
    "L1-icache-loads": ("l1i_cache",),
    "L1-icache-load-misses": ("l1i_cache_refill",),
    "dTLB-loads": ("l1d_tlb",),
    "dTLB-load-misses": ("l1d_tlb_refill",),
    "iTLB-loads": ("l1i_tlb",),
    "iTLB-load-misses": ("l1i_tlb_refill",),
    "LLC-loads": ("ll_cache_rd",),
    "LLC-load-misses": ("ll_cache_miss_rd",),
    "branch-loads": ("br_pred",),
    "branch-load-misses": ("br_mis_pred",),
}


@dataclass(frozen=True, slots=True)
class Core:
    """One processor of /proc/cpuinfo: its number, vendor ids, x86 stepping, and what a RISC-V kernel calls it."""

    cpu: int | None
    id: str
    stepping: str = ""
    uarch: str = ""


def read_cores(cpuinfo: str) -> tuple[Core, ...]:
    """The processors of a /proc/cpuinfo text that say what they are.

    Ids: RISC-V mvendorid-marchid-mimpid, else `uarch=NAME` where an older kernel shows no ids; Arm implementer-part;
    x86 vendor-family-model (family decimal, model hexadecimal).
    """
    cores: list[Core] = []
    for entry in blocks(cpuinfo):
        stepping = ""
        if "mvendorid" in entry:
            found = "-".join(_hexadecimal(entry.get(k, "0x0")) for k in ("mvendorid", "marchid", "mimpid"))
        elif "uarch" in entry:
            found = f"uarch={entry['uarch']}"
        elif "CPU implementer" in entry:
            found = f"{_hexadecimal(entry['CPU implementer'])}-{_hexadecimal(entry.get('CPU part', '0x0'))}"
        elif "vendor_id" in entry and entry.get("model", "").isdigit():
            found = f"{entry['vendor_id']}-{entry.get('cpu family', '')}-{int(entry['model']):x}"
            stepping = f"{int(entry['stepping']):x}" if entry.get("stepping", "").isdigit() else ""
        else:
            continue
        number = entry.get("processor", "")
        cores.append(Core(int(number) if number.isdigit() else None, found, stepping, entry.get("uarch", "")))
    return tuple(cores)


def _hexadecimal(text: str) -> str:
    try:
        return hex(int(text, 16))
    except ValueError:
        return text


@dataclass(frozen=True, slots=True)
class Code:
    """What perf_event_open is asked for, and what is then counted."""

    type: int
    config: int
    config1: int = 0
    meaning: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class CoreKind:
    """Cores of one kind. `cpus` empty: all of the machine. More than one id: its table can't be told.

    `refused`: another PMU claims some of the same CPUs.
    """

    pmu: Pmu | None
    ids: tuple[str, ...]
    table: CpuTable | None
    cpus: tuple[int, ...] = ()
    refused: Unavailable | None = None

    @property
    def name(self) -> str:
        """The name of its PMU."""
        return self.pmu.name if self.pmu else "cpu"

    @property
    def title(self) -> str:
        """Its name for people: the table's, else the ids."""
        return self.table.name if self.table else (", ".join(self.ids) or "this CPU")

    def generic(self, name: str) -> tuple[str, Unavailable | None]:
        """What a generic name means on these cores in particular, and why it must not be used (None: it may)."""
        said = self.table.generic.get(name, "") if self.table else ""
        if said.startswith("absent:"):
            return "", Unavailable(f"not on {self.title}: {said.removeprefix('absent:').strip()}")
        # Of which level these two are, only a table can say: without one that must not pass in silence.
        return said or (HARDWARE[name][1] if name in ("cache-references", "cache-misses") else ""), None

    def canonical(self, name: str) -> TableEvent | Unavailable:
        """The event behind a canonical name here, or why there is none: never something near it."""
        if self.table is None and len(self.ids) > 1:
            return Unavailable(
                f"several kinds of core ({', '.join(self.ids)}) behind one PMU, whose codes differ",
                "keep to one kind: --cpus kind=NAME, or big, little, cluster1 (hwprof doctor lists them)",
            )
        if self.table is None:
            return Unavailable(
                f"no event table for {self.title}",
                "use generic names, or add a table: hwprof doctor --table prints one to fill in",
            )
        if name in self.table.events:
            return self.table.events[name]
        return Unavailable(f"not on {self.title}: {self.table.absent.get(name, 'no event counts it')}")

    def unit_of(self, type: int, config: int, config1: int, known: str) -> str:
        """`cycles` where the table declares a raw code as one that counts nothing else; otherwise `known`."""
        raw = type == Type.RAW or (self.pmu is not None and type == self.pmu.type)
        declared = raw and not config1 and self.table is not None and config in self.table.cycles
        return "cycles" if declared else known

    def encode(self, name: str) -> Code | Unavailable:
        """How this kind's own PMU is asked for an event by its name; for machines with several kinds."""
        assert self.pmu is not None
        if self.refused:
            return self.refused
        if name in HARDWARE or name in CACHE:
            meaning, refused = self.generic(name)
            return refused or self._generic_code(self.pmu, name, meaning)
        if name in CANONICAL:
            found = self.canonical(name)
            if isinstance(found, Unavailable):
                return found
            meaning = f"{found.meaning} ({found.caveat})" if found.caveat else found.meaning
            if found.type == Type.RAW:
                return Code(self.pmu.type, found.config, found.config1, meaning, found.unit)
            return Code(found.type, found.config | self.pmu.type << PMU_SHIFT, found.config1, meaning, found.unit)
        if re.fullmatch(r"r[0-9a-fA-F]{1,16}", name):
            return Code(self.pmu.type, int(name[1:], 16), meaning="raw code of these cores")
        if self.table and name in self.table.vendor:
            return Code(self.pmu.type, self.table.vendor[name], meaning=f"{self.title}'s own event")
        if self.pmu.event_terms(name) is not None:
            fields, _, _, unit = self.pmu.encode(name)
            return Code(self.pmu.type, fields["config"], fields["config1"], unit=unit)
        return Unavailable(f"{self.name} has no event {name}")

    def shown(self, name: str) -> Code | None:
        """By what code its PMU's own list in sysfs has a generic event; None: it is not there."""
        assert self.pmu is not None
        for listed in (name, *(alias for alias, canonical in ALIASES.items() if canonical == name)):
            if self.pmu.event_terms(listed) is not None:
                fields, _, _, _ = self.pmu.encode(listed)
                return Code(self.pmu.type, fields["config"], fields["config1"])
        return None

    def knows(self, name: str) -> bool:
        """Whether the name is one that this kind's table or PMU alone defines."""
        assert self.pmu is not None
        return bool(self.table and name in self.table.vendor) or self.pmu.event_terms(name) is not None

    def _generic_code(self, pmu: Pmu, name: str, meaning: str) -> Code | Unavailable:
        if pmu.name.startswith("armv8") and pmu.events:
            for shown in _PMUV3.get(name, ()):
                if pmu.event_terms(shown) is not None:
                    fields, _, _, _ = pmu.encode(shown)
                    return Code(pmu.type, fields["config"], meaning=meaning or shown.upper())
            return Unavailable(f"{pmu.name} has no event for {name}")
        kind, config = (Type.HARDWARE, HARDWARE[name][0]) if name in HARDWARE else (Type.HW_CACHE, CACHE[name][0])
        return Code(kind, config | pmu.type << PMU_SHIFT, meaning=meaning)


def read_kinds(
    cpuinfo: str,
    pmus: Mapping[str, Pmu],
    directory: Path,
    lenient: bool = False,
    cpus: Collection[int] = (),
) -> tuple[CoreKind, ...]:
    """The kinds of core of a machine, those with the lowest CPU numbers first; exactly one where all are alike.

    Where one PMU is for cores of several kinds, one kind too: that of `cpus` (empty: all there are). It has a table
    where those are all of one kind. `lenient`: without tables that can't be read, see `find_table`.
    """
    cores = read_cores(cpuinfo)
    core_pmus = [p for p in pmus.values() if p.core and not p.idle] or [p for p in pmus.values() if p.core]
    if len(core_pmus) < 2:
        pmu = core_pmus[0] if core_pmus else None
        used = [core for core in cores if core.cpu in cpus]
        return (_kind(pmu, used or cores, (), directory, lenient),)
    kinds = []
    for pmu in core_pmus:
        mine = [c for c in cores if c.cpu in pmu.cpus]
        # Cores that are off are not in cpuinfo; where all are of one id, that is theirs too.
        kind = _kind(pmu, mine or (cores if len({c.id for c in cores}) == 1 else []), pmu.cpus, directory, lenient)
        kinds.append(replace(kind, refused=_claimed_twice(pmu, core_pmus)))
    return tuple(sorted(kinds, key=lambda k: (k.cpus[:1] or (1 << 30,), k.name)))


def read_sharers(cpuinfo: str, pmus: Mapping[str, Pmu], directory: Path, lenient: bool = False) -> tuple[CoreKind, ...]:
    """The kinds of core that share one PMU, each with its table and CPUs; empty where they do not."""
    cores = read_cores(cpuinfo)
    ids = dict.fromkeys(core.id for core in cores)
    core_pmus = [p for p in pmus.values() if p.core and not p.idle] or [p for p in pmus.values() if p.core]
    if len(ids) < 2 or len(core_pmus) > 1:
        return ()
    pmu = core_pmus[0] if core_pmus else None
    groups = ([core for core in cores if core.id == id_] for id_ in ids)
    return tuple(
        _kind(pmu, group, tuple(core.cpu for core in group if core.cpu is not None), directory, lenient)
        for group in groups
    )


def _claimed_twice(pmu: Pmu, others: Sequence[Pmu]) -> Unavailable | None:
    """Why a PMU can't be the one of a kind of core: a core has one PMU, and counts of two must not be added."""
    for other in others:
        if other is pmu or not (shared := _claimed(pmu) & _claimed(other)):
            continue
        cpus = f"CPU {min(shared)}" if len(shared) == 1 else f"CPUs {min(shared)} to {max(shared)}"
        first, second = sorted((pmu.name, other.name))
        return Unavailable(
            f"the PMUs {first} and {second} both claim {cpus}: which of them counts there is unknown",
            "ls /sys/bus/event_source/devices; unload the module that registered one of them",
        )
    return None


def _claimed(pmu: Pmu) -> frozenset[int]:
    """CPUs that a PMU says are its own. `cpu` has no such list, for it is that of all; older Arm kernels show none."""
    return frozenset(range(MOST_CPUS) if pmu.name == "cpu" and not pmu.cpus else pmu.cpus)


def _kind(
    pmu: Pmu | None, cores: tuple[Core, ...] | list[Core], cpus: tuple[int, ...], directory: Path, lenient: bool
) -> CoreKind:
    ids = tuple(dict.fromkeys(c.id for c in cores))
    name = pmu.name if pmu else ""
    table = find_table(ids[0], name, cores[0].stepping, directory, lenient) if len(ids) == 1 else None
    if table is None and len(ids) == 1 and cores[0].uarch:  # of a core whose ids nobody has published
        table = find_table(f"uarch={cores[0].uarch}", name, "", directory, lenient)
        table = table if table and all(pattern.startswith("uarch=") for pattern in table.match) else None
    return CoreKind(pmu, ids, table, cpus)
