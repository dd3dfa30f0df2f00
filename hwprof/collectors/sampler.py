"""Slow gauges, sampled outside the measured process, off its cores where there is one to spare."""

from __future__ import annotations

import math
import os
import threading
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hwprof.collectors.protocol import Gauge
from hwprof.machine.clock import clock_ns
from hwprof.records import Doubt, Reading, Series, Window

MOST_VALUES = 1 << 20  # kept of one gauge: 8 MiB
# A doubt where fewer than this share of the samples was taken, over a time in which so many were due.
LEAST_SHARE, LEAST_SAMPLES = 0.8, 10


def gauge_failure(name: str, error: Exception) -> Doubt:
    """The doubt that a gauge leaves behind."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return Doubt("gauge-failed", {"gauge": name, "reason": reason})


@dataclass(slots=True)
class Rate:
    """What the thread of a sampler did: samples, the time that they should have taken and that they took."""

    samples: int = 0
    due_s: float = 0.0
    elapsed_s: float = 0.0
    reading_s: float = 0.0

    def add(self, due_s: float, elapsed_s: float, reading_s: float) -> None:
        """One sample, and how long after the one before it."""
        self.samples += 1
        self.due_s += due_s
        self.elapsed_s += elapsed_s
        self.reading_s += reading_s

    @property
    def sample_s(self) -> float:
        """Mean time that one sample takes."""
        return self.reading_s / self.samples


class Columns:
    """The samples of one gauge as packed numbers: times in ns, and a column per channel (NaN: no answer)."""

    def __init__(self, channels: int) -> None:
        self.at = array("q")
        self.values = [array("d") for _ in range(channels)]
        self._most = max(2, MOST_VALUES // max(1, channels))

    def add(self, at_ns: int, values: Sequence[float | None]) -> bool:
        """One more sample. Where there are too many, every second one is dropped, and this returns True."""
        self.at.append(at_ns)
        for column, value in zip(self.values, values, strict=True):
            column.append(math.nan if value is None else value)
        if len(self.at) <= self._most:
            return False
        self.at = self.at[::2]
        self.values = [column[::2] for column in self.values]
        return True


@dataclass(slots=True)
class Sampler:
    """Samples `gauges` `hz` times a second from a thread of the launcher, or once per `tick()` without one.

    A gauge that raises is kept out from then on, and a doubt says why; the others go on. Memory is bounded: where a
    gauge has MOST_VALUES, every second sample is dropped, and from then on half as many are taken.
    """

    gauges: Sequence[Gauge]
    hz: float = 10.0
    avoid: Sequence[int] = ()  # the measured process's cores
    clock: Callable[[], int] = clock_ns
    allowed: Callable[[], set[int]] = lambda: os.sched_getaffinity(0)
    _columns: list[Columns] = field(default_factory=list)
    _failed: set[int] = field(default_factory=set)
    _doubts: list[Doubt] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None
    _period_s: float = 0.0
    _rate: Rate = field(default_factory=Rate)

    def __post_init__(self) -> None:
        self._columns = [Columns(len(gauge.channels)) for gauge in self.gauges]
        self._period_s = 1.0 / self.hz

    def start(self) -> None:
        """Sample from now on, beginning with one sample at once; after `stop` too."""
        self.tick()
        self._stop.clear()
        self._thread = threading.Thread(target=self._loop, name="hwprof-sampler", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """One last sample, and no more until `start`."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._thread = None
        self.tick()

    def _loop(self) -> None:
        self.pin()
        self.sample_until(self._stop.wait)

    def sample_until(self, wait: Callable[[float], bool]) -> None:
        """Sample in turn with `wait` (seconds), until that returns True.

        Sensors that are slow to read get at most half of the time: the sampler may run on a measured core.
        """
        begin, took_s = self.clock(), 0.0
        while not wait(max(self._period_s - took_s, took_s)):
            due_s, now = self._period_s, self.clock()
            self.tick()
            end = self.clock()
            took_s = (end - now) / 1e9
            self._rate.add(due_s, (end - begin) / 1e9, took_s)
            begin = end

    def pin(self) -> None:
        """Move this thread off the measured cores, or record that there is no core to spare."""
        spare = self.allowed() - set(self.avoid)
        if self.avoid and not spare:
            if (shared := Doubt("sampler-shares-core", {})) not in self._doubts:
                self._doubts.append(shared)
        elif self.avoid:
            os.sched_setaffinity(threading.get_native_id(), spare)

    def tick(self) -> None:
        """One sample of every gauge. Its time is the middle of the time that reading it took."""
        with self._lock:
            for index, gauge in enumerate(self.gauges):
                if index in self._failed:
                    continue
                begin = self.clock()
                try:
                    values = [None if value is None else float(value) for value in gauge.sample()]
                    if len(values) != len(gauge.channels):
                        raise ValueError(f"{len(values)} values for {len(gauge.channels)} channels")
                except Exception as error:  # noqa: BLE001  a third party's gauge may raise anything
                    self._lose(index, error)
                    continue
                if self._columns[index].add((begin + self.clock()) // 2, values):
                    self._period_s *= 2

    def _lose(self, index: int, error: Exception) -> None:
        if index not in self._failed:
            self._failed.add(index)
            self._doubts.append(gauge_failure(self.gauges[index].name, error))

    def series(self) -> tuple[Series, ...]:
        """Everything sampled so far, one series per channel."""
        with self._lock:
            return tuple(s for index in range(len(self.gauges)) for s in self._series_of(index))

    def _series_of(self, index: int) -> list[Series]:
        at_ns = tuple(self._columns[index].at)
        return [
            Series(
                channel.metric,
                channel.unit,
                channel.label,
                channel.source,
                channel.origin,
                channel.cumulative,
                channel.interval_ns,
                at_ns,
                tuple(None if math.isnan(value) else value for value in values),
                channel.shape,
            )
            for channel, values in zip(self.gauges[index].channels, self._columns[index].values, strict=True)
        ]

    def readings(self, window: Window) -> tuple[Reading, ...]:
        """What each gauge says about one window."""
        with self._lock:
            by_gauge = [self._series_of(index) for index in range(len(self.gauges))]
        found: list[Reading] = []
        for index, (gauge, series) in enumerate(zip(self.gauges, by_gauge, strict=True)):
            try:
                found += gauge.readings(series, window)
            except Exception as error:  # noqa: BLE001  as in `tick`
                self._lose(index, error)
        return tuple(found)

    def facts(self) -> dict[str, float]:
        """Samples per second asked for and kept, and seconds that one takes; kept ones: not known without any."""
        found = {"hz": self.hz}
        if self._rate.samples:
            found |= {"kept_hz": self._rate.samples / self._rate.elapsed_s, "sample_s": self._rate.sample_s}
        return found

    def doubts(self) -> list[Doubt]:
        """Cores shared with the measurement, gauges that failed, a rate that was not kept."""
        rate, found = self._rate, list(self._doubts)
        if rate.elapsed_s >= LEAST_SAMPLES / self.hz and rate.due_s < LEAST_SHARE * rate.elapsed_s:
            channels = sum(len(gauge.channels) for gauge in self.gauges)
            detail = {"kept": rate.samples / rate.elapsed_s, "hz": self.hz, "sensors": channels}
            found.append(Doubt("slow-sampling", {**detail, "seconds": rate.sample_s}))
        return found
