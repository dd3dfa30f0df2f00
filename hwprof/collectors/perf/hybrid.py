"""Counting on cores of several kinds: where a trial may run, and what the kinds' counts say together.

An event of one kind's PMU does not run while its thread is on another kind. Its count is exact all the same: nothing is
scaled, and the times that the kinds ran must add up to the time that they were enabled. Where they do not, somebody
else had the counters, or the threads ran on cores that nobody watches, and the counts are lower bounds.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

from hwprof.collectors.perf.kinds import CoreKind
from hwprof.records import Exactness, Reading, missing

# What may be missing of the time, for a window's edges are not read on all kinds at one instant.
ACCOUNTED = 0.99


class Scheduler(Protocol):
    """Which CPUs threads may use. A test hands in its own."""

    def allowed(self, pid: int | None) -> frozenset[int] | None:
        """CPUs that a process (None: this thread) may run on; None: all there are."""

    def pin(self, cpus: frozenset[int]) -> None:
        """Keep this thread on these CPUs."""


class LinuxScheduler:
    """sched_getaffinity(2), sched_setaffinity(2)."""

    def allowed(self, pid: int | None) -> frozenset[int] | None:
        """Empty for a process that is gone."""
        try:
            return frozenset(os.sched_getaffinity(pid or 0))
        except ProcessLookupError:
            return frozenset()

    def pin(self, cpus: frozenset[int]) -> None:
        """This thread alone."""
        os.sched_setaffinity(0, cpus)


class AnyCpu:
    """No limits and nothing to pin: beside a kernel that is not the real one."""

    def allowed(self, pid: int | None) -> frozenset[int] | None:
        """All."""
        return None

    def pin(self, cpus: frozenset[int]) -> None:
        """Nothing."""


@contextmanager
def stay_on_kind(scheduler: Scheduler, kind: CoreKind | None) -> Iterator[bool]:
    """Keep this thread on cores of one kind (None: anywhere); False where it may not run there."""
    own = scheduler.allowed(None)
    if kind is None or not kind.cpus or own is None:
        yield True
        return
    there = own & frozenset(kind.cpus)
    if not there:
        yield False
        return
    scheduler.pin(there)
    try:
        yield True
    finally:
        scheduler.pin(own)


def combine_kinds(
    readings: Sequence[Reading],
    clusters: Mapping[str, str],
    sums: Mapping[str, tuple[str, ...]],
    multiplexed: bool = False,
) -> list[Reading]:
    """Readings of one window: counts of one kind of core unscaled, and the sums over kinds added.

    `clusters`: metric -> the PMU of its kind; `sums`: metric -> those that it is the sum of.
    """
    stayed: dict[str, float] = {}  # share of the time spent on each kind
    for reading in readings:
        if (cluster := clusters.get(reading.metric)) and reading.enabled_ns:
            share = (reading.running_ns or 0) / reading.enabled_ns
            stayed[cluster] = max(stayed.get(cluster, 0.0), share)
    if not stayed:
        return list(readings)
    seen = sum(stayed.values())
    settled = [
        _unscaled(r, stayed[c], seen, multiplexed) if (c := clusters.get(r.metric)) in stayed and c else r
        for r in readings
    ]
    by_name = {r.metric: r for r in settled}
    for whole, metrics in sums.items():
        parts = [by_name[m] for m in metrics if m in by_name]
        if parts and len(parts) == len(metrics):
            settled.append(_sum(whole, parts, [clusters[m] for m in metrics]))
    return settled


def _unscaled(reading: Reading, stayed: float, seen: float, multiplexed: bool) -> Reading:
    if reading.enabled_ns is None or reading.running_ns is None:
        return reading
    share = reading.running_ns / reading.enabled_ns if reading.enabled_ns else 0.0
    if stayed == 0 and seen >= ACCOUNTED:
        return replace(
            reading, value=0.0, raw=0, exactness=Exactness.EXACT, running=0.0, why="the threads ran on the other kind"
        )
    if reading.raw is None or share == 0 or reading.value is None:
        return reading
    # between() scaled by enabled / running, whatever the unit of a raw count is.
    counted = reading.value * min(1.0, share)
    if multiplexed:
        factor = stayed / share / max(min(seen, 1.0), 1e-9)
        exactness = Exactness.EXACT if abs(factor - 1) <= 1 - ACCOUNTED else Exactness.SCALED
        return replace(reading, value=counted * factor, exactness=exactness, running=share)
    if seen < ACCOUNTED:
        why = f"counted during only {seen:.1%} of the time on all kinds of core together: a lower bound"
        return replace(reading, value=counted, exactness=Exactness.SUSPECT, why=why, running=share)
    return replace(reading, value=counted, exactness=Exactness.EXACT, running=share)


def _sum(whole: str, parts: Sequence[Reading], clusters: Sequence[str]) -> Reading:
    first = parts[0]
    common = {
        "unit": first.unit,
        "origin": first.origin,
        "domain": first.domain,
        "shape": first.shape,
        "source": f"perf:sum over {', '.join(clusters)}",
        "meaning": "; ".join(f"{c}: {p.meaning}" for c, p in zip(clusters, parts, strict=True) if p.meaning),
        "running": min(1.0, sum(p.running or 0.0 for p in parts)),
        "enabled_ns": first.enabled_ns,
        "running_ns": sum(p.running_ns or 0 for p in parts),
    }
    lost = next((p for p in parts if p.value is None), None)
    if lost:
        return missing(whole, f"{lost.metric}: {lost.why}", **common)
    order = (Exactness.EXACT, Exactness.SCALED, Exactness.SUSPECT)
    worst = max(parts, key=lambda p: order.index(p.exactness))
    return Reading(
        whole,
        sum(p.value or 0.0 for p in parts),
        exactness=worst.exactness,
        raw=sum(p.raw or 0 for p in parts),
        why="" if worst.exactness is Exactness.EXACT else worst.why,
        **common,  # type: ignore[arg-type]
    )
