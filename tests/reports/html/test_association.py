"""The map shows solid what the sentences name, and nothing else: both ask the same function."""

from __future__ import annotations

import re

import numpy as np
import pytest

from hwprof.analysis.correlation.analyse import analyse
from hwprof.analysis.correlation.family import joint
from hwprof.analysis.correlation.findings import Analysis
from hwprof.reports.html import association
from hwprof.reports.page import associations, detail
from hwprof.store import Results
from tests.factories import NETWORKS, make_run

NAMES = tuple(NETWORKS)


def analysed(folder: pytest.TempPathFactory, effect: float) -> Analysis:
    """Speed falls with the power `effect` of `slow`; `noise-N` are unrelated, some with an interval without 0."""
    numbers = np.random.default_rng(5)
    with Results.create(folder.mktemp("map") / "r.db") as results:
        for network in NAMES[:12]:
            macs = NETWORKS[network][0]
            for framework in ("f0", "f1"):
                slow = float(np.exp(numbers.normal(0, 0.5)))
                noise = {f"noise-{i}": 1e6 * float(np.exp(numbers.normal(0, 0.5))) for i in range(25)}
                for number in range(2):
                    wobble = 1 + 0.001 * number
                    values = {n: v * wobble for n, v in noise.items()} | {"slow": 1e5 * slow * wobble}
                    values["instructions"] = macs * float(np.exp(numbers.normal(0, 0.05)))
                    fps = 1e11 / macs / slow**effect * float(np.exp(numbers.normal(0, 0.02)))
                    results.add(make_run(framework, network, fps=fps, round=number, metrics=values))
        (analysis,) = joint(list(analyse(results.frame())))
    return analysis


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    return analysed(tmp_path_factory, 2.0)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    return analysed(tmp_path_factory, 0.0)


def cells(analysis: Analysis) -> dict[str, bool]:
    """Title of each cell -> whether it is solid."""
    figure = association.heat_map(analysis, 0, "")
    assert figure is not None
    groups = re.findall(r"<g class=\"pt\".*?<title>(.*?)</title>(.*?)</g>", figure.svg)
    return {title: 'class="hatch"' not in shapes for title, shapes in groups}


def test_what_is_solid_is_what_the_sentences_name(planted: Analysis) -> None:
    solid = [title for title, is_solid in cells(planted).items() if is_solid]
    assert {title.partition(":")[0] for title in solid} >= {"f0, slow", "f1, slow"}
    assert all("(significant)" in title for title in solid)
    said = " ".join(associations.sentences(planted))
    for framework in ("f0", "f1"):
        assert f"{framework}: controlling for network size, slow per frame correlates with" in said
    assert len(solid) == sum(c.is_found for c in planted.correlations)


def test_nothing_is_solid_where_no_sentence_names_anything(empty: Analysis) -> None:
    assert any(c.partial.excludes_zero for c in empty.correlations)  # by chance
    assert not any(c.is_found for c in empty.correlations)
    assert not any(cells(empty).values())
    assert "none correlates with" in " ".join(associations.sentences(empty))
    assert "(0 of " in getattr(association.heat_map(empty, 0, ""), "note", "")


def test_the_table_marks_the_same_ones(planted: Analysis) -> None:
    table = detail.framework_table(planted, "f0")
    place = table.header.index("q")
    starred = {row[0].partition(" (also ")[0] for row in table.rows if row[place].endswith("*")}
    assert starred == {c.metric.label for c in planted.correlations if c.framework == "f0" and c.is_found}


def test_hollow_slopes_are_those_that_no_sentence_names(planted: Analysis) -> None:
    figure = association.slopes(planted.pooled, 0, "")
    assert figure is not None
    shown = dict(re.findall(r"<title>([^:<]+):[^<]*</title><path[^>]*class=\"(\w+)", figure.svg))
    found = {s.metric.label for s in planted.pooled if s.is_found}
    assert {name for name, kind in shown.items() if kind == "solid"} == found == {"slow"}
