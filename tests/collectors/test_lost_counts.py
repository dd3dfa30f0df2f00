"""Counts beside the kernel's account of CPU time: what was not counted is not called exact."""

from __future__ import annotations

from typing import Any

import pytest

from hwprof import doubts
from hwprof.collectors.review import RunFacts, review, shortfall
from hwprof.collectors.watcher import GaugeWatcher
from hwprof.plan.experiment import Experiment
from hwprof.records import Exactness, Reading, Run, Window, missing, to_json
from hwprof.runner.runs import RunFactory
from hwprof.runner.worker_process import Outcome
from tests.collectors.reviewed import HARDWARE, MS, account, marks, window_of
from tests.factories import make_case


def timed(counted_ms: float | None, user_s: float | None, *more: Reading) -> Window:
    """An execution with its task-clock, its CPU time of rusage, and whatever else."""
    common: dict[str, Any] = {"unit": "ns", "source": "perf:task-clock"}
    clock = missing("task-clock", "refused", **common) if counted_ms is None else None
    readings = [clock or Reading("task-clock", (counted_ms or 0) * MS, **common)]
    if user_s is not None:
        readings += [account("cpu-user-time", user_s), account("cpu-system-time", 0.0)]
    return window_of(*readings, *more, seconds=1.0)


@pytest.mark.parametrize(
    ("counted_ms", "cpu_ms", "threads", "lost"),
    [
        (1, 190, 1, True),  # cut off at exec
        (0, 152, 1, True),
        (100, 190, 1, True),  # a child of it was
        (189, 190, 1, False),
        (175, 190, 1, False),  # the exec and what lies before it, on a slow machine
        (0.01, 15, 1, False),  # too short to tell from these
        (0.01, 25, 1, True),
        (9_500, 10_000, 1, False),  # below a tenth
        (8_000, 10_000, 1, True),
        (900, 1_200, 16, False),  # sixteen threads run on beside the edges of a window
        (1_000, 2_000, 16, True),
        (400, 190, 1, False),  # children that nobody waited for
        (None, 190, 1, False),
        (0, None, 1, False),
    ],
)
def test_far_below_the_cpu_time_is_lost(
    counted_ms: float | None, cpu_ms: float | None, threads: int, lost: bool
) -> None:
    counted, used = (None if value is None else value * MS for value in (counted_ms, cpu_ms))
    assert shortfall(counted, used, threads) is lost


def test_everything_perf_counted_is_suspect_and_nothing_else_is() -> None:
    faults = Reading("page-faults", 0.0, source="perf:page-faults")
    theirs = Reading("cycles", 5.0, origin=HARDWARE, source="perf-stat:cpu/cycles/")
    gone = missing("branches", "no PMU", source="perf:branches")
    rss = Reading("rss", 2e6, "B", source="proc:statm")
    judged, (doubt,) = review(timed(0.014, 0.152, faults, theirs, gone, rss), RunFacts())
    found = {r.metric: r for r in judged.readings}
    assert {n for n, r in found.items() if r.exactness is Exactness.SUSPECT} == {"task-clock", "page-faults", "cycles"}
    assert found["page-faults"].why.startswith("counted during 0.014 of 152.000 ms of CPU time, as where a program")
    assert found["branches"] == gone
    assert doubt.code == "counters-lost"
    assert "0.0 of 152.0 ms" in doubts.text(doubt)
    assert "set-uid" in doubts.text(doubt)


def test_whole_counts_stay_as_they_are() -> None:
    for whole in (timed(188, 0.190), timed(None, 0.190), timed(0.01, None)):
        assert review(whole, RunFacts()) == (whole, [])


@pytest.mark.parametrize("ran_ms", [190.0, None])
def test_without_rusage_the_schedulers_account_shows_what_was_not_counted(ran_ms: float | None) -> None:
    more = [] if ran_ms is None else [account("run-time", ran_ms / 1e3, "proc:schedstat")]
    _, found = review(timed(1, None, *more), RunFacts())
    assert [d.code for d in found] == (["counters-lost"] if more else [])


def test_the_cpu_time_of_a_process_attached_to_takes_the_place_of_rusage() -> None:
    judged, found = review(timed(0.014, None), RunFacts(cpu_ns=152e6))
    assert [d.code for d in found] == ["counters-lost"]
    assert judged.readings[0].exactness is Exactness.SUSPECT


@pytest.mark.parametrize(
    ("run_s", "suspect"),
    [
        (0.97, set()),
        (0.2, {"run-time", "run-queue-wait"}),  # threads that came and went between the edges
        (1.8, {"run-time", "run-queue-wait", "cpu-user-time", "cpu-system-time"}),
    ],
)
def test_the_schedulers_account_is_compared_with_that_of_rusage(run_s: float, suspect: set[str]) -> None:
    scheduler = [account("run-time", run_s, "proc:schedstat"), account("run-queue-wait", 0.1, "proc:schedstat")]
    found = marks(timed(None, 1.0, *scheduler))
    assert {name for name, mark in found.items() if mark == "suspect"} == suspect


def test_a_worker_that_lost_its_counters_is_doubted_once() -> None:
    whole, cut = to_json(timed(990, 1.0)), to_json(timed(1, 1.0))
    result = {"windows": [whole, cut, cut], "facts": {"tasks": 2}, "doubts": [], "fidelity": None, "unavailable": {}}
    runs = RunFactory(Experiment("e", ()), {"hardware": {}, "host_state": {}}, {})
    base = Run("1", make_case())
    run = runs.complete(base, Outcome(result, None), GaugeWatcher(1.0, ()), {})
    assert [d.code for d in run.doubts].count("counters-lost") == 1
    found = [w.readings[0].exactness for w in run.windows]
    assert found == [Exactness.EXACT, Exactness.SUSPECT, Exactness.SUSPECT]
