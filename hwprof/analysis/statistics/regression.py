"""Least squares of log FPS with frameworks as intercepts, clustered by network: the arithmetic, on plain arrays.

A network that is measured in five frameworks is one observation of what a network does, not five: errors are taken by
leaving out whole networks (jackknife; CR3 of MacKinnon and White 1985 for clusters), with t of N - 1.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# Above this a coefficient is not separable from the others: ridge instead (Marquardt 1970).
COLLINEAR = 10.0
PENALTIES = tuple(10.0**e for e in (-3, -2, -1, 0, 1, 2))


@dataclass(frozen=True, slots=True)
class Data:
    """Rows are network x framework. `y` log FPS (n,), `x` log predictors (n, k) named `names`."""

    networks: tuple[str, ...]
    frameworks: tuple[str, ...]
    y: Floats
    x: Floats
    names: tuple[str, ...]

    @property
    def clusters(self) -> tuple[str, ...]:
        """Networks, each once."""
        return tuple(dict.fromkeys(self.networks))

    def only(self, names: Sequence[str]) -> Data:
        """With these predictors."""
        return replace(self, x=self.x[:, [self.names.index(n) for n in names]], names=tuple(names))

    def rows(self, keep: NDArray[np.bool_]) -> Data:
        """With these rows."""
        networks, frameworks = (tuple(itertools.compress(v, keep)) for v in (self.networks, self.frameworks))
        return replace(self, networks=networks, frameworks=frameworks, y=self.y[keep], x=self.x[keep])

    def without(self, network: str) -> tuple[Data, Data]:
        """(all other networks, this one)."""
        mine = np.array([n == network for n in self.networks])
        return self.rows(~mine), self.rows(mine)


@dataclass(frozen=True, slots=True)
class Fit:
    """log FPS = intercept of the framework + sum coefficient x (log predictor - its mean). `penalty` 0: OLS."""

    names: tuple[str, ...]
    coefficients: Floats
    intercepts: dict[str, float]
    means: Floats
    penalty: float = 0.0

    def predict(self, framework: str, x: Floats) -> float:
        """log FPS at log predictors `x` (k,). KeyError for a framework that was not fitted."""
        return self.intercepts[framework] + float((x - self.means) @ self.coefficients)


def design(data: Data) -> tuple[Floats, tuple[str, ...]]:
    """Columns: one indicator per framework, then the predictors as they are."""
    frameworks = tuple(dict.fromkeys(data.frameworks))
    indicator = np.array([[f == g for g in frameworks] for f in data.frameworks], dtype=np.float64)
    return np.hstack([indicator, data.x]), frameworks


def fit(data: Data, penalty: float = 0.0) -> Fit:
    """Least squares; with a `penalty`, ridge on standardised predictors (intercepts are free).

    Minimises sum of squares + penalty x rows x sum of squared standardised coefficients.
    """
    centre, means = np.zeros_like(data.x), data.x.mean(axis=0)
    inner, y = data.x - means, data.y
    frameworks = tuple(dict.fromkeys(data.frameworks))
    level: dict[str, float] = {}
    middle: dict[str, Floats] = {}
    residual = np.empty_like(y)
    for f in frameworks:
        mine = np.array([g == f for g in data.frameworks])
        middle[f], level[f] = inner[mine].mean(axis=0), float(y[mine].mean())
        centre[mine], residual[mine] = inner[mine] - middle[f], y[mine] - level[f]
    scale = np.where((s := centre.std(axis=0)) > 1e-12, s, 1.0)
    z = centre / scale
    if penalty:
        gram = z.T @ z + penalty * len(y) * np.eye(z.shape[1])
        b = np.linalg.solve(gram, z.T @ residual) / scale
    else:
        b = np.linalg.lstsq(z, residual, rcond=None)[0] / scale
    intercepts = {f: level[f] - float(middle[f] @ b) for f in frameworks}
    return Fit(data.names, np.asarray(b, dtype=np.float64), intercepts, means, penalty)


def jackknife(data: Data, penalty: float = 0.0) -> Floats:
    """Standard errors (k,) of the coefficients by leaving out each network: (N-1)/N sum (b_-i - b)^2."""
    whole = fit(data, penalty).coefficients
    left = [fit(data.without(n)[0], penalty).coefficients for n in data.clusters]
    n = len(left)
    return np.asarray(np.sqrt((n - 1) / n * ((np.array(left) - whole) ** 2).sum(axis=0)), dtype=np.float64)


def left_out(data: Data, penalty: float = 0.0) -> dict[str, float]:
    """Mean squared error of log FPS for each network, predicted from all others.

    A framework that the other networks don't have can't be predicted: such rows are left out, and so is a network
    that has no others.
    """
    errors: dict[str, float] = {}
    for network in data.clusters:
        train, test = data.without(network)
        if (error := error_on(test, fit(train, penalty))) is not None:
            errors[network] = error
    return errors


def error_on(data: Data, model: Fit) -> float | None:
    """Mean squared error of log FPS over the rows of frameworks that the model has; None where it has none."""
    rows = zip(data.frameworks, data.y, data.x, strict=True)
    squares = [(float(y) - model.predict(f, x)) ** 2 for f, y, x in rows if f in model.intercepts]
    return float(np.mean(squares)) if squares else None


def rms(errors: dict[str, float]) -> float:
    """Root of the mean over networks."""
    return float(np.sqrt(np.mean(list(errors.values())))) if errors else float("nan")


def inflation(data: Data) -> dict[str, float]:
    """Variance inflation of each predictor by frameworks and the other predictors (statsmodels' VIF)."""
    from statsmodels.stats.outliers_influence import variance_inflation_factor  # late: it takes seconds to load

    columns, frameworks = design(data)
    at = len(frameworks)
    # centred on frameworks, for without a constant statsmodels compares with zero and not with the mean
    centred = columns[:, at:].copy()
    for f in frameworks:
        mine = np.array([g == f for g in data.frameworks])
        centred[mine] -= centred[mine].mean(axis=0)
    if centred.shape[1] == 1:
        return {data.names[0]: 1.0}
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        # near a copy the figure is unstable, and huge: that is the finding
        warnings.simplefilter("ignore", UserWarning)
        return {name: float(variance_inflation_factor(centred, i)) for i, name in enumerate(data.names)}


def best_penalty(data: Data) -> float:
    """The ridge penalty with the least error on networks left out."""
    return min(PENALTIES, key=lambda p: rms(left_out(data, p)))
