"""Whether the durations of single inferences look like one steady process. Pure functions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from hwprof import speed

# Of durations that fall apart into two groups: the smaller group's least share, how far apart in latency, and the most
# that may lie in the middle third between them (a normal distribution has 18 % there, a uniform one 17 %).
LEAST_SHARE = 0.10
LEAST_GAP = 0.03
MOST_BETWEEN = 0.05
FEWEST = 30

# Share beyond 3 sigma that is worth a word; a normal distribution has 0.3 %.
MANY_OUTLIERS = 0.02


def bimodal(latencies: ArrayLike) -> float | None:
    """Ratio of two typical latencies where the durations fall apart into two groups; None where they don't.

    The split is Otsu's threshold on logarithms (least variance within groups: Otsu 1979). Below 30 values: None.
    """
    values = np.asarray(latencies, dtype=np.float64).ravel()
    values = values[values > 0]
    if len(values) < FEWEST:
        return None
    logs = np.sort(np.log(values[speed.three_sigma(values)]))
    n = len(logs)
    left = np.arange(1, n)
    sums = np.cumsum(logs)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = left * (n - left) * (sums[:-1] / left - (sums[-1] - sums[:-1]) / (n - left)) ** 2
    at = int(np.argmax(between)) + 1
    if min(at, n - at) < LEAST_SHARE * n:
        return None
    low, high = float(np.median(logs[:at])), float(np.median(logs[at:]))
    third = (high - low) / 3
    inside = int(((logs > low + third) & (logs < high - third)).sum())
    if np.expm1(high - low) < LEAST_GAP or inside > MOST_BETWEEN * n:
        return None
    return float(np.exp(high - low))


def outlier_share(latencies: ArrayLike) -> float:
    """Share of the durations beyond 3 sigma; 0 for none at all."""
    values = np.asarray(latencies, dtype=np.float64).ravel()
    return speed.outliers(values) / len(values) if len(values) else 0.0
