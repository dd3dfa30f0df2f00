"""Checks of bottlenecks, roofline, predictions, models and tuning on planted data, by name, for a number of draws."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import planted_predictions
import planted_searches
import planted_verdicts
from promises import Row
from scenarios import Scenario, at_once

Check = Callable[[np.random.Generator], list[Row]]
# Networks with a speed: below the gate of an interval, at it, below and at that of further predictors, and enough
NETWORKS = (4, 5, 6, 8, 12)


def of(draws: int) -> dict[str, Scenario]:
    """Every check. Models take seconds each, and are drawn one by one."""
    verdicts, searches, predictions = planted_verdicts, planted_searches, planted_predictions
    checks: dict[str, Check] = {
        "bottlenecks: rules": lambda rng: verdicts.rules(rng, draws),
        "bottlenecks: power": lambda rng: verdicts.power(rng, draws),
        "predict: outside": lambda rng: [predictions.outside(rng, draws)],
    }
    for name in verdicts.CONDITIONS:
        checks[f"bottlenecks: {name}"] = lambda rng, n=name: verdicts.certain(rng, draws, n)  # type: ignore[misc]
    for name in verdicts.ROOFS:
        checks[f"roofline: {name}"] = lambda rng, n=name: verdicts.places(rng, draws, n)  # type: ignore[misc]
    for name in searches.MACHINES:
        checks[f"tune: {name}"] = lambda rng, n=name: searches.searches(rng, draws, n)  # type: ignore[misc]
    for name in predictions.POPULATIONS:
        checks[f"predict: {name}"] = lambda rng, n=name: [  # type: ignore[misc]
            row for count in NETWORKS for row in predictions.coverage(rng, draws, n, count)
        ]
    models = Scenario(predictions.assessed_pair, predictions.assessments, draws)
    return {"models": models, **{name: at_once(check) for name, check in checks.items()}}
