"""Durations that fall apart into two groups, and those that only scatter."""

from __future__ import annotations

import numpy as np
import pytest

from hwprof.analysis.comparison import measured


def test_two_groups_are_found_with_their_distance() -> None:
    rng = np.random.default_rng(1)
    two = np.concatenate([rng.normal(10e6, 1e5, 200), rng.normal(13e6, 1e5, 60)])
    assert measured.bimodal(two) == pytest.approx(1.3, rel=0.01)


@pytest.mark.parametrize("shape", ["normal", "uniform", "long tail"])
def test_what_only_scatters_is_one_group(shape: str) -> None:
    rng = np.random.default_rng(2)
    found = 0
    for _ in range(50):
        values = {
            "normal": rng.normal(10e6, 5e5, 100),
            "uniform": rng.uniform(9e6, 12e6, 100),
            "long tail": 10e6 + rng.exponential(1e6, 100),
        }[shape]
        found += measured.bimodal(values) is not None
    assert found <= 2


def test_few_values_and_a_small_second_group_say_nothing() -> None:
    assert measured.bimodal([1.0] * 10 + [2.0] * 10) is None
    assert measured.bimodal([10.0, 10.1] * 100 + [20.0] * 5) is None
    assert measured.bimodal(np.full(100, 5.0)) is None


def test_the_share_of_outliers() -> None:
    assert measured.outlier_share([10.0, 10.1] * 49 + [50.0, 50.0]) == pytest.approx(0.02)
    assert measured.outlier_share([]) == 0
