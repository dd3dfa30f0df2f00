"""Readings of a session between two reads, and values picked from what tests/truth/parts.py returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hwprof.collectors.protocol import Session
from hwprof.collectors.readings import between
from hwprof.records import Reading, Snapshot


def between_reads(
    session: Session, before: Sequence[Snapshot], after: Sequence[Snapshot], pass_: int | None = None
) -> list[Reading]:
    """What all groups of a session counted between two reads, or those of one pass."""
    return [
        between(counter, b, a, index)
        for group, b, a in zip(session.groups, before, after, strict=True)
        if pass_ in (None, group.pass_)
        for index, counter in enumerate(group.counters)
    ]


def readings(counted: dict[str, Any], event: str) -> list[dict[str, Any]]:
    """The event's reading for each amount of work, from the first pass that has it."""
    assert event not in counted["unavailable"], counted["unavailable"]
    return [next(p[event] for p in passes if event in p) for passes in counted["counts"]]


def values(counted: dict[str, Any], event: str) -> list[float]:
    """Values only."""
    return [r["value"] for r in readings(counted, event)]


def more(counted: dict[str, Any], event: str) -> float:
    """What the second amount of work added to the first: what is constant cancels."""
    first, second = values(counted, event)[:2]
    return second - first
