"""The product is exact, and ratios of products add up in logarithms."""

from __future__ import annotations

import dataclasses
import math
import statistics
from typing import Any

import pytest
from scipy import stats

from hwprof import speed
from hwprof.analysis.estimator import Estimator
from hwprof.analysis.factors import identity
from hwprof.records import Case, Exactness, Failure, Origin, Reading, Role, Run, Window
from tests.analysis import planted

CASE = Case("f", "n", "", 32, batch=2)


def run_of(elapsed_ns: int = 10**9, cpu_ns: float = 9e8, cycles: float = 2e9, instructions: float = 3e9) -> Run:
    readings = (
        Reading("task-clock", cpu_ns, "ns"),
        Reading("cycles", cycles),
        Reading("instructions", instructions),
    )
    bare = Window(0, Role.BARE, -1, 0, elapsed_ns, (elapsed_ns // 12,) * 10)
    return Run("1", CASE, windows=(bare, Window(1, Role.COUNTED, 0, 0, elapsed_ns, (elapsed_ns // 10,) * 10, readings)))


def with_readings(window: Window, readings: tuple[Reading, ...]) -> Window:
    return dataclasses.replace(window, readings=readings)


def identity_of(run: Run) -> identity.Identity:
    found = identity.identity(run)
    assert found is not None
    return found


def product(found: identity.Identity) -> float:
    divide = identity.DIVISORS.values()
    return math.prod(1 / v if name in divide else v for name, v in found.factors().items())


def test_the_four_factors_multiply_to_the_throughput() -> None:
    found = identity_of(run_of())
    assert found.factors() == pytest.approx({"parallelism": 0.9, "clock": 2e9 / 0.9, "ipc": 1.5, "work": 1.5e8})
    assert math.exp(found.throughput) == pytest.approx(20)
    assert product(found) == pytest.approx(20, rel=1e-12)


def test_fps_is_throughput_times_observer_times_tail() -> None:
    run = run_of()
    assert math.exp(identity_of(run).fps) == pytest.approx(speed.of_run(run).fps, rel=1e-12)


@pytest.mark.parametrize(
    ("kept", "change", "level"),
    [
        (1, {}, "clockless"),
        (2, {}, "clockless"),
        (3, {"domain": "user"}, "user"),
        (3, {"exactness": Exactness.SCALED}, "clockless"),
        (3, {"origin": Origin.EMULATED}, "rate"),
    ],
)
def test_what_is_not_separable_is_one_factor_and_said_so(kept: int, change: dict[str, Any], level: str) -> None:
    run = run_of()
    clock, *counts = run.windows[1].readings[:kept]
    readings = (clock, *(dataclasses.replace(r, **change) for r in counts))
    found = identity_of(dataclasses.replace(run, windows=(run.windows[0], with_readings(run.windows[1], readings))))
    assert found.level == level
    assert product(found) == pytest.approx(20, rel=1e-12)
    assert "separable" in identity.merge_reason(level, "both modes")


def test_cycles_of_one_domain_never_meet_instructions_of_another() -> None:
    run = run_of()
    clock, cycles, instructions = run.windows[1].readings
    mixed = with_readings(run.windows[1], (clock, dataclasses.replace(cycles, domain="user"), instructions))
    found = identity_of(dataclasses.replace(run, windows=(run.windows[0], mixed)))
    assert found.level == "rate"


def test_a_failed_run_has_no_identity_and_one_that_counted_nothing_no_factors() -> None:
    run = run_of()
    assert identity.identity(dataclasses.replace(run, failure=Failure("killed", "died"))) is None
    assert identity.identity(dataclasses.replace(run, windows=run.windows[1:])) is None
    bare = identity_of(dataclasses.replace(run, windows=run.windows[:1]))
    assert bare.level == "wall"
    assert not bare.counted


@pytest.mark.parametrize("paired", [False, True])
def test_intervals_are_those_of_scipys_t_tests(paired: bool) -> None:
    x, y = [0.10, 0.14, 0.11, 0.19], [0.01, 0.03, -0.04, 0.02] if paired else [0.01, 0.03, -0.04]
    test = stats.ttest_rel(x, y) if paired else stats.ttest_ind(x, y, equal_var=False)
    found = identity.factor("any", x, y, paired)
    assert found.low is not None
    assert found.high is not None
    bounds = test.confidence_interval()
    assert [math.log(found.low), math.log(found.high)] == pytest.approx([bounds.low, bounds.high], rel=1e-9)
    assert math.log(found.ratio) == pytest.approx(statistics.fmean(x) - statistics.fmean(y), rel=1e-9)


def test_the_bare_side_of_slices_is_the_slices_beside_the_counted_ones() -> None:
    run = planted.in_slices(planted.planted(observer=1.05, tail=0.95), "s", alone=0.8)
    found, paired = identity_of(run), speed.of_role(run, Role.PAIRED)
    assert math.exp(found.observer) == pytest.approx(1.05, rel=1e-6)
    assert math.exp(found.tail) == pytest.approx(0.95, rel=1e-6)
    assert math.exp(found.fps) == pytest.approx(paired.fps, rel=1e-9)
    # time between slices is nobody's
    assert math.exp(found.throughput) == pytest.approx(0.9 * 2e9 * 1.5 / 1e8, rel=1e-6)
    assert product(found) == pytest.approx(math.exp(found.throughput), rel=1e-9)
    assert found.alone is not None
    assert found.alone.fps == pytest.approx(0.8 * math.exp(found.fps), rel=1e-6)
    assert found.set == "s"


def test_a_run_without_slices_is_its_bare_windows_and_nothing_else() -> None:
    run = planted.planted()
    found = identity_of(run)
    assert found.speed == speed.of_run(run)
    assert found.alone is None
    assert found.set == ""


def test_each_speed_is_the_product_of_its_own_terms() -> None:
    found = identity_of(planted.preempted("f", "n", 0.5, 0))
    logs = found.levels["full"]
    assert found.whole(Estimator.CPU_TIME) == pytest.approx(sum(logs.values()) - logs["parallelism"], abs=1e-9)
    assert found.whole(Estimator.THROUGHPUT) == pytest.approx(sum(logs.values()) + found.observer, abs=1e-9)
    assert found.whole(Estimator.FPS) == pytest.approx(found.whole(Estimator.THROUGHPUT) + found.tail, abs=1e-9)
    assert found.disturbed.startswith("preempted: ")
