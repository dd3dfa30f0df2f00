"""`perf stat` as the counter, for machines on which only perf may open events (a capability on its file, say).

    perf stat -j -o FILE -D -1 --control fd:CTL,ACK -e EVENTS -p PID

perf opens the events disabled on a process that is held after its exec; `enable` and its `ack` are the edge. All events
go in one pass: where they do not fit on the counters, perf rotates them, and what it says of that makes them SCALED.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.perf.abi import Type
from hwprof.collectors.perf.events import Event
from hwprof.collectors.perf.hybrid import combine_kinds
from hwprof.collectors.perf.names import ALIASES, CACHE, CLOCKS, HARDWARE, KERNEL_ONLY
from hwprof.collectors.protocol import Unavailable
from hwprof.errors import NotAvailable
from hwprof.programs.perf import PerfProcess, program
from hwprof.records import Exactness, Origin, Reading, Shape, missing

NOT_SUPPORTED = "perf stat: <not supported>: this machine does not count it, or this user may not"
NOT_COUNTED = "perf stat: <not counted>: the kernel never ran it (too short a run, or no free counter)"
NOT_THERE = "perf stat did not report it"
# The kernel-only ones without the kernel: perf prints 0, which is no count.
KERNEL_LEFT_OUT = "happens in the kernel, which perf had to leave out (:u): its 0 is no count"
_NANOSECONDS = {"msec": 1e6, "ms": 1e6, "usec": 1e3, "nsec": 1.0, "ns": 1.0, "sec": 1e9, "s": 1e9}
_NO_NUMBER = re.compile(r":\s*(-?(?:nan|inf|infinity))\b", re.IGNORECASE)


def perf_name(event: Event) -> str:
    """How perf is asked for an event; by raw code where hwprof's name is its own."""
    modifiers = event.modifiers
    if event.cluster:
        return _pmu_name(event) + modifiers
    if event.kind == "software" or event.base in HARDWARE or event.base in CACHE:
        name = event.base
    elif event.type == Type.RAW:
        name = f"r{event.config:x}"
    elif event.type in (Type.HARDWARE, Type.HW_CACHE):
        table = HARDWARE if event.type == Type.HARDWARE else CACHE
        name = next((n for n, (config, _) in table.items() if config == event.config), event.base)
    else:
        name = event.source.removeprefix("perf:") or event.base
        if name.endswith("/"):
            return name + modifiers
    return f"{name}:{modifiers}" if modifiers else name


def _pmu_name(event: Event) -> str:
    """An event of one of several kinds of core, by that kind's PMU."""
    table = {Type.HARDWARE: HARDWARE, Type.HW_CACHE: CACHE}.get(Type(event.type)) if event.type in set(Type) else None
    if table is not None:
        code = event.config & 0xFFFFFFFF  # the bits above are the PMU
        name = next((n for n, (config, _) in table.items() if config == code), event.base)
        return f"{event.cluster}/{name}/"
    more = f",config1={event.config1:#x}" if event.config1 else ""
    return f"{event.cluster}/config={event.config:#x}{more}/"


def event_list(asked: Mapping[str, Event]) -> str:
    """The list for `-e`. An event that needs a leader follows it in braces."""
    groups: dict[str, list[str]] = {}
    for name, event in asked.items():
        leader = perf_name(event.leader) if event.leader else name
        groups.setdefault(leader, [leader])
        if leader != name:
            groups[leader].append(name)
    return ",".join(f"{{{','.join(names)}}}" if len(names) > 1 else names[0] for names in groups.values())


def parse_objects(lines: Iterable[str]) -> list[Mapping[str, Any]]:
    """The objects of `perf stat -j`, one per line; comments and what is no object are left out."""
    found = []
    for line in lines:
        text = line.strip()
        if not text.startswith("{"):
            continue
        try:
            found.append(json.loads(_NO_NUMBER.sub(": null", text)))
        except json.JSONDecodeError:
            continue  # a line cut off, as when perf is killed: the event is then MISSING
    return found


def parse(text: str, asked: Mapping[str, Event], origin: Origin = Origin.HARDWARE) -> tuple[Reading, ...]:
    """Readings of what `perf stat -j` wrote. `asked`: perf's name of each event -> the event. All of them come back.

    A name may come back with a modifier that perf added (`cycles:u` where the kernel may not be counted).
    """
    found: dict[str, Reading] = {}
    for entry in parse_objects(text.splitlines()):
        name = entry.get("event")
        if not isinstance(name, str) or "counter-value" not in entry:
            continue  # a derived metric's line
        event, added = _find_event(name, asked)
        if event is not None and event.metric not in found:
            found[event.metric] = reading(entry, event, added, origin)
    for event in asked.values():
        found.setdefault(event.metric, missing(event.metric, NOT_THERE, unit=event.unit, source=_source(event)))
    return tuple(found[event.metric] for event in asked.values())


def _find_event(name: str, asked: Mapping[str, Event]) -> tuple[Event | None, str]:
    """The event that a printed name stands for, and the modifiers that perf added to it."""
    for candidate in (name, ALIASES.get(name, name)):
        if candidate in asked:
            return asked[candidate], ""
    base, colon, modifiers = name.rpartition(":")
    if colon and set(modifiers) <= set("ukhp"):
        for candidate in (base, ALIASES.get(base, base)):
            if candidate in asked:
                return asked[candidate], modifiers
    return None, ""


def _source(event: Event) -> str:
    return f"perf-stat:{event.source.removeprefix('perf:')}"


def reading(entry: Mapping[str, Any], event: Event, added: str, origin: Origin) -> Reading:
    """One object of `perf stat -j` as a record."""
    modifiers = event.modifiers or added
    user_only = bool(modifiers) and "k" not in modifiers
    names = {"u": "user", "k": "kernel", "h": "hypervisor"}
    domain = "+".join(names[m] for m in "ukh" if m in modifiers) or "user+kernel"
    common: dict[str, Any] = {
        "unit": event.unit,
        "origin": Origin.KERNEL if event.kind == "software" else origin,
        "domain": "user+kernel" if event.base in CLOCKS else domain,
        "source": _source(event),
        "meaning": event.meaning,
        "shape": Shape.COUNT,
    }
    raw = str(entry["counter-value"]).strip()
    if raw == "<not supported>":
        return missing(event.metric, NOT_SUPPORTED, **common)
    ran_ns, share = _number(entry.get("event-runtime")), _number(entry.get("pcnt-running"))
    if raw == "<not counted>" or share == 0:
        return missing(event.metric, NOT_COUNTED, running=0.0, **common)
    value = _number(raw)
    if value is None:
        return missing(event.metric, f"perf stat printed '{raw}'", **common)
    if user_only and event.base in KERNEL_ONLY:
        return missing(event.metric, KERNEL_LEFT_OUT, **common)
    printed = str(entry.get("unit") or "")
    if event.unit == "ns" and printed in _NANOSECONDS:
        value = float(round(value * _NANOSECONDS[printed]))
    elif printed and printed not in _NANOSECONDS:
        common["unit"] = printed
    if share is not None:
        common["running"] = min(1.0, share / 100)
        if ran_ns:
            if event.unit != "ns":
                common["raw"] = round(value * share / 100)  # perf has scaled it already
            common |= {"running_ns": int(ran_ns), "enabled_ns": int(ran_ns * 100 / share)}
    if share is not None and share < 100:
        return Reading(event.metric, value, exactness=Exactness.SCALED, **common)
    return Reading(event.metric, value, **common)


def _number(value: Any) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if abs(number) != float("inf") and number == number else None


class PerfStatCounting:
    """One running `perf stat`."""

    def __init__(self, perf: str, pid: int, asked: Mapping[str, Event], origin: Origin) -> None:
        self._asked, self._origin = asked, origin
        self._sums: dict[str, tuple[str, ...]] = {}
        for event in asked.values():
            if event.whole:
                self._sums[event.whole] = (*self._sums.get(event.whole, ()), event.metric)
        options = ["-j", "-e", event_list(asked), "-p", str(pid)]
        self._perf = PerfProcess([perf, "stat"], options, "stat.json", "hwprof's own counters: --backend native")

    def stop(self) -> None:
        """Stop counting; the counts are kept."""
        self._perf.say("disable")

    def finish(self) -> Sequence[Reading]:
        """The readings of the counts that perf writes at its end."""
        try:
            self._perf.end()
            file = self._perf.file
            text = file.read_text(errors="replace") if file.exists() else ""
        finally:
            self.close()
        clusters = {e.metric: e.cluster for e in self._asked.values()}
        return combine_kinds(parse(text, self._asked, self._origin), clusters, self._sums, multiplexed=True)

    def close(self) -> None:
        """End it, whatever it was doing."""
        self._perf.close()


class PerfStat:
    """Backend by `perf stat`; see `hwprof.programs.counting.Backend`."""

    name = "perf-stat"
    stop = True
    passes = 1

    def __init__(self, events: Sequence[str], collector: PerfCollector | None = None) -> None:
        self._perf = program()
        self._collector = collector or PerfCollector()
        wanted = [e for unit in self._collector.parser.parse(tuple(events)) for e in unit]
        self.unavailable: Mapping[str, Unavailable] = {e.metric: e.refused for e in wanted if e.refused}
        self._asked = {perf_name(e): e for e in wanted if not e.refused}
        if self._asked and not any(e.base == "task-clock" for e in self._asked.values()):
            ((clock,),) = self._collector.parser.parse(("task-clock",))
            self._asked[perf_name(clock)] = clock  # in every pass, as of hwprof's own: CPU time that was counted

    def attach(self, pid: int, pass_: int) -> PerfStatCounting:
        """Start perf on a process and its children to come; counting when this returns."""
        if not self._asked:
            raise NotAvailable("none of the events can be counted here", "`hwprof events` says why")
        return PerfStatCounting(self._perf, pid, self._asked, self._collector.catalog.origin)
