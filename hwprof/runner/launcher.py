"""Starts one worker per job, follows it, and turns every way it can end into a failure record.

The launcher never imports a framework. A worker that dies, hangs, floods its output or eats the memory costs its own
job and nothing else.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hwprof
from hwprof.collectors.protocol import Watcher, Wrapper
from hwprof.environments.interpreters import clean_environ
from hwprof.records import Failure, from_json, to_json
from hwprof.worker.protocol import BOOTSTRAP, Job, Link, Task

# Bytes kept of a worker's stdout and stderr: beyond the limit all but the end is freed.
LOG_KEEP = 64 << 10
LOG_LIMIT = 1 << 20
PUNCH_HOLE = 0x02 | 0x01  # FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE of linux/falloc.h
TICK_S = 0.1
# A worker that closed its socket is about to end; on a busy machine, or with a core dump, that takes a while.
ENDING_S = 60.0
# A worker is stopped while this much memory is still free, before the kernel's OOM killer chooses for itself.
MEMORY_RESERVE = 256 << 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended: `result` as the worker sent it, or `failure`. `log`: the end of what it printed."""

    result: Mapping[str, Any] | None
    failure: Failure | None
    log: str = ""


class Observer:
    """Called with the job, the window edges and the outcome of each measuring worker. This one does nothing."""

    def begin(self, job: Job) -> None:
        """Before the worker is started."""

    def start(self, pid: int, window: int) -> None:
        """Before a window."""

    def stop(self, pid: int, window: int) -> None:
        """After a window."""

    def end(self, outcome: Outcome) -> Outcome:
        """The worker has ended; the outcome with what was observed."""
        return outcome

    def close(self) -> None:
        """Always the last, whatever failed."""


class WorkersStopped(BaseException):
    """All workers were ended from outside. It is no failure of a job, so that nothing may take it for one."""


@dataclass(slots=True)
class Workers:
    """The living workers of all threads, which `stop` ends together."""

    stopped: bool = False
    _alive: set[subprocess.Popen[bytes]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def stop(self) -> None:
        """End every worker and everything it started, and start no more. Their threads get WorkersStopped."""
        with self._lock:
            self.stopped = True
            for process in self._alive:
                if process.returncode is None:  # not waited for: the number is still its own
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)

    def check(self) -> None:
        """Raise WorkersStopped after `stop`."""
        if self.stopped:
            raise WorkersStopped

    def add(self, process: subprocess.Popen[bytes]) -> None:
        """One that has just been started. Raises WorkersStopped."""
        with self._lock:
            self.check()
            self._alive.add(process)

    def remove(self, process: subprocess.Popen[bytes]) -> None:
        """One that is about to be ended and waited for."""
        with self._lock:
            self._alive.discard(process)


@dataclass(slots=True)
class Launcher:
    """Runs jobs. `python`: the interpreter of the workers; `headroom`: bytes of memory left, None: not known."""

    python: str = sys.executable
    headroom: Callable[[], int | None] = lambda: None
    clock: Callable[[], float] = time.monotonic
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    workers: Workers = field(default_factory=Workers)
    observer: Observer = field(default_factory=Observer)

    def run(
        self,
        job: Job,
        timeout_s: float,
        environ: Mapping[str, str] | None = None,
        wrapper: Wrapper | None = None,
        watcher: Watcher | None = None,
        python: str = "",
    ) -> Outcome:
        """Start a worker for `job`, follow it to its end, kill what is left of it. `python`: another interpreter."""
        self.workers.check()
        python = python or self.python
        observer = self.observer if job.task is Task.MEASURE else Observer()
        observer.begin(job)
        ours, theirs = socket.socketpair()
        # In memory: what a framework prints must not write to a board's slow card in the middle of a window.
        with os.fdopen(os.memfd_create("hwprof-log"), "w+b") as log, contextlib.closing(observer):
            # A program that reopens /dev/stderr truncates the log; with O_APPEND others write to its new end.
            fcntl.fcntl(log, fcntl.F_SETFL, os.O_APPEND)
            package = str(Path(hwprof.__file__).parent)
            command = [python, "-P", "-c", BOOTSTRAP, package, str(theirs.fileno()), str(os.getpid())]
            try:
                process = subprocess.Popen(
                    wrapper.argv(command) if wrapper else command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[theirs.fileno()],
                    env={**clean_environ(python, self.environ), **(environ or {})},
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                text = f"{error.filename or python} can't be started: {error.strerror}"
                return Outcome(None, Failure("not-installed", text, "`hwprof env list` tells what is wrong", "start"))
            finally:
                theirs.close()
            link = Link(ours)
            talk = _Talk(self, process, link, log.fileno(), wrapper, watcher, observer)
            try:
                self.workers.add(process)
                link.send({"job": to_json(job)})
                result, failure = talk.follow(self.clock() + timeout_s, timeout_s)
            except EOFError:
                result, failure = None, talk.death()
            finally:
                self.workers.remove(process)
                kill(process)
                link.close()
                self.workers.check()  # then the end is not the worker's own
            text = tail(log.fileno())
            if failure is not None and not failure.log:
                failure = Failure(failure.code, failure.message, failure.remedy, failure.stage, text)
            return observer.end(Outcome(result, failure, text))


@dataclass(slots=True)
class _Talk:
    """The conversation with one worker."""

    launcher: Launcher
    process: subprocess.Popen[bytes]
    link: Link
    log: int
    wrapper: Wrapper | None
    watcher: Watcher | None
    observer: Observer
    stage: str = "start"
    starved: bool = False

    def follow(self, deadline: float, timeout_s: float) -> tuple[Mapping[str, Any] | None, Failure | None]:
        """Answer until there is a result or a failure. Raises EOFError when the worker hangs up without one."""
        pid = self.process.pid
        if self.watcher:
            self.watcher.started(pid)
        while True:
            message = self.link.pop()
            if message is None:
                self.wait(deadline)
                if self.starved:
                    self.catch_up()
                    why = "stopped before the machine ran out of memory"
                    return None, Failure("memory", why, "a smaller batch or size", self.stage)
                if self.launcher.clock() > deadline:
                    self.catch_up()
                    why = f"no result within {timeout_s:g} s, stopped during '{self.stage}'"
                    return None, Failure("timeout", why, "raise timeout_s, or ask for fewer iterations", self.stage)
                continue
            say = message["say"]
            if say == "stage":
                self.stage = str(message["stage"])
            elif say == "turn":
                self.link.send({"go": True})
            elif say == "ready":
                self.edge(pid, int(message["window"]), first=True)
                self.link.send({"go": True})
            elif say == "done":
                self.edge(pid, int(message["window"]), first=False)
            elif say == "failure":
                return None, from_json(Failure, message["failure"])
            else:
                return message, None

    def catch_up(self) -> None:
        """The stage that the worker is in: it may have gone on since its last message was read."""
        if select.select([self.link], [], [], 0)[0]:
            self.link.fill()
        while (message := self.link.pop()) is not None:
            if message["say"] == "stage":
                self.stage = str(message["stage"])

    def edge(self, pid: int, window: int, first: bool) -> None:
        """Pass on that a window is about to begin or has ended."""
        if self.wrapper:
            (self.wrapper.start if first else self.wrapper.stop)(pid, window)
        (self.observer.start if first else self.observer.stop)(pid, window)
        if self.watcher:
            (self.watcher.ready if first else self.watcher.done)(pid, window)

    def wait(self, deadline: float) -> None:
        """Until there is something to read, in ticks; between them look after the log and the memory."""
        left = max(0.0, deadline - self.launcher.clock())
        readable, _, _ = select.select([self.link], [], [], min(TICK_S, left))
        if readable:
            self.link.fill()
            return
        trim_log(self.log)
        free = self.launcher.headroom()
        self.starved = free is not None and free < MEMORY_RESERVE

    def death(self) -> Failure:
        """The failure of a worker that closed its socket without an answer, by how it ended."""
        try:
            code = self.process.wait(timeout=ENDING_S)
        except subprocess.TimeoutExpired:
            return Failure("killed", f"the worker hung up during '{self.stage}'", "", self.stage)
        if code >= 0:
            return Failure("killed", f"the worker ended with exit code {code} during '{self.stage}'", "", self.stage)
        name = signal.Signals(-code).name
        remedy = "a crash in the framework's own code: its output says more"
        if -code == signal.SIGKILL:
            remedy = "perhaps the kernel ran out of memory (dmesg tells): try a smaller batch or size"
        return Failure("killed", f"the worker died of {name} during '{self.stage}'", remedy, self.stage)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End the worker and everything it started."""
    with contextlib.suppress(ProcessLookupError):  # it has ended by itself, with all its children
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def trim_log(descriptor: int) -> None:
    """Free all but the end of a log that has grown too large, without a pause of its writer."""
    status = os.fstat(descriptor)
    length = status.st_size - LOG_KEEP
    # A file in huge pages takes 2 MiB from its first byte on.
    if status.st_blocks * 512 > LOG_LIMIT and length > 0:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.fallocate(descriptor, PUNCH_HOLE, ctypes.c_int64(0), ctypes.c_int64(length)) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "the worker's log")


def tail(descriptor: int, limit: int = 4000) -> str:
    """The end of the log as text."""
    size = os.fstat(descriptor).st_size
    return os.pread(descriptor, limit, max(0, size - limit)).decode(errors="replace").strip()
