"""The smallest effect that a test could have seen, against simulated tests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from hwprof.analysis.statistics import power
from hwprof.analysis.statistics.clusters import between_parents
from hwprof.analysis.statistics.partial import Partial, partial


@pytest.mark.parametrize("n", [8, 12, 40])
def test_an_effect_of_this_size_is_found_in_four_of_five_draws(n: int) -> None:
    r = power.of_size(n, 2)
    assert r is not None
    rng = np.random.default_rng(1)
    found = 0
    for _ in range(600):
        z, x = rng.standard_normal((n, 2)), rng.standard_normal(n)
        y = r * x + math.sqrt(1 - r * r) * rng.standard_normal(n)
        p = partial(x + z @ [1, 1], y + z @ [1, -1], z).p
        found += p is not None and p < 0.05
    assert 0.72 < found / 600 < 0.85


def test_more_networks_see_less_and_more_tests_see_more() -> None:
    sizes = [power.of_size(n, 2) or 1.0 for n in (8, 10, 20, 100)]
    assert sizes == sorted(sizes, reverse=True)
    assert (power.of_size(10, 2, tests=20) or 0) > (power.of_size(10, 2) or 1)
    assert power.of_size(4, 2) is None


def test_alike_blocks_see_no_more_than_as_many_networks_and_unlike_ones_nearly_as_much_as_their_number() -> None:
    free, alike, same = (power.planned_se(100, 2, 10, share) or 0 for share in (0.0, 0.5, 1.0))
    assert free < alike < same
    assert free == pytest.approx(1 / math.sqrt(95))
    assert same == pytest.approx(math.sqrt(10 / 95))
    assert power.planned_se(5, 2, 5, 0.5) is None


def test_of_a_measured_coefficient_it_follows_from_its_own_interval() -> None:
    left_out = [-0.3, -0.25, -0.35, -0.28, -0.4, -0.31]
    found = between_parents(Partial(60, 2, -0.3, p=0.02), left_out)
    z = np.arctanh([-0.3, *left_out])
    se = math.sqrt(5 / 6 * ((z[1:] - z[0]) ** 2).sum())
    reach = power.of_partial(found)
    assert reach == pytest.approx(power.of_clusters(se, 6))
    assert reach is not None
    critical = stats.t.ppf(0.975, 5)
    assert stats.nct.sf(critical, 5, math.atanh(reach) / se) == pytest.approx(0.8, abs=1e-6)


def test_what_has_no_test_has_no_reach() -> None:
    assert power.of_partial(Partial(8, 2, -0.5, why="not tested")) is None
    assert power.of_family([Partial(8, 2, -0.5)]) is None
    assert power.of_family([Partial(8, 2, -0.5, -0.9, 0.4, 0.2)] * 3) == power.of_size(8, 2, 3)
