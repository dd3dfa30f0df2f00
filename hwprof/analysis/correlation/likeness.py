"""Which metrics are not separable, and which networks deviate alike: trees of what is left given size.

Average linkage. Metrics are as far apart as 1 - |r| of their residuals over networks and frameworks, networks as far as
1 - r of theirs over metrics and frameworks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwprof.analysis.correlation.findings import Correlation, Tree

SAME = 0.7  # |r| above which two metrics are not separable
SHARED = 5  # values that two of them must have both


@dataclass(frozen=True, slots=True)
class Likeness:
    """`groups`: metrics that are not separable; trees, None: there are fewer than three of them."""

    groups: tuple[tuple[str, ...], ...]
    metrics: Tree | None
    networks: Tree | None


def group_of(grouping: Sequence[Sequence[str]], name: str) -> int:
    """Index of the group that metric `name` is in; -1: in none."""
    return next((i for i, group in enumerate(grouping) if name in group), -1)


def likeness(found: Sequence[Correlation]) -> Likeness:
    """Of metrics and networks; the tree of metrics is cut at |r| = .7."""
    measured = [(c, c.points) for c in found if c.points is not None]
    names, with_points = (sorted({c.metric.name for c in some}) for some in (found, [c for c, _ in measured]))
    alone = [(n,) for n in names if n not in set(with_points)]
    if len(with_points) < 2:
        return Likeness(tuple(sorted([*alone, *((n,) for n in with_points)])), None, None)
    from scipy.cluster import hierarchy  # late: reports of stored findings do not need it

    metrics, frameworks, networks = (
        {name: at for at, name in enumerate(sorted(set(some)))}
        for some in (with_points, (c.framework for c, _ in measured), (n for _, p in measured for n in p.networks))
    )
    residuals = np.full((len(metrics), len(frameworks), len(networks)), np.nan)
    for c, points in measured:
        scale = float(np.sqrt((points.rx**2).mean())) or 1.0
        residuals[metrics[c.metric.name], frameworks[c.framework], [networks[n] for n in points.networks]] = (
            points.rx / scale
        )
    merges = _merges(1 - np.abs(_correlations(residuals.reshape(len(metrics), -1).T)))
    labels = hierarchy.fcluster(merges, t=1 - SAME, criterion="distance")
    clusters: dict[int, list[str]] = {}
    for name, number in zip(with_points, labels, strict=True):
        clusters.setdefault(int(number), []).append(name)
    groups = tuple(sorted([*alone, *(tuple(v) for v in clusters.values())]))
    by_network = residuals.reshape(-1, len(networks))
    return Likeness(groups, _tree(with_points, merges), _tree_of(list(networks), by_network))


def _correlations(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Between columns; 0 where two share too few values."""
    return np.asarray(pd.DataFrame(table).corr(min_periods=SHARED).fillna(0.0).to_numpy(float), dtype=np.float64)


def _merges(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform

    distance = np.clip(distance, 0, 2)
    np.fill_diagonal(distance, 0)
    return np.asarray(hierarchy.linkage(squareform(distance, checks=False), "average"), dtype=np.float64)


def _tree_of(names: Sequence[str], table: NDArray[np.float64]) -> Tree | None:
    return _tree(names, _merges(1 - _correlations(table))) if len(names) >= 3 and len(table) >= SHARED else None


def _tree(names: Sequence[str], merges: NDArray[np.float64]) -> Tree | None:
    joined = tuple((int(a), int(b), float(height)) for a, b, height, _ in merges)
    return Tree(tuple(names), joined) if len(names) >= 3 else None
