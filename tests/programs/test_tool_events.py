"""perf's tool events of a whole program, by either backend."""

from __future__ import annotations

import pytest

from hwprof.programs.command import CommandRunner, Order
from hwprof.programs.counting import Backend, Native
from hwprof.programs.perfstat import PerfStat
from tests.programs import programs

EVENTS = ("duration_time", "user_time", "system_time", "task-clock")
BUSY = "import os\nwhile os.times().user < .15: sum(range(1000))"


@pytest.mark.counting
@pytest.mark.parametrize("kind", [Native, pytest.param(PerfStat, marks=pytest.mark.perf)])
def test_they_are_of_the_execution_and_say_that_hwprof_read_them(kind: type[Native] | type[PerfStat]) -> None:
    backend: Backend = kind(EVENTS)
    [run] = CommandRunner(Order(tuple(programs.python("-c", BUSY))), backend).run()
    found = {reading.metric: reading for reading in run.windows[0].readings}
    duration, user, system, clock = (found[name].value for name in EVENTS)
    assert duration == run.windows[0].t1_ns - run.windows[0].t0_ns
    assert user is not None
    assert system is not None
    assert clock is not None
    assert user >= 0.1e9
    assert abs(user + system - clock) < 0.1 * clock + 20e6
    assert {found[name].unit for name in EVENTS} == {"ns"}
    assert "read by hwprof" in found["duration_time"].meaning


@pytest.mark.perf
def test_they_need_no_counter_of_perfs() -> None:
    backend = PerfStat(("duration_time",))
    assert backend.tools == ("duration_time",)
    assert not backend.unavailable
