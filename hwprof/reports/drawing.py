"""Figures drawn in processes of their own, beside each other and beside whoever asked for them.

A figure takes a second, and none needs another. Where there is one core, or little to draw, they are drawn here: a
process has to load matplotlib first.
"""

from __future__ import annotations

import contextlib
import gc
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from hwprof.reports import aside
from hwprof.reports.jobs import Job

MOST = 4  # processes; each takes some 150 MiB
WORTH = 1000  # work from which on a process is worth its start, of all jobs together


class Drawing:
    """Figures on their way into a folder, from `begin` to `wait`; left early, nothing goes on drawing."""

    def __init__(self, folder: Path, processes: int | None = None) -> None:
        """`processes`: how many, whatever there is to draw; 0: none but this one."""
        self._folder = folder
        self._processes = processes
        self._started: list[subprocess.Popen[bytes]] = []
        self._orders: list[IO[bytes]] = []
        self.jobs: tuple[Job, ...] = ()

    def __enter__(self) -> Drawing:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._started:
            aside.end(process)
        for order in self._orders:
            order.close()

    def prepare(self) -> None:
        """Start processes for much work, which load what they need: for when there is nothing else to do here."""
        self._start(_most() if self._processes is None else self._processes)

    def begin(self, jobs: Sequence[Job]) -> None:
        """Draw these, in the processes that there are or that so much work is worth."""
        self.jobs = tuple(jobs)
        if not self._started:
            worth = sum(job.work for job in jobs) >= WORTH
            self._start((_most() if worth else 0) if self._processes is None else self._processes)
        for process, share in zip(self._started, shares(self.jobs, len(self._started)), strict=False):
            order = tempfile.NamedTemporaryFile()  # noqa: SIM115 (closed at the end)
            self._orders.append(order)
            pickle.dump((share, self._folder.absolute()), order)
            order.flush()
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # `wait` tells how it ended
                process.stdin.write(f"{order.name}\n".encode())
                process.stdin.flush()

    def wait(self) -> dict[str, str]:
        """Caption -> PNG file name, in reading order, once all are there.

        Raises OSError where a file can't be written, ResultsError where a process ended before its time.
        """
        if not self._started:
            _draw(self.jobs, self._folder)
        for process, _ in zip(self._started, self._orders, strict=False):
            error = aside.told(process, "the figures")
            if error is not None:
                raise OSError(*error)
        return {job.caption: f"{job.name}.png" for job in self.jobs}

    def _start(self, processes: int) -> None:
        for _ in range(processes - len(self._started)):
            self._started.append(aside.begin(__name__, "work"))


def _most() -> int:
    cores = aside.cores()
    return min(cores, MOST) if cores > 1 else 0


def shares(jobs: Sequence[Job], processes: int) -> list[list[Job]]:
    """Jobs for each process, about equal in work; none is empty."""
    found: list[list[Job]] = [[] for _ in range(min(processes, len(jobs)))]
    for job in sorted(jobs, key=lambda job: -job.work) if found else ():
        min(found, key=lambda share: sum(j.work for j in share)).append(job)
    return found


def work() -> None:
    """What a process does: draws what lies in the file named on its standard input, and says how that went."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # who interrupts the report sees one message, not one per process
    gc.disable()  # a few figures, with which the process ends
    from hwprof.reports import plots  # noqa: F401 (now, while there is nothing to draw)

    order = sys.stdin.readline().rstrip("\n")
    if not order:
        return
    jobs, folder = pickle.loads(Path(order).read_bytes())
    error: tuple[int | None, str | None, str | None] | None = None
    try:
        _draw(jobs, folder)
    except OSError as raised:
        error = raised.errno, raised.strerror, raised.filename
    pickle.dump(error, sys.stdout.buffer)
    aside.leave()


def _draw(jobs: Sequence[Job], folder: Path) -> None:
    from hwprof.reports import plots  # not needed by who only has them drawn

    for job in jobs:
        plots.draw(job, folder)
