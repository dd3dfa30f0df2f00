"""Correlation of two quantities over the time of runs, where neighbours are alike.

Two independent quantities that both drift look correlated: fifty values of a random walk say as much as two or three
independent ones. So a trend is taken out of each run, and then there are two remedies, one after the other. Both are
whitened by one autoregression of first order, whose coefficient is the larger one of theirs, each with the correction
of its bias in short series (Kendall 1954, Marriott and Pope 1954: -(1 + 3 a) / n with a mean taken out, -(2 + 4 a) / n
with a trend). A random walk becomes its steps. What autocorrelation is left reduces the
number of values to an effective one (Pyper and Peterman 1998, Can. J. Fish. Aquat. Sci. 55, 2127, equation 1):
1 / n* = 1 / n + 2 / n x the sum over lags j up to n / 5 of (n - j) / n x a(j) b(j), where a and b are the two
autocorrelations. The whitened values are ranked within their run, so that one slice of a second decides nothing.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

Floats = NDArray[np.float64]

LEAST_VALUES = 8  # of a run; shorter ones have no autocorrelation to speak of
LEAST_EFFECTIVE = 10.0  # below, there is no test
LAGS = 5  # autocorrelations up to a fifth of a run's values


@dataclass(frozen=True, slots=True)
class SerialCorrelation:
    """Rank correlation of the changes of two quantities, pooled over runs with their means taken out.

    `n`: values; `effective`: independent ones that say as much; `p`: two-sided, by t. `x`: the whitened ranks of the
    first quantity, run after run, with which others can be compared.
    """

    r: float
    n: int
    effective: float
    p: float
    x: tuple[Floats, ...] = ()

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Fisher's: tanh(atanh(r) +- z / sqrt(effective - 3))."""
        reach = statistics.NormalDist().inv_cdf((1 + level) / 2) / math.sqrt(self.effective - 3)
        middle = math.atanh(max(-0.999999, min(0.999999, self.r)))
        return math.tanh(middle - reach), math.tanh(middle + reach)


def correlate(runs: Sequence[tuple[Floats, Floats]]) -> SerialCorrelation | None:
    """Of (x, y) of each run, both (n,) in the order of time. None: too few values, or one of the two never varies.

    Runs in which one of the two does not vary say nothing and are left out.
    """
    used = [(x, y) for x, y in runs if len(x) >= LEAST_VALUES and np.ptp(x) > 0 and np.ptp(y) > 0]
    if not used:
        return None
    used = [(_level(x), _level(y)) for x, y in used]
    ranked = [(_ranks(x), _ranks(y)) for x, y in used]
    length = statistics.fmean(len(x) for x, _ in used)
    factor = max(_persistence([x for x, _ in ranked], length), _persistence([y for _, y in ranked], length))
    pairs = [(_ranks(_whiten(x, factor)), _ranks(_whiten(y, factor))) for x, y in used]
    xs, ys = [x for x, _ in pairs], [y for _, y in pairs]
    sxx, syy = _sum_of_products(xs, xs), _sum_of_products(ys, ys)
    if sxx <= 0 or syy <= 0:
        return None
    n = sum(map(len, xs))
    effective = _effective(xs, ys, sxx, syy)
    freedom = effective * (1 - 2 * len(xs) / n) - 1  # mean and trend of each run
    if effective < LEAST_EFFECTIVE or freedom < 1:
        return None
    r = max(-1.0, min(1.0, _sum_of_products(xs, ys) / math.sqrt(sxx * syy)))
    t = abs(r) * math.sqrt(freedom / max(1e-12, 1 - r * r))
    return SerialCorrelation(r, n, effective, 2 * float(stdtr(freedom, -t)), tuple(xs))


def _level(values: Floats) -> Floats:
    """What is left without mean and trend; a trend would break the ties of what is nearly always the same (faults)."""
    if not np.median(np.abs(values - np.median(values))):
        return np.asarray(values - values.mean(), dtype=np.float64)
    time = np.arange(len(values)) - (len(values) - 1) / 2
    rest = values - values.mean()
    return np.asarray(rest - time * (float(time @ rest) / float(time @ time)), dtype=np.float64)


def _whiten(values: Floats, factor: float) -> Floats:
    """What is new in each value after the first: shape (n,) in, (n - 1,) out. With no persistence all are, (n,)."""
    return values[1:] - factor * values[:-1] if factor > 0 else values


def _persistence(runs: Sequence[Floats], length: float) -> float:
    """Coefficient of the autoregression, from 0 (none) to 1 (a random walk), of series without means and trends."""
    whole = sum(float(v @ v) for v in runs)
    lagged = sum(float(v[1:] @ v[:-1]) for v in runs)
    a = lagged / whole * length / (length - 1) if whole > 0 else 0.0
    return max(0.0, min(1.0, a + (2 + 4 * a) / length))


def _effective(xs: Sequence[Floats], ys: Sequence[Floats], sxx: float, syy: float) -> float:
    """Never more than there are: a negative sum is no gain."""
    n = sum(map(len, xs))
    inverse = 1.0
    for lag in range(1, max(map(len, xs)) // LAGS + 1):
        count = sum(max(0, len(x) - lag) for x in xs)
        scale = n / count  # the mean product of `count` pairs, over the mean square of n values
        a = scale * _sum_of_products([x[lag:] for x in xs], [x[:-lag] for x in xs]) / sxx
        b = scale * _sum_of_products([y[lag:] for y in ys], [y[:-lag] for y in ys]) / syy
        inverse += 2 * count / n * a * b
    return n / max(1.0, inverse)


def _sum_of_products(first: Sequence[Floats], second: Sequence[Floats]) -> float:
    return sum(float(a @ b) for a, b in zip(first, second, strict=True))


def _ranks(values: Floats) -> Floats:
    """Ranks from -1/2 to 1/2 with mean 0; equal values share the mean of theirs."""
    ordered = np.sort(values)
    below, up_to = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
    found = (below + up_to + 1) / 2
    return np.asarray((found - found.mean()) / len(values), dtype=np.float64)
