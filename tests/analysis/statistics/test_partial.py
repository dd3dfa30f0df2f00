"""Coefficients equal scipy's and statsmodels'; nothing is said of too few networks."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from hwprof.analysis.statistics.partial import (
    benjamini_hochberg,
    fisher_interval,
    leave_one_out,
    partial,
    slopes_left_out,
)


def data(n: int = 9, k: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    z = rng.standard_normal((n, k))
    x = z @ np.arange(1, k + 1) + rng.standard_normal(n)
    y = -x + z @ np.ones(k) + rng.standard_normal(n)
    return x, y, z


def test_without_covariates_it_is_pearsons_r() -> None:
    x, y, _ = data()
    found, theirs = partial(x, y, np.empty((9, 0))), stats.pearsonr(x, y)
    assert found.r == pytest.approx(theirs.statistic, abs=1e-12)
    assert found.p == pytest.approx(theirs.pvalue, abs=1e-12)
    low, high = theirs.confidence_interval()
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)  # 1.96 against 1.959964


def test_given_covariates_slope_and_p_are_those_of_the_regression() -> None:
    x, y, z = data()
    fit = sm.OLS(y, sm.add_constant(np.column_stack([x, z]))).fit()
    found = partial(x, y, z)
    assert found.slope == pytest.approx(fit.params[1], abs=1e-10)
    assert found.p == pytest.approx(fit.pvalues[1], abs=1e-10)


def test_given_covariates_r_is_pearsons_of_the_residuals() -> None:
    x, y, z = data()
    design = sm.add_constant(z)
    rx, ry = sm.OLS(x, design).fit().resid, sm.OLS(y, design).fit().resid
    assert partial(x, y, z).r == pytest.approx(stats.pearsonr(rx, ry).statistic, abs=1e-12)


def test_the_interval_is_fishers_with_a_degree_of_freedom_per_covariate() -> None:
    x, y, z = data()
    found = partial(x, y, z)
    half = 1.96 / np.sqrt(9 - 2 - 3)
    assert found.r is not None
    assert (found.low, found.high) == pytest.approx(tuple(np.tanh(np.arctanh(found.r) + np.array([-half, half]))))
    assert fisher_interval(0.5, 5, 2) is None


@pytest.mark.parametrize(("n", "k", "why"), [(3, 0, "at least 4"), (4, 2, "no degree of freedom")])
def test_of_too_few_networks_nothing_is_said_and_the_reason_is_given(n: int, k: int, why: str) -> None:
    x, y, z = data(n, k)
    found = partial(x, y, z)
    assert found.r is None
    assert why in found.why


def test_a_metric_that_the_covariates_determine_has_no_coefficient() -> None:
    _, y, z = data()
    assert "does not vary" in partial(z @ [2.0, 1.0], y, z).why
    assert "does not vary" in partial(np.ones(9), y, z).why


def test_intervals_at_another_level_are_those_of_theory() -> None:
    x, y, z = data()
    found = partial(x, y, z)
    fit = sm.OLS(y, sm.add_constant(np.column_stack([x, z]))).fit()
    assert found.slope_interval(0.99) == pytest.approx(tuple(fit.conf_int(0.01)[1]), abs=1e-9)
    assert found.interval(0.95) == pytest.approx((found.low, found.high), abs=1e-4)
    wide = found.interval(0.999)
    assert wide is not None
    assert found.r is not None
    half = stats.norm.ppf(0.9995) / np.sqrt(9 - 2 - 3)
    assert wide == pytest.approx(tuple(np.tanh(np.arctanh(found.r) + np.array([-half, half]))), abs=1e-3)
    assert partial(x[:4], y[:4], z[:4, :1]).interval(0.9) is None


def test_leaving_out_a_network_is_the_coefficient_of_the_others() -> None:
    x, y, z = data()
    assert leave_one_out(x, y, z)[3] == pytest.approx(partial(np.delete(x, 3), np.delete(y, 3), np.delete(z, 3, 0)).r)


def test_slopes_without_a_network_are_those_of_the_others() -> None:
    x, y, z = data()
    rest = partial(np.delete(x, 3), np.delete(y, 3), np.delete(z, 3, 0))
    assert slopes_left_out(x, y, z)[3] == pytest.approx(rest.slope)
    assert np.isnan(slopes_left_out(x[:4], y[:4], z[:4])).all()


def test_q_values_are_benjamini_and_hochbergs() -> None:
    assert benjamini_hochberg(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.04, 0.04])
    assert len(benjamini_hochberg(np.array([]))) == 0
    p = np.concatenate([np.random.default_rng(3).uniform(size=200) ** 3, [0.0, 1.0, 0.5, 0.5]])
    assert benjamini_hochberg(p) == pytest.approx(stats.false_discovery_control(p), rel=1e-12)
