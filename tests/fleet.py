"""Emulated boards for tests: each kind of hardware is booted once and does all that the chosen tests want of it.

A folder of tests registers its jobs when it is collected; the first test that asks for one starts all guests, a few at
a time and the longest first, so that images are built side by side and no core waits while a test looks at a result.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from hwprof.boards.guest import run_guest
from hwprof.boards.image import ensure_image
from hwprof.boards.machines import Image
from hwprof.cache import default_cache
from hwprof.frameworks.debian import sets_of

# As it was before any test got a cache of its own.
CACHE = default_cache()
PACKAGES = ("onnxruntime", "opencv")  # one image for all
ARCHITECTURES = ("riscv64", "arm64")
TIMEOUT_S = 3000
# An exact guest keeps one core of the host busy; CI has two.
AT_ONCE = 2


def shared_image(arch: str) -> Image:
    """The image that all tests share."""
    return ensure_image(arch, sets_of(PACKAGES), CACHE)


@dataclass(frozen=True)
class Outcome:
    """How a guest ended: exit code of its last job, what all of them printed, and the folder of the job asked for."""

    exit_code: int
    stdout: str
    stderr: str
    folder: Path


@dataclass(frozen=True)
class Board:
    """A kind of hardware. `run` boots it, has it execute a bash script in a folder, and returns how that ended."""

    name: str
    run: Callable[[Path, str], Outcome]


def boot(arch: str, folder: Path, script: str, cpu: Mapping[str, bool] | None = None) -> Outcome:
    """One CPU, exact counts."""
    ended = run_guest(shared_image(arch), folder, script, cpu_options=cpu, timeout_s=TIMEOUT_S)
    return Outcome(ended.exit_code, ended.stdout, ended.stderr, folder)


def boot_two(arch: str, folder: Path, script: str) -> Outcome:
    """Two CPUs without exact counts, as a user starts them."""
    shared_image(arch)
    words = [sys.executable, "-m", "hwprof", "board", arch, "--smp", "2", "--with", ",".join(PACKAGES)]
    words += ["--timeout", str(TIMEOUT_S), "--", "bash", "-c", script]
    environ = {**os.environ, "HWPROF_CACHE": str(CACHE), "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(words, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    return Outcome(done.returncode, done.stdout, done.stderr, folder)


ONE_CPU = {arch: Board(f"{arch}-one", partial(boot, arch)) for arch in ARCHITECTURES}
TWO_CPUS = {arch: Board(f"{arch}-two", partial(boot_two, arch)) for arch in ARCHITECTURES}
PLAIN = Board("riscv64-plain", partial(boot, "riscv64", cpu={"sscofpmf": False}))


@dataclass(frozen=True)
class Job:
    """What a board does. `script` lays out a folder of the job's own and returns what is executed there; `asked`:
    whether a test needs it. The shortest goes first, and the longest board.
    """

    name: str
    board: Board
    script: Callable[[Path], str]
    asked: Callable[[pytest.Item], bool]
    minutes: float  # roughly, for the order only


JOBS: dict[str, Job] = {}


def register(jobs: Iterable[Job]) -> None:
    """Have these done when a test asks for them."""
    for job in jobs:
        JOBS[job.name] = job


class Fleet:
    """The guests of one session."""

    def __init__(self, items: Iterable[pytest.Item], folder: Callable[[str], Path]) -> None:
        running = [item for item in items if item.get_closest_marker("skip") is None]
        wanted = [job for job in JOBS.values() if any(job.asked(item) for item in running)]
        boards: dict[str, list[Job]] = {}
        for job in sorted(wanted, key=lambda job: job.minutes):
            boards.setdefault(job.board.name, []).append(job)
        self.log: list[str] = []  # which guest was under way when, for whoever waits for all of them
        self._began = time.monotonic()
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._folders: dict[str, Path] = {}
        self._guests: dict[str, Future[Outcome]] = {}
        for name, jobs in sorted(boards.items(), key=lambda board: -sum(job.minutes for job in board[1])):
            self._folders[name] = folder(name)
            self._guests[name] = self._pool.submit(self._boot, jobs, self._folders[name])

    def _boot(self, jobs: list[Job], folder: Path) -> Outcome:
        start = time.monotonic() - self._began
        lines = []
        for job in jobs:
            (folder / job.name).mkdir()
            lines.append(f"(cd {job.name}\n{job.script(folder / job.name)}\n)")
        try:
            return jobs[0].board.run(folder, "\n".join(lines))
        finally:
            names = ", ".join(job.name for job in jobs)
            self.log.append(f"{names}: {start:.0f} s to {time.monotonic() - self._began:.0f} s")

    def result(self, name: str) -> Outcome:
        """How the guest of this job ended, once it is done. Raises what booting it raised."""
        board = JOBS[name].board.name
        ended = self._guests[board].result()
        return Outcome(ended.exit_code, ended.stdout, ended.stderr, self._folders[board] / name)

    def close(self) -> None:
        """Start no more; wait for those that run."""
        self._pool.shutdown(cancel_futures=True)


def asks(fixture: str, arch: str) -> Callable[[pytest.Item], bool]:
    """Whether a test has this fixture for this architecture."""
    return lambda item: (spec := getattr(item, "callspec", None)) is not None and spec.params.get(fixture) == arch
