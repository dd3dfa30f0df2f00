"""The analysis of a large report in a process of its own: the same answer, and an end that is told of."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from hwprof.errors import ResultsError
from hwprof.reports import background
from hwprof.reports.background import Processes
from hwprof.reports.html import gather
from hwprof.store import Results
from tests.factories import NETWORKS, make_run
from tests.waiting import LONG_S


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
    monkeypatch.setattr(background, "MANY", 1)
    monkeypatch.setattr(background, "cores", lambda: 2)


def gathered(path: Path) -> gather.Material:
    with Results.open(path) as opened, background.begin(opened, ("fps", "energy")) as begun:
        assert begun is not None
        return gather.gather(opened, background=begun)


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
        before = background.begin(opened, ("fps",))
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
        with background.begin(opened, ("fps",)) as begun:
            assert begun is not None
            with pytest.raises(ResultsError, match=r"r\.db.*reading"):
                begun.frame()


def endless() -> None:
    """Does not return before it is killed."""
    signal.pause()


def echo(text: str) -> str:
    """What it is given."""
    return text


@pytest.mark.parametrize("way", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_process_that_is_killed_is_told_of(way: signal.Signals) -> None:
    with Processes(1, "the correlations") as beside:
        assert beside.begin(echo, "it has begun")() == "it has begun"
        take = beside.begin(endless)
        os.kill(next(iter(beside.children)), way)
        with pytest.raises(ResultsError, match=rf"The correlations: .* signal {way.value}"):
            take()


def test_one_that_is_killed_takes_no_other_pool_with_it() -> None:
    with Processes(1, "a") as one, Processes(2, "b") as other:
        kept = other.begin(echo, "kept")
        one.begin(echo, "it has begun")()
        os.kill(next(iter(one.children)), signal.SIGKILL)
        with pytest.raises(ResultsError):
            one.begin(endless)()
        assert kept() == "kept"
        assert other.begin(echo, "again")() == "again"


def test_large_results_come_whole() -> None:
    with Processes(1, "it") as beside:
        assert beside.begin(echo, "x" * 2**21)() == "x" * 2**21


@pytest.mark.parametrize("name", ["pickle", "multiprocessing", "socket", "numpy", "hwprof"])
def test_files_of_the_working_directory_are_not_taken_for_modules(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{name}.py").write_text("import os\nopen('was-run', 'w').close()\nos._exit(9)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    with Processes(1, "it") as beside:
        assert beside.begin(echo, "a")() == "a"
        assert beside.begin(arange, 3)() == [0, 1, 2]
    assert not (tmp_path / "was-run").exists()
    assert "PYTHONSAFEPATH" not in os.environ


def arange(number: int) -> list[int]:
    """By a library that is loaded there."""
    import numpy as np

    return [int(v) for v in np.arange(number)]


def test_leaving_early_ends_them_and_nothing_else() -> None:
    def interrupted(beside: Processes) -> None:
        with beside:
            beside.begin(endless)
            pids.extend(beside.children)
            raise KeyboardInterrupt

    pids: list[int] = []
    with subprocess.Popen([sys.executable, "-P", "-c", "input()"], stdin=subprocess.PIPE) as other:
        with pytest.raises(KeyboardInterrupt):
            interrupted(Processes(1, "it"))
        assert other.poll() is None
        other.communicate(b"\n")
    assert other.returncode == 0
    (pid,) = pids
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


HOLDER = """
from hwprof.reports.background import Processes
from tests.reports.test_background import echo, endless

if __name__ == "__main__":
    with Processes(1, "it") as beside:
        beside.begin(echo, "")()
        take = beside.begin(endless)
        print(*beside.children, flush=True)
        take()
"""


def test_they_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    script = tmp_path / "holder.py"
    script.write_text(HOLDER)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, "-P", script], stdout=subprocess.PIPE, env=environment) as holder:
        assert holder.stdout is not None
        worker = psutil.Process(int(holder.stdout.readline()))
        holder.kill()
    worker.wait(LONG_S)
