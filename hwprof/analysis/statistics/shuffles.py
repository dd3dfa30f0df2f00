"""Family-wise tests of pooled slopes: whole networks are shuffled, and the largest |r| of all metrics is what counts.

Networks are exchangeable where a metric has no influence, whatever their noise and however alike their frameworks are:
no distribution is assumed, and no t of as few degrees of freedom as there are networks is needed, whose tail is long.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwprof.analysis.statistics import pooled
from hwprof.analysis.statistics.pooled import Floats

DRAWS, SEED = 1999, 7
HELD = 1 << 21  # shuffled values in memory at a time


@dataclass(frozen=True, slots=True)
class Chance:
    """What a family of metrics shows, (metrics,), NaN: nothing; and the `largest` of all in each draw of chance."""

    observed: Floats
    largest: Floats

    @property
    def p(self) -> Floats:
        """Family-wise p of each metric: in how many draws the largest one reaches it."""
        return family_p(self.observed, self.largest)


def family_p(observed: Floats, largest: Floats) -> Floats:
    """(1 + draws whose largest reaches it) / (1 + draws), (metrics,)."""
    reached = np.where(np.isfinite(observed), observed, np.inf) - 1e-12
    beaten = 1 + len(largest) - np.searchsorted(np.sort(largest), reached)
    return np.where(np.isfinite(observed), beaten / (len(largest) + 1), np.nan)


def critical(largest: Floats, level: float) -> float | None:
    """What a metric must exceed for a family-wise p of at most `level`; None: there are too few draws."""
    more = int(np.floor(level * (len(largest) + 1) + 1e-9)) - 1  # draws that may reach it
    return float(np.sort(largest)[len(largest) - 1 - more]) if 0 <= more < len(largest) else None


def shuffle(x: Floats, y: Floats, z: Floats | None = None, draws: int = DRAWS, seed: int = SEED) -> Chance:
    """|r| of each metric, and of all of them the largest as networks are shuffled; arrays as in `pooled.slopes`.

    Freedman-Lane: the residuals of y move as whole networks, jointly over frameworks and metrics; network means,
    framework means and z are taken out anew. Where a network lacks a value its residual is 0.
    """
    y, z = np.broadcast_to(y, x.shape), None if z is None else np.broadcast_to(z, (*z.shape[:-3], *x.shape))
    cx, cy, _ = pooled.residuals(x, y, z)
    sxx = (cx**2).sum(axis=(-1, -2))
    observed = _ratio(sxx, (cy**2).sum(axis=(-1, -2)), (cx * cy).sum(axis=(-1, -2)))
    mask = pooled.measured(x, y, z)
    reduced = pooled.residuals(y, y, z)[1]
    orders = _orders(x.shape[1], draws, seed)
    largest = np.zeros(draws)
    alike: dict[bytes, list[int]] = {}
    for j in np.flatnonzero(np.isfinite(observed)):
        own = b"" if z is None else z[..., j, :, :].tobytes()
        alike.setdefault(reduced[j].tobytes() + mask[j].tobytes() + own, []).append(int(j))
    steps = max(1, HELD // max(1, x.shape[1] * x.shape[2]))
    for metrics in alike.values():
        first = metrics[0]
        at = np.flatnonzero(mask[first])
        basis = pooled.nuisance(mask[first], None if z is None else z[..., first, :, :])[at]
        left = cx[metrics].reshape(len(metrics), -1)[:, at].T
        for start in range(0, draws, steps):
            part = slice(start, start + steps)
            moved = reduced[first][orders[part]].reshape(len(orders[part]), -1)[:, at]
            syy = (moved**2).sum(axis=1) - ((moved @ basis) ** 2).sum(axis=1)
            r = _ratio(sxx[metrics], syy[:, None], moved @ left)
            largest[part] = np.fmax(largest[part], np.fmax.reduce(r, axis=1))
    return Chance(observed, largest)


@functools.lru_cache(maxsize=8)
def _orders(networks: int, draws: int, seed: int) -> NDArray[np.int64]:
    """The same for every family of as many networks, (draws, networks)."""
    rng = np.random.default_rng(seed)
    return np.array([rng.permutation(networks) for _ in range(draws)]).reshape(draws, networks)


def _ratio(sxx: Floats, syy: Floats, sxy: Floats) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        r = np.abs(sxy) / np.sqrt(sxx * syy)
    return np.where((sxx > 1e-18) & (syy > 1e-18), r, np.nan)
