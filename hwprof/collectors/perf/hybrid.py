"""Counting on cores of several kinds: where a trial may run, and what the kinds' counts say together.

An event of one kind's PMU does not run while its thread is on another kind. Its count is exact all the same: nothing is
scaled, and the times that the kinds ran must add up to the time that they were enabled. Where they do not, somebody
else had the counters, or the threads ran on cores that nobody watches, and the counts are lower bounds.

Where the groups of a kind have its counters by turns, a count is scaled to the time that the threads were on that kind.
That time is what a pinned group ran, which does not take turns. Without one it is only known to lie between two bounds.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
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


@dataclass(frozen=True, slots=True)
class Stay:
    """Share of a window that the threads spent on one kind of core: at least and at most."""

    cluster: str
    least: float
    most: float

    @property
    def known(self) -> bool:
        """Whether both ends are near enough to be one number."""
        return self.most - self.least <= (1 - ACCOUNTED) * self.most

    @property
    def brief(self) -> bool:
        """Whether it is no more than what may be missing of the time."""
        return self.most <= 1 - ACCOUNTED


def combine_kinds(
    readings: Sequence[Reading],
    clusters: Mapping[str, str],
    sums: Mapping[str, tuple[str, ...]],
    multiplexed: bool = False,
    pinned: Collection[str] = (),
) -> list[Reading]:
    """Readings of one window: counts of one kind of core within the time spent on it, and the sums over kinds added.

    `clusters`: metric -> the PMU of its kind; `sums`: metric -> those that it is the sum of; `multiplexed`: groups of
    one kind may have had its counters by turns; `pinned`: metrics of the groups that had them all the time.
    """
    shares = _shares(readings, clusters, multiplexed)
    stays, seen = _stays(shares, clusters, pinned if multiplexed else clusters)
    by_name = {r.metric: r for r in readings}
    settled = {m: _settled(by_name[m], share, stays[clusters[m]], seen) for m, share in shares.items()}
    by_name |= settled
    for whole, metrics in sums.items():
        if set(metrics) <= set(by_name):
            lost = [m for m in metrics if by_name[m].value is None and m in settled]
            brief = [m for m in lost if seen >= ACCOUNTED and stays[clusters[m]].brief]
            parts = [by_name[m] for m in metrics if m not in brief] or [by_name[m] for m in metrics]
            found = _sum(whole, parts, [clusters[m] for m in metrics])
            if brief and found.exactness is Exactness.EXACT:
                found = replace(found, exactness=Exactness.SCALED, why=by_name[brief[0]].why)
            by_name[whole] = found
    return list(by_name.values())


def _shares(readings: Sequence[Reading], clusters: Mapping[str, str], multiplexed: bool) -> dict[str, float]:
    """Metric of one kind -> share of the window in which it ran.

    In a thread in which a pinned group lost its counters, its time does not go on: where groups have the counters by
    turns, the window is the longest time for which one of them was enabled.
    """
    found = {r.metric: r for r in readings if clusters.get(r.metric) and r.enabled_ns}
    window_ns = max((r.enabled_ns or 0 for r in found.values()), default=0) if multiplexed else None
    return {m: (r.running_ns or 0) / (window_ns or r.enabled_ns or 1) for m, r in found.items()}


def _stays(
    shares: Mapping[str, float], clusters: Mapping[str, str], pinned: Collection[str]
) -> tuple[dict[str, Stay], float]:
    """(cluster -> stay, share of the window that all kinds together account for).

    While threads are on a kind, its pinned groups run. Of groups that have its counters by turns, one runs at any time:
    the stay is between the longest of their shares and the sum of them, and what the other kinds leave bounds it too.
    """
    least: dict[str, float] = {}
    most: dict[str, float] = {}
    for cluster in dict.fromkeys(clusters[metric] for metric in shares):
        here = {metric: share for metric, share in shares.items() if clusters[metric] == cluster}
        least[cluster] = max(here.values())
        pinned_share = max((share for metric, share in here.items() if metric in pinned), default=0.0)
        if pinned_share >= ACCOUNTED * least[cluster]:  # else it lost its counters
            least[cluster] = most[cluster] = pinned_share
        else:
            most[cluster] = min(1.0, sum(here.values()))
    seen, sure = sum(most.values()), sum(least.values())
    if seen < ACCOUNTED:
        return {c: Stay(c, share, share) for c, share in least.items()}, seen
    stays = {}
    for cluster in least:
        low, high = least[cluster], most[cluster]
        if low < high:
            low = max(low, 1 - (seen - high))
            high = max(low, min(high, 1 - (sure - least[cluster])))
        stays[cluster] = Stay(cluster, low, high)
    return stays, seen


def _settled(reading: Reading, share: float, stay: Stay, seen: float) -> Reading:
    if stay.most == 0 and seen >= ACCOUNTED:
        why = "the threads ran on the other kind"
        return replace(reading, value=0.0, raw=0, exactness=Exactness.EXACT, running=0.0, why=why)
    if share == 0 and stay.brief and seen >= ACCOUNTED and reading.value is None:
        why = f"the kernel never ran it in the {stay.most:.2%} of the window that the threads were on {stay.cluster}"
        return replace(reading, why=why)
    if reading.raw is None or share == 0 or reading.value is None:
        return reading
    # between() scaled by enabled / running, whatever the unit of a raw count is.
    counted = reading.value * min(1.0, (reading.running_ns or 0) / (reading.enabled_ns or 1))
    counted = float(reading.raw) if math.isclose(counted, reading.raw) else counted  # as it was before
    low, high = (counted * max(1.0, end / share) for end in (stay.least, stay.most))
    reading = replace(reading, running=min(1.0, share))
    if seen < ACCOUNTED:
        why = f"counted during only {seen:.1%} of the time on all kinds of core together: a lower bound"
        return replace(reading, value=low, exactness=Exactness.SUSPECT, why=why)
    if not stay.known:
        why = (
            f"between {low:,.0f} and {high:,.0f}: all events of {stay.cluster} had its counters by turns, so that the "
            f"time there is known only to be {stay.least:.0%} to {stay.most:.0%} of the window. Count fewer events, or "
            "in several passes (without multiplexing)"
        )
        return replace(reading, value=None, exactness=Exactness.MISSING, why=why)
    near = stay.least <= share * (2 - ACCOUNTED)
    value = counted if near else (low + high) / 2
    if reading.exactness is Exactness.SUSPECT:
        return replace(reading, value=value)
    return replace(reading, value=value, exactness=Exactness.EXACT if near else Exactness.SCALED)


def _sum(whole: str, parts: Sequence[Reading], clusters: Sequence[str]) -> Reading:
    first = parts[0]
    common = {
        "unit": first.unit,
        "origin": first.origin,
        "domain": first.domain,
        "shape": first.shape,
        "source": f"perf:sum over {', '.join(clusters)}",
        "meaning": "; ".join(f"{p.metric.rpartition('@')[2]}: {p.meaning}" for p in parts if p.meaning),
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
