"""Figures drawn in processes of their own, beside each other and beside whoever asked for them.

A figure takes a second, and none needs another. Where there is one core, or little to draw, they are drawn here: a
process has to load matplotlib first.
"""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from hwprof.reports import aside
from hwprof.reports.figures import Job, draw

MOST = 4  # processes; each takes some 150 MiB
WORTH = 1000  # work from which on a process is worth its start, of all jobs together


class Drawing:
    """Figures on their way into a folder, from entering to `wait`; left early, nothing goes on drawing."""

    def __init__(self, jobs: Sequence[Job], folder: Path, processes: int | None = None) -> None:
        """`processes`: how many, whatever there is to draw; 0: none but this one."""
        self._folder = folder
        self.jobs = tuple(jobs)
        if processes is None:
            cores = aside.cores()
            processes = min(cores, MOST) if cores > 1 and sum(job.work for job in jobs) >= WORTH else 0
        self._shares = shares(self.jobs, processes)
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Drawing:
        try:
            for share in self._shares:
                self._started.append(_begin(share, self._folder))
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def wait(self) -> dict[str, str]:
        """Caption -> PNG file name, in reading order, once all are there.

        Raises OSError where a file can't be written, ResultsError where a process ended before its time.
        """
        if not self._shares:
            for job in self.jobs:
                draw(job, self._folder)
        for process in self._started:
            error = aside.told(process, "the figures")
            if error is not None:
                raise OSError(*error)
        return {job.caption: f"{job.name}.png" for job in self.jobs}

    def _end(self) -> None:
        for process in self._started:
            aside.end(process)
        self._started = []


def shares(jobs: Sequence[Job], processes: int) -> list[list[Job]]:
    """Jobs for each process, about equal in work; none is empty."""
    found: list[list[Job]] = [[] for _ in range(min(processes, len(jobs)))]
    for job in sorted(jobs, key=lambda job: -job.work) if found else ():
        min(found, key=lambda share: sum(j.work for j in share)).append(job)
    return found


def _begin(jobs: Sequence[Job], folder: Path) -> subprocess.Popen[bytes]:
    with tempfile.TemporaryFile() as order:
        pickle.dump((list(jobs), folder.absolute()), order)
        order.seek(0)
        return aside.begin(__name__, "work", order=order)


def work() -> None:
    """What a process does: draws what stands on its standard input, and says how that went on its output."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # who interrupts the report sees one message, not one per process
    jobs, folder = pickle.load(sys.stdin.buffer)
    error: tuple[int | None, str | None, str | None] | None = None
    try:
        for job in jobs:
            draw(job, folder)
    except OSError as raised:
        error = raised.errno, raised.strerror, raised.filename
    pickle.dump(error, sys.stdout.buffer)
