"""`hwprof predict`, and its --evaluate, on planted networks: intervals for new ones, and claims of predictors.

log speed = -.9 log MACs + what the population adds + noise of each network. Parameters, activations and layers grow
with the MACs, and have no influence unless the population says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import planted_reports as plants
from numpy.typing import NDArray
from promises import Row, rate

from hwprof.analysis import models
from hwprof.analysis.prediction import Prediction, predict
from hwprof.analysis.statistics.regression import Data

Floats = NDArray[np.float64]
Noise = Callable[[np.random.Generator, Floats], Floats]

NAMES = ("macs", "params", "activations", "layers")
SD = 0.3
ELASTICITY = 0.6

POPULATIONS: dict[str, Noise] = {
    "normal": lambda rng, x: rng.normal(0, SD, len(x)),
    "parameters matter": lambda rng, x: rng.normal(0, SD, len(x)) - ELASTICITY * (x[:, 1] - 15),
    "heavy tails": lambda rng, x: SD / 2 * rng.standard_t(3, len(x)),
    "two families": lambda rng, x: rng.normal(0, SD / 2, len(x)) - 0.8 * (rng.random(len(x)) < 0.4),
    "noise grows with size": lambda rng, x: rng.normal(0, SD, len(x)) * np.exp(0.3 * (x[:, 0] - 20)),
    "a cost per call": lambda rng, x: rng.normal(0, SD / 2, len(x)) - np.logaddexp(0, 0.9 * (19 - x[:, 0])),
}


def facts(rng: np.random.Generator, networks: int, at: float | None = None) -> Floats:
    """Logs of what is known of each network, (networks, 4). `at`: the log MACs of all of them."""
    macs = rng.normal(20, 1.2, networks) if at is None else np.full(networks, at)
    drawn = ((15, 0.8, 0.6), (14, 0.9, 0.4), (4, 0.2, 0.5))
    more = [m + a * (macs - 20) + rng.normal(0, sd, networks) for m, a, sd in drawn]
    return np.column_stack([macs, *more])


def predicted(
    rng: np.random.Generator, population: str, networks: int, at: float | None = None
) -> tuple[Prediction, float]:
    """(prediction of a network from as many others, its speed)."""
    x = np.vstack([facts(rng, networks), facts(rng, 1, at)])
    y = 25 - 0.9 * x[:, 0] + POPULATIONS[population](rng, x)
    y = y + rng.normal(0, 0.02, len(y)) / np.sqrt(rng.integers(1, 6, len(y)))  # rounds, not equally many
    names = tuple(f"n{i}" for i in range(networks))
    data = Data(names, ("f",) * networks, y[:-1], x[:-1], NAMES)
    found = predict(data, "f", dict(zip(NAMES, np.exp(x[-1]), strict=True)))
    assert isinstance(found, Prediction)
    return found, math.exp(float(y[-1]))


def coverage(rng: np.random.Generator, draws: int, population: str, networks: int) -> list[Row]:
    """How often the interval for a new network of the same population holds its speed; too few have none."""
    all_of_them = [predicted(rng, population, networks) for _ in range(draws)]
    held = [f.low <= speed <= f.high for f, speed in all_of_them if f.low is not None and f.high is not None]
    what = f"predict, {population}, {networks} networks"
    if networks <= 4:
        return [Row(f"{what}: with an interval", len(held) / draws, 0.0, 0.0)]
    return [rate(f"{what}: coverage for a new network", held, 0.93, 0.98)]


def outside(rng: np.random.Generator, draws: int) -> Row:
    """How often a network much smaller than those measured gets an interval, which a fixed cost would make false."""
    found = [predicted(rng, "a cost per call", 8, at=14.0)[0] for _ in range(draws)]
    bounded = float(np.mean([f.low is not None for f in found]))
    return Row("predict, outside of what was measured: with an interval", bounded, 0.0, 0.0)


def assessed(rng: np.random.Generator, networks: int, effect: float, metrics: int = 8) -> models.Assessment:
    """A report's model of three frameworks with metrics that grow with the size, of which the first may matter."""
    size = rng.normal(18, 1.2, networks)
    own = {f"metric{i}": rng.normal(0, 1.0, networks) for i in range(metrics)}
    made = {name: size[:, None] + v[:, None] - 5 + rng.normal(0, 0.1, (networks, 3)) for name, v in own.items()}
    speed = 20 - size - effect * own["metric0"] + rng.normal(0, 0.2, networks)
    both = speed[:, None] + rng.normal(0, 0.3, 3) + rng.normal(0, 0.1, (networks, 3))
    work = size[:, None] + rng.normal(0, 0.1, (networks, 3))
    (found,) = models.assess(plants.Plant(size, work, both, made).frame(rng))
    return found


def assessed_pair(rng: np.random.Generator) -> tuple[models.Assessment, models.Assessment]:
    """A model where nothing predicts better than MACs, and one where a metric does."""
    return assessed(rng, 10, 0.0), assessed(rng, 14, 1.0)


def assessments(pairs: list[tuple[models.Assessment, models.Assessment]]) -> list[Row]:
    """Claims that something predicts better than MACs: where nothing does, and where one metric does."""
    null, driven = [one for one, _ in pairs], [one for _, one in pairs]
    claims = [f.verdict.startswith("better") for f in null]
    found = [f.verdict.startswith("better") and "metric0" in f.chosen for f in driven]
    rows = [
        rate("models, something is called better than MACs where nothing is", claims, 0.0, 0.05),
        rate("models, a metric of elasticity -1 is called better, 14 networks x 3", found, 0.8, 1.0),
    ]
    own = [c for f in driven for c in f.coefficients if c.name == "metric0" and math.isfinite(c.low)]
    held = [c.low <= -1 <= c.high for c in own]
    rows.append(rate("models, coverage of its elasticity where it was picked", held, 0.93, 1.0))
    moved = [any(c.low > 0 or c.high < 0 for c in f.coefficients if c.name.startswith("metric")) for f in null]
    rows.append(rate("models, an elasticity is told from 0 where nothing matters", moved, 0.0, 0.05))
    return rows
