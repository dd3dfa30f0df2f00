"""Readings of counter groups between two edges, and of what cannot be counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hwprof.collectors.protocol import Group, Unavailable
from hwprof.printable import sentence
from hwprof.records import Counter, Exactness, Reading, Snapshot, missing

INT64_MAX = (1 << 63) - 1
UNREAD = "could not be read at a window edge"


def difference(counter: Counter, before: int | None, after: int | None) -> int | None:
    """What was counted between two raw values, one wrap-around undone; None: could not be read, or ran backwards.

    No counter of 64 bits wraps: where it fell it was set back or started anew.
    """
    if before is None or after is None:
        return None
    counted = (after - before) % counter.modulus
    return counted if counted <= INT64_MAX else None


def between(counter: Counter, before: Snapshot, after: Snapshot, index: int) -> Reading:
    """What `counter`, at `index` of its group, counted between two snapshots.

    Undoes one wrap-around (difference modulo `counter.modulus`), scales by enabled/running where the counter ran only
    part of the time (then SCALED), and is MISSING where it never ran, ran backwards or could not be read.
    """
    common: dict[str, Any] = {
        "unit": counter.unit,
        "origin": counter.origin,
        "domain": counter.domain,
        "source": counter.source,
        "meaning": counter.meaning,
        "shape": counter.shape,
    }
    first, last = before.raw[index], after.raw[index]
    if first is None or last is None:
        return missing(counter.metric, UNREAD, **common)
    enabled, running = after.enabled_ns - before.enabled_ns, after.running_ns - before.running_ns
    common |= {"enabled_ns": enabled, "running_ns": running}
    if enabled <= 0:
        return missing(counter.metric, "was not enabled in this window", **common)
    if running <= 0:
        return missing(counter.metric, "opened, but the kernel never ran it", running=0.0, **common)
    raw = difference(counter, first, last)
    if raw is None:
        return missing(counter.metric, f"went backwards from {first} to {last}: set back, or started anew", **common)
    common |= {"raw": raw, "running": min(1.0, running / enabled)}
    if running < enabled:
        return Reading(counter.metric, raw * counter.scale * enabled / running, exactness=Exactness.SCALED, **common)
    return Reading(counter.metric, raw * counter.scale, **common)


def readings_between(
    groups: Sequence[Group], before: Sequence[Snapshot], after: Sequence[Snapshot], pass_: int
) -> list[Reading]:
    """Readings of every group that counts in pass `pass_` (groups of pass -1 count in all).

    Between passes (`pass_` -1) a group that is switched off was not meant to count: no readings, not missing ones.
    """
    return [
        between(counter, b, a, index)
        for group, b, a in zip(groups, before, after, strict=True)
        if group.pass_ in (-1, pass_) and not (pass_ == -1 and a.enabled_ns == b.enabled_ns)
        for index, counter in enumerate(group.counters)
    ]


def missing_readings(unavailable: Mapping[str, Unavailable]) -> tuple[Reading, ...]:
    """What perf can't count, as readings with the reason."""
    return tuple(missing(name, sentence(why.reason, why.remedy), source="perf") for name, why in unavailable.items())
