"""Readings of counter groups between two edges, and of what cannot be counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hwprof.collectors.protocol import Group, Unavailable
from hwprof.errors import sentence
from hwprof.records import Reading, Snapshot, between, missing


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
