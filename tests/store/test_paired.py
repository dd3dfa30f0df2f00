"""Columns of the frame from slices and bare stretches."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwprof import doubts
from hwprof.analysis import estimator
from hwprof.records import Reading, Role, Run, Window
from hwprof.speed import of_run
from hwprof.store import Results
from tests.factories import HOST_STATE, make_run
from tests.planted_sets import planted_set, with_slices


def frame(tmp_path: Path, *runs: Run) -> dict[str, dict[str, Any]]:
    """Framework -> its row."""
    with Results.create(tmp_path / "r.db") as results:
        for run in runs:
            results.add(run)
        return {str(row["framework"]): dict(row) for _, row in results.frame().iterrows()}


def test_what_the_members_of_a_set_share_cancels(tmp_path: Path) -> None:
    found = frame(tmp_path, *planted_set(0, {"a": 1.0, "b": 1.25}, drift=2.0))
    for name, sign in (("paired_fps", 1), ("paired_throughput", 1), ("paired_cpu_ms", -1)):
        assert (found["a"][name] / found["b"][name]) ** sign == pytest.approx(1.25, rel=1e-3), name
    assert [row["set"] for row in found.values()] == ["set00000"] * 2


def test_a_slice_with_a_major_fault_is_refused(tmp_path: Path) -> None:
    shared = [1.0] * 8 + [3.0] * 9
    a = with_slices(make_run("a", metrics={}), 1.0, "s", shared=shared, faults=dict.fromkeys(range(8, 17), 1))
    b = with_slices(make_run("b", metrics={}), 1.0, "s", shared=shared)
    found = frame(tmp_path, a, b)
    assert found["b"]["paired_fps"] == pytest.approx(1000, rel=0.01)  # of the turns that both have
    assert found["a"]["paired_fps"] == pytest.approx(1000, rel=0.01)


def test_runs_without_slices_have_no_paired_speed(tmp_path: Path) -> None:
    found = frame(tmp_path, make_run("a"))
    assert np.isnan(found["a"]["paired_fps"])
    assert found["a"]["set"] is None
    assert np.isnan(found["a"]["cpu_ms"])


def test_cpu_time_and_waiting_are_of_the_bare_stretch(tmp_path: Path) -> None:
    found = frame(tmp_path, with_slices(make_run("a", metrics={}, cpus=(0,)), 1.0, preempted=True))
    assert found["a"]["cpu_ms"] == pytest.approx(1.0, rel=1e-3)
    assert found["a"]["waiting"] == pytest.approx(0.75, abs=0.01)
    assert np.isnan(found["a"]["stolen"])  # not counted is not zero


def stretch_of(run: Run, **seconds: float) -> Run:
    """`run` with a bare stretch of one second in which these times were read."""
    readings = tuple(Reading(name, value, "s") for name, value in seconds.items())
    bare = Window(0, Role.BARE, -1, 0, 10**9, (20_000_000,) * 50, readings)
    return dataclasses.replace(run, windows=(bare,))


@pytest.mark.parametrize(
    ("threads", "times", "limit", "waiting"),
    [
        (2, {"run-queue-wait": 1.0, "cpu-user-time": 1.0}, None, 0.0),  # for each other
        (2, {"run-queue-wait": 1.3, "cpu-user-time": 0.7, "cpu-busy[cpu0]": 1.0}, None, 0.3),
        (4, {"run-queue-wait": 1.0, "cpu-user-time": 0.6, "cpu-busy[cpu0]": 0.5, "cpu-steal[cpu0]": 0.1}, None, 0.0),
        (1, {"run-queue-wait": 0.5, "cpu-user-time": 0.5}, "50000 100000", 0.0),  # for its own limit
        (1, {"run-queue-wait": 0.5, "cpu-user-time": 0.5}, None, 0.5),
    ],
)
def test_waiting_is_for_others_in_the_frame_as_in_the_run(
    tmp_path: Path, threads: int, times: dict[str, float], limit: str | None, waiting: float
) -> None:
    host = {**HOST_STATE, **({} if limit is None else {"cgroup_cpu_max": limit})}
    run = stretch_of(make_run("a", threads=threads, cpus=(0,), host_state=host), **times, **{"cpu-system-time": 0.0})
    assert of_run(run).waiting == pytest.approx(waiting)
    assert frame(tmp_path, run)["a"]["waiting"] == pytest.approx(waiting)
    assert ("other-load" in {doubt.code for doubt in doubts.of_run(run, 2)}) is (waiting > 0)
    assert ("disturbed" in {doubt.code for doubt in estimator.doubts(run)}) is (waiting > 0)
