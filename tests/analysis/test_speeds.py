"""Speeds of cases over rounds, and the ratio of two frameworks over the cases that both have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hwprof.analysis import speeds
from hwprof.analysis.correlation import strata
from hwprof.analysis.estimator import Estimator
from hwprof.records import Run
from hwprof.store import Results
from tests.factories import make_run
from tests.planted_sets import planted_set


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


def planted(tmp_path: Path, *runs: Run) -> pd.DataFrame:
    with Results.create(tmp_path / "r.db") as results:
        for run in runs:
            results.add(run)
        return speeds.speeds(results.frame())


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def test_ratios_of_sets_come_from_slices(tmp_path: Path) -> None:
    runs = [run for number in range(3) for run in planted_set(number, {"a": 1.0, "b": 1.1}, drift=1.0)]
    (found,) = speeds.ratios(planted(tmp_path, *runs), ["a", "b"])
    assert (found.fast, found.cases, found.paired, found.conflicts) == ("a", 1, 1, 0)
    assert found.choice.estimator is Estimator.FPS
    assert found.ratio.value == pytest.approx(1.1, rel=1e-3)


def test_runs_of_different_sets_are_no_pair(tmp_path: Path) -> None:
    runs = [*planted_set(0, {"a": 1.0}), *planted_set(1, {"b": 1.1})]
    a, b = rows_of(planted(tmp_path, *runs))
    ratio = speeds.case_ratio(a, b, Estimator.FPS)
    assert ratio is not None
    assert ratio.sets == 0
    assert not ratio.decided


def test_a_shared_core_ranks_by_cpu_time(tmp_path: Path) -> None:
    runs = [r for number in range(3) for r in planted_set(number, {"a": 0.4, "b": 6.0}, drift=0.0, preempted=True)]
    (found,) = speeds.ratios(planted(tmp_path, *runs), ["a", "b"])
    assert found.choice.estimator is Estimator.CPU_TIME
    assert found.ratio.value == pytest.approx(15, rel=0.01)


def test_nothing_is_faster_where_slices_and_stretches_disagree(tmp_path: Path) -> None:
    runs = [run for n in range(4) for run in planted_set(n, {"a": 1.0 + n / 1e4}, drift=0.01)]
    runs += [run for n in range(4) for run in planted_set(n, {"b": 1.2 - n / 1e4}, drift=0.01, alone=0.5)]
    a, b = rows_of(planted(tmp_path, *runs))
    ratio = speeds.case_ratio(a, b, Estimator.FPS)
    assert ratio is not None
    assert ratio.ratio.value == pytest.approx(1.2, rel=0.01)
    assert ratio.alone.value == pytest.approx(0.6, rel=0.01)
    assert ratio.conflict
    assert not ratio.decided


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


def test_sessions_are_no_rounds_of_one(tmp_path: Path) -> None:
    """Rounds of 1 % in two sessions 10 % apart: the interval is between the sessions, and so are versions."""
    software = {"distributions": {"a": "1.0", "numpy": "2.0"}}
    runs = [
        make_run("a", fps=fps * (1 + 0.01 * number), round=3 * session + number, software=software,
                 facts={"session": {"id": f"s{session}"}})
        for session, fps in enumerate((40.0, 44.0))
        for number in range(3)
    ]  # fmt: skip
    (row,) = rows_of(planted(tmp_path, *runs))
    assert (row["rounds"], row["sessions"]) == (6, 2)
    assert row["high"] / row["low"] > 3  # two sessions: t(1)
    newer = make_run("a", fps=80.0, round=9, software={"distributions": {"a": "2.0", "numpy": "2.1"}})
    (tmp_path / "other").mkdir()
    both = rows_of(planted(tmp_path / "other", *runs[:3], newer))
    assert {row["variant"]: row["rounds"] for row in both} == {"a (a 1.0)": 3, "a (a 2.0)": 1}


def in_sessions(framework: str, fps: float, **sessions: float) -> list[Run]:
    """Three rounds of 1 % in each session, whose noise multiplies the speed."""
    return [
        make_run(
            framework,
            fps=fps * times * (1 + 0.01 * number),
            round=3 * place + number,
            facts={"session": {"id": name}},
            metrics={},
        )
        for place, (name, times) in enumerate(sessions.items())
        for number in range(3)
    ]


def test_a_ratio_without_sets_is_between_sessions_or_within_one(tmp_path: Path) -> None:
    noise = {"s1": 1.0, "s2": 1.5, "s3": 0.7}
    cases = {
        "common": (in_sessions("a", 40.0, **noise), in_sessions("b", 20.0, **noise)),
        "own": (in_sessions("a", 40.0, **noise), in_sessions("b", 20.0, t1=1.0, t2=1.5, t3=0.7)),
        "one": (in_sessions("a", 40.0, **noise), in_sessions("b", 20.0, s2=1.5)),
    }
    found = {}
    for name, sides in cases.items():
        (tmp_path / name).mkdir()
        a, b = rows_of(planted(tmp_path / name, *sides[0], *sides[1]))
        ratio = speeds.case_ratio(a, b, Estimator.FPS)
        assert ratio is not None
        assert ratio.ratio.value == pytest.approx(2.0, rel=1e-3)
        found[name] = ratio
    assert [one.over for one in found.values()] == ["sessions", "sessions", "rounds"]
    assert found["common"].decided  # the noise of a session is in both sides
    assert not found["own"].decided
    assert found["one"].ratio.low is not None
    assert found["one"].ratio.low > 1.9
