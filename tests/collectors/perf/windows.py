"""A window of a session on the fake kernel, and what is read of it."""

from __future__ import annotations

from collections.abc import Sequence

from hwprof.collectors.perf.session import PerfSession
from hwprof.records import Reading, Snapshot
from tests.collectors.perf.fake import FakeKernel
from tests.truth.readings import between_reads


def readings(
    session: PerfSession, before: Sequence[Snapshot], after: Sequence[Snapshot], pass_: int
) -> dict[str, Reading]:
    return {r.metric: r for r in session.review(between_reads(session, before, after, pass_))}


def window(session: PerfSession, kernel: FakeKernel, pass_: int = 0) -> dict[str, Reading]:
    session.select(session.passes[pass_])
    before = session.read()
    kernel.spin()
    after = session.read()
    session.select(None)
    return readings(session, before, after, pass_)
