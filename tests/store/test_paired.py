"""Columns of the frame from slices and bare stretches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwprof.records import Run
from hwprof.store import Results
from tests.factories import make_run
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
