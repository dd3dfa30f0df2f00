"""Which figure of speed survives on a core that others use."""

from __future__ import annotations

import dataclasses

import pytest

from hwprof import speed
from hwprof.analysis import estimator
from hwprof.analysis.estimator import Estimator
from hwprof.records import Role
from tests.factories import make_run
from tests.planted_sets import with_slices

SHORT_MS, LONG_MS = 0.4, 6.0


def test_a_quiet_case_is_ranked_by_fps() -> None:
    quiet = speed.of_run(with_slices(make_run(metrics={}), SHORT_MS))
    assert estimator.choose([(1, quiet), (1, quiet)]) == estimator.EstimatorChoice(Estimator.FPS)


def test_on_a_shared_core_fps_overstates_short_inferences_and_cpu_time_ranks() -> None:
    short, long = (
        speed.of_run(with_slices(make_run(metrics={}), cost, preempted=True)) for cost in (SHORT_MS, LONG_MS)
    )
    assert short.fps is not None
    assert long.fps is not None
    assert short.fps / long.fps > 2 * LONG_MS / SHORT_MS  # the planted truth is 15
    chosen = estimator.choose([(1, short), (1, long)])
    assert chosen.estimator is Estimator.CPU_TIME
    assert "FPS / throughput" in chosen.why
    by_cpu = [estimator.value(s, chosen.estimator) for s in (short, long)]
    assert by_cpu[0] is not None
    assert by_cpu[1] is not None
    assert by_cpu[0] / by_cpu[1] == pytest.approx(LONG_MS / SHORT_MS, rel=0.01)


def test_cpu_time_ranks_no_case_of_several_threads() -> None:
    disturbed = speed.of_run(with_slices(make_run(metrics={}), SHORT_MS, preempted=True))
    assert estimator.choose([(1, disturbed), (2, disturbed)]).estimator is Estimator.THROUGHPUT


def test_helpers_that_use_another_cpu_are_several_threads() -> None:
    own = speed.Speed(fps=100.0, throughput=50.0, cpu_s=0.03)
    assert estimator.choose([(1, own)]).estimator is Estimator.THROUGHPUT


def test_one_disturbed_round_decides_for_all() -> None:
    quiet, disturbed = (speed.of_run(with_slices(make_run(metrics={}), SHORT_MS, preempted=p)) for p in (False, True))
    assert estimator.choose([(1, quiet), (1, disturbed), (1, quiet)]).estimator is Estimator.CPU_TIME


def test_a_preempted_run_has_a_doubt_with_its_reason() -> None:
    (doubt,) = estimator.doubts(with_slices(make_run(metrics={}), SHORT_MS, preempted=True))
    assert doubt.code == "disturbed"
    assert "preempted: 7" in doubt.detail["why"]  # 12 of 16 ms in the run queue
    assert estimator.doubts(with_slices(make_run(metrics={}), SHORT_MS)) == []


def test_a_tail_without_waiting_is_called_a_tail() -> None:
    run = with_slices(make_run(metrics={}), 1.0)
    times = (1_000_000,) * 95 + (20_000_000,) * 5
    window = dataclasses.replace(run.windows[2], latencies_ns=times, t1_ns=run.windows[2].t0_ns + sum(times))
    assert window.role is Role.BARE
    (doubt,) = estimator.doubts(dataclasses.replace(run, windows=(*run.windows[:2], window)))
    assert doubt.detail["why"] == "tail latency: 5 % of inferences take 51 % of the time"


def test_two_speeds_are_no_preemption() -> None:
    assert "two speeds" in estimator.reason(speed.Speed(fps=50.0, throughput=80.0), [1.0])
