"""Every reading is reviewed before it may be called exact: rules for what can't be true. Pure functions.

A value that can't be is MISSING. Where two readings contradict each other one of them is wrong, and both are SUSPECT.
Either has the reason; no value is changed. Rules see the readings of one window, so that what they compare was counted
at the same time. Standard library only: sessions have their counts reviewed in the measured process.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, NamedTuple

from hwprof.collectors.cpu_time import LEAST_NS, SHARE, beyond_ns, shortfall
from hwprof.collectors.gauge import enclosing, samples, values_of_window
from hwprof.collectors.vocabulary import ANCHORS, NEVER_ZERO, Name
from hwprof.printable import plural
from hwprof.records import Doubt, Exactness, Origin, Reading, Series, Shape, Window

# Below this share of the window an extrapolation is a guess.
FEW = 0.01
# What a part may exceed its whole by: edges of perf stat, and extrapolation.
EXACT_SLACK, SCALED_SLACK, EDGE_COUNTS = 0.01, 0.25, 1000
NS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
# Of the kernel's own events, whatever the CPU; those of a CPU are in its table.
PARTS = (("minor-faults", "page-faults"), ("major-faults", "page-faults"))
IPC = (("instructions", "cycles"),)
RUSAGE = ("cpu-user-time", "cpu-system-time")
# No more of a time than the window has: at how many places it passes at once, and the metrics whose sum it is.
TIMES: Mapping[str, Sequence[tuple[str, ...]]] = {
    "CPUs": (("task-clock",), ("cpu-clock",), RUSAGE, ("run-time",), ("helper-run-time",)),
    "threads": (("run-queue-wait",),),
    "CPU": (("cpu-busy",), ("cpu-steal",)),  # of their label
}
# What a sensor can read: by unit, the least and the most. A socket, board or server; silicon; a core's clock.
LEVELS: Mapping[str, tuple[float, float]] = {"W": (-1.0, 50e3), "degC": (-60.0, 200.0), "Hz": (1e6, 10e9)}
# ... and by how much a running total of this unit can rise in a second; over less than RISE_S updates are seen.
RISES: Mapping[str, float] = {"J": 50e3, "Joules": 50e3}
RISE_S = 0.1
_BY_HARDWARE = (Origin.HARDWARE, Origin.EMULATED)
_ANEW = "it was set back or started anew, or it wrapped and its range is not known"
_LOST_AT_EXEC = (
    "as where a program loses its counters at exec: with set-uid or file capabilities, or no right to be read"
)


@dataclass(frozen=True, slots=True)
class CpuBounds:
    """What counts of a CPU can't exceed: instructions per cycle, and of pairs of events the first the second."""

    max_ipc: float = 16.0  # no CPU retires more
    at_most: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known beside the readings. None: not known; rules that need it then find nothing.

    `cpus`, `threads`: how many could run at once. `cpu_ns`: CPU time of the window where rusage does not have it.
    `edges_ns`: CPU time that is in the account of the process, but passed before it was counted.
    `ticks`: an emulator's cycles and instructions are its host's clock.
    """

    cpus: int | None = None
    threads: int | None = None
    cpu_ns: float | None = None
    edges_ns: float = 0.0
    ticks: bool = False
    bounds: CpuBounds = field(default_factory=CpuBounds)
    series: Sequence[Series] = ()


def facts_of(
    cpus: Sequence[int], machine: Mapping[str, Any], host_state: Mapping[str, Any], bounds: CpuBounds, **more: Any
) -> RunFacts:
    """Of a run pinned to `cpus` (empty: to none), by the facts of its machine. `more`: fields of RunFacts."""
    ticks = host_state.get("emulator_counts") == "ticks"
    return RunFacts(cpus=len(cpus) or machine.get("cpus"), bounds=bounds, ticks=ticks, **more)


class Fault(NamedTuple):
    """What is wrong with the reading at one place."""

    place: int
    why: str
    exactness: Exactness = Exactness.SUSPECT


@dataclass(frozen=True, slots=True)
class WindowReadings:
    """The readings of one window; `window` None: of no known one."""

    readings: Sequence[Reading]
    facts: RunFacts
    window: Window | None

    def valued(self, *origins: Origin) -> list[tuple[int, Reading, float]]:
        """(place, reading, value) of those that are not missing; of some origins only."""
        chosen = ((i, r, r.value) for i, r in enumerate(self.readings) if not origins or r.origin in origins)
        return [(i, r, value) for i, r, value in chosen if value is not None]

    def ns(self, *metrics: str) -> float | None:
        """The sum of times; None where one of them is not known."""
        found: dict[str, float] = {}
        for _, reading, value in self.valued():
            if (name := _base(reading)) in metrics and reading.unit in NS:
                found.setdefault(name, value * NS[reading.unit])
        return sum(found.values()) if len(found) == len(metrics) else None

    def account(self, metric: str) -> Reading | None:
        """The account of CPU time of this name, where it is known."""
        return next((r for _, r, _ in self.valued() if _base(r) == metric), None)


Finds = Iterator[Fault | Doubt]


def review(window: Window, facts: RunFacts) -> tuple[Window, list[Doubt]]:
    """The window with every reading reviewed, and doubts about all of it. A window may be reviewed again."""
    readings, doubts = _apply(WindowReadings(window.readings, facts, window))
    return replace(window, readings=tuple(readings)), doubts


def review_counts(readings: Sequence[Reading], ticks: bool = False) -> list[Reading]:
    """Readings of a session by those rules that need nothing else; `ticks` as in RunFacts."""
    return _apply(WindowReadings(readings, RunFacts(ticks=ticks), None))[0]


def _apply(seen: WindowReadings) -> tuple[list[Reading], list[Doubt]]:
    doubts: list[Doubt] = []
    for rule in RULES.values():
        readings = list(seen.readings)
        for found in rule(seen):
            if isinstance(found, Doubt):
                doubts.append(found)
            else:
                readings[found.place] = _mark(readings[found.place], found)
        seen = replace(seen, readings=readings)
    return list(seen.readings), doubts


def _mark(reading: Reading, fault: Fault) -> Reading:
    if reading.value is None or (reading.exactness is Exactness.SUSPECT and fault.why in reading.why):
        return reading
    if fault.exactness is Exactness.MISSING:
        return replace(reading, value=None, exactness=Exactness.MISSING, why=fault.why)
    return replace(reading, exactness=Exactness.SUSPECT, why="; ".join(filter(None, (reading.why, fault.why))))


def is_perf_reading(reading: Reading) -> bool:
    """Whether a perf event gave it, by hwprof's own hand or by perf stat's."""
    return reading.source.startswith(("perf:", "perf-stat:"))


def _base(reading: Reading) -> str:
    """Its metric without domain, kind of core, origin and label."""
    return re.split(r"[@:\[]", reading.metric, maxsplit=1)[0]


def _ran(seen: WindowReadings) -> bool:
    clocks = (Name.TASK_CLOCK, "cpu-clock")
    return any(value for _, r, value in seen.valued() if r.origin in _BY_HARDWARE or _base(r) in clocks)


def _dead(seen: WindowReadings) -> Finds:
    hardware = seen.valued(*_BY_HARDWARE)
    anchored = any(_base(r) in ANCHORS and r.running != 0 for _, r, _ in hardware)  # 0: the threads were elsewhere
    if anchored and not any(value for _, _, value in hardware) and (_ran(seen) or len(hardware) > 1):
        why = "opened, but read 0 for all hardware events, anchors included"
        yield from (Fault(place, why, Exactness.MISSING) for place, _, _ in hardware)


def _never_zero(seen: WindowReadings) -> Finds:
    ran = _ran(seen)
    for place, reading, value in seen.valued(*_BY_HARDWARE):
        elsewhere = reading.running == 0  # on cores of another kind
        if value == 0 and ran and not elsewhere and _base(reading) in NEVER_ZERO and "user" in reading.domain:
            yield Fault(place, "read 0 in a window in which the program ran", Exactness.MISSING)


def _extrapolated(seen: WindowReadings) -> Finds:
    for place, reading, _ in seen.valued(*_BY_HARDWARE):
        share = reading.running
        if share is not None and share < FEW and reading.exactness is not Exactness.EXACT:
            yield Fault(place, f"counted during only {share:.2%} of the window")


def _emulated(seen: WindowReadings) -> Finds:
    for place, reading, value in seen.valued(Origin.EMULATED):
        if reading.running == 0 or ("@" in reading.metric and reading.exactness is Exactness.EXACT):
            continue  # of one kind of core, and the kinds' times add up
        if value == 0:
            yield Fault(place, "an emulator's PMU reads 0 for what it does not model")
        elif seen.facts.ticks and _base(reading) in ANCHORS:
            yield Fault(place, "the emulator runs without exact counts: this is a clock of its host")


def _negative(seen: WindowReadings) -> Finds:
    for place, reading, value in seen.valued(Origin.HARDWARE, Origin.KERNEL, Origin.EMULATED):
        if value < 0 and reading.shape in (Shape.COUNT, Shape.TOTAL) and _base(reading) != "energy-above-idle":
            yield Fault(place, f"a count of {value:g} {reading.unit}".rstrip() + f": {_ANEW}", Exactness.MISSING)


def _sensors(seen: WindowReadings) -> Finds:
    for place, reading, value in seen.valued():
        one = series_of(reading, seen.facts.series)
        why = "" if one is None or seen.window is None else _series_fault(one, seen.window)
        if not why and reading.shape is Shape.LEVEL:
            why = _level_fault([value], reading.unit)
        if not why and reading.unit in RISES and seen.window is not None:
            why = _rise_fault(value, seen.window.elapsed_s, reading.unit)
        if why:
            yield Fault(place, why, Exactness.MISSING)


def series_of(reading: Reading, series: Sequence[Series]) -> Series | None:
    """What a reading was made of. Power is also made of a series of energy, and energy of one of power."""
    base, label = _base(reading).removesuffix("-above-idle"), reading.metric.partition("[")[2].rstrip("]")
    sensor = (one for one in series if one.source == reading.source and one.label == label)
    return next((s for s in sensor if s.metric == base or {s.metric, base} == {Name.ENERGY, Name.POWER}), None)


def _series_fault(one: Series, window: Window) -> str:
    """Why the samples of a window can't be true; empty: they can."""
    known = samples(one)
    if not one.cumulative:
        return _level_fault(values_of_window(known, window), one.unit)
    for (t0, before), (t1, after) in pairwise(enclosing(known, window)):
        if after < before:
            return f"went backwards from {before:g} to {after:g} {one.unit}".rstrip() + f": {_ANEW}"
        seconds = max(t1 - t0, one.interval_ns) / 1e9
        if why := _rise_fault(after - before, seconds, one.unit):
            return why
    return ""


def _level_fault(values: Sequence[float], unit: str) -> str:
    low, high = LEVELS.get(unit, (float("-inf"), float("inf")))
    wrong = [value for value in values if not low <= value <= high]
    if not wrong:
        return ""
    beyond = f"not from {low:g} to {high:g} {unit}, as can be"
    return f"{len(wrong)} of {plural(len(values), 'value')} are {beyond}: {wrong[0]:g}"


def _rise_fault(rise: float, seconds: float, unit: str) -> str:
    most = RISES.get(unit)
    if most is None or rise <= most * max(seconds, RISE_S):
        return ""
    return f"rose by {rise:,.0f} {unit} in {seconds:.2f} s, which is more than {most:,.0f} a second: it started anew"


def _within_window(seen: WindowReadings) -> Finds:
    if seen.window is None:
        return
    limits = {"CPUs": seen.facts.cpus, "threads": seen.facts.threads}
    for metrics, what in ((metrics, what) for what, sums in TIMES.items() for metrics in sums):
        limit, elapsed_ns = limits.get(what, 1), seen.window.elapsed_s * 1e9
        if what == "threads":  # a wait is counted when it ends: in a slice, though it began before it
            elapsed_ns = seen.window.t1_ns - seen.window.t0_ns
        parts: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for place, reading, value in seen.valued(Origin.KERNEL):
            if (name := _base(reading)) in metrics and reading.unit in NS:
                parts[reading.metric.removeprefix(name)].append((place, value * NS[reading.unit]))
        for found in parts.values():
            total = sum(ns for _, ns in found)
            if limit is not None and total > limit * elapsed_ns + max(SHARE * limit * elapsed_ns, limit * LEAST_NS):
                why = f"{total / 1e6:,.1f} ms in a window of {elapsed_ns / 1e6:,.1f} ms with {limit} {what}"
                yield from (Fault(place, why) for place, _ in found)


def _running(seen: WindowReadings) -> Finds:
    for place, reading, _ in seen.valued():
        enabled, running = reading.enabled_ns, reading.running_ns
        if enabled is not None and running is not None and shortfall(enabled, running):
            yield Fault(place, f"ran for {running / 1e6:,.1f} ms, but was enabled for {enabled / 1e6:,.1f} ms")


def _exceeding(seen: WindowReadings, origin: Origin, pairs: Iterable[tuple[str, str]], most: float = 1.0) -> Finds:
    """Pairs of events whose first is more than `most` of the second, on the same cores and in the same modes."""
    there: dict[tuple[str, str, str], tuple[int, Reading, float]] = {}
    for place, reading, value in seen.valued(origin):
        if is_perf_reading(reading):
            key = (_base(reading), reading.metric.partition("@")[2], reading.domain)
            there.setdefault(key, (place, reading, value))
    for part, whole in sorted(pairs):
        for (name, kind, domain), (place, reading, value) in there.items():
            if name != part or (other := there.get((whole, kind, domain))) is None:
                continue
            scaled = Exactness.SCALED in (reading.exactness, other[1].exactness)
            if value > most * other[2] * (1 + (SCALED_SLACK if scaled else EXACT_SLACK)) + EDGE_COUNTS:
                why = f"{part} {value:,.0f} and {whole} {other[2]:,.0f}: more than {most:g} to 1, so one is wrong"
                yield from (Fault(at, why) for at in (place, other[0]))


def _lost_counts(seen: WindowReadings) -> Finds:
    """At the exec of a program that gains privileges, or that its user may not read, the kernel removes the task's perf
    events (`perf_event_exit_task` in begin_new_exec, Linux fs/exec.c). Their counts then stand still, with running ==
    enabled; so does task-clock, which every pass has. The kernel's own account of CPU time goes on.
    """
    counted = seen.ns(Name.TASK_CLOCK)
    accounts = ((seen.facts.cpu_ns, ""), (seen.ns(*RUSAGE), RUSAGE[0]), (seen.ns(Name.RUN_TIME), Name.RUN_TIME))
    used, name = next(((ns, name) for ns, name in accounts if ns is not None), (None, ""))
    threads, elapsed_ns = seen.facts.threads, None if seen.window is None else seen.window.elapsed_s * 1e9
    edges_ns = seen.facts.edges_ns + beyond_ns(seen.account(name), elapsed_ns, threads)
    if not shortfall(counted, used, threads, edges_ns) or counted is None or used is None:
        return
    figures = {"counted_ms": counted / 1e6, "cpu_ms": used / 1e6}
    why = f"counted during {figures['counted_ms']:.3f} of {figures['cpu_ms']:.3f} ms of CPU time, {_LOST_AT_EXEC}"
    yield from (Fault(place, why) for place, reading, _ in seen.valued() if is_perf_reading(reading))
    yield Doubt("counters-lost", figures, None if seen.window is None else seen.window.index)


def _scheduler(seen: WindowReadings) -> Finds:
    run, rusage = seen.ns(Name.RUN_TIME), seen.ns(*RUSAGE)
    ours, theirs, threads = seen.account(Name.RUN_TIME), seen.account(RUSAGE[0]), seen.facts.threads
    edges_ns = beyond_ns(ours, theirs.enabled_ns if theirs else None, threads)
    short, long = (shortfall(a, b, threads, edges_ns) for a, b in ((run, rusage), (rusage, run)))
    if run is None or rusage is None or not (short or long):
        return
    doubtful = {Name.RUN_TIME, Name.HELPER_RUN_TIME, Name.RUN_QUEUE_WAIT, *(RUSAGE if long else ())}
    cause = "two accounts of one thing" if long else "threads that came and went within the window are not in it"
    why = f"run-time {run / 1e6:,.1f} ms, but rusage {rusage / 1e6:,.1f} ms of CPU time: {cause}"
    yield from (Fault(place, why) for place, reading, _ in seen.valued() if _base(reading) in doubtful)


# In this order: what is MISSING by one rule is not seen by the next. docs/method.md shows them.
RULES: Mapping[str, Callable[[WindowReadings], Finds]] = {
    "anchors": _dead,
    "never zero": _never_zero,
    "extrapolation": _extrapolated,
    "emulator": _emulated,
    "sensor": _sensors,
    "no negative count": _negative,
    "within the window": _within_window,
    "running": _running,
    "part and whole": lambda seen: _exceeding(seen, Origin.HARDWARE, seen.facts.bounds.at_most),
    "faults": lambda seen: _exceeding(seen, Origin.KERNEL, PARTS),
    "instructions per cycle": lambda s: _exceeding(s, Origin.HARDWARE, IPC, s.facts.bounds.max_ipc),
    "lost counters": _lost_counts,
    "scheduler": _scheduler,
}
