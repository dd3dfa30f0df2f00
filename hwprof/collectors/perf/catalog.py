"""Which CPU this is, what its events are called and what they mean on it."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from pathlib import Path

from hwprof.collectors.perf.kinds import CoreKind, read_cores, read_kinds, read_sharers
from hwprof.collectors.perf.names import (
    ALIASES,
    ANCHORS,
    AUTO_HARDWARE,
    AUTO_SOFTWARE,
    SOFTWARE,
    cache_name,
    is_own_spelling,
)
from hwprof.collectors.perf.sysfs import Pmu, read_pmus, unreadable_pmus
from hwprof.collectors.perf.tables import CANONICAL, TABLES, CpuTable, TableEvent, own_tables
from hwprof.collectors.protocol import Unavailable
from hwprof.machine.files import ROOT, read
from hwprof.machine.limits import allowed_cores
from hwprof.machine.virtual import is_emulated
from hwprof.records import Origin


class Catalog:
    """Names and meanings on the machine below `root`.

    `cpus`: where it is counted; empty: on those that this process may use. They decide the table where cores of several
    kinds share one PMU.
    """

    def __init__(self, root: Path = ROOT, tables: Path = TABLES, cpus: Collection[int] = ()) -> None:
        self.root = root
        self._cpus = frozenset(cpus)
        self.lenient = False  # True: do without what can't be read of the user's tables, for a list of all there is
        self._tables = tables

    @cached_property
    def _cpuinfo(self) -> str:
        return read(self.root / "proc/cpuinfo") or ""

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Vendor ids of the kinds of core, without repetition; their forms: `read_cores`."""
        return tuple(dict.fromkeys(core.id for core in read_cores(self._cpuinfo)))

    @cached_property
    def pmus(self) -> dict[str, Pmu]:
        """PMUs of sysfs."""
        return read_pmus(self.root)

    @cached_property
    def unreadable(self) -> dict[str, str]:
        """What there is and can't be used: PMUs, terms of PMUs, tables of the user's -> why."""
        found = unreadable_pmus(self.root)
        for pmu in self.pmus.values():
            found |= {f"{pmu.name}/format/{term}": why for term, why in pmu.unreadable.items()}
        return found | own_tables()[1]

    @cached_property
    def kinds(self) -> tuple[CoreKind, ...]:
        """Kinds of core, each with its PMU and table; one where all are alike."""
        cpus = self._cpus or frozenset(allowed_cores(self.root))
        return read_kinds(self._cpuinfo, self.pmus, self._tables, self.lenient, cpus)

    @cached_property
    def sharers(self) -> tuple[CoreKind, ...]:
        """The kinds of core that share one PMU, whatever this process may use; empty where they do not."""
        return read_sharers(self._cpuinfo, self.pmus, self._tables, self.lenient)

    @property
    def table(self) -> CpuTable | None:
        """This CPU's table; None where there is none, or where cores of several kinds have one each (`kinds`)."""
        return None if self.hybrid else self.kinds[0].table

    @property
    def core_pmus(self) -> tuple[Pmu, ...]:
        """PMUs of the cores; more than one: cores of several kinds."""
        return tuple(p for p in self.pmus.values() if p.core)

    @property
    def hybrid(self) -> bool:
        """Cores of several kinds, each with a PMU of its own."""
        return len(self.kinds) > 1

    @cached_property
    def origin(self) -> Origin:
        """Who counts a hardware event here."""
        return Origin.EMULATED if is_emulated(self.root) else Origin.HARDWARE

    def kind(self, name: str) -> CoreKind | None:
        """The kind of core whose PMU has this name."""
        return next((k for k in self.kinds if k.name == name), None)

    def generic(self, name: str) -> tuple[str, Unavailable | None]:
        """What a generic name means on cores that are all alike, and why it must not be used here (None: it may)."""
        return ("", None) if name in SOFTWARE else self.kinds[0].generic(name)

    def own_name(self, name: str) -> str:
        """Our name of what perf spells in several ways; a name that this machine or a table shows is what it is."""
        name = ALIASES.get(name, name)
        if is_own_spelling(name) or name in CANONICAL or not (alias := cache_name(name)):
            return name
        shown = any(pmu.event_terms(name) is not None for pmu in self.pmus.values())
        return name if shown or any(k.table and name in k.table.vendor for k in self.kinds) else alias

    @property
    def table_name(self) -> str:
        """Name of the CPU, of each kind of core where there are several; ids where no table knows it."""
        return " + ".join(kind.title for kind in self.kinds)

    def canonical(self, name: str) -> TableEvent | Unavailable:
        """The event behind a canonical name on cores that are all alike, or why there is none."""
        return self.kinds[0].canonical(name)

    @property
    def auto(self) -> tuple[str, ...]:
        """The best set of this CPU: the anchors, its table's choice (else generic names), the kernel's own."""
        chosen = [kind.table.auto for kind in self.kinds if kind.table and kind.table.auto] or [AUTO_HARDWARE]
        return tuple(dict.fromkeys((*ANCHORS, *(name for names in chosen for name in names), *AUTO_SOFTWARE)))
