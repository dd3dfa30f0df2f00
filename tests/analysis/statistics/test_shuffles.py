"""Shuffled networks find what drives, and keep their level where nothing does, whatever the noise."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hwprof.analysis.statistics.shuffles import critical, family_p, shuffle

Floats = NDArray[np.float64]


def table(rng: np.random.Generator, metrics: int = 12, slope: float = 0.0, gaps: float = 0.0) -> tuple[Floats, Floats]:
    """x (metrics, 9, 4) and y (9, 4): networks have noise of different size, frameworks of one network are alike."""
    x = rng.standard_normal((metrics, 9, 4)) + 3 * rng.standard_normal((metrics, 9, 1))
    noise = rng.standard_normal((9, 4)) + rng.standard_normal((9, 1)) * [1.0, 1.0, 0.0, 0.0]
    y = slope * x[0] + noise * np.exp(rng.normal(0, 0.5, (9, 1))) + 3 * rng.standard_normal((9, 1))
    return np.where(rng.random(x.shape) < gaps, np.nan, x), y


@pytest.mark.parametrize("gaps", [0.0, 0.1])
def test_a_driver_is_found_and_nothing_else(gaps: float) -> None:
    x, y = table(np.random.default_rng(1), slope=-2.0, gaps=gaps)
    found = shuffle(x, y, draws=199)
    assert found.p[0] < 0.05
    assert (found.p[1:] > 0.05).all()
    assert (shuffle(x, y, draws=199).p == found.p).all()  # seeded


@pytest.mark.parametrize("gaps", [0.0, 0.1])
def test_where_nothing_drives_one_report_of_twenty_finds_something(gaps: float) -> None:
    rng = np.random.default_rng(2)
    least = [float(shuffle(*table(rng, gaps=gaps), draws=99).p.min()) for _ in range(300)]
    assert 0.02 < np.mean(np.array(least) <= 0.05) < 0.085


def test_gaps_in_the_speed_keep_the_level() -> None:
    rng = np.random.default_rng(3)
    least = []
    for _ in range(300):
        x, y = table(rng)
        y[rng.random(y.shape) < 0.15] = np.nan
        least.append(float(shuffle(x, y, draws=99).p.min()))
    assert 0.015 < np.mean(np.array(least) <= 0.05) < 0.085


def test_an_odd_network_is_no_finding() -> None:
    """It meets itself in one shuffle of nine."""
    x, y = table(np.random.default_rng(4))
    x[0, 3], y[3] = [0, 0, 0, 40], [0, 0, 0, 40]
    assert shuffle(x, y, draws=499).p[0] > 0.08


@pytest.mark.parametrize("level", [0.05, 0.011])
def test_what_exceeds_the_critical_value_has_a_p_of_at_most_the_level(level: float) -> None:
    largest = np.random.default_rng(5).random(199)
    bound = critical(largest, level)
    assert bound is not None
    assert family_p(np.array([bound + 1e-9]), largest)[0] <= level + 1e-12
    assert family_p(np.array([bound - 1e-9]), largest)[0] > level


def test_too_few_shuffles_have_no_critical_value() -> None:
    assert critical(np.linspace(0, 1, 99), 0.005) is None
