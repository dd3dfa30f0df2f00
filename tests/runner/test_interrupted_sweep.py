"""Ctrl-C while a sweep simulates: it ends at once, with all it has started, and keeps what is finished."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from hwprof.cli import main
from hwprof.cli import progress as shown_progress
from hwprof.collectors.protocol import Available
from hwprof.plan.cases import PlannedCase
from hwprof.records import Kind, Run
from hwprof.runner.launcher import Launcher, Workers, WorkersStopped
from hwprof.runner.members import Ticket
from hwprof.runner.rounds import Progress, Runner
from hwprof.store import Results
from tests import factories
from tests.runner.test_launcher import job
from tests.scripts import write_script
from tests.waiting import LONG_S, until

TEXT = """
name = "simulated"
rounds = 1
[matrix]
frameworks = ["onnxruntime"]
networks = ["tiny_cnn"]
size = [32, 40, 48, 56, 64, 72]
[simulate]
when = "always"
[gauges]
idle_baseline_s = 0
"""
WORKERS = 2
ENVIRON = {"PYTHONPATH": str(Path(__file__).parent)}


class Scene:
    """A sweep of six cases whose first simulated run is done at once and whose others never end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, interrupts_in_worker: bool) -> None:
        self.pids: list[int] = []
        self.first_saved = threading.Event()
        self.interrupts_in_worker = interrupts_in_worker
        self._lock = threading.Lock()
        self._begun = 0
        scene = self

        def measure_set(runner: Runner, company: Sequence[Ticket], *_: object) -> list[Run]:
            runs = [factories.make_run(case=ticket.planned.case) for ticket in company]
            return [dataclasses.replace(run, machine=runner.facts["hardware"]) for run in runs]

        def simulate(runner: Runner, planned: PlannedCase, *_: object) -> Run:
            with scene._lock:
                scene._begun += 1
                first = scene._begun == 1
            if first:
                return dataclasses.replace(
                    factories.make_run(case=planned.case, uid="51111111"),
                    kind=Kind.SIMULATED,
                    machine=runner.facts["hardware"],
                )
            scene.first_saved.wait(LONG_S)
            outcome = runner.launcher.run(job("hang"), LONG_S, ENVIRON, watcher=scene)
            return dataclasses.replace(factories.make_run(case=planned.case), failure=outcome.failure)

        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(WORKERS)))
        monkeypatch.setattr(Runner, "measure_set", measure_set)
        monkeypatch.setattr(Runner, "simulate", simulate)
        monkeypatch.setattr(Runner, "simulates", lambda runner: True)
        there = SimpleNamespace(available=lambda framework: Available("callgrind"))
        monkeypatch.setattr("hwprof.runner.rounds.simulator", lambda tool: there)
        shown = shown_progress.progress

        def progress(step: Progress) -> str:
            if step.run.kind is Kind.SIMULATED:
                scene.first_saved.set()
                if not interrupts_in_worker:
                    signal.raise_signal(signal.SIGINT)
            return shown(step)

        monkeypatch.setattr(shown_progress, "progress", progress)

    def started(self, pid: int) -> None:
        with self._lock:
            self.pids.append(pid)
        if self.interrupts_in_worker and len(self.pids) == WORKERS:
            os.kill(os.getpid(), signal.SIGINT)

    def ready(self, pid: int, window: int) -> None:
        """Nothing to do."""

    done = ready


@pytest.mark.parametrize("interrupts_in_worker", [True, False], ids=["while waiting", "between two runs"])
def test_it_ends_at_once_and_keeps_what_is_finished(
    interrupts_in_worker: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = Scene(monkeypatch, interrupts_in_worker)
    path, toml = tmp_path / "r.db", tmp_path / "simulated.toml"
    toml.write_text(TEXT)
    assert main(["sweep", str(toml), "--results", str(path)]) == 130
    assert len(scene.pids) <= WORKERS
    assert not any(map(psutil.pid_exists, scene.pids))
    assert not [t for t in threading.enumerate() if t.name.startswith("ThreadPoolExecutor")]
    with Results.open(path) as results:
        runs = list(results.runs())
    assert [r.uid for r in runs if r.kind is Kind.SIMULATED] == ["51111111"]
    assert [r.failure for r in runs] == [None] * 7
    said = capsys.readouterr().err
    assert f"Interrupted. 7 runs of this sweep are saved in {path}" in said
    assert "Traceback" not in said


def test_a_worker_that_is_ended_from_outside_is_no_failed_run() -> None:
    launcher = Launcher()

    class Watch:
        def started(self, pid: int) -> None:
            self.pid = pid
            launcher.workers.stop()

        def ready(self, pid: int, window: int) -> None:
            """Never comes."""

        done = ready

    watch = Watch()
    with pytest.raises(WorkersStopped):
        launcher.run(job("hang"), LONG_S, ENVIRON, watcher=watch)
    assert not psutil.pid_exists(watch.pid)
    with pytest.raises(WorkersStopped):  # nor does any other begin
        launcher.run(job(), LONG_S, ENVIRON)
    launcher.workers = Workers()
    assert launcher.run(job(), LONG_S, ENVIRON).failure is None


def interrupted_group(folder: Path, sizes: str, environ: dict[str, str], when: Callable[[list[str]], bool]) -> Ended:
    """A sweep in a process group of its own, which gets SIGINT as a terminal sends it, once `when` holds."""
    toml, path = folder / "simulated.toml", folder / "r.db"
    toml.write_text(TEXT.replace("size = [32, 40, 48, 56, 64, 72]", sizes) + "[measure]\nwindow_s = 0.02\n")
    words = [sys.executable, "-P", "-m", "hwprof", "sweep", str(toml), "--results", str(path)]
    program = subprocess.Popen(
        words,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        cwd=folder,
        env={**os.environ, **environ},
        start_new_session=True,
    )
    assert program.stderr is not None
    lines: list[str] = []
    try:
        while not when(lines):
            line = program.stderr.readline()
            assert line, lines
            lines.append(line.rstrip())
        offspring = psutil.Process(program.pid).children(recursive=True)
        os.killpg(program.pid, signal.SIGINT)
        said = program.stderr.read()
        code = program.wait(LONG_S)
    finally:
        program.kill()
        program.wait()
    _, alive = psutil.wait_procs(offspring, timeout=LONG_S)
    with Results.open(path) as results:
        runs = list(results.runs())
    return Ended(code, lines, said, runs, len(offspring), alive)


@dataclasses.dataclass(frozen=True)
class Ended:
    """How an interrupted sweep ended: `lines` before the signal, `said` after it, what it had started."""

    code: int
    lines: list[str]
    said: str
    runs: list[Run]
    offspring: int
    alive: list[psutil.Process]


@pytest.mark.usefixtures("cache")
def test_a_group_that_simulates_for_ever_ends_with_all_it_has_started(tmp_path: Path) -> None:
    began = tmp_path / "began"
    began.touch()
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    write_script(bin_ / "valgrind", f'[ "$1" = --version ] && exit\necho >> "{began}"\nsleep 100000 &\nwait')

    def simulates(lines: list[str]) -> bool:
        return len(lines) == 3 and until(lambda: began.stat().st_size >= 1)

    found = interrupted_group(
        tmp_path, "size = [32, 40, 48]", {"PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}"}, simulates
    )
    assert found.code == 130
    assert [line.partition(" ")[0] for line in found.lines] == ["[1/6", "[2/6", "[3/6"]
    assert found.offspring > 0
    assert found.alive == []
    assert [run.kind for run in found.runs] == [Kind.NATIVE] * 3
    assert "Interrupted. 3 runs of this sweep are saved" in found.said
    assert "Traceback" not in found.said


@pytest.mark.valgrind
@pytest.mark.usefixtures("cache")
@pytest.mark.timeout(3600)
def test_a_group_under_callgrind_keeps_the_simulation_that_is_finished(tmp_path: Path) -> None:
    # the second is too large to be done with the first
    found = interrupted_group(tmp_path, "size = [32, 1024]", {}, lambda lines: len(lines) == 3)
    assert found.code == 130
    assert found.lines[-1].endswith("simulated")
    assert found.alive == []
    assert [(run.kind, run.case.size, run.failure) for run in found.runs if run.kind is Kind.SIMULATED] == [
        (Kind.SIMULATED, 32, None)
    ]
    assert "Interrupted. 3 runs of this sweep are saved" in found.said
    assert "Traceback" not in found.said
