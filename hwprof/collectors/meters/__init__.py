"""The user's power meter: a log that it writes, or a program that reads it while cases run.

`with running(text)` is opened once for all cases of an experiment, before the first round: what can't be read is
refused there. Within it `samples_of(text, ...)` has what the meter has said so far.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hwprof.collectors.meters.alignment import ClockFit, CpuLoad, find_clock
from hwprof.collectors.meters.live import LiveMeter
from hwprof.collectors.meters.log import MeterLog, interval_ns
from hwprof.collectors.sensor_roles import METER_LABEL
from hwprof.errors import UsageError
from hwprof.machine.clock import clock_ns
from hwprof.records import Origin, Series

EXEC = "exec:"
LATE, MOST_WAIT_S = 4, 5.0  # intervals that a meter may be late by, and the longest of them
ALIGN = "align:"
_live: dict[str, LiveMeter] = {}  # those that run in this process, by their text
_clocks: dict[str, ClockFit] = {}  # ... and of those with a clock of their own


def is_of_one_process(text: str) -> bool:
    """Whether a meter, or what is known of its clock, is there only in the process that entered `running`."""
    return text.startswith((EXEC, ALIGN))


@contextmanager
def running(text: str, notify: Callable[[str], None] = lambda text: None) -> Iterator[None]:
    """The meter of `--meter`, checked, and started where it is a program; ended with the block. Raises UsageError.

    Within such a block of the same text it is that block's. `notify`: of load patterns, and of what they found.
    """
    inner = text.removeprefix(ALIGN)
    if text in _live or text in _clocks:
        yield
        return
    with _started(inner, inner != text):
        if inner == text:
            yield
            return
        notify("load pattern to find the meter's clock: all CPUs are busy by turns")
        _clocks[text] = begin = _aligned(text)
        try:
            started = clock_ns()
            yield
            notify(_drift(begin, find_clock_of(text), (clock_ns() - started) / 1e9))
        finally:
            del _clocks[text]


@contextmanager
def _started(text: str, has_own_clock: bool) -> Iterator[None]:
    """A meter without its clock: a log that can be read, or a program that has printed its first sample."""
    if not text.startswith(EXEC):
        if text:
            MeterLog(Path(text), has_own_clock).check()
        yield
        return
    live = LiveMeter(text.removeprefix(EXEC))
    live.start()
    _live[text] = live
    try:
        yield
    finally:
        del _live[text]
        live.stop()


def find_clock_of(text: str) -> ClockFit | None:
    """The clock of a running meter by a load pattern; None: its power does not show it."""
    inner = text.removeprefix(ALIGN)
    samples = _live[inner].samples if inner in _live else MeterLog(Path(inner), True).samples
    with CpuLoad() as load:
        return find_clock(samples, load)


def _aligned(text: str) -> ClockFit:
    if (found := find_clock_of(text)) is None:
        raise UsageError(
            "the meter's power does not follow the load pattern",
            "the log must grow while it is measured, and other programs must rest; "
            "where its clock is this machine's, omit align:",
        )
    return found


def _drift(begin: ClockFit, end: ClockFit | None, seconds: float) -> str:
    if end is None:
        return "the meter's power does not follow the load pattern at the end: the drift of its clock is not known"
    moved_ms = (begin.offset_ns - end.offset_ns) / 1e6
    return f"the meter's clock moved by {moved_ms:+.0f} ms in {seconds:.0f} s, by load patterns at start and end"


@dataclass(slots=True)
class MeterView:
    """What a meter says to one run. `offset_ns`: CLOCK_MONOTONIC_RAW minus the wall clock, for the times of a log."""

    text: str
    offset_ns: int = field(default_factory=lambda: clock_ns() - time.time_ns())
    faults: list[str] = field(default_factory=list)
    wait: Callable[[float], None] = time.sleep
    _log: MeterLog | None = None
    _is_late: bool = False  # it was waited for in vain

    @property
    def is_there(self) -> bool:
        """Whether there is a meter at all."""
        return bool(self.text)

    @property
    def facts(self) -> dict[str, object]:
        """How a clock of its own was found; empty where it has none."""
        own = _clocks.get(self.text)
        return {} if own is None else {"meter_clock": {"offset_ns": own.offset_ns, "r": own.r}}

    def wait_for(self, moment_ns: int) -> None:
        """Wait until the meter has a sample after a moment: for LATE intervals at most, and no more once in vain."""
        if not self.text or self._is_late:
            return
        (series,) = self.series(0, 1 << 62)
        step_s = min(MOST_WAIT_S, series.interval_ns / 1e9)
        for _ in range(LATE):
            if not series.at_ns or series.at_ns[-1] >= moment_ns:
                break
            self.wait(step_s)
            (series,) = self.series(0, 1 << 62)
        self._is_late = not series.at_ns or series.at_ns[-1] < moment_ns

    def series(self, low_ns: int, high_ns: int) -> list[Series]:
        """The power between two moments, and one interval on each side; none without a meter. What can't be read is
        in `faults`, and the series is empty.
        """
        if not self.text:
            return []
        inner, own = self.text.removeprefix(ALIGN), _clocks.get(self.text)
        if inner.startswith(EXEC):
            live = _live.get(inner)
            at_ns, watts = ((), ()) if live is None else live.samples()
            faults = ["the meter does not run"] if live is None else live.doubts
            source, offset_ns = "meter:exec" if live is None else live.source, 0
        else:
            self._log = self._log or MeterLog(Path(inner), inner != self.text)
            source, faults, offset_ns = self._log.source, [], self.offset_ns
            try:
                at_ns, watts = self._log.samples()
            except UsageError as error:
                at_ns, watts, faults = (), (), [error.message]
        offset_ns = offset_ns if own is None else own.offset_ns
        at_ns = tuple(at + offset_ns for at in at_ns)
        self.faults += [fault for fault in faults if fault not in self.faults]
        interval = interval_ns(at_ns)
        low, high = low_ns - 2 * interval, high_ns + 2 * interval
        kept = [(at, value) for at, value in zip(at_ns, watts, strict=True) if low <= at <= high]
        times, values = tuple(at for at, _ in kept), tuple(value for _, value in kept)
        return [Series("power", "W", METER_LABEL, source, Origin.HARDWARE, False, interval, times, values)]
