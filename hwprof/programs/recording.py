"""`perf record` on a command, a running process, or the measured windows of a case; samples from what it wrote."""

from __future__ import annotations

import io
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hwprof.collectors.perf import PerfCollector
from hwprof.errors import NotAvailable, UsageError
from hwprof.programs.attach import command_line, pidfd, wait_for_end
from hwprof.programs.child import Child, ProcessEnd
from hwprof.programs.interrupts import Forwarding
from hwprof.programs.output import Follower, Search
from hwprof.programs.perf import PerfProcess, environment
from hwprof.programs.samples import FIELDS, Sample, UnreadLines, parse
from hwprof.records import Window

# The kernel's timer: where no counter can interrupt. The same on every machine.
CLOCK = "cpu-clock"
# A core whose cycles raise no interrupt has another event to be led by, named in its table.
LEADERS = ("u_mode_cycle",)
_REMEDY = (
    "sampling needs kernel.perf_event_paranoid at most 2 (sudo sysctl kernel.perf_event_paranoid=1 adds the kernel), "
    "or root; in a container --cap-add PERFMON and a seccomp profile that allows perf_event_open"
)
# What perf says of an event -> what helps. Rights do not.
_REMEDIES = {
    "in its place": "omit -e",
    "support sampling": (
        f"this PMU raises no interrupt when a counter overflows, so that nothing can be sampled by it: count the event "
        f"with hwprof run --events, or sample by the kernel's timer: -e {CLOCK}"
    ),
    "is not supported": "omit -e, or take an event that `hwprof events` shows to be there",
    "event syntax error": "omit -e, or take an event that `hwprof events` shows to be there",
}


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample. `event` empty: what this machine can interrupt by."""

    event: str = ""
    hz: int = 999  # no round number: it would run in step with what happens 1000 times a second
    graph: str = "fp"

    def __post_init__(self) -> None:
        if self.hz < 1:
            raise UsageError(f"--frequency must be at least 1, not {self.hz}")


def candidates(collector: PerfCollector | None = None) -> list[str]:
    """Events to sample by, the best first: the table's leader, else cycles; the timer last."""
    catalog = (collector or PerfCollector()).catalog
    tables = [kind.table for kind in catalog.kinds if kind.table]
    led = [f"r{table.vendor[name]:x}" for table in tables for name in LEADERS if name in table.vendor]
    return [*(led or ["cycles"]), CLOCK]


def choose(perf: str, asked: str = "") -> str:
    """The first event that perf can sample by here, found by trying. Raises NotAvailable with perf's message."""
    refusal = ""
    for event in [asked] if asked else candidates():
        with tempfile.TemporaryDirectory(prefix="hwprof-perf-") as folder:
            command = [perf, "record", "-q", "-e", event, "-o", f"{folder}/data", "--", "true"]
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=environment()
            )
            used = sampling_event(perf, Path(folder) / "data") if done.returncode == 0 else ""
        # where there is no such counter, perf takes its clock without a message
        if used and not (asked and _base(used) == CLOCK != _base(asked)):
            return used
        refusal = (
            f"it would take {CLOCK} in its place"
            if used
            else "; ".join(line.strip() for line in done.stderr.splitlines() if line.strip() not in ("", "Error:"))
        )
    remedy = next((remedy for words, remedy in _REMEDIES.items() if words in refusal), _REMEDY)
    raise NotAvailable(f"perf can't sample by {asked or 'any event'} here: {refusal[:300].rstrip('. ')}", remedy)


def _base(event: str) -> str:
    return event.partition(":")[0]


def sampling_event(perf: str, file: Path) -> str:
    """The event of a perf.data as perf names it: with modifiers that it added (:u), or another in its place."""
    command = [perf, "evlist", "-i", str(file)]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=environment()
    )
    return next((line.strip() for line in done.stdout.splitlines() if not line.startswith("#")), "")


def samples_within(samples: Sequence[Sample], windows: Sequence[Window]) -> list[Sample]:
    """The samples that were taken in one of the windows."""
    return [s for s in samples if any(w.t0_ns <= s.at_ns <= w.t1_ns for w in windows)]


class Recorder:
    """One `perf record` on the tasks of a process and all they will start; sampling when this returns.

    `unread`: lines of what perf prints of it that were not understood.
    """

    def __init__(self, perf: str, pid: int, sampling: Sampling) -> None:
        self._program = perf
        self.unread = UnreadLines()
        options = ["-q", "-e", sampling.event, "-F", str(sampling.hz), "--call-graph", sampling.graph, "-p", str(pid)]
        options += ["-k", "CLOCK_MONOTONIC_RAW"]  # the clock of the windows
        self._perf = PerfProcess([perf, "record"], options, "perf.data", _REMEDY)

    def switch(self, on: bool) -> None:
        """Sample, or pause."""
        self._perf.say("enable" if on else "disable")

    def finish(self, keep: Path | None = None) -> list[Sample]:
        """End it; the samples. `keep`: where to leave perf's own file."""
        try:
            self._perf.end()
            file = self._perf.file
            if not file.exists() or not file.stat().st_size:
                raise NotAvailable(f"perf record left no data: {self._perf.message()}", _REMEDY)
            samples = read(self._program, file, self.unread)
            if keep is not None:
                keep.write_bytes(file.read_bytes())
            return samples
        finally:
            self.close()

    def close(self) -> None:
        """End it, whatever it was doing."""
        self._perf.close()


def read(perf: str, file: Path, unread: UnreadLines | None = None) -> list[Sample]:
    """The samples of a perf.data; `unread` gets the lines that were not understood. NotAvailable: perf can't read it.

    Bytes of names that are no UTF-8 are kept as Python keeps them in arguments.
    """
    command = [perf, "script", "--no-inline", "--ns", "--show-mmap-events", "-F", FIELDS, "-i", str(file)]
    with (
        tempfile.TemporaryFile("w+", errors="replace") as errors,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment(),
        ) as process,
    ):
        assert process.stdout is not None
        # a carriage return in a name ends no line
        lines = io.TextIOWrapper(process.stdout, encoding="utf-8", errors="surrogateescape", newline="\n")
        samples = list(parse(lines, unread))
        code = process.wait()
        errors.seek(0)
        words = errors.read().strip().splitlines()
    if code and not samples:
        raise NotAvailable(f"perf script failed: {words[0] if words else code}", f"{perf} script -i {file} says more")
    return samples


@dataclass(frozen=True, slots=True)
class Recording:
    """Samples of a command, a process or a case, over how long. `ended` None: no command was started."""

    what: str
    samples: Sequence[Sample]
    seconds: float
    ended: ProcessEnd | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    unread: UnreadLines = field(default_factory=UnreadLines)


def record_command(
    perf: str, sampling: Sampling, argv: Sequence[str], to_stderr: bool = False, keep: Path | None = None
) -> Recording:
    """From the command's exec to its end, with all it starts.

    perf samples before the exec, so that the kernel tells it which files are mapped. From what /proc shows of them
    after the exec perf (6.1) drops names with bytes above 127.
    """
    with ExitStack() as stack:
        child = stack.enter_context(Child(argv, stdout=2 if to_stderr else None))
        signals = stack.enter_context(Forwarding(child.pid))
        recorder = Recorder(perf, child.pid, sampling)
        stack.callback(recorder.close)
        started = time.monotonic()
        child.release()
        Follower({}, Search(None)).follow(child.pid, child.has_ended, signals)
        seconds = time.monotonic() - started
        samples = recorder.finish(keep)  # before the child is reaped: perf still finds its name
        ended = child.wait()
    return Recording(" ".join(argv), samples, seconds, ended, unread=recorder.unread)


def record_process(
    perf: str, sampling: Sampling, pid: int, duration_s: float | None, keep: Path | None = None
) -> Recording:
    """A running process, until it ends, the time is over, or Ctrl-C."""
    argv = command_line(pid)
    with ExitStack() as stack:
        handle = pidfd(pid)
        stack.callback(os.close, handle)
        signals = stack.enter_context(Forwarding(0))
        recorder = Recorder(perf, pid, sampling)
        stack.callback(recorder.close)
        started = time.monotonic()
        wait_for_end(handle, signals, duration_s)
        seconds = time.monotonic() - started
        samples = recorder.finish(keep)
    return Recording(f"process {pid}: {' '.join(argv)}", samples, seconds, unread=recorder.unread)
