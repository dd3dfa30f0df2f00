"""Planted runs of sets: slices in turns with what all members share, and cores that others use."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping, Sequence
from typing import Any

from hwprof.records import Origin, Reading, Role, Run, SliceCounts, Slices, Window
from tests.factories import make_run

MS = 1_000_000
SLICE_NS = 40 * MS
PREEMPTION_NS = 12 * MS  # what a busy loop on the core takes at a time
SHARE_NS = 4 * MS  # CPU time between two of them


def latencies(cpu_ns: int, count: int, preempted: bool = False) -> tuple[tuple[int, ...], int]:
    """Inferences of so much CPU time each, and the time in the run queue. `preempted`: after every 4 ms on the CPU."""
    found, used, waited = [], 0, 0
    for i in range(count):
        own = cpu_ns + (i % 7 - 3) * cpu_ns // 500
        used += own
        away = used // SHARE_NS if preempted else 0
        used -= away * SHARE_NS
        waited += away * PREEMPTION_NS
        found.append(own + away * PREEMPTION_NS)
    return tuple(found), waited


def with_slices(
    run: Run,
    cpu_ms: float,
    set_id: str | None = None,
    turns: int = 12,
    shared: Sequence[float] | None = None,
    preempted: bool = False,
    alone: float = 1.0,
    faults: Mapping[int, int] | None = None,
) -> Run:
    """`run` with bare and counted slices, one pair in a turn, and a bare stretch of `alone` times their latency.

    `shared`: a factor per turn, of all members of the set. `faults`: turn -> major faults of its bare slice.
    """
    factors = shared or [1.0] * turns
    columns: dict[Role, list[tuple[int, tuple[int, ...], float]]] = {Role.PAIRED: [], Role.COUNTED: []}
    for turn, factor in enumerate(factors):
        for own in columns.values():
            cost = round(cpu_ms * MS * factor)
            own.append((turn, latencies(cost, max(1, SLICE_NS // cost), preempted)[0], cost / 1e9))
    windows = [_sliced(i, role, own, faults or {}) for i, (role, own) in enumerate(columns.items())]
    cost = round(cpu_ms * MS * alone)
    count = max(12, 1_000 * MS // cost)
    stretch, waited = latencies(cost, count, preempted)
    readings = (
        _reading("cpu-user-time", count * cost / 1e9),
        _reading("cpu-system-time", 0.0),
        _reading("run-queue-wait", waited / 1e9),
    )
    windows.append(Window(2, Role.BARE, -1, 10**10, 10**10 + sum(stretch), stretch, readings))
    facts: dict[str, Any] = {**run.facts, **({"set": {"id": set_id}} if set_id else {})}
    return dataclasses.replace(run, windows=tuple(windows), facts=facts)


def _sliced(
    index: int, role: Role, own: Sequence[tuple[int, tuple[int, ...], float]], faults: Mapping[int, int]
) -> Window:
    starts = [(2 * turn + index) * 100 * MS for turn, _, _ in own]
    cpu = tuple(round(1e6 * cost * len(times)) for _, times, cost in own)
    counts = (
        SliceCounts("cpu-user-time", cpu, "s", "process", "rusage", 1e-6),
        SliceCounts("cpu-system-time", (0,) * len(own), "s", "process", "rusage", 1e-6),
        SliceCounts("rusage-major-faults", tuple(faults.get(t, 0) for t, _, _ in own), "", "process", "rusage"),
    )
    ends = tuple(t0 + sum(times) for t0, (_, times, _) in zip(starts, own, strict=True))
    slices = Slices(tuple(starts), ends, tuple(len(t) for _, t, _ in own), tuple(t for t, _, _ in own), counts)
    readings = (_reading("cpu-user-time", sum(cpu) / 1e6), _reading("cpu-system-time", 0.0))
    times = tuple(t for _, several, _ in own for t in several)
    return Window(index, role, 0 if role is Role.COUNTED else -1, starts[0], ends[-1], times, readings, slices)


def _reading(metric: str, value: float) -> Reading:
    return Reading(metric, value, "s", origin=Origin.KERNEL, domain="process", source="rusage")


def planted_set(
    number: int, costs_ms: Mapping[str, float], network: str = "resnet18", drift: float = 0.2, **fields: Any
) -> list[Run]:
    """One set, of round `number`: frameworks with their CPU time per inference, and a drift that all share."""
    shared = [1 + drift * random.Random(f"{number} {turn}").random() for turn in range(12)]
    runs = []
    for framework, cost in costs_ms.items():
        base = make_run(framework, network, round=number, metrics={}, cpus=(0,))
        runs.append(with_slices(base, cost, f"set{number:05d}", shared=shared, **fields))
    return runs
