"""Rates of running totals: no core is busy for longer than there is time, and nothing of a total is lost."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hwprof.analysis.over_time.rates import RateSteps, quantum_ns, rates
from hwprof.records import Series
from tests.factories import START_NS

TICK_S = 0.01


def busy(steps_s: list[float], share: float = 1.0, tick_s: float = TICK_S, declared: bool = True) -> Series:
    """A core that is busy for this share of the time, counted in ticks, sampled at these distances."""
    at = np.concatenate([[0.0], np.cumsum(steps_s)])
    totals = np.floor(share * at / tick_s + 1e-9) * tick_s
    interval = round(1e9 * tick_s) if declared else 0
    times = tuple(START_NS + round(1e9 * t) for t in at)
    return Series("cpu-busy", "s", "cpu0", "proc:stat", cumulative=True, interval_ns=interval, at_ns=times,
                  values=tuple(totals.tolist()))  # fmt: skip


def irregular(seed: int = 1, count: int = 300) -> list[float]:
    """Samples every 50 ms, with some right after the one before: at the edges of windows."""
    numbers = np.random.default_rng(seed)
    return [float(s) for s in np.where(numbers.random(count) < 0.3, numbers.uniform(0.001, 0.012, count), 0.05)]


def plain(series: Series) -> list[float]:
    totals = [v for v in series.values if v is not None]
    steps = np.diff(np.array(series.at_ns) / 1e9)
    return [float(v) for v in np.diff(totals) / steps]


def whole(found: RateSteps) -> float:
    return float((found.rates * (found.end_s - found.start_s)).sum())


@pytest.mark.parametrize("declared", [True, False])
def test_a_busy_core_is_never_more_than_one_core(declared: bool) -> None:
    series = busy(irregular(), declared=declared)
    assert sum(rate > 1.05 for rate in plain(series)) > 15
    found = rates(series)
    assert len(found.rates) > 20
    assert found.rates.max() <= 1.05 + 1e-9
    assert found.rates.min() >= 0.95 - 1e-9


def test_steps_follow_each_other_and_add_up_to_the_total() -> None:
    series = busy(irregular(2), share=0.4)
    found = rates(series)
    assert found.start_s[1:] == pytest.approx(found.end_s[:-1])
    assert whole(found) == pytest.approx(float(series.values[-1] or 0.0) - float(series.values[0] or 0.0))


def test_a_counter_without_ticks_keeps_its_short_steps() -> None:
    steps = [float(s) for s in np.random.default_rng(3).uniform(0.008, 0.012, 100)]
    series = busy(steps, share=0.37, tick_s=1e-9, declared=False)
    assert quantum_ns(series) <= 10_000
    assert len(rates(series).rates) == 100


def test_the_tick_is_observed_where_it_is_not_declared() -> None:
    assert quantum_ns(busy(irregular(), declared=False)) == 10_000_000
    assert quantum_ns(busy([0.1] * 3, declared=False)) == 0  # too few to tell


def test_a_series_shorter_than_a_step_has_one_rate() -> None:
    found = rates(busy([0.03] * 4))
    assert len(found.rates) == 1
    assert found.end_s[0] - found.start_s[0] == pytest.approx(0.12)


def test_a_lost_answer_and_an_empty_series_are_no_rate_of_their_own() -> None:
    series = busy([0.1] * 40)
    values = tuple(None if 10 <= i < 20 else v for i, v in enumerate(series.values))
    gap = Series("cpu-busy", "s", "cpu0", cumulative=True, interval_ns=10**7, at_ns=series.at_ns, values=values)
    assert whole(rates(gap)) == pytest.approx(whole(rates(series)))
    empty = rates(Series("cpu-busy", "s", "cpu0", cumulative=True))
    assert len(empty.rates) == len(empty.start_s) == len(empty.end_s) == 0


def test_no_more_steps_than_asked_for() -> None:
    assert len(rates(busy([0.25] * 500), most=50).rates) <= 50


def test_samples_whose_reader_was_preempted_make_no_core_busier_than_time() -> None:
    series = busy([0.05] * 200)
    late = tuple(t - (45_000_000 if i % 16 == 0 else 0) for i, t in enumerate(series.at_ns))
    found = rates(dataclasses.replace(series, at_ns=late))
    assert found.rates.max() <= 1.05
    assert len(found.rates) > 3
