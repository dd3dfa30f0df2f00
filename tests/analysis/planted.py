"""Runs whose factors are known by construction: invented, in the form of real records."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

from hwprof.records import Case, Doubt, Exactness, Origin, Reading, Role, Run, Series, Slices, Window
from tests.factories import HOST_STATE, MACHINE, make_case

SECOND = 10**9


def planted(
    framework: str = "onnxruntime",
    network: str = "mobilenet_v2",
    *,
    parallelism: float = 0.9,
    clock: float = 2e9,
    ipc: float = 1.5,
    work: float = 1e8,
    tail: float = 1.0,
    observer: float = 1.0,
    round: int = 0,
    threads: int = 1,
    batch: int = 1,
    metrics: Mapping[str, float] | None = None,
    system: Mapping[str, float] | None = None,
    domain: str = "user+kernel",
    leave: Sequence[str] = (),
    origin: Origin = Origin.HARDWARE,
    exactness: Exactness = Exactness.EXACT,
    doubts: Sequence[Doubt] = (),
    facts: Mapping[str, Any] | None = None,
    host: Mapping[str, Any] = HOST_STATE,
    machine: Mapping[str, Any] = MACHINE,
    series: Sequence[Series] = (),
    options: Mapping[str, Any] | None = None,
    cpus: Sequence[int] = (),
    case: Case | None = None,
    uid: str = "",
) -> Run:
    """One round with exactly these factors. `metrics`: per frame, hardware; `system`: seconds or counts per second."""
    case = case or make_case(framework, network, threads=threads, batch=batch, options=options, cpus=cpus)
    throughput = parallelism * clock * ipc / work
    iterations = 40
    frames = iterations * case.batch
    elapsed = frames / throughput
    cpu = parallelism * elapsed
    counts = {"cycles": clock * cpu, "instructions": work * frames}
    counts |= {name: value * frames for name, value in (metrics or {}).items()}
    readings = [Reading("task-clock", cpu * 1e9, "ns", source="perf")]
    readings += [
        Reading(n, v, origin=origin, domain=domain, exactness=exactness, source="perf", meaning=n)
        for n, v in counts.items()
    ]
    units = dict.fromkeys(("run-queue-wait", "run-time", "helper-run-time", "cgroup-throttled-time"), "s")
    readings += [
        Reading(n, v * elapsed, units.get(n.partition("[")[0], ""), domain="process") for n, v in (system or {}).items()
    ]
    readings = [r for r in readings if r.metric not in leave]
    counted = Window(1, Role.COUNTED, 0, 0, round_ns(elapsed), _even(elapsed, iterations), tuple(readings))
    bare_s = elapsed / observer
    latency = round_ns(bare_s / iterations / tail)
    bare = Window(0, Role.BARE, -1, 0, round_ns(bare_s), (latency,) * iterations)
    return Run(
        uid or hashlib.sha256(f"{case.key} {round} {machine}".encode()).hexdigest()[:12],
        case,
        round=round,
        windows=(bare, counted),
        facts=dict(facts or {}),
        doubts=tuple(doubts),
        host_state=host,
        machine=machine,
        series=tuple(series),
        macs=300_000_000,
        params=3_500_000,
        software={"distributions": {framework: "1.0"}},
        started_utc=f"2000-01-01T00:00:{round:02d}Z",
    )


def in_slices(run: Run, name: str = "", alone: float = 1.0, each: int = 4) -> Run:
    """A planted run as measured in pairs of slices of `each` inferences, in set `name`; CPU times are in every window.

    Between two slices as much time passes as within them. `alone`: how many times as fast the bare stretch is.
    """
    bare, counted = run.windows
    cpu = next((r.value or 0.0 for r in counted.readings if r.metric == "task-clock"), 0.0) / SECOND
    rate = cpu / counted.elapsed_s

    def times(elapsed_s: float) -> tuple[Reading, ...]:
        return tuple(
            Reading(n, v * rate * elapsed_s, "s", domain="process")
            for n, v in (("cpu-user-time", 0.75), ("cpu-system-time", 0.25))
        )

    def window(index: int, role: Role, of: Window) -> Window:
        count = len(of.latencies_ns) // each
        length = of.t1_ns - of.t0_ns
        edges = [i * length // count for i in range(count + 1)]
        t0 = tuple(2 * edge + index for edge in edges[:-1])
        t1 = tuple(start + b - a for start, a, b in zip(t0, edges[:-1], edges[1:], strict=True))
        slices = Slices(t0, t1, (each,) * count, tuple(range(count)))
        readings = of.readings if role is Role.COUNTED else times(of.elapsed_s)
        pass_ = 0 if role is Role.COUNTED else -1
        return Window(index, role, pass_, t0[0], t1[-1], of.latencies_ns, readings, slices)

    length = round_ns(bare.elapsed_s / alone)
    latencies = tuple(round_ns(ns / alone / SECOND) for ns in bare.latencies_ns)
    stretch = Window(2, Role.BARE, -1, 0, length, latencies, times(bare.elapsed_s / alone))
    windows = (window(0, Role.PAIRED, bare), window(1, Role.COUNTED, counted), stretch)
    return dataclasses.replace(run, windows=windows, facts={**run.facts, **in_set(name)})


def in_set(name: str) -> Mapping[str, Any]:
    """The fact of a run of a set."""
    return {"set": {"id": name, "members": [], "group": 0, "turn_pairs": 1, "alone": False}} if name else {}


def preempted(framework: str, network: str, cpu_ms: float, round: int, name: str = "", counters: bool = True) -> Run:
    """A run in slices on a core that three others use: it runs for 3 ms, then waits for 10 ms.

    An inference shorter than that is mostly undisturbed, and a rare one has a gap of 10 ms; a longer one has some.
    """
    left, random_ = 0.0, random.Random(f"{framework} {network} {round}")

    def latency() -> tuple[int, float]:
        nonlocal left
        waited, todo = 0.0, cpu_ms * random_.uniform(0.99, 1.01)
        while todo > left:
            todo, left = todo - left, random_.uniform(2.5, 3.5)
            waited += random_.uniform(9.0, 11.0)
        left -= todo
        return round_ns((cpu_ms + waited) / 1e3), waited / 1e3

    def window(index: int, role: Role, parts: int) -> Window:
        cut: list[list[int]] = []
        waits = 0.0
        for _ in range(parts):
            cut.append([])
            while sum(cut[-1]) < 0.04 * SECOND:
                ns, waited = latency()
                cut[-1].append(ns)
                waits += waited
        latencies = [ns for own in cut for ns in own]
        t0 = [index + 2 * sum(map(sum, cut[:i])) for i in range(parts)]
        cpu = len(latencies) * cpu_ms / 1e3
        readings = [
            Reading("cpu-user-time", cpu, "s", domain="process"),
            Reading("cpu-system-time", 0.0, "s", domain="process"),
            Reading("run-queue-wait", waits, "s", domain="process"),
        ]
        if role is Role.COUNTED:
            readings.append(Reading("task-clock", cpu * SECOND, "ns", source="perf"))
            counts = {"cycles": 2e9 * cpu, "instructions": 3e9 * cpu} if counters else {}
            readings += [Reading(n, v, origin=Origin.HARDWARE, source="perf") for n, v in counts.items()]
        t1 = tuple(start + sum(own) for start, own in zip(t0, cut, strict=True))
        slices = Slices(tuple(t0), t1, tuple(map(len, cut)), tuple(range(parts)))
        if role is Role.BARE:
            return Window(index, role, -1, 0, sum(latencies), tuple(latencies), tuple(readings))
        pass_ = 0 if role is Role.COUNTED else -1
        return Window(index, role, pass_, t0[0], t1[-1], tuple(latencies), tuple(readings), slices)

    windows = (window(0, Role.PAIRED, 20), window(1, Role.COUNTED, 20), window(2, Role.BARE, 25))
    run = planted(framework, network, round=round, facts=in_set(name))
    return dataclasses.replace(run, windows=windows)


def round_ns(seconds: float) -> int:
    """Seconds as whole nanoseconds."""
    return int(seconds * SECOND + 0.5)


def _even(elapsed: float, iterations: int) -> tuple[int, ...]:
    return (round_ns(elapsed / iterations),) * iterations


def several(count: int = 4, wobble: float = 0.01, **fields: Any) -> list[Run]:
    """Rounds whose work wobbles around what was asked for, its logarithm's mean being that."""
    offsets = [wobble * (i - (count - 1) / 2) for i in range(count)]
    work = fields.pop("work", 1e8)
    return [planted(round=i, work=work * math.exp(o), **fields) for i, o in enumerate(offsets)]
