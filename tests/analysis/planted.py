"""Runs whose factors are known by construction: invented, in the form of real records."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from hwprof.records import Case, Doubt, Exactness, Origin, Reading, Role, Run, Series, Window
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
