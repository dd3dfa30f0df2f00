"""The analysis of a large report in a process of its own: the same answer, and an end that is told of."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwprof.errors import ResultsError
from hwprof.reports import ahead, aside
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


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every report is a large one, on two cores."""
    monkeypatch.setattr(ahead, "MANY", 1)
    monkeypatch.setattr(aside, "cores", lambda: 2)


def gathered(path: Path) -> gather.Material:
    with Results.open(path) as opened, ahead.begun(opened, ("fps", "energy")) as begun:
        assert begun is not None
        return gather.gather(opened, begun=begun)


@pytest.mark.usefixtures("large")
def test_a_report_is_the_same_with_a_second_process(results: Path) -> None:
    with Results.open(results) as opened:
        alone = gather.gather(opened)
    both = gathered(results)
    assert repr(alone.report.analyses) == repr(both.report.analyses)
    assert alone.report.tables == both.report.tables
    assert alone.report.summary == both.report.summary
    assert alone.frame.equals(both.frame)
    assert alone.frame.attrs == both.frame.attrs


@pytest.mark.usefixtures("large")
def test_a_run_that_is_added_meanwhile_is_in_no_part_of_it(results: Path, tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    path.write_bytes(results.read_bytes())
    with Results.open(path) as opened:
        before = ahead.begun(opened, ("fps",))
        with before as begun:
            assert begun is not None
            late = make_run("onnxruntime", "alexnet", fps=1.0, metrics={"misses": 1.0, "task-clock": 2e7}, batch=8)
            opened.add(late)
            material = gather.gather(opened, ("fps",), begun)
    assert late.uid not in {run.uid for run in material.runs}
    assert late.uid not in set(material.frame["run"])
    assert repr(material.report.analyses) == repr(gathered(results).report.analyses)


@pytest.mark.usefixtures("large")
def test_what_goes_wrong_there_is_said_here(results: Path, tmp_path: Path) -> None:
    path = tmp_path / "r.db"
    path.write_bytes(results.read_bytes())
    with Results.open(path) as opened, sqlite3.connect(path) as other:
        other.execute("DROP TABLE reading")
        with ahead.begun(opened, ("fps",)) as begun:
            assert begun is not None
            with pytest.raises(ResultsError, match=r"r\.db.*reading"):
                begun.frame()


def endless(order: None) -> Iterator[None]:
    """Yields nothing before it is killed."""
    signal.pause()
    yield order


def test_a_process_that_is_killed_is_told_of() -> None:
    with Aside(endless, None, "the correlations") as beside:
        beside._process.kill()
        with pytest.raises(ResultsError, match=r"the correlations: .* signal 9"):
            beside.take()


def once(order: str) -> Iterator[str]:
    """Yields its order."""
    yield order


def test_files_of_the_working_directory_are_not_taken_for_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pickle.py").write_text("raise SystemExit(9)\n")
    monkeypatch.chdir(tmp_path)
    with Aside(once, "a", "it") as beside:
        assert beside.take() == "a"


def test_leaving_early_ends_it() -> None:
    with Aside(endless, None, "the correlations") as beside:
        pid = beside._process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
