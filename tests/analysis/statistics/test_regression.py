"""The arithmetic of the models against statsmodels' own numbers, and against planted truth."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from statsmodels.stats.outliers_influence import variance_inflation_factor

from hwprof.analysis.statistics import regression
from hwprof.analysis.statistics.regression import Data


def data(
    n: int = 8, frameworks: int = 3, slopes: tuple[float, ...] = (-0.9, 0.3), noise: float = 0.1, seed: int = 0
) -> Data:
    """Rows with a network effect and framework levels; predictors vary over networks, and a little over frameworks."""
    rng = np.random.default_rng(seed)
    names = tuple(["macs", "b", "c", "d"][: len(slopes)])
    over_networks = rng.normal(20, 1.2, (n, 1, len(slopes)))
    x = (over_networks + rng.normal(0, 0.2, (n, frameworks, len(slopes)))).reshape(-1, len(slopes))
    level = np.tile(rng.normal(0, 0.5, frameworks), n)
    effect = np.repeat(rng.normal(0, noise, n), frameworks)
    y = 25 + x @ np.array(slopes) + level + effect + rng.normal(0, noise / 2, len(x))
    return Data(
        tuple(f"n{i}" for i in range(n) for _ in range(frameworks)),
        tuple(f"f{j}" for _ in range(n) for j in range(frameworks)),
        y,
        x,
        names,
    )


def test_coefficients_and_intercepts_are_statsmodels() -> None:
    one = data()
    columns, frameworks = regression.design(one)
    expected = sm.OLS(one.y, columns).fit().params
    found = regression.fit(one)
    assert found.coefficients == pytest.approx(expected[len(frameworks) :], rel=1e-6)
    x = one.x[4]
    assert found.predict("f1", x) == pytest.approx(float(columns[4] @ expected), rel=1e-9)


def test_errors_by_networks_left_out_are_the_cluster_jackknife() -> None:
    one = data()
    columns, frameworks = regression.design(one)
    whole = sm.OLS(one.y, columns).fit().params[len(frameworks) :]
    names = np.array(one.networks)
    left = [sm.OLS(one.y[names != n], columns[names != n]).fit().params[len(frameworks) :] for n in one.clusters]
    expected = np.sqrt(7 / 8 * ((np.array(left) - whole) ** 2).sum(axis=0))
    assert regression.jackknife(one) == pytest.approx(expected, rel=1e-6)


def test_they_are_near_statsmodels_clustered_ones_with_many_networks_and_wider_with_few() -> None:
    def clustered(one: Data) -> float:
        columns, frameworks = regression.design(one)
        groups = np.array([one.clusters.index(n) for n in one.networks])
        result = sm.OLS(one.y, columns).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
        return float(result.bse[len(frameworks)])

    many = data(200)
    assert regression.jackknife(many)[0] == pytest.approx(clustered(many), rel=0.05)
    wider = [regression.jackknife(data(5, seed=s))[0] / clustered(data(5, seed=s)) for s in range(20)]
    assert np.median(wider) > 1.1


def test_intervals_by_networks_cover_the_truth() -> None:
    from scipy import stats

    t = float(stats.t.ppf(0.975, 7))
    hits = 0
    for seed in range(200):
        one = data(seed=seed)
        b, e = regression.fit(one).coefficients[0], regression.jackknife(one)[0]
        hits += abs(b + 0.9) <= t * e
    assert 180 <= hits <= 200


def test_ridge_is_least_squares_with_rows_added() -> None:
    one = data(slopes=(-0.9, 0.3, 0.1))
    penalty = 0.3
    centred, y = one.x.copy(), one.y.copy()
    for f in set(one.frameworks):
        mine = np.array(one.frameworks) == f
        centred[mine] -= centred[mine].mean(axis=0)
        y[mine] -= y[mine].mean()
    scale = centred.std(axis=0)
    rows = np.vstack([centred / scale, np.sqrt(penalty * len(y)) * np.eye(3)])
    expected = sm.OLS(np.concatenate([y, np.zeros(3)]), rows).fit().params / scale
    assert regression.fit(one, penalty).coefficients == pytest.approx(expected, rel=1e-8)


def test_inflation_is_statsmodels_and_finds_a_copy() -> None:
    one = data(frameworks=1)
    columns = sm.add_constant(one.x)
    expected = [variance_inflation_factor(columns, i) for i in (1, 2)]
    assert list(regression.inflation(one).values()) == pytest.approx(expected, rel=1e-6)
    near = one.x[:, :1] + 1e-3 * np.random.default_rng(1).normal(size=(8, 1))
    copied = Data(one.networks, one.frameworks, one.y, np.hstack([one.x[:, :1], near]), ("macs", "copy"))
    assert min(regression.inflation(copied).values()) > regression.COLLINEAR


def test_a_network_left_out_is_predicted_from_the_others() -> None:
    one = data(4, 1, (-1.0,), noise=0.0)
    assert regression.rms(regression.left_out(one)) < 1e-9
    train, _ = one.without("n0")
    moved = Data(one.networks, one.frameworks, one.y + np.array([1.0, 0, 0, 0]), one.x, one.names)
    assert regression.left_out(moved)["n0"] == pytest.approx(1.0)
    assert "n0" not in train.networks
