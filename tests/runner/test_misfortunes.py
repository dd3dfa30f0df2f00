"""Frameworks that crash, hang, flood or eat the memory, in one sweep: each costs its own case, with the reason."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy
import psutil
import pytest

from hwprof.environments import interpreters
from hwprof.plan.experiment import parse
from hwprof.records import Failure, Run
from hwprof.reports.page.content import failure_table
from hwprof.runner.members import ATTEMPTS
from hwprof.runner.rounds import Runner
from hwprof.runner.worker_process import MEMORY_RESERVE
from hwprof.store import Results
from tests.conftest import AddFramework
from tests.waiting import until

pytestmark = pytest.mark.slow

# What all workers together may use before the launcher is told that memory runs out.
ROOM = 700 << 20
TEXT = """
name = "misfortunes"
rounds = 1
[matrix]
frameworks = [FRAMEWORKS]
networks = ["tiny_cnn"]
size = 32
[measure]
iterations = 3
warmup_iterations = 1
timeout_s = 300
[counters]
events = ["task-clock"]
[gauges]
idle_baseline_s = 0
"""
# trouble -> code of the failure, and a word of its message
COSTS = {
    "segfault": ("killed", "SIGSEGV"),
    "killed": ("killed", "SIGKILL"),
    "exits": ("killed", "exit code 7"),
    "hang": ("timeout", "no result within 300 s"),
    "eats": ("memory", "before the machine ran out of memory"),
    "memory": ("memory", "64 TiB"),
    "raises": ("framework", "not amused"),
    "unsupported": ("model", "operator Foo of node bar"),
}
ONE_OF_EACH_CODE = ("segfault", "hang", "memory", "raises", "unsupported")


@pytest.fixture
def misbehaving(add_framework: AddFramework, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: Path) -> Path:
    """The framework, registered as any other; the folder in which those that hang leave a mark."""
    add_framework("misbehaving", Path(__file__).with_name("misbehaving.py"))
    marks = tmp_path / "marks"
    marks.mkdir()
    monkeypatch.setenv("HWPROF_TEST_MARKS", str(marks))
    return marks


@pytest.fixture
def foreign(misbehaving: Path, tmp_path: Path) -> str:
    """An environment of its own for it: another interpreter, which has NumPy and knows nothing of hwprof."""
    folder = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    site = next(folder.glob("lib/python3*/site-packages"))
    (site / "numpy").symlink_to(Path(numpy.__file__).parent)
    libraries = Path(numpy.__file__).parent.parent / "numpy.libs"
    if libraries.exists():
        (site / "numpy.libs").symlink_to(libraries)
    place = interpreters.home() / "misbehaving"
    place.mkdir(parents=True)
    python = str(folder / "bin/python")
    record = {"python": python, "framework": "misbehaving", "version": "", "foreign": True}
    (place / "environment.json").write_text(json.dumps(record))
    return python


def sweep(path: Path, frameworks: str, marks: Path) -> list[Run]:
    """A sweep whose clock jumps when something hangs, so that nobody has to wait, and which has little memory."""

    def clock() -> float:
        return time.monotonic() + 1000 * len(list(marks.iterdir()))

    def headroom() -> int:
        return MEMORY_RESERVE + ROOM - sum(resident(child) for child in psutil.Process().children(recursive=True))

    with Results.open(path, create=True) as results:
        runner = Runner(parse(TEXT.replace("FRAMEWORKS", frameworks), "m.toml"), results)
        runner.launcher.clock, runner.launcher.headroom = clock, headroom
        return [step.run for step in runner.run()]


def resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def failures(runs: list[Run], trouble: str) -> list[Failure | None]:
    return [run.failure for run in runs if run.case.option("trouble") == trouble]


def left_behind() -> list[int]:
    """Workers that still live."""
    return [child.pid for child in psutil.Process().children(recursive=True) if works(child)]


def works(process: psutil.Process) -> bool:
    try:
        return "-P" in process.cmdline()
    except psutil.NoSuchProcess:  # a zombie too
        return False


def checked(runs: list[Run], path: Path, troubles: Sequence[str]) -> None:
    """Each failing case has its reason, the healthy ones have results, and the file has all of it."""
    for trouble in troubles:
        code, says = COSTS[trouble]
        found = failures(runs, trouble)
        # what will be the same next time is not tried again
        assert len(found) == (1 if code == "model" else ATTEMPTS), trouble
        for failure in found:
            assert failure is not None, trouble
            assert (failure.code, says in failure.message) == (code, True), failure.message
    for healthy in ("none", "chatter", None):
        done = [run for run in runs if run.case.option("trouble") == healthy]
        assert [run.failure for run in done] == [None], healthy
        assert all(run.windows for run in done)
    assert until(lambda: left_behind() == [])
    with Results.open(path) as results:
        kept = list(results.runs())
    assert {run.uid for run in kept} == {run.uid for run in runs}
    rows = failure_table(kept).rows
    assert {word for title, *_ in rows for word in title.split() if "trouble=" in word} == {
        f"trouble={t}" for t in troubles
    }


def adapters(troubles: Sequence[str]) -> str:
    """The matrix of a framework that has these troubles and is healthy too, and of another beside it."""
    return f'{{name = "misbehaving", trouble = {[*troubles, "chatter", "none"]}}}, "onnxruntime"'


def test_each_misfortune_in_a_sweep_costs_its_own_case(misbehaving: Path, tmp_path: Path) -> None:
    runs = sweep(tmp_path / "r.db", adapters([*COSTS]), misbehaving)
    checked(runs, tmp_path / "r.db", [*COSTS])
    # gone on with, it repeats nothing but what was tried only once
    again = sweep(tmp_path / "r.db", adapters([*COSTS]), misbehaving)
    assert {r.case.option("trouble") for r in again} <= {"unsupported"}


def test_and_so_it_does_in_an_environment_of_its_own(misbehaving: Path, foreign: str, tmp_path: Path) -> None:
    runs = sweep(tmp_path / "r.db", adapters(ONE_OF_EACH_CODE), misbehaving)
    checked(runs, tmp_path / "r.db", ONE_OF_EACH_CODE)
    assert foreign != sys.executable
    environment = next(run for run in runs if run.case.option("trouble") == "none")
    assert environment.software["distributions"]["numpy"] is None  # it was not installed there, only put there


def test_a_conversion_that_crashes_or_eats_costs_its_case_and_is_not_repeated(
    misbehaving: Path, tmp_path: Path
) -> None:
    names = 'trouble = ["segfault", "eats", "none"], at = "prepare"'
    runs = sweep(tmp_path / "r.db", f'{{name = "misbehaving", {names}}}, "onnxruntime"', misbehaving)
    for trouble, code in (("segfault", "killed"), ("eats", "memory")):
        found = failures(runs, trouble)
        assert {failure.code for failure in found if failure} == {code}
        assert {failure.stage for failure in found if failure} == {"prepare"}
    assert failures(runs, "none") == [None]
    assert [r.failure for r in runs if r.case.framework == "onnxruntime"] == [None]
    made = list(Path(os.environ["HWPROF_CACHE"]).rglob(".half-*"))
    assert made == []
    assert until(lambda: left_behind() == [])
