"""Blocks of a few networks: error between the parents holds where independent blocks would deceive."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from hwprof.analysis.statistics import clusters, pooled
from hwprof.analysis.statistics.partial import Partial, partial

Floats = NDArray[np.float64]


def draw(
    rng: np.random.Generator, sizes: Sequence[int], alike: float, slope: float = 0.0
) -> tuple[Floats, Floats, Floats, list[str]]:
    """x, y, covariates and parents of blocks; `alike`: the parent's share of the variance of x and y."""
    of = np.repeat(np.arange(len(sizes)), sizes)

    def values() -> Floats:
        shared = np.sqrt(alike) * rng.standard_normal(len(sizes))[of]
        return np.asarray(shared + np.sqrt(1 - alike) * rng.standard_normal(len(of)), dtype=np.float64)

    z = np.column_stack([rng.standard_normal(len(sizes))[of] + rng.standard_normal(len(of)), values()])
    x = values()
    return x + z @ [0.8, 0.3], slope * x + values() - z @ [1.0, 0.5], z, [f"net{i}" for i in of]


def judged(x: Floats, y: Floats, z: Floats, parents: Sequence[str]) -> Partial:
    return clusters.between_parents(partial(x, y, z), list(clusters.without_each(x, y, z, parents).values()))


@pytest.mark.parametrize("sizes", [[10] * 10, [3, 5, 4, 8, 2, 6, 7]])
def test_a_metric_without_influence_is_called_one_in_one_of_twenty_draws_between_parents(sizes: list[int]) -> None:
    rng = np.random.default_rng(3)
    draws, naive, between = 150, 0, 0
    for _ in range(draws):
        x, y, z, parents = draw(rng, sizes, alike=0.8)
        naive += partial(x, y, z).excludes_zero
        between += judged(x, y, z, parents).excludes_zero
    assert naive / draws > 0.25
    assert between / draws < 0.11


def test_an_effect_is_found_and_its_interval_covers_it() -> None:
    rng = np.random.default_rng(4)
    true, found, covered = 0.6 / np.sqrt(1 + 0.36), 0, 0
    for _ in range(100):
        one = judged(*draw(rng, [10] * 10, alike=0.3, slope=0.6))
        assert one.low is not None
        assert one.high is not None
        found += one.p is not None and one.p < 0.05
        covered += one.low < true < one.high
    assert found >= 80
    assert covered >= 88


def test_too_few_parents_have_a_coefficient_and_no_test() -> None:
    rng = np.random.default_rng(5)
    one = judged(*draw(rng, [9, 9, 9], alike=0.5))
    assert one.r is not None
    assert (one.low, one.high, one.p, one.clusters) == (None, None, None, 3)
    assert one.why == "not tested: blocks of 3 networks, at least 4 are needed"


def test_pooled_slopes_leave_out_parents_and_count_them() -> None:
    rng = np.random.default_rng(6)
    x, y = rng.standard_normal((2, 12, 2)), rng.standard_normal((12, 2))
    parents = [f"net{i // 3}" for i in range(12)]
    fit = pooled.slopes(x, y, None, parents)
    b = pooled.slopes(x, y).slope
    rest = [np.array([p != name for p in parents]) for name in sorted(set(parents))]
    without = np.array([pooled.slopes(x[:, keep], y[keep]).slope for keep in rest])
    assert fit.slope == pytest.approx(b)
    assert fit.se == pytest.approx(np.sqrt(3 / 4 * ((without - b) ** 2).sum(axis=0)))
    assert list(fit.n) == [4, 4]


def test_blocks_that_are_parents_of_their_own_are_as_networks() -> None:
    rng = np.random.default_rng(7)
    x, y = rng.standard_normal((2, 9, 3)), rng.standard_normal((9, 3))
    plain, alone = pooled.slopes(x, y), pooled.slopes(x, y, None, [f"net{i}" for i in range(9)])
    assert alone.p == pytest.approx(plain.p)


def test_signs_of_parents_find_what_differs_between_frameworks_and_nothing_in_noise() -> None:
    rng = np.random.default_rng(8)
    parents = [f"net{i // 8}" for i in range(80)]
    x = rng.standard_normal((5, 80, 2)) + rng.standard_normal((80, 1))
    noise = rng.standard_normal((80, 2)) + rng.standard_normal((80, 1))
    driven = clusters.flip(x, noise - 1.5 * x[0], None, parents).p
    assert driven[0] < 0.05
    assert (driven[1:] > 0.05).all()
    smallest = [
        float(clusters.flip(x, rng.standard_normal((80, 2)), None, parents, draws=199).p.min()) for _ in range(60)
    ]
    assert np.mean(np.array(smallest) <= 0.05) < 0.15


def test_a_metric_that_does_not_vary_has_no_family_wise_p() -> None:
    rng = np.random.default_rng(9)
    x = np.stack([np.ones((8, 2)), rng.standard_normal((8, 2))])
    found = clusters.flip(x, rng.standard_normal((8, 2)), None, [f"net{i // 2}" for i in range(8)]).p
    assert np.isnan(found[0])
    assert np.isfinite(found[1])


def test_several_covariates_are_taken_out_of_slopes_between_parents() -> None:
    rng = np.random.default_rng(10)
    parents = [f"net{i // 8}" for i in range(80)]
    z = rng.standard_normal((2, 1, 80, 3))
    x = rng.standard_normal((2, 80, 3)) + z[0] + z[1]
    y = -x[0] + 2 * z[0, 0] - 3 * z[1, 0] + 0.3 * rng.standard_normal((80, 3))
    z = np.broadcast_to(z, (2, 2, 80, 3))
    fit = pooled.slopes(x, y, z, parents)
    assert fit.slope[0] == pytest.approx(-1, abs=0.1)
    assert fit.left_out.shape == (10, 2)
    assert fit.low[1] < 0 < fit.high[1]
    found = clusters.flip(x, np.broadcast_to(y, x.shape), z, parents).p
    assert found[0] < 0.05 < found[1]


def test_intervals_at_another_level_are_between_parents() -> None:
    rng = np.random.default_rng(11)
    one = judged(*draw(rng, [10] * 6, alike=0.5, slope=0.5))
    assert one.r is not None
    assert one.error is not None
    assert one.interval(0.95) == pytest.approx((one.low, one.high))
    half = float(stats.t.ppf(0.995, 5)) * one.error
    assert one.interval(0.99) == pytest.approx((np.tanh(np.arctanh(one.r) - half), np.tanh(np.arctanh(one.r) + half)))


def test_the_interval_of_a_slope_over_alike_blocks_covers_it() -> None:
    rng = np.random.default_rng(12)
    covered, wider, draws = 0, 0, 150
    for _ in range(draws):
        x, y, z, parents = draw(rng, [10] * 10, alike=0.8, slope=0.6)
        bounds, naive = judged(x, y, z, parents).slope_interval(), partial(x, y, z).slope_interval()
        assert bounds is not None
        assert naive is not None
        covered += bounds[0] < 0.6 < bounds[1]
        wider += bounds[1] - bounds[0] > naive[1] - naive[0]
    assert covered / draws > 0.88
    assert wider / draws > 0.9


def test_the_weakest_without_one_parent_has_p_by_the_error_of_the_whole() -> None:
    left_out = [-0.6, -0.62, -0.58, -0.65, -0.5, -0.61]
    z = np.arctanh([-0.6, *left_out])
    se = np.sqrt(5 / 6 * ((z[1:] - z[0]) ** 2).sum())
    assert clusters.weakest_p(-0.6, left_out) == pytest.approx(2 * stats.t.sf(np.arctanh(0.5) / se, 4))
    assert clusters.weakest_p(-0.6, [*left_out, 0.1]) == 1.0
    assert clusters.weakest_p(-0.6, [*left_out, float("nan")]) == 1.0
    assert clusters.weakest_p(-0.6, left_out[:3]) == 1.0
