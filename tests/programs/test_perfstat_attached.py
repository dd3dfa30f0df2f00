"""`perf stat` and our own counters on a process that runs already."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from hwprof.errors import NotAvailable, UsageError
from hwprof.programs import attach
from hwprof.programs.attach import Observation, TaskCounting, counters, observe, wait_for_end
from hwprof.programs.interrupts import Forwarding
from tests.programs import programs

THREADS = """
import sys, threading
go = threading.Event()
def work():
    go.wait()
    sum(i & 3 for i in range(400_000))
threads = [threading.Thread(target=work) for _ in range(3)]
for t in threads: t.start()
print("ready", flush=True)
sys.stdin.readline()
go.set()
for t in threads: t.join()
"""


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    """Three threads that wait for a line, then work and end."""
    with subprocess.Popen(
        programs.python("-c", THREADS), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "ready\n"
        yield started
        started.kill()


def finish(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.close()
    process.wait()


@pytest.mark.counting
def test_threads_that_exist_already_are_counted(process: subprocess.Popen[str]) -> None:
    with ExitStack() as stack:
        counting: TaskCounting = counters(process.pid, ("task-clock",), stack)
        assert not counting.missed
        finish(process)
        [clock] = [r.value for r in counting.finish() if r.metric == "task-clock"]
    assert clock is not None
    # each thread alone needs several milliseconds for its loop; the main thread, which only waits, does not
    assert clock > 10e6


def test_observing_ends_with_the_process(process: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def let_go(handle: int, signals: Forwarding, seconds: float | None) -> bool:
        assert process.stdin is not None
        process.stdin.write("\n")  # it is observed from here on
        process.stdin.close()
        return wait_for_end(handle, signals, seconds)

    monkeypatch.setattr(attach, "wait_for_end", let_go)
    done = observe(Observation(process.pid, name="threads"), ("task-clock",))
    assert done.failure is None
    assert done.case.network == "threads"
    assert done.case.option("attached") is True
    assert done.facts["executions"][0]["ended"] is True


def test_a_duration_ends_it_too(process: subprocess.Popen[str]) -> None:
    done = observe(Observation(process.pid, duration_s=0.05), ("task-clock",))
    assert done.facts["executions"][0]["ended"] is False
    assert process.poll() is None


def test_cpu_time_of_the_process_that_was_not_counted_is_doubted(
    process: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    used = iter((5, 5 + 60 * 10**9))
    monkeypatch.setattr(attach, "cpu_time_ns", lambda pid: next(used))

    def worked(*_: object) -> bool:
        finish(process)
        return True

    monkeypatch.setattr(attach, "wait_for_end", worked)
    done = observe(Observation(process.pid), ("task-clock",))
    assert "counters-lost" in {d.code for d in done.doubts}


def test_no_such_process_and_threads_are_refused() -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    with pytest.raises(NotAvailable, match="There is no process"):
        observe(Observation(gone.pid), ("task-clock",))
    with pytest.raises(UsageError, match="process id"):
        Observation(0)
    with pytest.raises(UsageError, match="duration"):
        Observation(1, 0.0)
