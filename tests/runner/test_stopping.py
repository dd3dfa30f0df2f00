"""Real processes, with a child and a thread that spin: all stop, their CPU clocks with them, and go on again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from hwprof.runner import stopping
from tests.waiting import until

SPINS = """
import os, threading
if os.fork():
    threading.Thread(target=lambda: os.write(1, b"."), daemon=True).start()
while True:
    pass
"""


@pytest.fixture
def spinner() -> Iterator[int]:
    process = subprocess.Popen([sys.executable, "-c", SPINS], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.read(1) == b"."
    yield process.pid
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def clocks(pids: tuple[int, ...]) -> dict[int, int | None]:
    return {pid: stopping.cpu_ns(pid) for pid in pids}


def test_a_stopped_group_rests_with_its_children_and_goes_on_later(spinner: int) -> None:
    pids = stopping.stop(spinner)
    assert pids is not None
    assert len(pids) == 2
    before = clocks(pids)
    # the same look finds a process that runs: this one
    assert not stopping.is_stopped([os.getpid()])
    assert all(stopping.is_stopped(pids) for _ in range(100))
    assert stopping.moved_ns(before) == 0
    stopping.go_on(spinner)
    assert until(lambda: stopping.moved_ns(before) > 0)


def test_a_process_that_ends_while_it_is_stopped_is_no_error(spinner: int) -> None:
    pids = stopping.stop(spinner)
    assert pids is not None
    before = clocks(pids)
    os.killpg(spinner, signal.SIGKILL)
    assert until(lambda: all(stopping.cpu_ns(pid) is None or not stopping.tasks(pid) for pid in pids if pid != spinner))
    assert stopping.moved_ns(before) >= 0
    assert stopping.is_stopped(pids)


def test_what_is_gone_is_neither_stopped_nor_continued_nor_counted() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)
    process.wait()
    assert stopping.stop(process.pid) == ()
    stopping.go_on(process.pid)
    assert stopping.cpu_ns(process.pid) is None
    assert stopping.group_of(process.pid) is None
