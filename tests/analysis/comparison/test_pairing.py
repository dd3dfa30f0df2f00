"""Ratios over sets, and on cores that others use: what is compared, and when nothing is concluded."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

import numpy as np
import pytest

from hwprof.analysis.comparison.compare import Change, Comparison, Judgement, compare
from hwprof.analysis.comparison.measured import RunSummary, summarise_run
from hwprof.analysis.comparison.pairing import Pairing
from hwprof.analysis.estimator import Estimator
from hwprof.records import Run
from hwprof.reports.terminal import comparison
from hwprof.speed import Speed
from tests.factories import make_run
from tests.planted_sets import planted_set, with_slices


def summaries(runs: Sequence[Run]) -> list[RunSummary]:
    found = [summarise_run(run) for run in runs]
    assert all(found)
    return [one for one in found if one is not None]


def sides(runs: Sequence[Run], old: str = "a", new: str = "b") -> tuple[list[RunSummary], list[RunSummary]]:
    """The rounds of two frameworks."""
    a, b = ([run for run in runs if run.case.framework == name] for name in (old, new))
    return summaries(a), summaries(b)


def only(found: Comparison) -> Change:
    (change,) = found.changes
    return change


def test_runs_of_a_set_are_paired_by_slices_and_a_drift_of_both_cancels() -> None:
    runs = [r for n in range(4) for r in planted_set(n, {"a": 1.0, "b": 1.1}, drift=1.0)]
    change = only(compare(*sides(runs)))
    assert (change.pairing, change.pairs, change.side_by_side) == (Pairing.SETS, 4, True)
    assert change.choice.estimator is Estimator.FPS
    assert change.ratio == pytest.approx(1 / 1.1, rel=1e-3)
    assert change.verdict is Judgement.REGRESSION


def test_the_interval_is_a_paired_t_over_sets() -> None:
    costs = [1.10, 1.12, 1.08, 1.11]
    runs = [r for n, cost in enumerate(costs) for r in planted_set(n, {"a": 1.0, "b": cost})]
    change = only(compare(*sides(runs)))
    logs = -np.log(costs)
    half = 3.182446 * logs.std(ddof=1) / 2  # t(3) at .975
    assert change.low is not None
    assert change.high is not None
    assert np.log([change.low, change.high]) == pytest.approx([logs.mean() - half, logs.mean() + half], abs=1e-3)


def test_runs_of_different_sets_are_rounds() -> None:
    runs = [r for n in range(3) for r in planted_set(n, {"a": 1.0})]
    runs += [r for n in range(3) for r in planted_set(n + 3, {"b": 1.1})]
    old, new = sides(runs)
    later = [dataclasses.replace(m, started_utc=m.started_utc.replace("T00", "T09")) for m in new]
    change = only(compare(old, later))
    assert change.pairing is Pairing.NONE
    assert not change.side_by_side


def test_one_set_is_a_ratio_without_an_interval() -> None:
    found = compare(*sides(planted_set(0, {"a": 1.0, "b": 1.1})))
    change = only(found)
    assert (change.pairing, change.pairs, change.low) == (Pairing.SETS, 1, None)
    assert change.verdict is Judgement.UNTESTED
    said = comparison.text(found, "old", "new")
    assert "no verdict in 1 case: one set. Measure two rounds at least" in said
    assert "sessions differ by" not in said  # they were side by side


def test_slices_in_which_a_page_came_from_the_disk_are_in_no_ratio() -> None:
    runs = []
    for n in range(3):
        old, new = planted_set(n, {"a": 1.0, "b": 1.0}, drift=0.0)
        late = with_slices(new, 1.0, f"set{n:05d}", shared=[5.0] * 5 + [1.0] * 4, faults=dict.fromkeys(range(5), 1))
        runs += [old, late]
    assert only(compare(*sides(runs))).ratio == pytest.approx(1.0, rel=1e-3)


def test_nothing_is_concluded_where_slices_and_bare_stretches_contradict_each_other() -> None:
    runs = [r for n in range(4) for r in planted_set(n, {"a": 1.0 + n / 1e4}, drift=0.01)]
    runs += [r for n in range(4) for r in planted_set(n, {"b": 1.2 - n / 1e4}, drift=0.01, alone=0.5)]
    found = compare(*sides(runs))
    change = only(found)
    assert change.ratio == pytest.approx(1 / 1.2, rel=0.01)
    assert change.alone.value == pytest.approx(1 / 0.6, rel=0.01)
    assert (change.conflict, change.verdict) == (True, Judgement.UNCLEAR)
    assert found.overall is None
    said = comparison.text(found, "old", "new")
    assert "contradict each other in 1 case, nothing is concluded" in said
    assert re.search(r"\b1\.66\dx", said)


def test_a_busy_core_ranks_by_cpu_time_and_by_that_nothing_moved() -> None:
    quiet = [r for n in range(4) for r in planted_set(n, {"a": 6.0 + n / 100}, drift=0.0)]
    busy = [r for n in range(4, 8) for r in planted_set(n, {"a": 6.0 + n / 100}, drift=0.0, preempted=True)]
    found = compare(summaries(quiet), summaries(busy))
    change = only(found)
    old, new = change.speeds
    assert old.fps is not None
    assert new.fps is not None
    assert new.fps < 0.6 * old.fps  # what would be a regression by FPS
    assert change.choice.estimator is Estimator.CPU_TIME
    assert change.ratio == pytest.approx(1.0, rel=0.02)
    assert found.regressions == ()
    said = comparison.text(found, "old", "new")
    assert "compared by CPU time per frame, not FPS: 1 case" in said
    assert "waiting for a CPU 0 % -> " in said


def with_threads(runs: Sequence[Run], threads: int) -> list[RunSummary]:
    return [dataclasses.replace(m, case=dataclasses.replace(m.case, threads=threads)) for m in summaries(runs)]


def test_short_inferences_between_preemptions_are_no_speed() -> None:
    """By FPS the disturbed side looks as fast as the quiet one, though each frame takes four times as long."""
    quiet = [r for n in range(4) for r in planted_set(n, {"a": 0.4 + n / 1e3}, drift=0.0)]
    busy = [r for n in range(4, 8) for r in planted_set(n, {"a": 0.4 + n / 1e3}, drift=0.0, preempted=True)]
    change = only(compare(with_threads(quiet, 2), with_threads(busy, 2)))
    assert change.speeds[0].fps == pytest.approx(change.speeds[1].fps or 0, rel=0.02)
    assert change.choice.estimator is Estimator.THROUGHPUT
    assert change.ratio == pytest.approx(0.25, rel=0.1)


def in_two_sessions(side: Sequence[RunSummary], days: Sequence[int]) -> list[RunSummary]:
    """Every other round on one day, the others on another."""
    return [dataclasses.replace(m, started_utc=f"2000-01-0{days[i % 2]}T00:0{i}:00Z") for i, m in enumerate(side)]


def test_a_load_on_one_side_alone_is_no_regression_of_two_threads() -> None:
    quiet = [r for n in range(4) for r in planted_set(n, {"a": 0.4 + n / 1e3}, drift=0.0)]
    busy = [r for n in range(4, 8) for r in planted_set(n, {"a": 0.4 + n / 1e3}, drift=0.0, preempted=True)]
    before, after = in_two_sessions(with_threads(quiet, 2), (1, 3)), in_two_sessions(with_threads(busy, 2), (2, 4))
    found = compare(before, after)
    assert (only(found).pairing, only(found).verdict) == (Pairing.SESSIONS, Judgement.UNCLEAR)
    assert "the machine was not the same: waiting for a CPU 0 % -> " in comparison.row(only(found))[-1]
    slower = [r for n in range(4, 8) for r in planted_set(n, {"a": 0.8 + n / 1e3}, drift=0.0, preempted=True)]
    change = only(compare(after, in_two_sessions(with_threads(slower, 2), (5, 7))))
    assert change.choice.estimator is Estimator.THROUGHPUT
    assert change.verdict is Judgement.REGRESSION


def test_a_disturbed_case_of_which_one_side_knows_fps_alone_is_named_and_not_compared() -> None:
    (one,) = summaries([make_run()])
    old = [dataclasses.replace(one, round=n, speed=Speed(fps=40 + n)) for n in range(3)]
    new = [dataclasses.replace(one, round=n, speed=Speed(fps=40 + n, throughput=20.0 + n)) for n in range(3)]
    found = compare(old, new)
    assert (found.changes, found.unknown) == ((), (one.case,))
    assert "one side has nothing but FPS" in comparison.text(found, "old", "new")


def test_a_drop_without_a_verdict_is_reported_with_what_chance_would_need() -> None:
    (one,) = summaries([make_run()])
    old = [dataclasses.replace(one, speed=Speed(fps=40.0))]
    new = [dataclasses.replace(one, speed=Speed(fps=4.0), started_utc="2000-01-02T00:00:00Z")]
    found = compare(old, new)
    change = only(found)
    # a difference of two sessions has twice their variance: ln(10) / (1.96 sqrt 2)
    assert change.needed_noise == pytest.approx(2.302585 / 2.771859, rel=1e-4)
    assert (change.verdict, found.regressions) == (Judgement.UNTESTED, ())
    said = comparison.text(found, "old", "new").replace("\n  ", " ")
    assert "no verdict in 1 case: one session each of one round." in said
    assert "SLOWER beyond 5 % and not tested" in said
    assert "0.10x (by chance if sessions differ by 83 % or more)" in said


def test_rounds_within_one_session_each_are_shown_as_such() -> None:
    (one,) = summaries([make_run()])
    start = "2000-01-0{}T00:0{}:00Z".format
    old = [dataclasses.replace(one, round=n, speed=Speed(fps=40 + n / 10), started_utc=start(1, n)) for n in range(3)]
    new = [dataclasses.replace(one, round=n, speed=Speed(fps=30 + n / 10), started_utc=start(2, n)) for n in range(3)]
    row = comparison.row(only(compare(old, new)))
    assert (row[0], row[2]) == ("no verdict", "3 + 3 rounds")
    assert row[8].startswith("within sessions [0.74")
    a, b = (
        [dataclasses.replace(m, started_utc=start(1, 2 * m.round + at)) for m in side]
        for at, side in enumerate((old, new))
    )
    row = comparison.row(only(compare(a, b)))
    assert (row[0], row[2]) == ("regression", "3 pairs")
