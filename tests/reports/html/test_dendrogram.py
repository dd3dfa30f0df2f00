"""Trees on the page: every leaf once, groups numbered as in the table, nothing where nothing is alike."""

from __future__ import annotations

import dataclasses

import numpy as np

from hwprof.analysis.correlation import analyse
from hwprof.analysis.correlation.findings import Analysis, Tree
from hwprof.reports.html import dendrogram
from tests.analysis.correlation.test_analyse import frame


def analysed() -> Analysis:
    """`double` is the driver counted in another unit."""
    data = frame()
    rng = np.random.default_rng(2)
    others = {
        f"other{i}": data["macs"] * np.exp(rng.normal(0, 0.3, 10)[data["network"].str[3:].astype(int)])
        for i in range(3)
    }
    for name, values in {"double": 2 * data["driver"] * (1 + 0.001 * data["round"]), **others}.items():
        data[name] = values
        data.attrs["metrics"][name] = data.attrs["metrics"]["driver"]
    (analysis,) = analyse.analyse(data)
    return analysis


def test_metrics_are_drawn_with_their_group_and_networks_with_their_names() -> None:
    analysis = analysed()
    metrics, networks = dendrogram.figures(analysis, 0, "")
    number = next(i + 1 for i, names in enumerate(analysis.groups) if "driver" in names)
    for name in ("driver", "double"):
        assert metrics.svg.count(f">{name} ({number})</text>") == 1
    assert all(networks.svg.count(f">net{i}</text>") == 1 for i in range(10))
    assert len(networks.rows) == 9
    assert ("double", "driver") in {row[:2] for row in metrics.rows} | {row[1::-1] for row in metrics.rows}


def test_a_branch_that_is_not_drawn_is_contracted() -> None:
    names = tuple(f"m{i}" for i in range(dendrogram.MOST + 5))
    merges = [(0, 1, 0.1)] + [(len(names) + i, i + 2, 0.2 + 0.01 * i) for i in range(len(names) - 2)]
    analysis = dataclasses.replace(analysed(), metric_tree=Tree(names, tuple(merges)), network_tree=None)
    known = analysis.correlations[0]
    every = [
        dataclasses.replace(
            known,
            metric=dataclasses.replace(known.metric, name=name),
            partial=dataclasses.replace(known.partial, r=(i + 1) / 100),
        )
        for i, name in enumerate(names)
    ]
    (figure,) = dendrogram.figures(dataclasses.replace(analysis, correlations=tuple(every)), 0, "")
    assert len(figure.rows) == dendrogram.MOST - 1
    assert ">m4</text>" not in figure.svg
    assert f"The {dendrogram.MOST} metrics" in figure.note


def test_where_metrics_are_separable_and_few_there_is_no_tree() -> None:
    (analysis,) = analyse.analyse(frame())
    assert len(analysis.groups) == 2
    assert list(dendrogram.figures(analysis, 0, "")) == []
