"""Trees of what deviates alike: metrics that are not separable join first, and so do networks that are alike."""

from __future__ import annotations

import numpy as np

from hwprof.analysis.correlation.findings import Correlation, Points, Tree
from hwprof.analysis.correlation.likeness import group_of, likeness
from hwprof.analysis.correlation.metrics import metric_of
from hwprof.analysis.statistics.partial import Partial

NETWORKS = tuple(f"net{i}" for i in range(9))


def correlation(name: str, values: np.ndarray, framework: str) -> Correlation:
    found = Partial(len(values), 2, -0.5)
    points = Points(NETWORKS, values, values, values, values)
    return Correlation(framework, metric_of(name, {}), found, found, found, points=points)


def planted() -> list[Correlation]:
    """Two metrics that are one (with opposite signs), four others; net1 deviates as net0 does."""
    rng = np.random.default_rng(1)
    found = []
    for framework in ("f", "g"):
        values = rng.standard_normal((6, 9))
        values[1] = -values[0] + 0.1 * rng.standard_normal(9)
        values[:, 1] = values[:, 0] + 0.1 * rng.standard_normal(6)
        found += [correlation(f"m{j}", own, framework) for j, own in enumerate(values)]
    return found


def first(tree: Tree) -> set[str]:
    a, b, _ = tree.merges[0]
    return {tree.leaves[a], tree.leaves[b]}


def test_what_is_alike_joins_first_and_metrics_above_the_cut_are_a_group() -> None:
    found = likeness(planted())
    assert found.metrics is not None
    assert found.networks is not None
    assert first(found.metrics) == {"m0", "m1"}
    assert first(found.networks) == {"net0", "net1"}
    assert len(found.metrics.merges) == 5
    assert len(found.networks.merges) == 8
    assert ("m0", "m1") in found.groups
    assert group_of(found.groups, "m0") == group_of(found.groups, "m1") != group_of(found.groups, "m2")
    assert group_of(found.groups, "unknown") == -1


def test_a_metric_without_points_is_a_group_of_its_own_and_two_have_no_tree() -> None:
    some = [c for c in planted() if c.metric.name in ("m0", "m2")]
    none = Correlation("f", metric_of("nothing", {}), Partial(2, 0), Partial(2, 0), Partial(2, 0))
    found = likeness([*some, none])
    assert ("nothing",) in found.groups
    assert found.metrics is None
    assert likeness([none]).groups == (("nothing",),)
