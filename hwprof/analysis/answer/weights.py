"""Means over networks, and how much of a ratio a factor is shown to be. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from hwprof.analysis.factors.identity import Factor, LogDifference
from hwprof.analysis.factors.ratio import Decomposition, Weight, excludes_one
from hwprof.speed import CONFIDENCE

ENOUGH = 3  # networks for an interval over networks; of two it would have one degree of freedom
# Of the intervals of all factors of a pair together: a factor that is equal is named in one of fifty answers.
TOGETHER = 0.98


def over_networks(name: str, logs: Sequence[float], confidence: float = CONFIDENCE) -> Factor:
    """Geometric mean of one value per network with a t interval over networks (none below ENOUGH)."""
    mean = statistics.fmean(logs)
    if len(logs) < ENOUGH:
        return LogDifference(mean, None).factor(name)
    error = statistics.stdev(logs) / math.sqrt(len(logs))
    return LogDifference(mean, error if error > 1e-12 else 0.0, len(logs) - 1.0).factor(name, confidence)


def weigh_cases(name: str, found: Sequence[Decomposition], mean: Factor, confidence: float) -> Weight:
    """The least that any single case shows of a factor, where all show it in the direction of the mean."""
    terms = [d.parts[name].difference.factor(name, confidence) for d in found]
    if not all(excludes_one(t) and (t.ratio > 1) == (mean.ratio > 1) for t in terms):
        return Weight.HIDDEN
    weights = [d.parts[name].weight for d in found]
    return Weight.MAINLY if set(weights) == {Weight.MAINLY} else Weight.PARTLY


def weigh_networks(factor: Factor, beyond: Factor, whole: Factor) -> Weight:
    """As `factors.ratio` does: mainly, where the interval of the factor less half of the ratio excludes 1 as well."""
    if not excludes_one(factor):
        return Weight.HIDDEN
    along = (factor.ratio > 1) == (whole.ratio > 1) == (beyond.ratio > 1)
    return Weight.MAINLY if along and excludes_one(beyond) and excludes_one(whole) else Weight.PARTLY


def heavier(a: Weight, b: Weight) -> Weight:
    """The one that says more."""
    order = (Weight.HIDDEN, Weight.PARTLY, Weight.MAINLY)
    return max(a, b, key=order.index)
