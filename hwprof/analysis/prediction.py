"""The speed of a network that was not measured, from what others did in the same framework. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hwprof.analysis.models import BASE, ENOUGH, FEWEST, choose
from hwprof.analysis.statistics.regression import Data, fit, left_out, rms


@dataclass(frozen=True, slots=True)
class Prediction:
    """The speed with its 95 % interval for a new network. `networks`: of the model; `error`: RMS of log speed."""

    speed: float
    low: float
    high: float
    networks: int
    predictors: tuple[str, ...]
    error: float  # on networks left out
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no prediction."""

    why: str


def predict(data: Data, framework: str, facts: Mapping[str, float]) -> Prediction | Refusal:
    """Speed of an unmeasured network at `facts` (macs, params, ...; plain numbers), from the rows of one `framework`.

    These are independent, one per network, so that the textbook interval for a new observation holds:
    y +- t(n - p) s sqrt(1 + leverage), s the larger of the residual scatter and the error on networks left out
    (Draper and Smith, Applied Regression Analysis, on prediction).
    """
    usable = tuple(n for n in data.names if facts.get(n, 0) > 0)
    own = data.rows(np.array([f == framework for f in data.frameworks], dtype=bool))
    n = len(own.clusters)
    if n < FEWEST:
        return Refusal(f"{n} networks measured with {framework}: a prediction needs {FEWEST}")
    if BASE not in usable:
        return Refusal("the network's MACs are unknown")
    chosen = choose(own.only(usable))
    picked = own.only(chosen)
    model = fit(picked)
    x = np.log([facts[name] for name in chosen])
    columns = np.hstack([np.ones((n, 1)), picked.x])
    residual = picked.y - np.array([model.predict(framework, row) for row in picked.x])
    degrees = n - columns.shape[1]
    error = rms(left_out(picked))
    # errors of left-out rows hold the leverage of each already, which comes again below: their mean of it taken out
    scatter = max(math.sqrt(float(residual @ residual) / degrees), error * math.sqrt(degrees / n))
    at = np.concatenate([[1.0], x])
    leverage = float(at @ np.linalg.pinv(columns.T @ columns) @ at)
    from scipy import stats

    half = float(stats.t.ppf(0.975, degrees)) * scatter * math.sqrt(1 + leverage)
    y = model.predict(framework, x)
    notes = [f"exploratory: {n} networks, {ENOUGH} would allow more than MACs"] if n < ENOUGH else []
    for name, value, column in zip(chosen, x, picked.x.T, strict=True):
        if not column.min() - 0.1 <= value <= column.max() + 0.1:
            low, high = (float(np.exp(v)) for v in (column.min(), column.max()))
            notes.append(
                f"extrapolated: {name} {facts[name]:.3g} lies outside what was measured, {low:.3g} to {high:.3g}"
            )
    return Prediction(math.exp(y), math.exp(y - half), math.exp(y + half), n, chosen, error, tuple(notes))
