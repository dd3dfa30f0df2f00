"""perf's tool events: times from clocks and the kernel's accounts, in the window that is counted."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from hwprof import Profile
from hwprof.analysis.correlation.metrics import MetricKind, metric_of
from hwprof.collectors.external import External
from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.perf.tool_events import DURATION, SYSTEM, TOOL, USER, ToolGroup, execution_readings
from hwprof.collectors.protocol import Available, Group, Target
from hwprof.collectors.readings import readings_between
from hwprof.errors import UsageError
from hwprof.machine.clock import clock_ns
from hwprof.records import Exactness
from tests.collectors.perf.fake import FakeKernel


def test_each_is_there_without_any_permission(root: Path) -> None:
    found = PerfCollector(root, FakeKernel(events={})).probe(tuple(TOOL))
    assert list(found) == [DURATION, USER, SYSTEM]
    assert all(isinstance(state, Available) for state in found.values())


def test_they_are_in_every_pass_beside_the_counters(root: Path) -> None:
    layout = PerfCollector(root, FakeKernel(counters=3)).layout(
        (*("cycles", "instructions", "branches", "branch-misses", "cache-misses", DURATION, USER),)
    )
    assert len(layout.passes) > 1
    assert [member.metric for member in layout.tools] == [DURATION, USER]
    assert not layout.unavailable


def test_a_modifier_is_refused_as_perf_refuses_it(root: Path) -> None:
    with pytest.raises(UsageError, match="has no modifiers"):
        PerfCollector(root, FakeKernel()).parser.parse(("duration_time:u",))


def test_a_block_has_its_wall_and_cpu_time(root: Path) -> None:
    profile = Profile([DURATION, USER, SYSTEM], root=root, kernel=FakeKernel())
    outside = clock_ns()
    with profile:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
        while resource.getrusage(resource.RUSAGE_SELF).ru_utime - before < 0.03:
            sum(range(1000))
    outside = clock_ns() - outside
    duration, user, system = (profile[name] for name in TOOL)
    assert duration.value is not None
    assert user.value is not None
    assert system.value is not None
    assert profile.elapsed_s is not None
    assert 1e9 * profile.elapsed_s <= duration.value <= outside
    assert 0.0299e9 <= user.value <= duration.value
    assert {one.exactness for one in (duration, user, system)} == {Exactness.EXACT}
    assert (duration.unit, duration.source) == ("ns", "clock:CLOCK_MONOTONIC_RAW")


def test_another_process_is_read_from_its_own_account(tmp_path: Path) -> None:
    """Its name may have blanks and parentheses."""
    stat = tmp_path / "proc/77/stat"
    stat.parent.mkdir(parents=True)
    words = ["77 (My App (copy))", "S", *["0"] * 10, "250", "30", *["0"] * 30]
    stat.write_text(" ".join(words))
    group = ToolGroup(tuple(TOOL), 77, tmp_path)
    before = group.snapshot()
    words[12], words[13] = "300", "31"
    stat.write_text(" ".join(words))
    found = readings_between([Group(group.counters)], [before], [group.snapshot()], 0)
    tick_ns = 1e9 / os.sysconf("SC_CLK_TCK")
    assert [one.value for one in found[1:]] == [50 * tick_ns, tick_ns]


def test_a_process_that_was_waited_for_has_no_times_left_and_zero_is_not_one(tmp_path: Path) -> None:
    group = ToolGroup((DURATION, USER), 77, tmp_path)
    before, after = group.snapshot(), group.snapshot()
    duration, user = readings_between([Group(group.counters)], [before], [after], 0)
    assert duration.value is not None
    assert user.value is None
    assert "could not be read" in user.why


def test_stretches_of_an_execution_have_a_length_and_no_account() -> None:
    duration, system = execution_readings((DURATION, SYSTEM), 1500, None)
    assert duration.value == 1500
    assert system.value is None
    assert "hwprof.h" in system.why


def test_a_worker_whose_counters_are_perf_stats_reads_the_clocks_itself() -> None:
    with External().open(Target(), ["{cycles,user_time}", "duration_time"]) as session:
        before, after = session.read(), session.read()
        found = readings_between(session.groups, before, after, 0)
        assert [one.metric for one in found] == [USER, DURATION]
        assert readings_between(session.groups, before, after, -1) == []


@pytest.mark.parametrize("name", TOOL)
def test_a_time_is_never_ranked_as_a_cause_of_speed(name: str) -> None:
    found = metric_of(name, {"unit": "ns", "per": "frame"})
    assert found.kind is MetricKind.DEFINITIONAL
    assert "event" not in found.exponents
