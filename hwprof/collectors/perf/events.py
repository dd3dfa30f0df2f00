"""From names, as `perf stat -e` takes them, to what perf_event_open is asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from hwprof.collectors.perf.abi import Type
from hwprof.collectors.perf.catalog import Catalog
from hwprof.collectors.perf.equipment import mark
from hwprof.collectors.perf.kinds import CoreKind
from hwprof.collectors.perf.names import (
    CACHE,
    CLOCKS,
    HARDWARE,
    KERNEL_ONLY,
    SOFTWARE,
    is_linux_name,
)
from hwprof.collectors.perf.syntax import split, split_modifiers
from hwprof.collectors.perf.sysfs import Pmu
from hwprof.collectors.perf.tables import CANONICAL, NO_FORMULAS
from hwprof.collectors.perf.tool_events import TOOL, source_of
from hwprof.collectors.perf.tracepoints import find_id
from hwprof.collectors.protocol import Unavailable
from hwprof.collectors.vocabulary import LEVEL1, SLOTS
from hwprof.errors import UnknownEvent, UsageError
from hwprof.records import Origin

# core: the CPU core's counters, of which there are few. software: the kernel's. other: any other PMU, tracepoints.
# tool: perf's tool events, which are read from clocks and accounts.
Kind = Literal["core", "software", "other", "tool"]

_RAW = re.compile(r"r[0-9a-fA-F]{1,16}")
# Intel's PERF_METRICS (Ice Lake and later): slots by what became of them, in configs of the PMU that has `slots`. The
# kernel opens them only in a group that `slots` leads (intel_pmu_hw_config in arch/x86/events/intel/core.c).
_SHARES_OF_SLOTS = frozenset(range(0x8000, 0x8800, 0x100))


@dataclass(frozen=True, slots=True)
class Event:
    """One event to be opened. `refused`: known, and yet not to be counted here."""

    metric: str
    kind: Kind
    type: int = 0
    config: int = 0
    config1: int = 0
    config2: int = 0
    config3: int = 0
    modifiers: str = ""  # any of u, k, h; empty: all there may be
    source: str = ""
    meaning: str = ""
    unit: str = ""
    scale: float = 1.0
    origin: Origin = Origin.KERNEL
    per_socket: bool = False
    cluster: str = ""  # the PMU of the one kind of core it counts on, where there are several kinds
    whole: str = ""  # the metric that is the sum of this one and its likes on the other kinds
    refused: Unavailable | None = None
    leader: Event | None = None  # what must lead its group

    @property
    def base(self) -> str:
        """The metric without its modifiers and its kind of core."""
        name = self.metric.removesuffix(f"@{self.cluster}") if self.cluster else self.metric
        return name.removesuffix(f":{self.modifiers}") if self.modifiers else name


class Parser:
    """Resolves names on one machine."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    def parse(self, requests: Sequence[str]) -> tuple[tuple[Event, ...], ...]:
        """Units in the order asked: a group {a,b} is one unit, every other event its own. What is repeated is dropped.

        What can't be understood among others is refused for itself alone. Raises UnknownEvent for a name nobody knows
        and UsageError for a malformed one, where nothing else was asked for.
        """
        units: list[tuple[Event, ...]] = []
        seen: set[str] = set()
        errors: list[UsageError] = []
        for request in requests:
            for item in split(request):
                if not item:
                    raise UsageError(f"'{request}': an event name is empty", "separate names by single commas")
                try:
                    found = self._unit(item)
                except UsageError as error:
                    errors.append(error)
                    why = Unavailable(error.message, error.remedy)
                    found = [(Event(item, "other", source=f"perf:{item}", refused=why, origin=self.catalog.origin),)]
                for unit in found:
                    fresh = tuple({e.metric: e for e in unit if e.metric not in seen}.values())
                    seen.update(e.metric for e in fresh)
                    if fresh:
                        units.append(fresh)
        if errors and len(errors) >= len(units):
            raise errors[0]
        return self._led(units)

    def _led(self, units: Sequence[tuple[Event, ...]]) -> tuple[tuple[Event, ...], ...]:
        """The units, those events that need a leader in one unit behind it, whether it was asked for or not."""
        asked = {e.metric: e for unit in units for e in unit}
        groups: dict[str, dict[str, Event]] = {}
        for event in asked.values():
            if event.leader:
                name = event.leader.metric
                groups.setdefault(name, {name: asked.get(name, event.leader)})[event.metric] = event
        taken = {metric for group in groups.values() for metric in group}
        rest = (tuple(e for e in unit if e.metric not in taken) for unit in units)
        return (*(tuple(group.values()) for group in groups.values()), *(unit for unit in rest if unit))

    def _unit(self, item: str) -> list[tuple[Event, ...]]:
        if item == "auto":
            return [self.events(name) for name in self.catalog.auto]
        if item == "topdown":
            return self._topdown()
        if item.startswith("{"):
            inner, brace, modifiers = item[1:].rpartition("}")
            if not brace or (modifiers and not modifiers.startswith(":")):
                raise UsageError(f"'{item}' is no group", "write {a,b} or {a,b}:u")
            return [tuple(event for name in split(inner) for event in self.events(name + modifiers))]
        return [self.events(item)]

    def _topdown(self) -> list[tuple[Event, ...]]:
        """The shares of the slots where a PMU has them, else the events that the table's formulas need."""
        if any(pmu.event_terms(name) is not None for pmu in self.catalog.core_pmus for name in LEVEL1.values()):
            return [self.events(name) for name in LEVEL1.values()]
        table = self.catalog.table
        names = dict.fromkeys(name for formulas in (table.topdown if table else ()) for name in formulas.events)
        if names:
            return [self.events(name) for name in names]
        why = (table.no_topdown or NO_FORMULAS) if table else "its cores have no table, or are of several kinds"
        refused = Unavailable(f"not on {self.catalog.table_name}: {why}")
        return [(Event("topdown", "core", source="perf:topdown", refused=refused, origin=self.catalog.origin),)]

    def event(self, name: str) -> Event:
        """One event by its name; where there are several kinds of core, that of the first."""
        return self.events(name)[0]

    def events(self, name: str) -> tuple[Event, ...]:
        """What a name stands for: one event, or one for each kind of core. `name@PMU` is that of one kind alone."""
        return tuple(mark(event, self.catalog.pmus) for event in self._events(name))

    def _events(self, name: str) -> tuple[Event, ...]:
        whole, at, kind = name.rpartition("@")
        if at and self.catalog.hybrid and (only := self.catalog.kind(kind)):
            base, modifiers = split_modifiers(whole)
            return (replace(self._on(only, self.catalog.own_name(base), modifiers), whole=""),)
        base, modifiers = split_modifiers(name)
        base = self.catalog.own_name(base)
        if plain := self._plain_name(base):
            return self.events(plain.replace("@", f":{modifiers}@" if modifiers else "@").removesuffix("@"))
        if not self.catalog.hybrid or not self._per_kind(base):
            return (self._single(base, modifiers, name),)
        parts = tuple(self._on(kind, base, modifiers) for kind in self.catalog.kinds)
        if not _RAW.fullmatch(base):
            return parts
        why = Unavailable(
            "a raw code may mean another thing on each kind of core, so that there is no sum",
            f"see {' and '.join(part.metric for part in parts)}",
        )
        asked = Event(parts[0].whole, "core", source=f"perf:{base}", refused=why, origin=self.catalog.origin)
        return (asked, *(replace(part, whole="") for part in parts))

    def _plain_name(self, base: str) -> str:
        """`cycles@PMU`, or `cycles@` of cores all alike, for PMU/cycles/ that sysfs does not show, and for PMU/r3c/."""
        name, slash, term = base.removesuffix("/").partition("/")
        pmu = self.catalog.pmus.get(name) if slash else None
        if pmu is None or not pmu.core or pmu.event_terms(term) is not None:
            return ""
        term = self.catalog.own_name(term)
        known = term in HARDWARE or term in CACHE or bool(_RAW.fullmatch(term))
        if not known or (self.catalog.hybrid and self.catalog.kind(name) is None):
            return ""
        return f"{term}@{name if self.catalog.hybrid else ''}"

    def _per_kind(self, base: str) -> bool:
        if base in HARDWARE or base in CACHE or base in CANONICAL or _RAW.fullmatch(base):
            return True
        return "/" not in base and ":" not in base and any(kind.knows(base) for kind in self.catalog.kinds)

    def _on(self, kind: CoreKind, base: str, modifiers: str) -> Event:
        whole = f"{base}:{modifiers}" if modifiers else base
        event = Event(
            f"{whole}@{kind.name}",
            "core",
            modifiers=modifiers,
            source=f"perf:{kind.name}/{base}/",
            meaning=CANONICAL.get(base, ""),
            origin=self.catalog.origin,
            cluster=kind.name,
            whole=whole,
        )
        code = kind.encode(base)
        if isinstance(code, Unavailable):
            return replace(event, refused=code)
        if kind.pmu and code.type == kind.pmu.type:
            event = replace(event, source=f"perf:{kind.name}/config={code.config:#x}/")
        meaning = code.meaning or event.meaning
        unit = code.unit if base in HARDWARE else kind.unit_of(code.type, code.config, code.config1, code.unit)
        found = replace(event, type=code.type, config=code.config, config1=code.config1, meaning=meaning, unit=unit)
        return replace(found, leader=self._leader(found))

    def _single(self, base: str, modifiers: str, name: str) -> Event:
        found = self._resolve(base, name)
        kind = self.catalog.kind(found.cluster) if found.cluster else self.catalog.kinds[0]
        if found.kind == "core" and kind:
            found = replace(found, unit=kind.unit_of(found.type, found.config, found.config1, found.unit))
        if modifiers:
            found = replace(found, metric=f"{found.metric}:{modifiers}", modifiers=modifiers)
        found = replace(found, leader=self._leader(found))
        in_kernel = found.kind == "software" and found.base in KERNEL_ONLY and not found.refused
        if in_kernel and modifiers and "k" not in modifiers:
            return replace(found, refused=KERNEL_ONLY_REFUSAL)
        return found

    def _resolve(self, base: str, name: str) -> Event:
        if "*" in base or "?" in base:
            raise UsageError(f"'{name}' is a pattern, and one name is needed", f"`hwprof events '{name}'` lists some")
        if base in SOFTWARE:
            unit = "ns" if base in CLOCKS else ""
            return Event(base, "software", Type.SOFTWARE, SOFTWARE[base][0], source=f"perf:{base}", unit=unit)
        if base in TOOL:
            if base != name:
                raise UsageError(f"'{name}': {base} has no modifiers", f"write {base}: it is no count of a mode")
            return Event(base, "tool", source=source_of(base), meaning=TOOL[base], unit="ns")
        if base in HARDWARE or base in CACHE:
            kind, (config, _) = (Type.HARDWARE, HARDWARE[base]) if base in HARDWARE else (Type.HW_CACHE, CACHE[base])
            meaning, refused = self.catalog.generic(base)
            return self._core(base, kind, config, meaning=meaning, refused=refused, source=f"perf:{base}")
        if base in CANONICAL:
            return self._canonical(base)
        if _RAW.fullmatch(base):
            return self._core(base, Type.RAW, int(base[1:], 16), source=f"perf:{base}", meaning="raw code of this CPU")
        if "/" in base:
            return self._pmu_event(base, name)
        if ":" in base:
            return self._tracepoint(base)
        for pmu in sorted(self.catalog.pmus.values(), key=lambda p: not p.core):
            if pmu.event_terms(base) is not None:
                return self._encoded(pmu, base, base)
        table = self.catalog.table
        if table and base in table.vendor:
            code = table.vendor[base]
            return self._core(base, Type.RAW, code, source=f"perf:r{code:x}", meaning=f"{table.name}'s own event")
        raise UnknownEvent(name, self.names())

    def _core(self, metric: str, kind: int, config: int, **fields: object) -> Event:
        event = Event(metric, "core", kind, config, origin=self.catalog.origin)
        return replace(event, **fields)  # type: ignore[arg-type]

    def _canonical(self, name: str) -> Event:
        found = self.catalog.canonical(name)
        if isinstance(found, Unavailable):
            return self._core(name, Type.RAW, 0, meaning=CANONICAL[name], source=f"perf:{name}", refused=found)
        meaning = f"{found.meaning} ({found.caveat})" if found.caveat else found.meaning
        source = (
            f"perf:r{found.config:x}" if found.type == Type.RAW else f"perf:type={found.type},config={found.config:#x}"
        )
        return self._core(
            name, found.type, found.config, config1=found.config1, source=source, meaning=meaning, unit=found.unit
        )

    def _pmu_event(self, base: str, name: str) -> Event:
        match = re.fullmatch(r"([^/]+)/([^/]*)/", base)
        if not match:
            raise UsageError(f"'{name}' is no PMU event", "write cpu/event=0x3c,umask=0/")
        pmu = self.catalog.pmus.get(match[1])
        if pmu is not None:
            return self._encoded(pmu, match[2], base)
        if re.fullmatch(r"cpu(_core|_atom)?|armv\d\w*", match[1]):
            refused = Unavailable(f"this machine has no PMU named '{match[1]}'", "ls /sys/bus/event_source/devices")
            return Event(base, "core", source=f"perf:{base}", refused=refused, origin=self.catalog.origin)
        raise UnknownEvent(name, [f"{p}/{e}/" for p, pmu in self.catalog.pmus.items() for e in pmu.events])

    def _encoded(self, pmu: Pmu, terms: str, metric: str) -> Event:
        fields, display, scale, unit = pmu.encode(terms)
        kind = self.catalog.kind(pmu.name) if self.catalog.hybrid else None
        return Event(
            display or metric,
            "core" if pmu.core else "other",
            pmu.type,
            fields["config"],
            fields["config1"],
            fields["config2"],
            fields["config3"],
            source=f"perf:{pmu.name}/{terms}/",
            scale=scale,
            unit=unit,
            per_socket=pmu.per_socket,
            cluster=kind.name if kind else "",
            refused=kind.refused if kind else None,
            origin=self.catalog.origin if pmu.core else Origin.HARDWARE,
        )

    def _leader(self, event: Event) -> Event | None:
        """What must lead the group of an event, in the same modes and on the same kind of core."""
        pmu = next((p for p in self.catalog.core_pmus if p.type == event.type), None)
        if event.config not in _SHARES_OF_SLOTS or pmu is None or pmu.event_terms(SLOTS) is None:
            return None
        name = f"{SLOTS}:{event.modifiers}" if event.modifiers else SLOTS
        return self.event(f"{name}@{pmu.name}" if self.catalog.hybrid else name)

    def _tracepoint(self, base: str) -> Event:
        system, _, point = base.partition(":")
        if is_linux_name(system) or system in CANONICAL or _RAW.fullmatch(system):
            raise UsageError(f"'{base}': '{point}' is no modifier", "u, k and h count in user, kernel, hypervisor")
        event = Event(base, "other", Type.TRACEPOINT, source=f"perf:{base}", meaning="kernel tracepoint")
        if "/" in base or ".." in base or not system or not point:
            raise UnknownEvent(base, self.names())
        found = find_id(self.catalog.root, system, point)
        return replace(event, refused=found) if isinstance(found, Unavailable) else replace(event, config=found)

    def names(self) -> tuple[str, ...]:
        """Every name this machine's catalogue knows, canonical ones first; no tracepoints."""
        found = [*CANONICAL, *HARDWARE, *SOFTWARE, *TOOL, *CACHE]
        for pmu in self.catalog.pmus.values():
            found += pmu.events if pmu.core else [f"{pmu.name}/{e}/" for e in pmu.events]
        vendor = [name for kind in self.catalog.kinds if kind.table for name in kind.table.vendor]
        return tuple(dict.fromkeys([*found, *vendor]))


KERNEL_ONLY_REFUSAL = Unavailable(
    "happens in the kernel: counted without the kernel it would read 0",
    "take it from /proc (the cpu collector does), or get the right to count the kernel: "
    "sudo sysctl kernel.perf_event_paranoid=1",
)
