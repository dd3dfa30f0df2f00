"""The stretches of a program that are counted, as the program itself says: `include/hwprof.h`.

A program writes `enable` and `disable` to one FIFO and reads `ack` from another, as perf's own `--control fifo:...` has
it; `frames N` says how many frames it computed. FIFOs by name and not inherited descriptors: programs close those of
their children, and what is opened later gets the same numbers.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from hwprof.machine.clock import clock_ns, cpu_time_ns
from hwprof.printable import plural
from hwprof.records import Failure, Role, Slices, Snapshot, Window

VARIABLE = "HWPROF_CONTROL"
INCLUDE = Path(__file__).resolve().parent / "include"
ACK = b"ack\n"


class MarkedCounting(Protocol):
    """Counters that can be read while they count."""

    def mark(self) -> Sequence[Snapshot]:
        """One snapshot per group."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was counted between one `enable` and its `disable`. Times in ns; `frames` None: the program did not say."""

    t0_ns: int
    t1_ns: int
    frames: int | None = None


@dataclass(slots=True)
class RegionControl:
    """The observer's side. `counting` and `pid` are set before the program runs; `answer` is called when it writes.

    `failure`: why a program can't be heard here, as where no folder takes FIFOs; it is then counted as a whole.
    `sums`: per group what was counted in all stretches; `cpu_ns`: CPU time in them, None where it is not known.
    """

    pid: int = 0
    counting: MarkedCounting | None = None
    stretches: list[Stretch] = field(default_factory=list)
    sums: tuple[Snapshot, ...] = ()
    cpu_ns: int | None = 0
    control: int = -1
    failure: str = ""
    _answers: int = -1
    _folder: str = ""
    _rest: bytes = b""
    _begin: tuple[int, int | None, Sequence[Snapshot]] | None = None
    _frames: int | None = None

    def __enter__(self) -> RegionControl:
        try:
            self._folder = tempfile.mkdtemp(prefix="hwprof-control-")
            for name in ("control", "answers"):
                os.mkfifo(f"{self._folder}/{name}", 0o600)
            # both ways, so that neither opening waits for the program, and its end is no end of file
            flags = os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC
            self.control, self._answers = (os.open(f"{self._folder}/{n}", flags) for n in ("control", "answers"))
        except OSError as error:
            self.__exit__()
            self._folder, self.failure = "", error.strerror or str(error)
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in (self.control, self._answers):
            if descriptor >= 0:
                os.close(descriptor)
        self.control = self._answers = -1
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def environ(self) -> Mapping[str, str]:
        """What the program finds in its environment."""
        return {} if self.failure else {VARIABLE: f"{self._folder}/control,{self._folder}/answers"}

    def answer(self) -> None:
        """Do what the program has asked for until now."""
        with contextlib.suppress(BlockingIOError):
            self._rest += os.read(self.control, 1 << 16)
        *lines, self._rest = self._rest.split(b"\n")
        for line in lines:
            word, _, rest = line.strip(b"\0 \r").partition(b" ")
            if word == b"frames" and rest.isdigit():
                self._count_frames(int(rest))
            elif word in (b"enable", b"disable", b"ping"):
                if word == b"enable":
                    self._start()
                elif word == b"disable":
                    self._stop(clock_ns())
                with contextlib.suppress(BlockingIOError):
                    os.write(self._answers, ACK)

    def end(self, at_ns: int) -> None:
        """The program has ended: a stretch that it left open ends with it."""
        if self.failure:
            return
        self.answer()
        self._stop(at_ns)

    def _start(self) -> None:
        if self._begin is None and self.counting is not None:
            before, used = self.counting.mark(), cpu_time_ns(self.pid)
            self._begin = clock_ns(), used, before

    def _stop(self, at_ns: int) -> None:
        if self._begin is None or self.counting is None:
            return
        t0_ns, used_before, before = self._begin
        after, used = self.counting.mark(), cpu_time_ns(self.pid)
        if self.cpu_ns is not None:
            self.cpu_ns = None if used is None or used_before is None else self.cpu_ns + used - used_before
        edges = zip(self._totals(before), before, after, strict=True)
        self.sums = tuple(add_stretch(total, a, b) for total, a, b in edges)
        self.stretches.append(Stretch(t0_ns, at_ns, self._frames))
        self._begin = self._frames = None

    def _totals(self, before: Sequence[Snapshot]) -> Sequence[Snapshot]:
        return self.sums or [Snapshot(0, (0,) * len(one.raw), 0, 0) for one in before]

    def _count_frames(self, count: int) -> None:
        if self._begin is not None:
            self._frames = (self._frames or 0) + count
        elif self.stretches:
            last = self.stretches[-1]
            self.stretches[-1] = Stretch(last.t0_ns, last.t1_ns, (last.frames or 0) + count)

    @property
    def elapsed_ns(self) -> int:
        """Time within the stretches."""
        return sum(one.t1_ns - one.t0_ns for one in self.stretches)

    def frames(self, asked: int | None) -> tuple[int | None, Failure | None]:
        """Frames of one stretch, None where nobody said; or why there is no such number. `asked`: of an execution."""
        told = [one.frames for one in self.stretches]
        number, is_told = len(told), any(count is not None for count in told)
        if is_told and len(set(told)) > 1:
            words = ", ".join("none" if count is None else str(count) for count in dict.fromkeys(told))
            message = f"the program reported different numbers of frames for its counted stretches: {words}"
            return None, unlike_frames(message, "call hwprof_frames with the same number after each stretch")
        total = (told[0] or 0) * number if is_told else asked
        if is_told and asked is not None and asked != total:
            message = f"the program reported {plural(total, 'frame')} of an execution, and --frames says {asked}"
            return None, unlike_frames(message, "omit --frames")
        if total is not None and (total % number or not total):
            stretches = plural(number, "counted stretch", "counted stretches")
            message = f"{plural(total, 'frame')} of an execution can't be the same number in each of {stretches}"
            return None, unlike_frames(message, "let the program report them: hwprof_frames(count)")
        return None if total is None else total // number, None

    def window(self, index: int) -> Window:
        """The stretches as one window, without readings; several as its slices."""
        t0 = tuple(one.t0_ns for one in self.stretches)
        t1 = tuple(one.t1_ns for one in self.stretches)
        lengths = tuple(b - a for a, b in zip(t0, t1, strict=True))
        slices = Slices(t0, t1, (1,) * len(t0), (0,) * len(t0)) if len(t0) > 1 else None
        return Window(index, Role.COUNTED, index, t0[0], t1[-1], lengths, slices=slices)


def add_stretch(total: Snapshot, before: Snapshot, after: Snapshot) -> Snapshot:
    """A running total with one more difference. What could not be read once is not known of the whole."""
    raw = tuple(
        None if t is None or a is None or b is None else t + b - a
        for t, a, b in zip(total.raw, before.raw, after.raw, strict=True)
    )
    enabled = total.enabled_ns + after.enabled_ns - before.enabled_ns
    return Snapshot(after.at_ns, raw, enabled, total.running_ns + after.running_ns - before.running_ns)


def unlike_frames(message: str, remedy: str) -> Failure:
    """Why there is no number of frames that counts could be divided by."""
    return Failure("frames", message, remedy, "output")


def find_unlike_regions(regions: Sequence[Mapping[str, Any]], executions: int) -> Failure | None:
    """Why the executions of a round, one for each pass, did not count the same. `regions`: of those that have one."""
    if len(regions) < executions:
        message = f"only {len(regions)} of {plural(executions, 'execution')} said what is to be counted"
        return unlike_frames(message, "call hwprof_start and hwprof_stop in each")
    if len({(one["frames"], one["stretches"]) for one in regions}) > 1:
        message = "the executions of a round, one per pass, counted different numbers of frames"
        return unlike_frames(message, "fix the program's input, or count in one pass: --multiplex")
    return None
