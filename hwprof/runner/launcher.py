"""Starts one worker per job, follows it, and turns every way it can end into a failure record.

The launcher never imports a framework. A worker that dies, hangs, floods its output or eats the memory costs its own
job and nothing else.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import hwprof
from hwprof.collectors.protocol import Watcher, Wrapper
from hwprof.environments.interpreters import clean_environ
from hwprof.records import Failure
from hwprof.runner.worker_process import Observer, Outcome, WorkerProcess
from hwprof.worker.protocol import BOOTSTRAP, Job, Link, Task


class WorkersStopped(BaseException):
    """All workers were ended from outside. It is no failure of a job, so that nothing may take it for one."""


class NotStarted(Exception):
    """A worker can't be started; `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


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
        try:
            worker = self.start(job, timeout_s, environ, wrapper, watcher, python)
        except NotStarted as error:
            return Outcome(None, error.failure)
        with contextlib.closing(worker):
            while worker.advance() is not None:
                worker.go()
            return worker.outcome()

    def start(
        self,
        job: Job,
        timeout_s: float,
        environ: Mapping[str, str] | None = None,
        wrapper: Wrapper | None = None,
        watcher: Watcher | None = None,
        python: str = "",
    ) -> WorkerProcess:
        """A worker that has begun with `job`; whoever starts it closes it. Raises NotStarted."""
        self.workers.check()
        python = python or self.python
        observer = self.observer if job.task is Task.MEASURE else Observer()
        observer.begin(job)
        with contextlib.ExitStack() as stack:
            stack.callback(observer.close)
            # In memory: what a framework prints must not write to a board's slow card in the middle of a window.
            log = stack.enter_context(os.fdopen(os.memfd_create("hwprof-log"), "w+b"))
            # A program that reopens /dev/stderr truncates the log; with O_APPEND others write to its new end.
            fcntl.fcntl(log, fcntl.F_SETFL, os.O_APPEND)
            ours, theirs = socket.socketpair()
            stack.callback(ours.close)
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
                text = f"{error.filename or python} can't be started: {error.strerror}"
                why = Failure("not-installed", text, "`hwprof env list` shows what is wrong", "start")
                raise NotStarted(why) from error
            finally:
                theirs.close()
            worker = WorkerProcess(
                process,
                Link(ours),
                log,
                timeout_s,
                self.clock,
                self.headroom,
                observer,
                wrapper,
                watcher,
                release=lambda: self.workers.remove(process),
                check=lambda: self.workers.check(),
            )
            stack.pop_all()
        try:
            self.workers.add(process)
            worker.begin(job)
        except BaseException:
            worker.close()
            raise
        return worker
