"""What is computed for many metrics, networks or shuffles at once equals the plain loop over them."""

from __future__ import annotations

import numpy as np
import pytest

from hwprof.analysis.statistics.partial import Floats, leave_one_out, partial
from hwprof.analysis.statistics.pooled import measured, residuals
from hwprof.analysis.statistics.shuffles import shuffle

DRAWS = 99


def abs_r(cx: Floats, cy: Floats) -> Floats:
    """|r| of each metric; NaN where nothing varies."""
    sxx, syy = (cx**2).sum(axis=(-1, -2)), (cy**2).sum(axis=(-1, -2))
    with np.errstate(divide="ignore", invalid="ignore"):
        r = np.abs((cx * cy).sum(axis=(-1, -2))) / np.sqrt(sxx * syy)
    return np.where((sxx > 1e-18) & (syy > 1e-18), r, np.nan)


def by_loop(x: Floats, y: Floats, z: Floats | None, seed: int = 7) -> Floats:
    """max-T as its definition reads: shuffle, take out, correlate, compare; one shuffle after the other."""
    x = np.where(measured(x, y, z), x, np.nan)
    cx, cy, _ = residuals(x, y, z)
    observed = abs_r(cx, cy)
    reduced = residuals(y, y, z)[1]  # 0 where there is no value
    rng = np.random.default_rng(seed)
    beaten = np.ones(len(x))
    for _ in range(DRAWS):
        px, py, _ = residuals(x, reduced[:, rng.permutation(x.shape[1])], z)
        beaten += np.nanmax(abs_r(px, py), initial=0.0) >= np.where(np.isfinite(observed), observed, np.inf) - 1e-12
    return np.where(np.isfinite(observed), beaten / (DRAWS + 1), np.nan)


@pytest.mark.parametrize("given", [False, True], ids=["alone", "given"])
@pytest.mark.parametrize("gaps", [False, True], ids=["whole", "gaps"])
def test_shuffles_at_once_give_the_p_of_one_after_the_other(given: bool, gaps: bool) -> None:
    numbers = np.random.default_rng(3)
    z = numbers.normal(size=(6, 9, 3))
    x = numbers.normal(size=z.shape) + 0.5 * z
    y = np.broadcast_to(numbers.normal(size=(9, 3)), z.shape) + 0.6 * x[:1] + 0.3 * z[:1]
    y = np.array(np.broadcast_to(y[:1], z.shape))
    if gaps:
        x[1, 2, 0] = np.nan  # one metric alone has a gap
        x[4, 5:7, 1] = y[4, 5:7, 1] = np.nan
    x[3] = 1.0  # nothing varies: no coefficient, no p
    found = shuffle(x, y, z if given else None, DRAWS).p
    assert np.isnan(found[3])
    assert found[0] < 0.5 < found[~np.isnan(found)].max()  # they say something
    np.testing.assert_array_equal(found, by_loop(x, y, z if given else None))


def test_leaving_out_each_network_at_once_gives_the_coefficient_of_each_rest() -> None:
    numbers = np.random.default_rng(5)
    x, y, size = numbers.normal(size=(3, 11))
    constant_but_for_one = np.zeros(11)
    constant_but_for_one[4] = 1.0  # without that network it is no covariate
    for z in (np.empty((11, 0)), size[:, None], np.column_stack([size, 2 * size]),
              np.column_stack([size, constant_but_for_one])):  # fmt: skip
        rest = [np.arange(11) != i for i in range(11)]
        expected = [partial(x[r], y[r], z[r]).r for r in rest]
        assert None not in expected
        np.testing.assert_allclose(leave_one_out(x, y, z), np.array(expected, dtype=float), rtol=0, atol=1e-12)


def test_leaving_one_out_of_too_few_or_of_what_stands_still_gives_none() -> None:
    x, y = np.array([1.0, 2.0, 4.0, 3.0]), np.array([2.0, 1.0, 5.0, 4.0])
    assert np.isnan(leave_one_out(x, y, np.empty((4, 0)))).all()
    flat = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 7.0])
    found = leave_one_out(flat, np.arange(6.0), np.empty((6, 0)))
    assert np.isnan(found[5])
    assert np.isfinite(found[:5]).all()
