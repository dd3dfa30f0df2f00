"""The product is exact, and ratios of products add up in logarithms."""

from __future__ import annotations

import dataclasses
import math
import statistics

import pytest
from scipy import stats

from hwprof.analysis import decomposition
from hwprof.records import Case, Exactness, Reading, Role, Run, Window

CASE = Case("f", "n", "", 32, batch=2)


def run_of(elapsed_ns: int = 10**9, cpu_ns: float = 9e8, cycles: float = 2e9, instructions: float = 3e9) -> Run:
    readings = (
        Reading("task-clock", cpu_ns, "ns"),
        Reading("cycles", cycles),
        Reading("instructions", instructions),
    )
    bare = Window(0, Role.BARE, -1, 0, elapsed_ns, (elapsed_ns // 12,) * 10)
    return Run("1", CASE, windows=(bare, Window(1, Role.COUNTED, 0, 0, elapsed_ns, (elapsed_ns // 10,) * 10, readings)))


def identity_of(run: Run) -> decomposition.Identity:
    found = decomposition.identity(run)
    assert found is not None
    return found


def test_the_four_factors_multiply_to_the_throughput() -> None:
    found = identity_of(run_of())
    assert found.factors == pytest.approx({"parallelism": 0.9, "clock": 2e9 / 0.9, "ipc": 1.5, "work": 1.5e8})
    assert found.throughput == 20
    assert found.product() == pytest.approx(found.throughput, rel=1e-12)


def test_fps_is_throughput_times_observer_times_tail() -> None:
    found = identity_of(run_of())
    assert found.throughput * found.observer * found.tail == pytest.approx(found.fps, rel=1e-12)


def test_without_cycles_the_rest_is_one_factor_and_said_so() -> None:
    run = run_of()
    counted = dataclasses.replace(run.windows[1], readings=run.windows[1].readings[:1])
    found = identity_of(dataclasses.replace(run, windows=(run.windows[0], counted)))
    assert tuple(found.factors) == decomposition.CLOCKLESS
    assert found.product() == pytest.approx(found.throughput, rel=1e-12)
    assert "can't be told apart" in found.merged


@pytest.mark.parametrize("change", [{"domain": "user"}, {"exactness": Exactness.SCALED}])
def test_user_only_and_scaled_cycles_never_meet_total_cpu_time(change: dict[str, object]) -> None:
    run = run_of()
    clock, cycles, instructions = run.windows[1].readings
    readings = (clock, dataclasses.replace(cycles, **change), instructions)  # type: ignore[arg-type]
    counted = dataclasses.replace(run.windows[1], readings=readings)
    found = identity_of(dataclasses.replace(run, windows=(run.windows[0], counted)))
    assert "clock" not in found.factors


def test_a_failed_or_uncounted_run_has_no_identity() -> None:
    run = run_of()
    assert decomposition.identity(dataclasses.replace(run, windows=run.windows[:1])) is None


@pytest.mark.parametrize("paired", [False, True])
def test_intervals_are_those_of_scipys_t_tests(paired: bool) -> None:
    x, y = [0.10, 0.14, 0.11, 0.19], [0.01, 0.03, -0.04, 0.02] if paired else [0.01, 0.03, -0.04]
    test = stats.ttest_rel(x, y) if paired else stats.ttest_ind(x, y, equal_var=False)
    found = decomposition.factor("any", x, y, paired)
    assert found.low is not None
    assert found.high is not None
    bounds = test.confidence_interval()
    assert [math.log(found.low), math.log(found.high)] == pytest.approx([bounds.low, bounds.high], rel=1e-9)
    assert math.log(found.ratio) == pytest.approx(statistics.fmean(x) - statistics.fmean(y), rel=1e-9)
