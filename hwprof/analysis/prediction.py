"""The speed of a network that was not measured, from what others did in the same framework. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hwprof.analysis.models import BASE, ENOUGH, FEWEST, choose
from hwprof.analysis.statistics.regression import Data, Floats, error_on, fit, rms
from hwprof.printable import plural

INTERVAL_FROM = 5  # networks: two more than a line has parameters, and one
BEYOND = 0.1  # of a log: so far outside of what was measured the line is taken to go on


@dataclass(frozen=True, slots=True)
class Prediction:
    """The speed with its 95 % interval for a new network; None: it has none, and the notes say why.

    `networks`: of the model; `error`: RMS of log speed on networks left out, with the predictors chosen anew.
    """

    speed: float
    low: float | None
    high: float | None
    networks: int
    predictors: tuple[str, ...]
    error: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no prediction."""

    why: str


def predict(data: Data, framework: str, facts: Mapping[str, float]) -> Prediction | Refusal:
    """Speed of an unmeasured network at `facts` (macs, params, ...; plain numbers), from the rows of one `framework`.

    These are independent, one per network, so that the textbook interval for a new observation holds:
    y +- t(n - p) s sqrt(1 + leverage), s the larger of the residual scatter and the error on networks left out
    (Draper and Smith, Applied Regression Analysis, on prediction). That error is of the whole procedure, choice of
    predictors included: the chosen ones fit these networks better than others. Outside of what was measured there is no
    interval: it would assume that the line goes on.
    """
    usable = tuple(n for n in data.names if facts.get(n, 0) > 0)
    own = data.rows(np.array([f == framework for f in data.frameworks], dtype=bool)).only(usable)
    n = len(own.clusters)
    if n < FEWEST:
        return Refusal(f"{plural(n, 'network')} measured with {framework}: a prediction needs {FEWEST}")
    if BASE not in usable:
        return Refusal("the network's MACs are unknown")
    chosen = choose(own)
    picked = own.only(chosen)
    model = fit(picked)
    x = np.log([facts[name] for name in chosen])
    y, error = model.predict(framework, x), rms(_errors(own))
    notes = [f"exploratory: {plural(n, 'network')}, {ENOUGH} would allow more than MACs"] if n < ENOUGH else []
    columns, at = np.hstack([np.ones((n, 1)), picked.x]), np.concatenate([[1.0], x])
    beyond = _beyond(picked, x, columns, at)
    low, high = None, None
    if n < INTERVAL_FROM:
        notes.append(f"no interval: of {plural(n, 'network')}, {INTERVAL_FROM} are needed")
    elif beyond:
        notes.append(f"no interval, as it is extrapolated: {beyond}")
    else:
        residual = picked.y - np.array([model.predict(framework, row) for row in picked.x])
        degrees = n - columns.shape[1]
        # errors of left-out rows hold the leverage of each already, which comes again below: their mean is taken out
        scatter = max(math.sqrt(float(residual @ residual) / degrees), error * math.sqrt(degrees / n))
        from scipy import stats

        half = float(stats.t.ppf(0.975, degrees)) * scatter * math.sqrt(1 + _leverage(columns, at))
        low, high = math.exp(y - half), math.exp(y + half)
    return Prediction(math.exp(y), low, high, n, chosen, error, tuple(notes))


def _errors(data: Data) -> dict[str, float]:
    """Squared error on each network, predicted from the others with the predictors that these choose."""
    errors = {}
    for network in data.clusters:
        train, test = data.without(network)
        chosen = choose(train)
        if (error := error_on(test.only(chosen), fit(train.only(chosen)))) is not None:
            errors[network] = error
    return errors


def _leverage(columns: Floats, at: Floats) -> float:
    return float(at @ np.linalg.pinv(columns.T @ columns) @ at)


def _beyond(picked: Data, x: Floats, columns: Floats, at: Floats) -> str:
    """In what the network lies outside of those measured: in one predictor, or in all of them together; "": in none."""
    for name, value, column in zip(picked.names, x, picked.x.T, strict=True):
        if not column.min() - BEYOND <= value <= column.max() + BEYOND:
            low, high, own = (float(np.exp(v)) for v in (column.min(), column.max(), value))
            return f"{name} {own:.3g} lies outside what was measured, {low:.3g} to {high:.3g}"
    # hidden extrapolation: Montgomery, Peck and Vining, Introduction to Linear Regression Analysis
    if len(picked.names) > 1 and _leverage(columns, at) > max(_leverage(columns, row) for row in columns):
        return f"{' and '.join(picked.names)} were not measured in such a combination"
    return ""
