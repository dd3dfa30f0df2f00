"""A window of a session on the fake kernel, and what is read of it."""

from __future__ import annotations

from collections.abc import Sequence

from hwprof.collectors.perf.session import PerfSession
from hwprof.records import Reading, Snapshot, between
from tests.collectors.perf.fake import FakeKernel


def readings(
    session: PerfSession, before: Sequence[Snapshot], after: Sequence[Snapshot], pass_: int
) -> dict[str, Reading]:
    found = [
        between(counter, b, a, index)
        for group, b, a in zip(session.groups, before, after, strict=True)
        if group.pass_ == pass_
        for index, counter in enumerate(group.counters)
    ]
    return {r.metric: r for r in session.review(found)}


def window(session: PerfSession, kernel: FakeKernel, pass_: int = 0) -> dict[str, Reading]:
    session.select(session.passes[pass_])
    before = session.read()
    kernel.spin()
    after = session.read()
    session.select(None)
    return readings(session, before, after, pass_)
