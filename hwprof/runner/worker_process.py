"""One living worker: it runs until it waits for its next "go" or ends, and can be stopped while it waits."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from hwprof.collectors.protocol import Watcher, Wrapper
from hwprof.records import Failure, from_json, not_comparable, to_json
from hwprof.runner import stopping
from hwprof.worker.protocol import Job, Link

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
    """Called with the job, the window edges and the outcome of each measuring worker. This one does nothing.

    It follows one worker at a time: what observes from outside measures without slices, and so never a set of several.
    """

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


@dataclass(frozen=True, slots=True)
class Wait:
    """What a worker waits for a "go" with: a turn of slices, or the window of this number."""

    window: int | None = None


@dataclass(slots=True)
class WorkerProcess:
    """A worker from its start to its end. `timeout_s`: of the time in which it runs, not of that in which it waits.

    `release` is called before the process is killed, and `check` raises where it was not its own end.
    """

    process: subprocess.Popen[bytes]
    link: Link
    log: BinaryIO
    timeout_s: float
    clock: Callable[[], float]
    headroom: Callable[[], int | None]
    observer: Observer
    wrapper: Wrapper | None = None
    watcher: Watcher | None = None
    release: Callable[[], None] = lambda: None
    check: Callable[[], None] = lambda: None
    stage: str = "start"
    starved: bool = False  # it was ended since memory ran out
    moved_ns: int = 0  # of its CPU clocks while it was stopped
    _wait: Wait | None = None
    _stopped: dict[int, int | None] | None = None  # CPU clocks of its processes
    _used_s: float = 0.0
    _result: Mapping[str, Any] | None = None
    _failure: Failure | None = None
    _measured: Mapping[str, Any] | None = None  # what it said before it compared outputs
    _closed: bool = False
    _killed: bool = False

    @property
    def pid(self) -> int:
        """Of the worker, and of its process group."""
        return self.process.pid

    @property
    def is_stopped(self) -> bool:
        """Whether it is paused."""
        return self._stopped is not None

    def begin(self, job: Job) -> None:
        """Hand out the job."""
        with contextlib.suppress(EOFError):  # `advance` will find out how it ended
            self.link.send({"job": to_json(job)})
        if self.watcher:
            self.watcher.started(self.pid)

    def advance(self) -> Wait | None:
        """Listen until the worker waits for a "go"; None: it has ended."""
        if self._failure is not None or self._result is not None:
            return None
        begin = self.clock()
        try:
            self._wait = self._listen(begin + self.timeout_s - self._used_s)
        except EOFError:
            self._wait, self._failure = None, self._death()
        self._used_s += self.clock() - begin
        return self._wait

    def go(self, seconds: float = 0.0) -> None:
        """Let the worker begin what it waits for; a window lasts `seconds` at least (0: as planned)."""
        if self._wait is not None and self._wait.window is not None:
            self._edge(self._wait.window, first=True)
        with contextlib.suppress(EOFError):  # it died while it waited
            self.link.send({"go": True, "seconds": seconds} if seconds else {"go": True})

    def pause(self) -> tuple[int, ...] | None:
        """Stop it with all its threads and children: its processes; None where one of them could not be stopped."""
        pids = stopping.stop(self.pid)
        self._stopped = {pid: stopping.cpu_ns(pid) for pid in pids or ()}
        return pids

    def resume(self) -> None:
        """Continue it; what its CPU clocks moved by while it was stopped is added to `moved_ns`."""
        if self._stopped is not None:
            self.moved_ns += stopping.moved_ns(self._stopped)
            self._stopped = None
            stopping.go_on(self.pid)

    def fail(self, failure: Failure) -> None:
        """Take it for failed: nothing it says from now on counts."""
        self._wait, self._failure = None, failure

    def outcome(self) -> Outcome:
        """How it ended, once `advance` has returned None; what is left of it is killed."""
        self._kill()
        text, failure, result = tail(self.log.fileno()), self._failure, self._result
        if self._measured is not None:
            if failure is not None:  # of the comparison, which costs no measurement
                lost = not_comparable(f"comparing failed: {failure.message}", 0.0)
                failure, result = None, {"fidelity": to_json(lost)}
            result = {**self._measured, **(result or {})}
        if failure is not None and not failure.log:
            failure = Failure(failure.code, failure.message, failure.remedy, failure.stage, text)
        return self.observer.end(Outcome(result, failure, text))

    def close(self) -> None:
        """Kill what is left, whatever state it is in."""
        if self._closed:
            return
        self._closed = True
        with self.log, contextlib.closing(self.observer):
            self._kill()

    def _kill(self) -> None:
        if not self._killed:
            self._killed = True
            self.release()
            kill(self.process)
            self.link.close()
            self.check()

    def _listen(self, deadline: float) -> Wait | None:
        """Answer until it waits, or there is a result or a failure. EOFError where it hangs up without one."""
        while True:
            message = self.link.pop()
            if message is None:
                self._failure = self._wait_for_message(deadline)
                if self._failure is not None:
                    return None
                continue
            say = message["say"]
            if say == "stage":
                self.stage = str(message["stage"])
            elif say == "turn":
                return Wait()
            elif say == "ready":
                return Wait(int(message["window"]))
            elif say == "done":
                self._edge(int(message["window"]), first=False)
            elif say == "measured":
                self._measured = message
            elif say == "failure":
                self._failure = from_json(Failure, message["failure"])
                return None
            else:
                self._result = message
                return None

    def _wait_for_message(self, deadline: float) -> Failure | None:
        """Until there is something to read, at most a tick; why it must be ended."""
        left = max(0.0, deadline - self.clock())
        if select.select([self.link], [], [], min(TICK_S, left))[0]:
            self.link.fill()
        else:
            trim_log(self.log.fileno())
            free = self.headroom()
            if free is not None and free < MEMORY_RESERVE:
                self.starved = True
                self._catch_up()
                why = "stopped before the machine ran out of memory"
                return Failure("memory", why, "a smaller batch or size", self.stage)
        if self.clock() > deadline:
            self._catch_up()
            why = f"no result within {self.timeout_s:g} s, stopped during '{self.stage}'"
            return Failure("timeout", why, "raise timeout_s, or ask for fewer iterations", self.stage)
        return None

    def _catch_up(self) -> None:
        """The stage that the worker is in: it may have gone on since its last message was read."""
        if select.select([self.link], [], [], 0)[0]:
            self.link.fill()
        while (message := self.link.pop()) is not None:
            if message["say"] == "stage":
                self.stage = str(message["stage"])

    def _edge(self, window: int, first: bool) -> None:
        """Pass on that a window is about to begin or has ended."""
        if self.wrapper:
            (self.wrapper.start if first else self.wrapper.stop)(self.pid, window)
        (self.observer.start if first else self.observer.stop)(self.pid, window)
        if self.watcher:
            (self.watcher.ready if first else self.watcher.done)(self.pid, window)

    def _death(self) -> Failure:
        """The failure of a worker that closed its socket without an answer, by how it ended."""
        try:
            code = self.process.wait(timeout=ENDING_S)
        except subprocess.TimeoutExpired:
            return Failure("killed", f"the worker closed its connection during '{self.stage}'", "", self.stage)
        if code >= 0:
            return Failure("killed", f"the worker ended with exit code {code} during '{self.stage}'", "", self.stage)
        name = signal.Signals(-code).name
        remedy = "a crash in the framework's own code: its output says more"
        if -code == signal.SIGKILL:
            remedy = "the kernel may have run out of memory (see dmesg): try a smaller batch or size"
        return Failure("killed", f"the worker died of {name} during '{self.stage}'", remedy, self.stage)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End the worker and everything it started, stopped or not."""
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
