"""A piece of the analysis in a process of its own: the same answer, and an end that is told of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from hwprof.analysis import correlation
from hwprof.errors import ResultsError
from hwprof.reports import aside
from hwprof.reports.aside import Aside
from hwprof.reports.html import gather
from hwprof.store import Results
from tests.factories import NETWORKS, make_run


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("aside") / "r.db"
    with Results.create(path) as made:
        for n, network in enumerate(list(NETWORKS)[:8]):
            metrics = {"instructions": 1e8 * (n + 2), "misses": 1e5 * (n + 1) ** 1.5, "task-clock": 2e7}
            made.add(make_run("onnxruntime", network, fps=60.0 - 5 * n, metrics=metrics))
    return path


def test_a_report_is_the_same_with_a_second_process(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gathered() -> gather.Material:
        with Results.open(results) as opened:
            return gather.gather(opened)

    alone = gathered()
    asked: list[object] = []

    def noted(*arguments: Any) -> Aside[Any]:
        asked.append(arguments)
        return Aside(*arguments)

    monkeypatch.setattr(gather, "MANY", 1)
    monkeypatch.setattr(aside, "cores", lambda: 2)
    monkeypatch.setattr(gather, "Aside", noted)
    both = gathered()
    assert len(asked) == 1
    assert repr(alone.report.analyses) == repr(both.report.analyses)
    assert alone.report.tables == both.report.tables
    assert alone.report.summary == both.report.summary


def test_a_process_that_is_killed_is_told_of() -> None:
    with Aside(correlation.analyse, "the correlations") as beside:
        beside._process.kill()
        with pytest.raises(ResultsError, match=r"the correlations: .* signal 9"):
            beside.result()


def test_leaving_early_ends_it() -> None:
    with Aside(correlation.analyse, "the correlations") as beside:
        pid = beside._process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
