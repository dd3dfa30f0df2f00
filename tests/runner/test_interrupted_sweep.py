"""Ctrl-C while a sweep simulates: it ends at once, with all it has started, and keeps what is finished."""

from __future__ import annotations

import dataclasses
import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from hwprof.cli import main, sweep
from hwprof.collectors.protocol import Available
from hwprof.plan.cases import PlannedCase
from hwprof.records import Kind, Run
from hwprof.runner.launcher import Launcher, Workers, WorkersStopped
from hwprof.runner.members import Ticket
from hwprof.runner.rounds import Progress, Runner
from hwprof.store import Results
from tests import factories
from tests.runner.test_launcher import job
from tests.waiting import LONG_S

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
        shown = sweep.progress

        def progress(step: Progress) -> str:
            if step.run.kind is Kind.SIMULATED:
                scene.first_saved.set()
                if not interrupts_in_worker:
                    signal.raise_signal(signal.SIGINT)
            return shown(step)

        monkeypatch.setattr(sweep, "progress", progress)

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
    assert f"interrupted; 7 runs of this sweep are saved in {path}" in said
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
