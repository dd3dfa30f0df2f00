"""Real workers that fail for real; each costs its own job and leaves nothing behind."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from hwprof.networks.inputs import InputSpec
from hwprof.records import Case, Role, Window, from_json
from hwprof.runner.launcher import Launcher
from hwprof.runner.worker_process import LOG_LIMIT, Observer, Outcome, tail, trim_log
from hwprof.worker.protocol import Job, LoopSettings, Task
from tests.waiting import LONG_S, until

KEEP_SIZE = 1  # FALLOC_FL_KEEP_SIZE of linux/falloc.h

PLAN = LoopSettings(window_s=0.0, iterations=3, warmup_iterations=1, events=("task-clock", "page-faults"))


def job(trouble: str = "", plan: LoopSettings = PLAN, cpus: tuple[int, ...] = ()) -> Job:
    case = Case("test", "none", "", 8, options=(("trouble", trouble),))
    spec = InputSpec("input", (1, 3, 8, 8))
    return Job(Task.MEASURE, case, "none", 0, spec, adapter="misbehaving:ADAPTER", plan=plan, cpus=cpus)


def launch(trouble: str = "", timeout_s: float = 200, launcher: Launcher | None = None, **fields: object) -> Outcome:
    environ = {"PYTHONPATH": str(Path(__file__).parent)}
    return (launcher or Launcher()).run(job(trouble, **fields), timeout_s, environ)  # type: ignore[arg-type]


@pytest.mark.counting
def test_a_worker_measures_bare_counted_and_closed_windows() -> None:
    outcome = launch()
    assert outcome.failure is None
    assert outcome.result is not None
    windows = [from_json(Window, w) for w in outcome.result["windows"]]
    assert [w.role for w in windows] == [Role.PAIRED, Role.COUNTED, Role.BARE, Role.CLOSED]
    assert all(len(w.latencies_ns) == 3 and w.t1_ns > w.t0_ns for w in windows)
    counted = {r.metric: r for r in windows[1].readings}
    assert counted["task-clock"].value > 0  # type: ignore[operator]
    assert "task-clock" not in {r.metric for r in windows[0].readings}


@pytest.mark.counting
def test_counters_after_every_inference_are_asked_for_and_too_dear_for_a_short_one() -> None:
    outcome = launch(plan=dataclasses.replace(PLAN, per_iteration=True))
    assert outcome.result is not None
    windows = [from_json(Window, w) for w in outcome.result["windows"]]
    assert [w.role for w in windows] == [Role.PAIRED, Role.COUNTED, Role.BARE, Role.CLOSED]
    assert outcome.result["facts"]["per_iteration"]["why"] == "reading takes more than 1 % of an inference"
    assert outcome.result["libraries"] == []


def test_the_worker_imports_nothing_of_the_launchers_side() -> None:
    outcome = launch()
    assert outcome.result is not None
    assert outcome.result["libraries"] == []


@pytest.mark.counting
def test_cpu_time_of_a_window_is_not_more_than_the_window() -> None:
    plan = LoopSettings(window_s=0.2, min_iterations=1, warmup_iterations=1, events=("task-clock",))
    outcome = launch(plan=plan)
    assert outcome.result is not None
    window = next(w for w in (from_json(Window, d) for d in outcome.result["windows"]) if w.role is Role.COUNTED)
    clock = next(r for r in window.readings if r.metric == "task-clock")
    # The edges lie outside of t0 and t1, and whatever a hypervisor takes there is counted; nothing is counted twice.
    assert 0 < clock.value < 1.5 * (window.t1_ns - window.t0_ns)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("trouble", "code", "says"),
    [
        ("killed", "killed", "SIGKILL"),
        ("segfault", "killed", "SIGSEGV"),
        ("exits", "killed", "exit code 7"),
        ("memory", "memory", "64 TiB"),
        ("arena", "memory", "17179869184"),
        ("raises", "framework", "not amused"),
        ("unsupported", "model", "operator Foo of node bar"),
    ],
)
def test_each_way_to_fail_is_one_failure_with_its_stage(trouble: str, code: str, says: str) -> None:
    outcome = launch(trouble)
    assert outcome.result is None
    assert outcome.failure is not None
    assert outcome.failure.code == code
    assert says in outcome.failure.message
    assert outcome.failure.stage == ("load" if trouble == "unsupported" else "warmup")


def test_a_hung_worker_is_stopped_and_says_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # After the start nobody looks at the clock until the worker has left the mark of one that hangs: an hour is over.
    monkeypatch.setenv("HWPROF_TEST_MARKS", str(tmp_path))
    start = iter([0.0])

    def clock() -> float:
        if (first := next(start, None)) is not None:
            return first
        assert until(lambda: any(tmp_path.iterdir()))
        return 3600.0

    outcome = launch("hang", timeout_s=200, launcher=Launcher(clock=clock))
    assert outcome.failure is not None
    assert (outcome.failure.code, outcome.failure.stage) == ("timeout", "warmup")


def test_ten_megabytes_of_chatter_neither_hang_nor_pile_up() -> None:
    outcome = launch("chatter")
    assert outcome.failure is None
    assert outcome.log.endswith("the end of it")
    assert len(outcome.log) <= LOG_LIMIT


@pytest.mark.parametrize("trouble", ["preempted", "mute"])
def test_nothing_printed_is_lost_however_a_worker_is_stopped(trouble: str) -> None:
    outcome = launch(trouble)
    assert (outcome.failure is None) is (trouble == "preempted")
    assert "last words of Python" in outcome.log
    assert "last words of C" in outcome.log


def test_a_framework_may_close_the_workers_output() -> None:
    outcome = launch("closes")
    assert outcome.failure is None
    assert "Traceback" not in outcome.log


def test_a_log_that_a_program_opens_anew_goes_on_at_its_new_end() -> None:
    assert launch("reopens").log == "opened anew\nand after it"


def test_a_short_log_in_a_large_page_is_kept() -> None:
    with os.fdopen(os.memfd_create("log"), "w+b") as log:
        libc = ctypes.CDLL(None)
        assert libc.fallocate(log.fileno(), KEEP_SIZE, ctypes.c_int64(0), ctypes.c_int64(2 * LOG_LIMIT)) == 0
        log.write(b"a few words")
        log.flush()
        assert os.fstat(log.fileno()).st_blocks * 512 > LOG_LIMIT
        trim_log(log.fileno())
        assert tail(log.fileno()) == "a few words"


def test_a_long_log_keeps_its_end_and_gives_back_the_rest() -> None:
    with os.fdopen(os.memfd_create("log"), "w+b") as log:
        log.write(b"all work and no play " * 500_000 + b"the end of it")
        log.flush()
        trim_log(log.fileno())
        assert os.fstat(log.fileno()).st_blocks * 512 <= LOG_LIMIT
        assert tail(log.fileno()).endswith("no play the end of it")
        log.write(b" and more")
        log.flush()
        assert tail(log.fileno()).endswith("the end of it and more")


def test_a_worker_is_stopped_before_memory_runs_out() -> None:
    outcome = launch("hang", launcher=Launcher(headroom=lambda: 1 << 20))
    assert outcome.failure is not None
    assert outcome.failure.code == "memory"


def test_children_of_a_worker_end_with_it(tmp_path: Path) -> None:
    pids = tmp_path / "pid"
    environ = {"PYTHONPATH": str(Path(__file__).parent), "HWPROF_TEST_PIDS": str(pids)}
    outcome = Launcher().run(job("child"), 200, environ)
    assert outcome.failure is None
    group = int(pids.read_text())
    # killed, a process is gone when the scheduler comes to it
    assert until(lambda: not any(_lives_in(pid, group) for pid in psutil.pids()))


def _lives_in(pid: int, group: int) -> bool:
    try:
        return os.getpgid(pid) == group and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False


def test_a_killed_launcher_leaves_no_worker_behind(tmp_path: Path) -> None:
    pids = tmp_path / "pid"
    program = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.runner.test_launcher import Launcher, job
class Watch:
    def started(self, pid): open({str(pids)!r}, "w").write(str(pid))
    def ready(self, pid, window): print("ready", flush=True); import time; time.sleep(600)
    def done(self, pid, window): pass
Launcher().run(job(), 600, {{"PYTHONPATH": {str(Path(__file__).parent)!r}}}, watcher=Watch())
"""
    launcher = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert launcher.stdout is not None
    assert launcher.stdout.readline() == b"ready\n"
    worker = psutil.Process(int(pids.read_text()))
    launcher.send_signal(signal.SIGKILL)
    launcher.wait()
    worker.wait(timeout=LONG_S)
    assert not worker.is_running()


def test_a_worker_runs_on_the_cores_it_was_given() -> None:
    core = min(os.sched_getaffinity(0))
    plan = LoopSettings(window_s=0.0, iterations=1, warmup_iterations=1, events=("task-clock",))
    outcome = launch(plan=plan, cpus=(core,))
    assert outcome.result is not None
    assert outcome.result["facts"]["affinity"] == [core]


class Diary(Observer):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def begin(self, job: Job) -> None:
        self.lines.append(f"begin {job.task.value}")

    def start(self, pid: int, window: int) -> None:
        self.lines.append(f"start {window}")

    def stop(self, pid: int, window: int) -> None:
        self.lines.append(f"stop {window}")

    def end(self, outcome: Outcome) -> Outcome:
        self.lines.append("end")
        return dataclasses.replace(outcome, log="seen")

    def close(self) -> None:
        self.lines.append("close")


def test_an_observer_sees_job_windows_and_outcome_of_a_measuring_worker() -> None:
    diary = Diary()
    plan = LoopSettings(window_s=0.0, iterations=1, warmup_iterations=1, events=("task-clock",), closed_window=False)
    assert launch(plan=plan, launcher=Launcher(observer=diary)).log == "seen"
    assert diary.lines == ["begin measure", "start 2", "stop 2", "end", "close"]


def test_an_observer_is_closed_when_it_fails_itself() -> None:
    class Failing(Diary):
        def start(self, pid: int, window: int) -> None:
            raise RuntimeError("no right to observe")

    diary = Failing()
    with pytest.raises(RuntimeError, match="no right"):
        launch(launcher=Launcher(observer=diary))
    assert diary.lines == ["begin measure", "close"]


def test_an_observer_is_not_told_of_workers_that_measure_nothing() -> None:
    diary = Diary()
    environ = {"PYTHONPATH": str(Path(__file__).parent)}
    other = dataclasses.replace(job(), task=Task.SIMULATE)
    Launcher(observer=diary).run(other, LONG_S, environ)
    assert diary.lines == []
