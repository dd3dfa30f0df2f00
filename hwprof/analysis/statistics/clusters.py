"""Correlations of blocks that are cut from a few networks: the parents are the units that error is taken between.

Blocks of one network are alike: taken as independent, metrics without influence had p < .05 in 17 % (a third of the
variance the parent's) to 48 % of draws (four fifths), where leaving out one parent at a time had 5 to 7 %
(tests/analysis/statistics/test_clusters.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from hwprof.analysis.statistics import pooled
from hwprof.analysis.statistics.partial import Floats, Partial, partial
from hwprof.analysis.statistics.shuffles import DRAWS, SEED, Chance
from hwprof.printable import plural

MIN_PARENTS = 4  # fewer: no interval and no test


def without_each(x: Floats, y: Floats, covariates: Floats, parents: Sequence[str]) -> dict[str, float]:
    """r without each parent in turn; the covariates are taken out anew. NaN where the rest has none."""
    names = np.asarray(parents)
    found = {}
    for name in sorted(set(parents)):
        rest = names != name
        r = partial(x[rest], y[rest], covariates[rest]).r if rest.any() else None
        found[name] = math.nan if r is None else float(r)
    return found


def between_parents(found: Partial, left_out: Sequence[float]) -> Partial:
    """`found` with interval and p from the jackknife over parents. `left_out`: r without each of them.

    Variance (G - 1) / G sum (z_-g - z)^2 of z = atanh(r), t(G - 1). Without them, with the reason, below MIN_PARENTS.
    """
    count = len(left_out)
    if found.r is None:
        return replace(found, clusters=count)
    bare = Partial(found.n, found.k, found.r, slope=found.slope, clusters=count)
    if count < MIN_PARENTS:
        return replace(bare, why=f"not tested: blocks of {plural(count, 'network')}, at least {MIN_PARENTS} are needed")
    z, se = _transformed(found.r), error(found.r, left_out)
    if not se > 0:
        return replace(bare, why="not tested: without one of the networks there is no coefficient")
    half = float(special.stdtrit(count - 1, 0.975)) * se
    p = 2 * float(special.stdtr(count - 1, -abs(z) / se))
    return replace(bare, low=math.tanh(z - half), high=math.tanh(z + half), p=p)


def error(r: float, left_out: Sequence[float]) -> float:
    """Standard error of atanh(r) by the jackknife over parents; NaN where a rest has no coefficient."""
    count = len(left_out)
    return math.sqrt((count - 1) / count * sum((_transformed(one) - _transformed(r)) ** 2 for one in left_out))


def weakest_p(r: float, left_out: Sequence[float]) -> float:
    """p of the weakest of the coefficients without one parent each, by the error of the whole and t(G - 2).

    1 where one has another sign, or none has a test.
    """
    weakest, se = float(np.min(np.asarray(left_out) * np.sign(r))), error(r, left_out)
    if len(left_out) < MIN_PARENTS or not (weakest > 0 and se > 0):
        return 1.0
    return 2 * float(special.stdtr(len(left_out) - 2, -_transformed(weakest) / se))


def _transformed(r: float) -> float:
    return math.atanh(min(max(r, -1 + 1e-15), 1 - 1e-15))


def flip(
    x: Floats, y: Floats, z: Floats | None, parents: Sequence[str], draws: int = DRAWS, seed: int = SEED
) -> Chance:
    """As `shuffles.shuffle`, where the networks are blocks of `parents`; statistics are sums over their own error.

    Arrays (metrics, networks, frameworks); several z are (K, metrics, networks, frameworks). A parent's blocks are no
    exchangeable units, parents of different size are none either: the residuals of y change sign, parent by parent,
    jointly over frameworks and metrics.
    """
    cx, cy, _ = pooled.residuals(x, y, z)
    names = sorted(set(parents))
    of_parent = np.array([[name == parent for parent in parents] for name in names], dtype=float)  # (parents, networks)
    scores = np.einsum("jnf,gn->jg", cx * cy, of_parent)
    scale = np.sqrt((scores**2).sum(axis=1))
    there = scale > 1e-18
    observed = np.where(there, np.abs(scores.sum(axis=1)) / np.where(there, scale, 1.0), np.nan)
    signs: NDArray[np.float64] = np.random.default_rng(seed).choice([-1.0, 1.0], size=(draws, len(names)))
    flipped = np.abs(scores[there] @ signs.T) / scale[there, None]
    return Chance(observed, flipped.max(axis=0, initial=0.0))
