"""How speed grows with threads: the serial part by Amdahl's law, contention and coherence by the USL.

Amdahl: T(p) = T1 (s + (1 - s) / p). Universal Scalability Law (Gunther, Guerrilla Capacity Planning, 2007):
X(p) = X1 p / (1 + sigma (p - 1) + kappa p (p - 1)). Both are fitted to logs, because errors are relative.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hwprof.analysis.performance import Interval


@dataclass(frozen=True, slots=True)
class Scaling:
    """Throughput over thread counts. `serial`: share by Amdahl; `usl`: (sigma, kappa), None below 3 thread counts.

    `efficiency`: throughput at p threads / (p x throughput at the fewest), per thread count.
    """

    threads: tuple[int, ...]
    efficiency: Mapping[int, float]
    serial: Interval
    usl: tuple[float, float] | None


def scaling(throughput: Mapping[int, Sequence[float]]) -> Scaling | None:
    """Fit `throughput`: threads -> frames/s, one value per round. None without 1 thread and one more count."""
    given = {p: [v for v in values if v > 0] for p, values in sorted(throughput.items())}
    given = {p: values for p, values in given.items() if values}
    if 1 not in given or len(given) < 2:
        return None
    means = {p: float(np.exp(np.mean(np.log(v)))) for p, v in given.items()}
    efficiency = {p: means[p] / (p * means[1]) for p in given}
    serial = _two_points(given) if len(given) == 2 else _fit_amdahl(given)
    return Scaling(tuple(given), efficiency, serial, _fit_usl(given) if len(given) > 2 else None)


def serial_share(speedup: float, threads: int) -> float:
    """Amdahl's serial share that gives `speedup` at `threads`; below 0: faster than linear, above 1: slower."""
    return (1 / speedup - 1 / threads) / (1 - 1 / threads)


def _two_points(given: Mapping[int, Sequence[float]]) -> Interval:
    """Solved; the bounds are those of the speedup by Welch's t, since the share falls as the speedup grows."""
    from hwprof.analysis.decomposition import factor

    one, p = sorted(given)
    found = factor("speedup", [math.log(v) for v in given[p]], [math.log(v) for v in given[one]])
    low = None if found.high is None else serial_share(found.high, p)
    high = None if found.low is None else serial_share(found.low, p)
    return Interval(serial_share(found.ratio, p), low, high)


def _fit_amdahl(given: Mapping[int, Sequence[float]]) -> Interval:
    """Least squares of 1/X on 1/p in relative errors, with a t interval of the share by the delta method."""
    p = np.array([k for k, values in given.items() for _ in values], dtype=float)
    time = np.array([1 / v for values in given.values() for v in values])
    design = np.column_stack([np.ones_like(p), 1 / p]) / time[:, None]  # relative errors are alike
    (serial, parallel), *_ = np.linalg.lstsq(design, np.ones_like(p), rcond=None)
    whole = float(serial + parallel)
    share = float(serial) / whole
    free = len(p) - 2
    if free < 1:
        return Interval(share, None, None)
    residual = 1 - design @ np.array([serial, parallel])
    covariance = np.linalg.inv(design.T @ design) * float(residual @ residual) / free
    gradient = np.array([parallel, -serial]) / whole**2
    from scipy.special import stdtrit

    half = float(stdtrit(free, 0.975)) * math.sqrt(max(0.0, float(gradient @ covariance @ gradient)))
    return Interval(share, share - half, share + half)


def _fit_usl(given: Mapping[int, Sequence[float]]) -> tuple[float, float] | None:
    """(sigma, kappa), both at least 0; None where the fit finds nothing."""
    from scipy.optimize import curve_fit

    p = np.array([k for k, values in given.items() for _ in values], dtype=float)
    logs = np.log([v for values in given.values() for v in values])

    def model(x: np.ndarray, base: float, sigma: float, kappa: float) -> np.ndarray:
        return np.asarray(base + np.log(x) - np.log(1 + sigma * (x - 1) + kappa * x * (x - 1)))

    try:
        (_, sigma, kappa), _ = curve_fit(
            model, p, logs, p0=(float(logs[0]), 0.1, 0.01), bounds=((-np.inf, 0, 0), (np.inf, np.inf, np.inf))
        )
    except (RuntimeError, ValueError):
        return None
    return float(sigma), float(kappa)
