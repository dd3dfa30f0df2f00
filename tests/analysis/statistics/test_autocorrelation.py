"""Correlation over time: a driver is found, and what only drifts by itself is not."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from hwprof.analysis.statistics.autocorrelation import SerialCorrelation, correlate

Floats = NDArray[np.float64]


def walk(rng: np.random.Generator, n: int) -> Floats:
    return np.cumsum(rng.normal(size=n))


def persistent(rng: np.random.Generator, n: int, a: float = 0.9) -> Floats:
    values = np.zeros(n + 100)
    noise = rng.normal(size=n + 100)
    for i in range(1, n + 100):
        values[i] = a * values[i - 1] + noise[i]
    return values[100:]


@pytest.mark.parametrize("quantity", [walk, persistent])
def test_independent_walks_are_called_at_the_nominal_rate_at_most(quantity: object) -> None:
    rng = np.random.default_rng(5)
    draw = walk if quantity is walk else persistent
    found = [correlate([(draw(rng, 50), draw(rng, 50)) for _ in range(3)]) for _ in range(300)]
    called = sum(f is not None and f.p < 0.05 for f in found)
    assert called <= 300 * 0.05 + 2 * (300 * 0.05 * 0.95) ** 0.5
    naive = [np.corrcoef(walk(rng, 150), walk(rng, 150))[0, 1] for _ in range(100)]
    assert sum(abs(r) > 0.16 for r in naive) > 50  # what five percent of r of 150 independent values exceed


@pytest.mark.parametrize("a", [0.0, 0.5, 0.9])
def test_a_driver_is_found_whatever_its_persistence(a: float) -> None:
    rng = np.random.default_rng(6)
    hits = 0
    for _ in range(50):
        drivers = [persistent(rng, 50, a) for _ in range(3)]
        found = correlate([(x, x / x.std() + persistent(rng, 50)) for x in drivers])
        hits += found is not None and found.p < 0.005 and found.r > 0
    assert hits >= 45


def test_what_differs_between_runs_alone_is_no_correlation() -> None:
    rng = np.random.default_rng(7)
    runs = [(level + rng.normal(size=40), level + rng.normal(size=40)) for level in (0.0, 100.0, 200.0)]
    found = correlate(runs)
    assert found is not None
    assert abs(found.r) < 0.3
    assert found.p > 0.05


def test_a_trend_that_both_have_is_no_correlation() -> None:
    rng = np.random.default_rng(8)
    rise = np.linspace(0, 20, 60)
    called = 0
    for _ in range(100):
        found = correlate([(rise + rng.normal(size=60), rise + rng.normal(size=60)) for _ in range(3)])
        called += found is not None and found.p < 0.05
    assert called <= 10  # of 100 at 5 %: P(more than 10) = 1 %


def test_autocorrelation_leaves_fewer_values() -> None:
    rng = np.random.default_rng(9)
    kernel = np.ones(5)
    smooth = [tuple(np.convolve(rng.normal(size=84), kernel, "valid") for _ in range(2)) for _ in range(3)]
    found = correlate([(x, y) for x, y in smooth])
    assert found is not None
    assert found.effective < 0.9 * found.n
    loose = correlate([(rng.normal(size=80), rng.normal(size=80)) for _ in range(3)])
    assert loose is not None
    assert 0.8 * loose.n <= loose.effective <= loose.n


def test_the_interval_is_that_of_the_effective_number() -> None:
    low, high = SerialCorrelation(0.5, 200, 28.0, 0.01).interval()
    assert low == pytest.approx(np.tanh(np.arctanh(0.5) - 1.96 / 5), abs=1e-3)
    assert high == pytest.approx(0.735, abs=2e-3)


def test_what_never_varies_or_is_too_short_has_none() -> None:
    rng = np.random.default_rng(10)
    assert correlate([]) is None
    assert correlate([(np.ones(50), rng.normal(size=50))]) is None
    assert correlate([(rng.normal(size=7), rng.normal(size=7))] * 9) is None
    assert correlate([(rng.normal(size=8), rng.normal(size=8))]) is None  # fewer than ten independent ones
