"""Executions of one program: how their times scatter, and which are outliers."""

from __future__ import annotations

import pytest

from hwprof.analysis.executions import execution_times, outliers
from hwprof.records import Case, Failure, Kind, Run
from hwprof.reports.terminal import command, run_document


def executed(*times_s: float, code: int = 0) -> list[Run]:
    """A round for each time."""
    case = Case("command", "bench", "", 0, options=(("command", "./bench"),))
    facts = [{"executions": [{"elapsed_ns": round(time * 1e9), "exit_code": code}]} for time in times_s]
    failure = Failure("exit", "it failed") if code else None
    return [Run(f"{n}", case, Kind.COMMAND, round=n, facts=one, failure=failure) for n, one in enumerate(facts)]


def text(runs: list[Run]) -> str:
    return " ".join(" ".join(command.speed(runs, 100)).split())


def test_spread_is_that_of_all_executions() -> None:
    times = execution_times(executed(1.0, 2.0, 3.0, 4.0, 5.0))
    assert times is not None
    assert (times.median_s, times.outliers) == (3.0, ())
    assert times.deviation_s == pytest.approx(2.5**0.5)
    said = text(executed(1.0, 2.0, 3.0, 4.0, 5.0))
    assert "median 3.000 s, from 1.000 to 5.000 s, standard deviation 1.58 s, of 5 executions" in said
    assert "outlier" not in said


def test_an_outlier_is_beyond_ten_robust_deviations() -> None:
    """Deviations from the median 1.0 are 0, 0.01, 0.01, 0.02 and the last: their median is 0.01."""
    near, far = 1.0 + 0.148, 1.0 + 0.149
    assert outliers([1.0, 0.99, 1.01, 0.98, near]) == ()
    assert outliers([1.0, 0.99, 1.01, 0.98, far]) == (4,)
    assert outliers([1.0, 1.0, 1.0, 9.0]) == (), "too few to know how times scatter"


def test_a_slow_first_execution_is_named_with_the_option_for_it() -> None:
    said = text(executed(9.0, 1.0, 0.99, 1.01, 0.98))
    assert "1 outlier: execution 1 (9.000 s). The first one may have filled caches" in said
    assert "(-w 1)" in said


def test_later_outliers_speak_of_other_load() -> None:
    runs = executed(1.0, 0.99, 1.01, 9.0, 0.98, 1.0)
    assert "1 outlier: execution 4 (9.000 s). Something else may have run" in text(runs)
    document = run_document.document(runs)["executions"]
    assert (document["outliers"], document["max_s"], len(document["times_s"])) == ([3], 9.0, 6)


def test_executions_that_failed_are_in_no_spread() -> None:
    assert execution_times(executed(1.0, 2.0, code=1)) is None
    assert run_document.document(executed(1.0, code=1))["executions"] is None
