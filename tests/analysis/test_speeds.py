"""Speeds of cases over rounds, and the ratio of two frameworks over the cases that both have."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from hwprof.analysis import speeds
from hwprof.analysis.correlation import strata
from hwprof.store import Results
from tests.factories import make_run


def frame(tmp_path: Path, *fps: tuple[str, str, int, float]) -> pd.DataFrame:
    """(framework, network, round, FPS) of each run."""
    with Results.create(tmp_path / "r.db") as results:
        for framework, network, number, value in fps:
            results.add(make_run(framework, network, round=number, fps=value, metrics={}))
        return results.frame()


def test_the_slower_of_two_frameworks_is_second_and_its_bounds_are_inverted(tmp_path: Path) -> None:
    networks = [("mobilenet_v2", 10.0, 40.0), ("resnet18", 10.0, 20.0), ("squeezenet1_1", 12.0, 10.0)]
    runs = [(name, net, 0, value) for net, *pair in networks for name, value in zip(("a", "b"), pair, strict=True)]
    (found,) = speeds.ratios(speeds.speeds(frame(tmp_path, *runs)), ["a", "b"])
    assert (found.fast, found.slow, found.wins, found.networks) == ("b", "a", 2, 3)
    assert found.ratio.value == pytest.approx((4 * 2 / 1.2) ** (1 / 3))
    assert found.ratio.low is not None
    assert found.ratio.high is not None
    assert found.ratio.low < found.ratio.value < found.ratio.high


def test_frameworks_without_a_common_case_have_no_ratio(tmp_path: Path) -> None:
    fps = speeds.speeds(frame(tmp_path, ("a", "resnet18", 0, 1.0), ("b", "mobilenet_v2", 0, 1.0)))
    assert speeds.ratios(fps, ["a", "b"]) == []


def test_the_run_of_a_timeline_is_the_median_round_of_the_largest_network(tmp_path: Path) -> None:
    runs = [("a", "resnet18", number, value) for number, value in enumerate((30.0, 10.0, 20.0))]
    labelled = strata.label(frame(tmp_path, ("a", "mobilenet_v2", 0, 99.0), *runs))
    assert labelled.loc[labelled["run"].isin(speeds.median_runs(labelled)), "round"].tolist() == [2]


def test_cases_of_two_machines_are_two_places_and_the_fullest_of_each_is_taken() -> None:
    rows = [("x", 1, "n1"), ("x", 4, "n1"), ("x", 4, "n2"), ("y", 1, "n1")]
    fps = pd.DataFrame(rows, columns=["machine", "threads", "net"]).assign(cpus="", precision="fp32", fps=1.0)
    assert [(values, len(part)) for values, part in speeds.places(fps)] == [
        ({"machine": "x", "threads": 1}, 1),
        ({"machine": "x", "threads": 4}, 2),
        ({"machine": "y", "threads": 1}, 1),
    ]
    assert [values for values, _ in speeds.fullest_places(fps)] == [
        {"machine": "x", "threads": 4},
        {"machine": "y", "threads": 1},
    ]
