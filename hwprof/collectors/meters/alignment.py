"""The clock of a meter found by a load pattern: all CPUs busy and idle by turns, which its power shows.

The turns are those of Barker's code of 13 (R. H. Barker, Group synchronizing of binary digital systems, 1953): shifted
against itself it is never more than 1/13 alike, so that only one shift of the log fits.
"""

from __future__ import annotations

import bisect
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol

import numpy as np
import numpy.typing as npt

from hwprof.machine.clock import clock_ns

CODE = "1111100110101"
LEAST_TURN_S, TURN_INTERVALS = 0.5, 2  # of one turn: seconds, and intervals of the meter
REST_TURNS = 2  # idle before and after
LEAST_R, LEAST_LEAD = 0.7, 0.15  # of the best shift: correlation, and how much more than of any other
TRIES = 5
MeterSamples = tuple[Sequence[int], Sequence[float | None]]
BURN = "while True: pass"


@dataclass(frozen=True, slots=True)
class LoadPattern:
    """When the CPUs were busy: (from, to) in ns, and how long one turn lasts."""

    busy_ns: tuple[tuple[int, int], ...]
    turn_ns: int

    @property
    def span_ns(self) -> tuple[int, int]:
        """From the rest before the first turn to the rest after the last."""
        rest = REST_TURNS * self.turn_ns
        return self.busy_ns[0][0] - rest, self.busy_ns[-1][1] + rest


@dataclass(frozen=True, slots=True)
class ClockFit:
    """`offset_ns`: what is added to a log's times for this machine's clock; `r`: correlation of power and pattern."""

    offset_ns: int
    r: float


class Load(Protocol):
    """What can be switched on and off."""

    def set(self, is_on: bool) -> None: ...


@dataclass(slots=True)
class CpuLoad:
    """A process for each CPU that this one may use, each stopped while the load is off."""

    cpus: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    _burning: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __enter__(self) -> CpuLoad:
        for _ in range(self.cpus):
            self._burning.append(subprocess.Popen([sys.executable, "-I", "-S", "-c", BURN]))
        self.set(False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        for process in self._burning:
            process.kill()
            process.wait()

    def set(self, is_on: bool) -> None:
        """Let them run, or stop them."""
        for process in self._burning:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGCONT if is_on else signal.SIGSTOP)


def turn_s(interval_s: float) -> float:
    """How long one turn of the pattern lasts for a meter with this interval, in seconds."""
    return max(LEAST_TURN_S, TURN_INTERVALS * interval_s)


def play(
    load: Load, seconds: float, clock: Callable[[], int] = clock_ns, wait: Callable[[float], None] = time.sleep
) -> LoadPattern:
    """Switch a load on and off by the code, each turn so many seconds; when it was on, by `clock`."""
    wait(REST_TURNS * seconds)
    begin, busy, since = clock(), [], 0
    for turn, bit in enumerate(CODE + "0"):
        was_on = turn > 0 and CODE[turn - 1] == "1"
        if bit == "1" and not was_on:
            since = clock()
            load.set(True)
        elif bit == "0" and was_on:
            load.set(False)
            busy.append((since, clock()))
        if turn < len(CODE):
            wait(max(0.0, (turn + 1) * seconds - (clock() - begin) / 1e9))
    wait(REST_TURNS * seconds)
    return LoadPattern(tuple(busy), round(seconds * 1e9))


def fit(at_ns: Sequence[int], watts: Sequence[float | None], pattern: LoadPattern) -> ClockFit | None:
    """The shift of a log under which its power follows the pattern; None: none does, or more than one.

    A shift is known to a fraction of the meter's interval, less half of the time that it averages over.
    """
    known = [(at, value) for at, value in zip(at_ns, watts, strict=True) if value is not None]
    if len(known) < 2 * len(CODE):
        return None
    times = np.array([at for at, _ in known], dtype=np.int64)
    values = np.array([value for _, value in known], dtype=np.float64)
    low, high = pattern.span_ns
    interval = int(np.median(np.diff(times))) or 1
    coarse = pattern.turn_ns // 8
    # the first moment of the pattern's rest lies within the log, and so does its end
    first, last = low - int(times[-1]) + (high - low), low - int(times[0])
    if last < first:
        return None
    shifts = np.arange(first, last + coarse, coarse, dtype=np.int64)
    scores = _likeness(times, values, pattern, shifts)
    near = int(shifts[np.argmax(scores)])
    others = scores[np.abs(shifts - near) > pattern.turn_ns]
    rival = float(others.max()) if len(others) else -1.0
    shifts = np.arange(near - coarse, near + coarse, max(1, min(interval, coarse) // 8), dtype=np.int64)
    scores = _likeness(times, values, pattern, shifts)
    best = float(scores.max())
    if best < LEAST_R or best - rival < LEAST_LEAD:
        return None
    # equally good shifts lie side by side: the middle of them
    return ClockFit(int(np.mean(shifts[scores >= best - 1e-9])), best)


def find_clock(
    samples: Callable[[], MeterSamples],
    load: Load,
    wait: Callable[[float], None] = time.sleep,
    clock: Callable[[], int] = clock_ns,
) -> ClockFit | None:
    """Play the pattern, and find it in what the meter says since then. None: its power does not show it.

    `samples`: (times in ns, W) so far, in order of time.
    """
    before, _ = samples()
    gaps = np.diff(np.array(before[-1000:], dtype=np.int64))
    seconds = turn_s(float(np.median(gaps)) / 1e9 if len(gaps) else 0.0)
    pattern = play(load, seconds, clock, wait)
    margin = 2 * REST_TURNS * pattern.turn_ns
    for _ in range(TRIES):
        at_ns, watts = samples()
        first = bisect.bisect(at_ns, before[-1] - margin) if before else 0
        if found := fit(at_ns[first:], watts[first:], pattern):
            return found
        wait(REST_TURNS * seconds)  # a log may be written in blocks
    return None


def _likeness(
    times: npt.NDArray[np.int64], values: npt.NDArray[np.float64], pattern: LoadPattern, shifts: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Correlation of power and load over the span of the pattern, for each shift; -1 where it is not known."""
    low, high = pattern.span_ns
    edges = np.array(pattern.busy_ns, dtype=np.int64).ravel()
    found = np.full(len(shifts), -1.0)
    for index, shift in enumerate(shifts):
        begin, end = np.searchsorted(times, (low - shift, high - shift))
        if end - begin < 2 * len(CODE):
            continue
        power, moments = values[begin:end], times[begin:end] + shift
        is_busy = (np.searchsorted(edges, moments, side="right") % 2).astype(np.float64)
        if np.ptp(power) > 0 and np.ptp(is_busy) > 0:
            found[index] = np.corrcoef(power, is_busy)[0, 1]
    return found
