"""Pooled slopes are least squares with network and framework effects, and networks are the units."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.typing import NDArray

from hwprof.analysis.statistics import pooled

Floats = NDArray[np.float64]


def planted(seed: int = 1, metrics: int = 3, networks: int = 8, frameworks: int = 3) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((metrics, networks, frameworks)) + 3 * rng.standard_normal((networks, 1))
    z = rng.standard_normal((networks, frameworks))
    y = -0.6 * x[0] + 0.3 * z + rng.standard_normal((networks, 1)) + 0.1 * rng.standard_normal((networks, frameworks))
    return x, y, z


def by_statsmodels(x: Floats, y: Floats, z: Floats | None) -> float:
    networks, frameworks = x.shape
    n, f = np.meshgrid(range(networks), range(frameworks), indexing="ij")
    keep = np.isfinite(x)
    columns = [x[keep], *([z[keep]] if z is not None else [])]
    columns += [(n[keep] == i).astype(float) for i in range(networks)]
    columns += [(f[keep] == i).astype(float) for i in range(1, frameworks)]
    return float(sm.OLS(y[keep], np.column_stack(columns)).fit().params[0])


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("covariate", [False, True])
def test_slopes_equal_least_squares_with_dummies(gaps: bool, covariate: bool) -> None:
    x, y, z = planted()
    if gaps:
        x[0, 2, 1] = x[1, 5, 0] = np.nan
    fit = pooled.slopes(x, y, z if covariate else None)
    expected = [by_statsmodels(one, y, z if covariate else None) for one in x]
    assert fit.slope == pytest.approx(expected, rel=1e-7)


def test_the_error_comes_from_leaving_out_whole_networks_and_centring_anew() -> None:
    x, y, _ = planted()
    count = x.shape[1]
    without = [by_statsmodels(np.delete(x[0], i, 0), np.delete(y, i, 0), None) for i in range(count)]
    b = by_statsmodels(x[0], y, None)
    expected = np.sqrt((count - 1) / count * sum((w - b) ** 2 for w in without))
    assert pooled.slopes(x, y).se[0] == pytest.approx(expected, rel=1e-9)


def test_what_belongs_to_the_network_alone_has_no_slope() -> None:
    _, y, _ = planted()
    size_only = np.broadcast_to(np.arange(8.0)[:, None], (8, 3))[None].copy()
    fit = pooled.slopes(size_only, y)
    assert np.isnan(fit.slope[0])
    assert np.isnan(fit.p[0])


def test_three_networks_or_one_framework_say_nothing() -> None:
    x, y, _ = planted(networks=3)
    assert np.isnan(pooled.slopes(x, y).slope).all()
    x, y, _ = planted(frameworks=1)
    assert np.isnan(pooled.slopes(x, y).slope).all()


def test_a_network_that_only_one_framework_has_is_not_counted() -> None:
    x, y, _ = planted()
    x[0, 0, 1:] = np.nan
    assert pooled.slopes(x, y).n.tolist() == [7, 8, 8]


def test_tables_with_the_same_gaps_are_centred_as_each_of_them_alone() -> None:
    rng = np.random.default_rng(8)
    values = rng.normal(size=(3, 8, 4))
    mask = np.broadcast_to(rng.random((8, 4)) > 0.2, values.shape)
    assert not mask.all()
    alone = [pooled.centre(v, m, 1e-13) for v, m in zip(values, mask, strict=True)]
    assert pooled.centre(values, mask) == pytest.approx(np.array(alone), abs=1e-9)
