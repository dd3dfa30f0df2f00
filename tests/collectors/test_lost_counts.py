"""Counts beside the kernel's account of CPU time: what was not counted is not called exact."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from hwprof import doubts
from hwprof.collectors.cpu_time import shortfall
from hwprof.collectors.review import RunFacts, review
from hwprof.collectors.watcher import GaugeWatcher
from hwprof.plan.experiment import Experiment
from hwprof.records import Exactness, Reading, Run, Slices, Window, missing, to_json
from hwprof.runner.runs import RunFactory
from hwprof.runner.worker_process import Outcome
from tests.collectors.reviewed import HARDWARE, MS, S, account, marks, window_of
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


# Time that a host took from a guest between two reads of one edge: the guest's clock and its accounts ran on.


def spanned(window: Window, **seconds: float) -> Window:
    """The window whose accounts were kept for these times, by the first words of their sources."""
    spans = {"rusage": seconds.get("rusage"), "proc:schedstat": seconds.get("schedstat")}
    kept = [
        r if (span := spans.get(r.source)) is None else dataclasses.replace(r, enabled_ns=round(span * S))
        for r in window.readings
    ]
    return dataclasses.replace(window, readings=tuple(kept))


@pytest.mark.parametrize(
    ("counted_ms", "used_s", "span_s", "threads", "lost"),
    [
        (200, 0.26, 1.001, 1, True),
        (200, 0.26, 1.065, 1, False),  # 65 ms passed at the edges
        (200, 0.32, 1.065, 2, False),  # ... for two threads
        (200, 0.40, 1.065, 2, True),
        (1, 0.19, 1.065, 1, True),  # more than passed at the edges
    ],
)
def test_what_passed_at_the_edges_of_an_account_is_not_lost(
    counted_ms: float, used_s: float, span_s: float, threads: int, lost: bool
) -> None:
    window = spanned(timed(counted_ms, used_s), rusage=span_s)
    judged, found = review(window, RunFacts(threads=threads))
    assert [d.code for d in found] == (["counters-lost"] if lost else [])
    assert (judged.readings[0].exactness is Exactness.SUSPECT) is lost


def test_the_edges_of_slices_are_those_of_each() -> None:
    slices = Slices((S, 3 * S), (S + 500 * MS, 3 * S + 500 * MS), (1, 1), (0, 0))
    for span_s, lost in ((1.001, True), (1.065, False)):
        window = dataclasses.replace(spanned(timed(200, 0.26), rusage=span_s), slices=slices)
        assert bool(review(window, RunFacts())[1]) is lost


# Recorded in an emulated board without exact counts whose host had ten times the work it has cores for: task-clock, CPU
# time by rusage, and that of the exec, in ms. Beyond the tolerance without the last one: these.
STARVED = [
    (207.2, 294.1, 98.2),
    (466.4, 546.5, 145.3),
    (773.6, 1206.8, 501.8),
    (214.8, 411.1, 155.6),
    (879.1, 1040.4, 137.0),
    (518.1, 585.4, 113.8),
    (1453.9, 1655.8, 403.7),
    (266.6, 492.5, 226.8),
    (137.4, 263.1, 183.7),
    (653.9, 874.5, 260.1),
    (341.3, 381.0, 52.8),
    (522.7, 642.9, 88.8),
    (390.2, 635.5, 382.2),
]


@pytest.mark.parametrize(("counted_ms", "used_ms", "exec_ms"), STARVED)
def test_what_an_exec_took_on_a_starved_host_is_not_lost(counted_ms: float, used_ms: float, exec_ms: float) -> None:
    codes = [
        [d.code for d in review(timed(counted, used_ms / 1e3), RunFacts(edges_ns=edges_ms * MS))[1]]
        for counted, edges_ms in ((counted_ms, exec_ms), (counted_ms, 0), (0.014, exec_ms))
    ]
    assert codes == [[], ["counters-lost"], ["counters-lost"]], "cut off at exec it is lost there too"


@pytest.mark.parametrize(("span_s", "mark"), [(1.001, "suspect"), (1.14, "exact")])
def test_accounts_that_were_kept_for_unlike_times_may_differ_by_that(span_s: float, mark: str) -> None:
    window = timed(None, 1.0, account("run-time", 0.8, "proc:schedstat"))
    assert marks(spanned(window, rusage=span_s, schedstat=1.0))["run-time"] == mark
