"""Counts the programs of known answer, one event at a time, by the collector that measures everything else."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.perf.events import Event
from hwprof.collectors.perf.names import ANCHORS
from hwprof.collectors.perf.opening import Countable, OpenFailed
from hwprof.collectors.protocol import Unavailable
from hwprof.collectors.readings import between
from hwprof.errors import HwprofError
from hwprof.records import Counter, Origin
from hwprof.studies.validation.known_counts import MachineFacts, ProgramRun, trials
from hwprof.studies.validation.verdicts import (
    CountSample,
    EventAssessment,
    EventVerdict,
    ProgramFinding,
    combine,
    judge,
)

REPETITIONS = 5
TIMEOUT_S = 120.0
SETTLE_S = 0.0002


class Unsupported(Exception):
    """The program can't do it on this machine; the message says why."""


class Program:
    """A run of `truth` that waits for commands: `go(n)` does n units of work and returns what the program printed."""

    def __init__(self, path: Path, mode: str, argument: int = 0) -> None:
        words = [os.fspath(path), mode, "1", str(argument), "--wait"]
        try:
            self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as error:
            raise HwprofError(f"cannot run {path}: {error.strerror}", "is it compiled for this machine?") from error
        self._left = b""
        try:
            self.pid = int(self._answer()["ready"])
        except BaseException:
            self.close()
            raise

    def go(self, amount: int) -> Mapping[str, Any]:
        """Do `amount` units of work. Raises Unsupported and HwprofError."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"go %d\n" % amount)
        self._process.stdin.flush()
        return self._answer()

    def pin(self, cpus: Sequence[int]) -> None:
        """Keep it on these CPUs: an event of one kind of core counts nothing elsewhere. Raises HwprofError."""
        try:
            os.sched_setaffinity(self.pid, cpus)
        except OSError as error:
            numbers = ", ".join(map(str, cpus))
            raise HwprofError(
                f"a program can't run on CPUs {numbers}: {error.strerror}", "see taskset -p $$"
            ) from error

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        deadline = time.monotonic() + TIMEOUT_S
        while b"\n" not in self._left:
            if not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise HwprofError(f"a program of known answer said nothing for {TIMEOUT_S:g} s")
            new = os.read(pipe, 4096)
            if not new:
                raise HwprofError(f"a program of known answer ended with code {self._process.wait()}")
            self._left += new
        line, _, self._left = self._left.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        if "unsupported" in answer:
            raise Unsupported(str(answer["unsupported"]))
        while not self._waits():
            time.sleep(SETTLE_S)
        return answer

    def _waits(self) -> bool:
        """Whether the program sleeps: what it does after an answer belongs to the counts of that answer."""
        try:
            return Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(") ")[2].startswith(("S", "Z"))
        except OSError:
            return True  # it has ended

    def close(self) -> None:
        """Kill the program."""
        self._process.kill()
        self._process.communicate()

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class Runs(Protocol):
    """A program that waits for commands: `Program`, or a fake in tests."""

    pid: int

    def go(self, amount: int) -> Mapping[str, Any]: ...
    def pin(self, cpus: Sequence[int]) -> None: ...
    def __enter__(self) -> Runs: ...
    def __exit__(self, *exception: object) -> None: ...


Start = Callable[[str, int], Runs]  # mode, argument
Count = Callable[[Runs, ProgramRun, int], CountSample]  # of an amount of work


@dataclass(frozen=True, slots=True)
class Result:
    """The assessment of an event. `counter` None: it can't be opened here."""

    assessment: EventAssessment
    counter: Counter | None
    origin: Origin


class Bench:
    """Validates events. `start` runs a program (a fake in tests)."""

    def __init__(
        self, collector: PerfCollector, machine: MachineFacts, start: Start, repetitions: int = REPETITIONS
    ) -> None:
        self._collector = collector
        self._machine = machine
        self._start = start
        self._repetitions = repetitions

    def validate(self, events: Sequence[Event]) -> Iterator[Result]:
        """One result per event, in their order. What can't be opened is MISSING, with reason and remedy."""
        anchors = self._anchors()
        for event in events:
            found = self._collector.countable(event)
            if isinstance(found, Unavailable):
                assessment = EventAssessment(event.metric, EventVerdict.MISSING, why=found.reason, remedy=found.remedy)
                yield Result(assessment, None, event.origin)
                continue
            emulated = found.counter.origin is Origin.EMULATED
            findings = [self._finding(trial, (found,)) for trial in trials(event.base, self._machine)]
            assessment = combine(event.metric, findings, emulated)
            if not assessment.verdict.failed and event.kind == "core":
                assessment = self._check_group(assessment, found, anchors)
            yield Result(assessment, found.counter, found.counter.origin)

    def _anchors(self) -> tuple[Countable, ...]:
        events = (event for name in ANCHORS for event in self._collector.parser.events(name))
        found = (self._collector.countable(event) for event in events)
        return tuple(f for f in found if isinstance(f, Countable) and f.event.kind == "core")

    def _check_group(
        self, assessment: EventAssessment, event: Countable, anchors: Sequence[Countable]
    ) -> EventAssessment:
        """Note where an event that counts alone does not count in one group with cycles and instructions."""
        others = tuple(a for a in anchors if a.metric != event.metric and a.event.cluster == event.event.cluster)
        moved = next((f for f in assessment.findings if f.verdict is EventVerdict.RIGHT and f.expected), None)
        trial = moved and next(t for t in trials(event.event.base, self._machine) if t.name == moved.program)
        if not trial or not others:
            return assessment
        names = ", ".join(a.metric for a in others)
        finding = replace(self._finding(trial, (*others, event)), program=f"{trial.name}, beside {names}")
        if finding.verdict is EventVerdict.RIGHT:
            return replace(assessment, findings=(*assessment.findings, finding))
        note = f"alone only: in one group with {names} it {finding.why}"
        why = "; ".join(filter(None, (assessment.why, note)))
        return replace(assessment, why=why, findings=(*assessment.findings, finding))

    def _finding(self, trial: ProgramRun, members: tuple[Countable, ...]) -> ProgramFinding:
        """What one program says about the last of `members`, which are counted as one group."""
        try:
            with self._start(trial.program, trial.argument) as program:
                if (kind := self._collector.catalog.kind(members[-1].event.cluster)) and kind.cpus:
                    program.pin(kind.cpus)
                program.go(trial.amounts[0])  # warms up
                with self._counting(program.pid, members) as count:
                    samples = [
                        count(program, trial, amount) for _ in range(self._repetitions) for amount in trial.amounts
                    ]
        except Unsupported as error:
            return ProgramFinding(trial.name, EventVerdict.UNPROVEN, why=str(error))
        except OpenFailed as error:
            return ProgramFinding(trial.name, EventVerdict.MISSING, why=self._collector.why(error).reason)
        return judge(trial.name, trial.known, samples)

    @contextmanager
    def _counting(self, pid: int, members: tuple[Countable, ...]) -> Iterator[Count]:
        group = self._collector.group(members, pid)
        last = len(members) - 1

        def count(program: Runs, trial: ProgramRun, amount: int) -> CountSample:
            group.switch(True)
            before = group.snapshot()
            answer = program.go(amount)
            after = group.snapshot()
            group.switch(False)
            reading = between(members[last].counter, before, after, last)
            running = 1.0 if reading.running is None else reading.running
            units = int(answer.get("lanes", 1)) if trial.lanes else 1
            return CountSample(amount, reading.value, running, reading.why, units)

        try:
            yield count
        finally:
            group.close()
