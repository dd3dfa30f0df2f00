"""What the analysis finds beyond one framework's coefficients is said, and what stops a statistic is named."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

import numpy as np
import pytest

from hwprof.analysis.correlation.analyse import analyse
from hwprof.analysis.correlation.findings import Analysis
from hwprof.cli.report import formats
from hwprof.errors import UsageError
from hwprof.reports.formats import latex
from hwprof.reports.page import associations, detail
from hwprof.reports.tables import Report, Table
from hwprof.store import Results
from tests.factories import NETWORKS, make_run

NAMES = tuple(NETWORKS)


def analysed(tmp_path_factory: pytest.TempPathFactory, networks: int, frameworks: int = 2) -> Analysis:
    """FPS falls with the square of `slow`, which differs between frameworks on the same network."""
    numbers = np.random.default_rng(3)
    with Results.create(tmp_path_factory.mktemp("detail") / "r.db") as results:
        for network in NAMES[:networks]:
            macs = NETWORKS[network][0]
            for f in range(frameworks):
                slow = float(np.exp(numbers.normal(0, 0.5)))
                for number in range(2):
                    metrics: Mapping[str, float] = {
                        "instructions": macs * float(np.exp(numbers.normal(0, 0.1))),
                        "slow": 1e5 * slow * (1 + 0.001 * number),
                        "slower": 3e5 * slow * (1 + 0.002 * number),
                    }
                    fps = 1e11 / macs / slow**2
                    results.add(make_run(f"f{f}", network, fps=fps, round=number, metrics=metrics))
        (analysis,) = analyse(results.frame())
    return analysis


def cell(table: Table, row: str, column: str) -> str:
    found = next(r for r in table.rows if row in re.split(r" \(also |, |\)", r[0]))
    return found[table.header.index(column)]


@pytest.fixture(scope="module")
def ten(tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    return analysed(tmp_path_factory, 10)


def test_the_planted_slope_is_pooled_and_said_in_the_summary(ten: Analysis) -> None:
    table = detail.pooled_table(ten)
    assert cell(table, "slow", "slope") == "-2.00"
    assert cell(table, "slow", "elasticity") == "+10 % ↔ −17.4 % FPS"
    (said,) = associations.pooled_sentences(ten)
    assert "+10 % of it with -17.4 % FPS" in said
    assert "not a cause" in said
    assert associations.sentences(ten)[0] == said  # the pooled result leads


def test_where_nothing_varies_that_is_the_reason_and_not_the_number_of_networks(ten: Analysis) -> None:
    still = [
        dataclasses.replace(c, partial=dataclasses.replace(c.partial, r=None, p=None, why="it does not vary"), q=None)
        for c in ten.correlations
        if c.framework == "f0"
    ]
    only = dataclasses.replace(ten, frameworks=("f0",), correlations=tuple(still), pooled=(), work=())
    assert associations.sentences(only) == ["f0: nothing can be tested: it does not vary."]


def test_metrics_that_are_not_separable_are_one_group(ten: Analysis) -> None:
    assert any(row[2] == "slow, slower" for row in detail.groups_table(ten).rows)


def test_a_frameworks_page_has_every_metric_with_its_reason(ten: Analysis) -> None:
    table = detail.framework_table(ten, "f0")
    assert cell(table, "slow", "N (cases)") == "10 (10)"
    assert cell(table, "slow", "same sign") == "2 of 2"
    assert "equal to 1/FPS by definition" in cell(table, "instructions", "note")
    assert all(len(row) == len(table.header) for row in table.rows)


def test_tables_of_two_strata_say_which(ten: Analysis) -> None:
    other = dataclasses.replace(ten, stratum=dataclasses.replace(ten.stratum, threads="2"))
    titles = [t.title for t in detail.extend(Report((), (), (ten, other))).tables]
    assert len(set(titles)) == len(titles) >= 4
    assert all(a.stratum.title in "".join(titles) for a in (ten, other))
    assert detail.pooled_table(ten).title in {t.title for t in detail.extend(Report((), (), (ten,))).tables}


def test_few_networks_stop_the_statistic_by_name(tmp_path_factory: pytest.TempPathFactory) -> None:
    said = detail.gates(analysed(tmp_path_factory, 3, 1))
    assert said[0] == "3 networks: a coefficient needs at least 4."
    assert any(s.startswith("One framework: pooled slopes need at least 2") for s in said)
    said = detail.gates(analysed(tmp_path_factory, 6, 2))
    assert said[0] == "6 networks: coefficients are exploratory. A q-value needs at least 7."


def test_latex_takes_no_letter_of_a_name_for_a_command() -> None:
    table = Table("A & B", ("a_b", "50 %"), (("x$y#{}~^\\", "[1 ... 2]"),), "note_1")
    text = latex.tables(Report(("s",), (table, Table("empty", (), ()))))
    assert r"A \& B" in text
    assert r"a\_b & 50 \% \\" in text
    assert r"x\$y\#\{\}\textasciitilde{}\textasciicircum{}\textbackslash{} & {}[1 ... 2] \\" in text
    assert text.count(r"\begin{longtable}{ll}") == text.count(r"\end{longtable}") == 1
    assert "empty" not in text


def test_formats_are_told_apart_from_typos() -> None:
    assert formats("latex, html") == ["html", "latex"]
    assert formats("all") == ["html", "markdown", "latex", "json"]
    with pytest.raises(UsageError, match="htlm"):
        formats("htlm")
