"""`perf stat` as the counter, for machines on which only perf may open events (a capability on its file, say).

    perf stat -j --no-scale -o FILE -D -1 --control fd:CTL,ACK -e EVENTS -p PID

perf opens the events disabled on a process that is held after its exec; `enable` and its `ack` are the edge. All events
go in one pass: where they do not fit on the counters, the kernel rotates them, and the share that perf prints of that
makes them SCALED. Of several kinds of core each has a pinned event, which shows how long the threads were there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.perf.abi import Type
from hwprof.collectors.perf.catalog import Catalog
from hwprof.collectors.perf.events import Event
from hwprof.collectors.perf.hybrid import combine_kinds
from hwprof.collectors.perf.kinds import CoreKind
from hwprof.collectors.perf.names import ALIASES, CACHE, CLOCKS, HARDWARE, KERNEL_ONLY
from hwprof.collectors.protocol import Unavailable
from hwprof.errors import NotAvailable
from hwprof.programs.perf import PerfProcess, program
from hwprof.records import Exactness, Reading, Shape, missing

NOT_SUPPORTED = "perf stat: <not supported>: this machine does not count it, or this user may not"
NOT_COUNTED = "perf stat: <not counted>: the kernel never ran it (too short a run, or no free counter)"
NOT_THERE = "perf stat did not report it"
# The modifier by which perf pins an event.
PINNED = "D"
# PMUs of x86's kinds of core, which take the generic names since there are such kinds (Linux 5.13).
X86_KINDS = ("cpu_core", "cpu_atom", "cpu_lowpower")
# The kernel-only ones without the kernel: perf prints 0, which is no count.
KERNEL_LEFT_OUT = "happens in the kernel, which perf had to leave out (:u): its 0 is no count"
LEFT_OUT = "perf added :u, as this user may not count the kernel"
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
    if name := _generic_name(event):
        return f"{event.cluster}/{name}/"
    more = f",config1={event.config1:#x}" if event.config1 else ""
    return f"{event.cluster}/config={event.config:#x}{more}/"


def _generic_name(event: Event) -> str:
    """The kernel's own name of an event of one kind of core; empty: it has none."""
    table = {int(Type.HARDWARE): HARDWARE, int(Type.HW_CACHE): CACHE}.get(event.type)
    if table is None:
        return ""
    code = event.config & 0xFFFFFFFF  # the bits above are the PMU
    return next((n for n, (config, _) in table.items() if config == code), event.base)


def use_own_code(event: Event, kind: CoreKind | None) -> Event:
    """An event of one of several kinds of core as perf must be asked for it, by the code that sysfs shows.

    perf makes plain cycles of `PMU/cycles/` where sysfs has none for that PMU, and another PMU counts them. Only of
    x86's kinds it knows that they take the generic names.
    """
    if kind is None or event.refused or kind.name in X86_KINDS or not (name := _generic_name(event)):
        return event
    if code := kind.shown(name):
        return replace(event, type=code.type, config=code.config, config1=code.config1)
    why = f"the PMU {kind.name} shows no event {name} in sysfs, and perf would open that of another PMU in its place"
    return replace(event, refused=Unavailable(why, "hwprof's own counters: --backend native"))


def choose_clocks(events: Sequence[Event]) -> list[Event]:
    """The event to be pinned of each kind of core that has more than one: cycles, where it is asked for."""
    kinds: dict[str, list[Event]] = {}
    leaders = {event.leader.metric for event in events if event.leader}
    for event in events:
        if event.cluster and not event.leader and event.metric not in leaders:
            kinds.setdefault(event.cluster, []).append(event)
    if len({event.cluster for event in events if event.cluster}) < 2:
        return []
    return [min(here, key=lambda event: event.base != "cycles") for here in kinds.values() if len(here) > 1]


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


def parse(text: str, asked: Mapping[str, Event], why: str = NOT_THERE) -> tuple[Reading, ...]:
    """Readings of what `perf stat -j` wrote. `asked`: perf's name of each event -> the event. All of them come back.

    A name may come back with a modifier that perf added (`cycles:u` where the kernel may not be counted). `why`: of
    events that are not there.
    """
    found: dict[str, Reading] = {}
    entries = [e for e in parse_objects(text.splitlines()) if isinstance(e.get("event"), str) and "counter-value" in e]
    # What ran all the time was enabled as long as all the others: the shares that perf prints have two decimals only.
    enabled_ns = max(
        (int(_number(e.get("event-runtime")) or 0) for e in entries if _number(e.get("pcnt-running")) == 100), default=0
    )
    for entry in entries:
        event, added = _find_event(entry["event"], asked)
        if event is not None and event.metric not in found:
            found[event.metric] = reading(entry, event, added, enabled_ns)
    for event in asked.values():
        found.setdefault(event.metric, missing(event.metric, why, unit=event.unit, source=_source(event)))
    return tuple(found[event.metric] for event in asked.values())


def _find_event(name: str, asked: Mapping[str, Event]) -> tuple[Event | None, str]:
    """The event that a printed name stands for, and the modifiers that perf added to it."""
    for candidate in (name, ALIASES.get(name, name)):
        if candidate in asked:
            return asked[candidate], ""
    base, modifiers = _split(name)
    for candidate, event in asked.items():
        own, letters = _split(candidate)
        if own in (base, ALIASES.get(base, base)) and letters <= modifiers | {PINNED}:
            return event, "".join(sorted(modifiers - letters - {PINNED}, key="ukhp".index))
    return None, ""


def _split(name: str) -> tuple[str, frozenset[str]]:
    """A name of perf's without its modifiers, and those: `cycles:u`, `cpu_core/cycles/u`."""
    mark = "/" if "/" in name else ":"
    base, found, letters = name.rpartition(mark)
    modifiers = frozenset(letters.removeprefix(":"))
    if not found or not modifiers <= set(f"ukhp{PINNED}"):
        return name, frozenset()
    return (f"{base}/" if mark == "/" else base), modifiers


def _source(event: Event) -> str:
    return f"perf-stat:{event.source.removeprefix('perf:')}"


def reading(entry: Mapping[str, Any], event: Event, added: str, enabled_ns: int = 0) -> Reading:
    """One object of `perf stat -j --no-scale` as a record. `enabled_ns`: how long events were enabled; 0: not known."""
    modifiers = event.modifiers or added
    user_only = bool(modifiers) and "k" not in modifiers
    names = {"u": "user", "k": "kernel", "h": "hypervisor"}
    domain = "+".join(names[m] for m in "ukh" if m in modifiers) or "user+kernel"
    common: dict[str, Any] = {
        "unit": event.unit,
        "origin": event.origin,
        "domain": "user+kernel" if event.base in CLOCKS else domain,
        "source": _source(event),
        "meaning": "; ".join(filter(None, (event.meaning, LEFT_OUT if added == "u" else ""))),
        "shape": Shape.COUNT,
    }
    raw = str(entry["counter-value"]).strip()
    if raw == "<not supported>":
        return missing(event.metric, NOT_SUPPORTED, **common)
    ran_ns, share = _number(entry.get("event-runtime")), _number(entry.get("pcnt-running"))
    if raw == "<not counted>" or (share == 0 and not (ran_ns and enabled_ns)):
        never = {"enabled_ns": enabled_ns, "running_ns": 0} if enabled_ns else {}
        return missing(event.metric, NOT_COUNTED, running=0.0, **never, **common)
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
                common["raw"] = round(value / event.scale)  # perf has applied it already
            common |= {
                "running_ns": int(ran_ns),
                "enabled_ns": max(enabled_ns, int(ran_ns)) if enabled_ns else int(ran_ns * 100 / share),
            }
    if share is not None and share < 100:
        scale = common["enabled_ns"] / common["running_ns"] if ran_ns else 100 / share
        return Reading(event.metric, value * scale, exactness=Exactness.SCALED, **common)
    return Reading(event.metric, value, **common)


def _number(value: Any) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if abs(number) != float("inf") and number == number else None


@dataclass(frozen=True, slots=True)
class StatRequest:
    """What perf is asked for. `events`: perf's name of each -> the event; `sums`: metric -> those of kinds of core.

    `synonyms`: metric -> the event with the same code that is asked for in its place.
    """

    events: Mapping[str, Event]
    sums: Mapping[str, tuple[str, ...]]
    unavailable: Mapping[str, Unavailable]
    synonyms: Mapping[str, tuple[Event, Event]]

    @classmethod
    def of(cls, wanted: Sequence[Event], catalog: Catalog) -> StatRequest:
        """The events as perf is asked for them; those that it can't be asked for are unavailable, and their sums."""
        events = [use_own_code(event, catalog.kind(event.cluster)) for event in wanted]
        unavailable = {e.metric: e.refused for e in events if e.refused}
        for event in events:
            if event.refused and event.whole:
                unavailable[event.whole] = Unavailable(f"{event.metric}: {event.refused.reason}", event.refused.remedy)
        asked = [event for event in events if not event.refused]
        sums: dict[str, tuple[str, ...]] = {}
        for event in asked:
            if event.whole and event.whole not in unavailable:
                sums[event.whole] = (*sums.get(event.whole, ()), event.metric)
        first: dict[str, Event] = {}
        synonyms = {e.metric: (e, one) for e in asked if (one := first.setdefault(perf_name(e), e)) is not e}
        pinned = choose_clocks([*first.values()])
        names = {name + (PINNED if event in pinned else ""): event for name, event in first.items()}
        return cls(names, sums, unavailable, synonyms)

    def readings(self, text: str, why: str = NOT_THERE) -> list[Reading]:
        """Readings of what `perf stat -j` wrote; `why`: of events that are not in it."""
        found = parse(text, self.events, why)
        by_name = {reading.metric: reading for reading in found}
        for event, other in self.synonyms.values():
            one = by_name[other.metric]
            found = (*found, replace(one, metric=event.metric, meaning=event.meaning, source=_source(event)))
        clusters = {e.metric: e.cluster for e in (*self.events.values(), *(e for e, _ in self.synonyms.values()))}
        pinned = [event.metric for name, event in self.events.items() if PINNED in _split(name)[1]]
        return combine_kinds(found, clusters, self.sums, True, pinned)


class PerfStatCounting:
    """One running `perf stat`."""

    def __init__(self, perf: str, pid: int, request: StatRequest) -> None:
        self._request = request
        options = ["-j", "--no-scale", "-e", event_list(request.events), "-p", str(pid)]
        self._perf = PerfProcess([perf, "stat"], options, "stat.json", "hwprof's own counters: --backend native")

    def stop(self) -> None:
        """Stop counting; the counts are kept."""
        self._perf.say("disable")

    def finish(self) -> Sequence[Reading]:
        """The readings of the counts that perf writes at its end; missing where it could not write them."""
        text, why = "", NOT_THERE
        try:
            self._perf.end()
            text = self._perf.file.read_text(errors="replace")
        except NotAvailable as error:
            why = str(error)
        except OSError as error:
            why = f"what perf stat wrote can't be read: {error.strerror}"
        finally:
            self.close()
        return self._request.readings(text, why)

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
        parser = self._collector.parser
        wanted = [e for unit in parser.parse(tuple(events)) for e in unit]
        self.tools: Sequence[str] = tuple(event.metric for event in wanted if event.kind == "tool")
        wanted = [event for event in wanted if event.kind != "tool"]
        if (self.tools or not all(e.refused for e in wanted)) and not any(
            e.base == "task-clock" and not e.refused for e in wanted
        ):
            wanted.append(parser.event("task-clock"))  # in every pass, as of hwprof's own: CPU time that was counted
        self._request = StatRequest.of(wanted, self._collector.catalog)
        self.unavailable: Mapping[str, Unavailable] = self._request.unavailable

    def attach(self, pid: int, pass_: int) -> PerfStatCounting:
        """Start perf on a process and its children to come; counting when this returns."""
        if not self._request.events:
            raise NotAvailable("none of the events can be counted here", "`hwprof events` says why")
        return PerfStatCounting(self._perf, pid, self._request)
