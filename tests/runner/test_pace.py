"""The time that simulations still take: from those that are done, and never more than the budget."""

from __future__ import annotations

import pytest

from hwprof.runner.pace import SimulationPace


class HandClock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_is_left_follows_from_what_was_simulated() -> None:
    clock = HandClock()
    pace = SimulationPace(clock, 600.0, [100, 200, 700])
    assert pace.deadline == 700.0
    clock.now = 110.0
    assert pace.finish(0) == pytest.approx((90.0, False))  # 10 s for a tenth
    clock.now = 140.0
    assert pace.finish(1) == pytest.approx((40 * 700 / 300, False))
    clock.now = 210.0
    assert pace.finish(2) == (0.0, False)


def test_the_budget_is_the_limit_and_is_said_to_be_one() -> None:
    clock = HandClock()
    pace = SimulationPace(clock, 60.0, [1, 1000])
    clock.now = 150.0
    assert pace.finish(0) == (10.0, True)


def test_where_macs_are_unknown_each_counts_alike() -> None:
    clock = HandClock()
    pace = SimulationPace(clock, 600.0, [None, 5000, 10])
    clock.now = 130.0
    assert pace.finish(1) == pytest.approx((60.0, False))
