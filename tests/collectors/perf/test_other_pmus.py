"""Events that another PMU counts than the one with the cores' cycles, and PMUs that have no cycles to check them by."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.protocol import Target
from hwprof.records import Exactness
from tests.collectors.perf.fake import HARDWARE, SOFTWARE, FakeKernel
from tests.collectors.perf.scheduled import CYCLES, INSTRUCTIONS, MISSES, REFERENCES, FakePmu, ScheduledKernel
from tests.collectors.perf.windows import readings, window

ANCHORS = {CYCLES: 2_000_000, INSTRUCTIONS: 3_000_000}
CPU = FakePmu("cpu", 4, 4, ANCHORS)
CACHES = FakePmu("caches", 14, 2, {MISSES: 1_000, REFERENCES: 10_000})
BIG = FakePmu("pmu_big", 12, 8, {**ANCHORS, MISSES: 0}, (0, 1))


def test_an_event_of_another_pmu_is_counted_beside_the_anchors_in_a_group_of_its_own(tmp_path: Path) -> None:
    kernel = ScheduledKernel(pmus=(CPU, CACHES))
    with kernel.collector(tmp_path).open(Target(), ["cache-misses,cache-references"]) as session:
        assert not session.unavailable
        (pass_,) = session.passes
        assert pass_.metrics == ("cycles", "instructions", "cache-misses", "cache-references", "task-clock")
        assert [[c.metric for c in g.counters] for g in session.groups][:2] == [
            ["cycles", "instructions"],
            ["cache-misses", "cache-references"],
        ]
        found = window(session, kernel)
    assert (found["cache-misses"].value, found["cycles"].value) == (1_000, 2_000_000)
    assert {r.exactness for r in found.values()} == {Exactness.EXACT}


def test_what_the_other_pmu_has_no_counter_for_is_counted_in_another_pass(tmp_path: Path) -> None:
    kernel = ScheduledKernel(pmus=(CPU, FakePmu("caches", 14, 1, CACHES.rates)))
    with kernel.collector(tmp_path).open(Target(), ["cache-misses,cache-references"]) as session:
        assert [p.metrics[:3] for p in session.passes] == [
            ("cycles", "instructions", "cache-misses"),
            ("cycles", "instructions", "cache-references"),
        ]


@pytest.mark.parametrize("counters", [1, 2])
def test_what_the_anchors_leave_no_counter_for_has_a_pass_without_them(tmp_path: Path, counters: int) -> None:
    """One PMU, so that a group of its own beside them would have the counters by turns."""
    kernel = ScheduledKernel(pmus=(FakePmu("cpu", 4, counters, {**ANCHORS, MISSES: 1_000}),))
    with kernel.collector(tmp_path).open(Target(), ["cache-misses"]) as session:
        assert not session.unavailable
        for index, pass_ in enumerate(session.passes):
            found = window(session, kernel, index)
            assert {r.exactness for r in found.values()} == {Exactness.EXACT}, pass_.metrics
        counted = {metric for pass_ in session.passes for metric in pass_.metrics}
    assert counted == {"cycles", "instructions", "cache-misses", "task-clock"}


def test_a_pmu_without_cycles_is_counted_and_its_0_is_suspect_until_it_has_counted(tmp_path: Path) -> None:
    kernel = ScheduledKernel(pmus=(CPU, FakePmu("caches", 14, 2, {MISSES: 0})))
    with kernel.collector(tmp_path).open(Target(), ["cache-misses"]) as session:
        silent = window(session, kernel)["cache-misses"]
        assert (silent.value, silent.exactness) == (0, Exactness.SUSPECT)
        assert "never seen to count" in silent.why
        session.select(session.passes[0])
        before = session.read()
        kernel.run(1)
        kernel.write("caches", MISSES, 10_000)
        counted = readings(session, before, session.read(), 0)["cache-misses"]
        session.select(None)
        assert (counted.value, counted.exactness) == (10_000, Exactness.EXACT)
        assert window(session, kernel)["cache-misses"].exactness is Exactness.EXACT


def test_a_kind_of_core_without_cycles_is_counted(tmp_path: Path) -> None:
    little = FakePmu("pmu_little", 13, 2, {MISSES: 0}, (2, 3))
    kernel = ScheduledKernel(pmus=(BIG, little))
    with kernel.collector(tmp_path).open(Target(), ["cache-misses", "cycles"]) as session:
        assert set(session.unavailable) == {"cycles", "cycles@pmu_little"}
        session.select(session.passes[0])
        before = session.read()
        kernel.run(1, 2)
        silent = readings(session, before, session.read(), 0)
        assert silent["cache-misses@pmu_little"].exactness is silent["cache-misses"].exactness is Exactness.SUSPECT
        assert silent["cache-misses@pmu_big"].exactness is Exactness.EXACT
        kernel.run(2, 0)
        kernel.write("pmu_big", MISSES, 10_000)
        kernel.run(2, 2)
        kernel.write("pmu_little", MISSES, 200)
        found = readings(session, before, session.read(), 0)
    assert (found["cache-misses@pmu_big"].value, found["cache-misses@pmu_little"].value) == (10_000, 200)
    assert (found["cache-misses"].value, found["cache-misses"].exactness) == (10_200, Exactness.EXACT)
    assert found["cycles@pmu_big"].value == 4_000_000


def test_a_pmu_whose_cycles_do_not_count_is_not_believed_a_0_either(root: Path) -> None:
    kernel = FakeKernel(events=SOFTWARE | HARDWARE | {(0, 0): 0, (0, 1): 0, (0, 3): 0})
    with PerfCollector(root, kernel).open(Target(), ["cache-misses"]) as session:
        assert "to check it by" in session.unavailable["cache-misses"].reason
