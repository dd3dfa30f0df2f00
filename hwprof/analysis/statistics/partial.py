"""Partial correlation of a few networks: coefficient, interval, p, slope, and when there is none.

Arrays hold one value per network. Nothing here knows of frames or frameworks.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from hwprof.printable import plural

Floats = NDArray[np.float64]

MIN_NETWORKS = 4  # fewer: no coefficient
MIN_TESTED = 7  # fewer: no q-value, "exploratory"
FOUND = 0.05  # q, of the finding and of what is left without any one network, below which a sentence may be said
Z95 = 1.96
# What remains of a variance once the covariates are taken out, below which nothing remains but rounding.
NOTHING = 1e-10


@dataclass(frozen=True, slots=True)
class Partial:
    """A correlation of `n` networks controlling for `k` covariates; None where there is none, with the reason in `why`.

    `slope` is that of y on x in the units of the arrays (logs: an elasticity). `clusters`: how many parents the
    networks are blocks of, between which the error was taken; 0: each network stands for itself.
    """

    n: int
    k: int
    r: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    slope: float | None = None
    why: str = ""
    clusters: int = 0

    @property
    def sample(self) -> str:
        """What it is of: `8 networks`, `80 blocks of 10 networks`."""
        return (
            f"{plural(self.n, 'block')} of {plural(self.clusters, 'network')}"
            if self.clusters
            else plural(self.n, "network")
        )

    @property
    def excludes_zero(self) -> bool:
        """The interval exists and does not contain 0."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    def interval(self, level: float) -> tuple[float, float] | None:
        """The interval of r at another level than .95; None where there is none."""
        if self.low is None or self.high is None:
            return None
        low, high = math.atanh(max(self.low, -1 + 1e-15)), math.atanh(min(self.high, 1 - 1e-15))
        if self.clusters:
            ratio = float(special.stdtrit(self.clusters - 1, 0.5 + level / 2)) / self._critical
        else:
            ratio = float(special.ndtri(0.5 + level / 2)) / Z95
        half = (high - low) / 2 * ratio
        return math.tanh((low + high) / 2 - half), math.tanh((low + high) / 2 + half)

    @property
    def _critical(self) -> float:
        """t of the interval between parents."""
        return float(special.stdtrit(self.clusters - 1, 0.975))

    @property
    def error(self) -> float | None:
        """Standard error of atanh(r) between parents; None: each network stands for itself, or there is no interval."""
        if not self.clusters or self.low is None or self.high is None:
            return None
        return (math.atanh(self.high) - math.atanh(self.low)) / 2 / self._critical

    def slope_interval(self, level: float = 0.95) -> tuple[float, float] | None:
        """The interval of the slope, by t(n - 2 - k); None where r has none, or is 0.

        Over blocks by t(parents - 1), with the error of atanh(r) between parents in the place of 1 / sqrt(n - 2 - k).
        """
        if self.slope is None or self.low is None or not self.r:
            return None
        df, between = self.n - 2 - self.k, self.error
        if between is not None:
            df = self.clusters - 1
        unit = 1 / math.sqrt(df) if between is None else between
        se = abs(self.slope / self.r) * math.sqrt(max(0.0, 1 - self.r * self.r)) * unit
        half = float(special.stdtrit(df, 0.5 + level / 2)) * se
        return self.slope - half, self.slope + half


class CovariateSpace:
    """The space that covariates (n, k) span, without the intercept. `k`: how many of them count.

    A covariate that is constant or a combination of others takes no degree of freedom.
    """

    def __init__(self, covariates: Floats) -> None:
        self._covariates = covariates
        self._basis: Floats | None = None
        self._without: tuple[NDArray[np.int64], Floats, Floats] | None = None
        self.k = 0
        if not len(covariates):
            return
        centred = covariates - covariates.mean(axis=0)
        scale = np.sqrt((centred**2).sum(axis=0))
        centred = centred[:, scale > 1e-9] / scale[scale > 1e-9]
        if centred.shape[1]:
            left, strength, _ = np.linalg.svd(centred, full_matrices=False)
            self._basis = left[:, strength > 1e-7 * strength[0]]
            self.k = int(self._basis.shape[1])

    @classmethod
    def of(cls, covariates: Floats) -> CovariateSpace:
        """The space of these covariates; hundreds of metrics in turn have the same ones, and share it."""
        return _space(covariates.tobytes(), covariates.shape)

    def residuals(self, values: Floats) -> Floats:
        """Of `values` (n,) or (n, m)."""
        out: Floats = values - values.sum(axis=0) / max(1, len(values))
        if self._basis is not None:
            out = out - self._basis @ (self._basis.T @ out)
        return out

    def without_each(self) -> tuple[NDArray[np.int64], Floats, Floats]:
        """For n rests of n - 1 each: the places that stay (n, n - 1), a basis (n, n - 1, k), how many count (n,)."""
        if self._without is None:
            n = len(self._covariates)
            after = np.arange(n - 1) >= np.arange(n)[:, None]
            rest = np.arange(n - 1) + after
            centred = self._covariates[rest]  # (n, n - 1, k)
            centred = centred - centred.mean(axis=1, keepdims=True)
            scale = np.sqrt((centred**2).sum(axis=1, keepdims=True))
            # what does not vary becomes a column of zeros, which has no strength and no degree of freedom
            centred = np.where(scale > 1e-9, centred / np.where(scale > 1e-9, scale, 1.0), 0.0)
            basis, counted = np.zeros_like(centred), np.zeros(n)
            if centred.shape[2]:
                left, strength, _ = np.linalg.svd(centred, full_matrices=False)
                kept = strength > 1e-7 * strength[:, :1]
                basis, counted = left * kept[:, None, :], kept.sum(axis=1)
            self._without = rest, basis, counted
        return self._without


@functools.lru_cache(maxsize=256)
def _space(data: bytes, shape: tuple[int, ...]) -> CovariateSpace:
    return CovariateSpace(np.frombuffer(data, dtype=np.float64).reshape(shape))


def take_out(values: Floats, covariates: Floats) -> tuple[Floats, int]:
    """Residuals of `values` (n,) or (n, m) on an intercept and `covariates` (n, k), and how many covariates count.

    A covariate that is constant or a combination of others takes no degree of freedom.
    """
    space = CovariateSpace.of(covariates)
    return space.residuals(values), space.k


def fisher_interval(r: float, n: int, k: int) -> tuple[float, float] | None:
    """tanh(atanh(r) +- 1.96 / sqrt(n - k - 3)); None where n - k - 3 <= 0."""
    if n - k - 3 <= 0:
        return None
    half = Z95 * math.sqrt(1 / (n - k - 3))
    z = math.atanh(min(max(r, -1 + 1e-15), 1 - 1e-15))
    return math.tanh(z - half), math.tanh(z + half)


def partial(x: Floats, y: Floats, covariates: Floats) -> Partial:
    """Correlation of x and y (n,) controlling for `covariates` (n, k), with Fisher-z interval and p from t(n - 2 - k).

    Missing, with the reason, below four networks, where no degree of freedom is left, or where x does not vary.
    The p-value is that of x in the regression of y on x and the covariates.
    """
    both, k = take_out(np.column_stack([x, y]), covariates)
    return of_residuals(x, y, both[:, 0], both[:, 1], k)


def of_residuals(x: Floats, y: Floats, rx: Floats, ry: Floats, k: int) -> Partial:
    """`partial` where what is left of x and y, and how many covariates counted, are known."""
    return of_each(x[:, None], y, rx[:, None], ry, k)[0]


def partial_of_each(x: Floats, y: Floats, covariates: Floats) -> list[Partial]:
    """`partial` of each column of x (n, m) with y (n,)."""
    both, k = take_out(np.column_stack([x, y]), covariates)
    return of_each(x, y, both[:, :-1], both[:, -1], k)


def of_each(x: Floats, y: Floats, rx: Floats, ry: Floats, k: int) -> list[Partial]:
    """`of_residuals` of each column of x (n, m), of which rx (n, m) is left."""
    n, df = len(x), len(x) - 2 - k
    if n < MIN_NETWORKS:
        return [Partial(n, k, why=f"{plural(n, 'network')}: at least {MIN_NETWORKS} are needed")] * x.shape[1]
    if df < 1:
        why = f"{plural(n, 'network')} and {plural(k, 'covariate')} leave no degree of freedom"
        return [Partial(n, k, why=why)] * x.shape[1]
    centred = y - y.sum() / n
    ty, sy = float(centred @ centred), float(ry @ ry)
    totals = ((x - x.sum(axis=0) / n) ** 2).sum(axis=0)
    sums = zip(totals.tolist(), (rx * rx).sum(axis=0).tolist(), (ry @ rx).tolist(), strict=True)
    return [_of_sums(n, k, (tx, ty), (sx, sy), sxy) for tx, sx, sxy in sums]


def _of_sums(n: int, k: int, totals: tuple[float, float], left: tuple[float, float], sxy: float) -> Partial:
    """Of the sums of squares of x and y, what is left of them, and the sum of products of what is left."""
    for name, rest, total in zip(("the metric", "FPS"), left, totals, strict=True):
        if total < 1e-18 or rest < NOTHING * total:
            what = "once the covariates are taken out" if total >= 1e-18 else "between networks"
            return Partial(n, k, why=f"{name} does not vary {what}")
    df, (sx, sy) = n - 2 - k, left
    r = min(max(sxy / math.sqrt(sx * sy), -1.0), 1.0)
    interval = fisher_interval(r, n, k)
    # stats.t.sf, without its preamble
    p = float(2 * special.stdtr(df, -abs(r) * math.sqrt(df / max(1 - r * r, 1e-300))))
    slope = sxy / sx
    if interval is None:
        return Partial(
            n,
            k,
            r,
            p=p,
            slope=slope,
            why=f"no interval: {plural(n, 'network')} - {plural(k, 'covariate')} - 3 is not above 0",
        )
    return Partial(n, k, r, interval[0], interval[1], p, slope)


def without_test(found: Partial, why: str) -> Partial:
    """`found` as a description that is not tested: without interval and p, and with the reason."""
    return found if found.r is None else Partial(found.n, found.k, found.r, slope=found.slope, why=why)


def without_slope(found: Partial) -> Partial:
    """`found` where x is no logarithm, as ranks are, so that its slope is no elasticity."""
    return replace(found, slope=None)


def leave_one_out(x: Floats, y: Floats, covariates: Floats) -> Floats:
    """The coefficient without each network in turn, shape (n,); NaN where the rest has none."""
    return left_out(x[:, None], y, covariates)[0][:, 0]


def slopes_left_out(x: Floats, y: Floats, covariates: Floats) -> Floats:
    """The slope of y on x without each network in turn, shape (n,); NaN where the rest has none."""
    return left_out(x[:, None], y, covariates)[1][:, 0]


def left_out(x: Floats, y: Floats, covariates: Floats) -> tuple[Floats, Floats]:
    """Coefficients, and slopes of y (n,) on each column of x (n, m), without each network in turn: both (n, m).

    `partial(...).r` and its slope of each rest, NaN where it has none; of all at once: n small decompositions in one
    call.
    """
    n = len(x)
    if n - 1 < MIN_NETWORKS:
        return np.full(x.shape, np.nan), np.full(x.shape, np.nan)
    rest, basis, counted = CovariateSpace.of(covariates).without_each()
    values = np.concatenate([x, y[:, None]], axis=1)[rest]  # (n, n - 1, m + 1)
    values = values - values.sum(axis=1, keepdims=True) / (n - 1)
    total = (values**2).sum(axis=1)
    values = values - basis @ (basis.swapaxes(1, 2) @ values)
    within = (values**2).sum(axis=1)
    varies = (total >= 1e-18) & (within >= NOTHING * total)
    there = varies[:, :-1] & varies[:, -1:] & (n - 3 - counted >= 1)[:, None]
    sx, sy = np.where(there, within[:, :-1], np.nan), within[:, -1:]
    product = (values[..., :-1] * values[..., -1:]).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        r, slope = np.clip(product / np.sqrt(sx * sy), -1, 1), product / sx
    return np.asarray(r, dtype=np.float64), np.asarray(slope, dtype=np.float64)


def benjamini_hochberg(p: Floats) -> Floats:
    """q-values of one family of tests, (m,) -> (m,): the least of m p(j) / j over j from the place of p upwards.

    scipy.stats.false_discovery_control gives the same, once a module of a second's loading is there (ten on a board).
    """
    m = len(p)
    order = np.argsort(p, kind="stable")
    q = np.empty(m)
    q[order] = np.minimum.accumulate((p[order] * m / np.arange(1, m + 1))[::-1])[::-1]
    return np.minimum(q, 1.0)
