"""One case of a set: its worker, which is stopped while others are measured, and the gauges beside it."""

from __future__ import annotations

import dataclasses
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from hwprof.collectors.cooldown import Cooling, with_cooling
from hwprof.collectors.watcher import GaugeWatcher
from hwprof.machine import files
from hwprof.plan import policy
from hwprof.plan.cases import PlannedCase
from hwprof.records import Failure, Kind, Run
from hwprof.runner.launcher import Launcher, NotStarted
from hwprof.runner.runs import RunFactory, with_size
from hwprof.runner.worker_process import Wait, WorkerProcess
from hwprof.runner.workshop import Artifacts
from hwprof.worker.protocol import Task

# Failures that will be the same next time: the other rounds of the case are not tried.
PERMANENT = frozenset({"model", "not-installed", "unavailable", "usage"})
ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class Ticket:
    """A case that shall be measured: in which round, as which attempt, with how many pairs of slices in a turn.

    `turn_warm_s`: seconds of a turn that are not measured; None: the worker finds out. `late`: it failed in an earlier
    session, and its set is repeated for its sake.
    """

    planned: PlannedCase
    number: int
    attempt: int = 1
    turn_pairs: int = 1
    turn_warm_s: float | None = None
    late: bool = False

    @property
    def key(self) -> str:
        """Of the case, and of the environment where a set has one case in several."""
        return self.planned.case.key + self.planned.environment

    def again(self) -> Ticket:
        """The next attempt."""
        return dataclasses.replace(self, attempt=self.attempt + 1)


@dataclass(slots=True)
class Member:
    """A case of a set from the start of its worker to its run. `run`: its result or failure, once it has ended."""

    ticket: Ticket
    paths: Artifacts
    runs: RunFactory
    launcher: Launcher
    watcher: GaugeWatcher
    run: Run | None = None
    peak_bytes: int = 0
    moved_ns: int = 0
    starved: bool = False
    coolings: dict[str, Cooling | None] = field(default_factory=dict)  # before its turns, and before its stretch
    _worker: WorkerProcess | None = None
    _wait: Wait | None = None
    _base: Run | None = None
    _closing: ExitStack = field(default_factory=ExitStack)

    @property
    def key(self) -> str:
        """Of its ticket."""
        return self.ticket.key

    @property
    def has_turns(self) -> bool:
        """Whether it waits for a turn of slices."""
        return self._wait is not None and self._wait.window is None

    @property
    def may_retry(self) -> bool:
        """Whether it failed, and another attempt could end otherwise."""
        failure = None if self.run is None else self.run.failure
        return failure is not None and failure.code not in PERMANENT and self.ticket.attempt < ATTEMPTS

    def load(self) -> None:
        """Start the worker and let it load and warm up until it waits; its failure is its run."""
        planned, experiment = self.ticket.planned, self.runs.experiment
        environ = planned.environ()
        self._base = self.runs.blank(planned, self.ticket.number, self.ticket.attempt, Kind.NATIVE, environ)
        number = self.ticket.number
        job = self.runs.job(
            planned,
            self.paths,
            Task.MEASURE,
            counted_first=number % 2 == 1,
            order=f"{experiment.seed}/{number}",
            turn_pairs=self.ticket.turn_pairs,
            turn_warm_s=self.ticket.turn_warm_s,
        )
        self._closing.enter_context(self.watcher)
        try:
            worker = self.launcher.start(
                job, experiment.timeout_s, environ, watcher=self.watcher, python=planned.python
            )
        except NotStarted as error:
            self.run = dataclasses.replace(self._base, failure=error.failure)
            return
        self._worker = self._closing.enter_context(closing(worker))
        self._advance()
        if self.run is None:
            self.watcher.pause()

    def stop(self) -> None:
        """Stop it with all that it runs; where that can't be done it has failed. Its peak memory is read."""
        if self._worker is None or self.run is not None:
            return
        pids = self._worker.pause()
        if pids is None:
            why = "could not be stopped, so that nothing could be measured beside it"
            self._worker.fail(Failure("killed", why, "measure it alone", self._worker.stage))
            self._end()
        else:
            self.peak_bytes = sum(map(peak_bytes, pids))

    def rest(self) -> None:
        """Stop it where it runs."""
        if self._worker is not None and not self._worker.is_stopped:
            self.stop()

    def take_turn(self, stop: bool) -> None:
        """One turn of slices; then it is stopped again, if `stop`."""
        self._go()
        if stop:
            self.stop()

    def finish(self, seconds: float | None = None) -> None:
        """From its stretch alone to its end. `seconds`: of that stretch at least; None: what its sensors need."""
        if self._worker is None or self.run is not None:
            return
        self.watcher.resume()
        sliced = self.runs.experiment.plan.slice_s > 0
        self._go((self.watcher.needed_s() if seconds is None else seconds) if sliced else 0.0)
        while self.run is None:
            self._go()

    def close(self) -> None:
        """Kill what is left of it."""
        self._closing.close()

    def _go(self, seconds: float = 0.0) -> None:
        assert self._worker is not None
        self._worker.resume()
        self._worker.go(seconds)
        self._advance()

    def _advance(self) -> None:
        assert self._worker is not None
        self._wait = self._worker.advance()
        if self._wait is None:
            self._end()

    def _end(self) -> None:
        """Its run; its process is gone from here on."""
        assert self._worker is not None
        assert self._base is not None
        self._wait = None
        outcome = self._worker.outcome()
        self.moved_ns, self.starved = self._worker.moved_ns, self._worker.starved
        self.close()
        base = with_size(self._base, self.paths)
        run = self.runs.complete(base, outcome, self.watcher, {"conversion": list(self.paths.steps)})
        if run.failure is None:
            run = dataclasses.replace(run, doubts=(*run.doubts, *policy.doubts(self.ticket.planned, run.software)))
        self.run = with_cooling(run, self.coolings)


def peak_bytes(pid: int) -> int:
    """The largest resident set that a process has had; 0: it has ended."""
    return files.fields(files.read(Path("/proc") / str(pid) / "status")).get("VmHWM", 0) * 1024
