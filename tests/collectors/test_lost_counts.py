"""Counters that the kernel took away are not called exact: task-clock is held against the CPU time of the same span."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwprof import doubts
from hwprof.collectors import lost_counts
from hwprof.collectors.watcher import GaugeWatcher
from hwprof.plan.experiment import Experiment
from hwprof.programs.command import CommandRunner, Order
from hwprof.programs.counting import Native
from hwprof.records import Exactness, Origin, Reading, Role, Run, Window, missing, to_json
from hwprof.runner.runs import RunFactory
from hwprof.runner.worker_process import Outcome
from tests.factories import make_case

MS = 1_000_000
NOBODY = 65534
# Becomes an ordinary user and then the program; an exec by a shell is another one behind it.
DEMOTED = (
    "import os, sys\n"
    f"if os.getuid() == 0: os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n"
    "os.execv(sys.argv[1], ['sh', *sys.argv[2:]])"
)
BUSY = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"


def window(counted_ms: float | None, user_s: float | None, *more: Reading) -> Window:
    """An execution with its task-clock, its CPU time of rusage, and whatever else."""
    common = {"unit": "ns", "source": "perf:task-clock"}
    clock = missing("task-clock", "refused", **common) if counted_ms is None else None
    readings = [clock or Reading("task-clock", (counted_ms or 0) * MS, **common)]  # type: ignore[arg-type]
    if user_s is not None:
        readings += [Reading("cpu-user-time", user_s, "s", source="rusage")]
        readings += [Reading("cpu-system-time", 0.0, "s", source="rusage")]
    return Window(0, Role.COUNTED, 0, 0, 10**9, (10**9,), (*readings, *more))


@pytest.mark.parametrize(
    ("counted_ms", "cpu_ms", "threads", "lost"),
    [
        (1, 190, 1, True),  # cut off at exec
        (0, 152, 1, True),
        (100, 190, 1, True),  # a child of it was
        (189, 190, 1, False),
        (175, 190, 1, False),  # the exec and what lies before it, on a slow machine
        (0.01, 15, 1, False),  # too short to tell from these
        (0.01, 25, 1, True),
        (9_500, 10_000, 1, False),  # below a tenth
        (8_000, 10_000, 1, True),
        (900, 1_200, 16, False),  # sixteen threads run on beside the edges of a window
        (1_000, 2_000, 16, True),
        (400, 190, 1, False),  # children that nobody waited for
        (None, 190, 1, False),
        (0, None, 1, False),
    ],
)
def test_far_below_the_cpu_time_is_lost(
    counted_ms: float | None, cpu_ms: float | None, threads: int, lost: bool
) -> None:
    counted, cpu = (None if value is None else value * MS for value in (counted_ms, cpu_ms))
    assert lost_counts.shortfall(counted, cpu, threads) is lost


def test_everything_perf_counted_is_suspect_and_nothing_else_is() -> None:
    faults = Reading("page-faults", 0.0, source="perf:page-faults")
    theirs = Reading("cycles", 5.0, origin=Origin.HARDWARE, source="perf-stat:cpu/cycles/")
    gone = missing("branches", "no PMU", source="perf:branches")
    rss = Reading("rss", 2e6, "B", source="proc:statm")
    judged, (doubt,) = lost_counts.judge(window(0.014, 0.152, faults, theirs, gone, rss))
    found = {r.metric: r for r in judged.readings}
    assert {n for n, r in found.items() if r.exactness is Exactness.SUSPECT} == {"task-clock", "page-faults", "cycles"}
    assert found["page-faults"].why.startswith("counted during 0.014 of 152.000 ms of CPU time: the kernel takes")
    assert found["branches"] == gone
    assert doubt.code == "counters-lost"
    assert "0.0 of 152.0 ms" in doubts.text(doubt)
    assert "set-uid" in doubts.text(doubt)


def test_whole_counts_stay_as_they_are() -> None:
    for whole in (window(188, 0.190), window(None, 0.190), window(0.01, None)):
        assert lost_counts.judge(whole) == (whole, [])


def test_the_cpu_time_of_a_process_attached_to_takes_the_place_of_rusage() -> None:
    judged, found = lost_counts.judge(window(0.014, None), cpu_ns=152e6)
    assert [d.code for d in found] == ["counters-lost"]
    assert judged.readings[0].exactness is Exactness.SUSPECT


def test_a_worker_that_lost_its_counters_is_doubted_once() -> None:
    whole, cut = to_json(window(990, 1.0)), to_json(window(1, 1.0))
    result = {"windows": [whole, cut, cut], "facts": {"tasks": 2}, "doubts": [], "fidelity": None, "unavailable": {}}
    runs = RunFactory(Experiment("e", ()), {"hardware": {}, "host_state": {}}, {})
    base = Run("1", make_case())
    run = runs.complete(base, Outcome(result, None), GaugeWatcher(1.0, ()), {})
    assert [d.code for d in run.doubts].count("counters-lost") == 1
    marks = [w.readings[0].exactness for w in run.windows]
    assert marks == [Exactness.EXACT, Exactness.SUSPECT, Exactness.SUSPECT]


def test_the_cpu_time_of_a_process_is_of_all_its_threads() -> None:
    before = lost_counts.cpu_time_ns(os.getpid())
    busy = threading.Thread(target=lambda: sum(range(200_000)))
    busy.start()
    busy.join()
    after = lost_counts.cpu_time_ns(os.getpid())
    assert before is not None
    assert after is not None
    assert after > before
    child = os.posix_spawn(sys.executable, [sys.executable, "-S", "-c", ""], os.environ)
    os.waitpid(child, 0)
    assert lost_counts.cpu_time_ns(child) is None


@pytest.fixture
def shell() -> Iterator[Path]:
    """A shell of our own, where an ordinary user finds it."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(shutil.copy(shutil.which("sh") or "/bin/sh", Path(folder) / "sh"))


def counted(shell: Path, mode: int, *words: str) -> Run:
    """A run of the shell with this mode, by an ordinary user. Skips where such a user can't be had or can't count."""
    shell.chmod(mode)
    order = Order((sys.executable, "-I", "-S", "-c", DEMOTED, *words))
    run = next(CommandRunner(order, Native(("page-faults",)), {"hardware": {}, "host_state": {}}).run())
    if run.failure is not None:
        pytest.skip(f"no program can be run so here: {run.failure.message}")
    clock = next(r for r in run.windows[0].readings if r.metric == "task-clock")
    if clock.value is None:
        pytest.skip(f"nothing can be counted here: {clock.why}")
    return run


@pytest.mark.parametrize("mode", [0o111, 0o4755], ids=["unreadable", "set-uid"])
@pytest.mark.parametrize("behind", [False, True], ids=["itself", "behind a shell"])
def test_a_program_that_the_kernel_guards_is_not_counted_exactly(shell: Path, mode: int, behind: bool) -> None:
    if mode & stat.S_ISUID and (os.getuid() != 0 or os.statvfs(shell).f_flag & os.ST_NOSUID):
        pytest.skip("a set-uid program of another user can't be had here")
    words = ("/bin/sh", "-c", f"{shell} -c '{BUSY}'; true") if behind else (str(shell), "-c", BUSY)
    plain, guarded = counted(shell, 0o755, *words), counted(shell, mode, *words)
    assert "counters-lost" not in {d.code for d in plain.doubts}
    assert "counters-lost" in {d.code for d in guarded.doubts}
    found = {r.metric: r for r in guarded.windows[0].readings}
    assert {found[n].exactness for n in ("task-clock", "page-faults")} == {Exactness.SUSPECT}
    assert found["cpu-user-time"].exactness is Exactness.EXACT
