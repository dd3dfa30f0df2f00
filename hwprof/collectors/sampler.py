"""Slow gauges, sampled outside the measured process, off its cores where there is one to spare."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hwprof.collectors.protocol import Gauge
from hwprof.machine.clock import clock_ns
from hwprof.records import Doubt, Reading, Series, Window


def gauge_failure(name: str, error: Exception) -> Doubt:
    """The doubt that a gauge leaves behind."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return Doubt("gauge-failed", {"gauge": name, "reason": reason})


@dataclass(slots=True)
class Sampler:
    """Samples `gauges` `hz` times a second from a thread of the launcher, or once per `tick()` without one.

    A gauge that raises is kept out from then on, and a doubt says why; the others go on.
    """

    gauges: Sequence[Gauge]
    hz: float = 10.0
    avoid: Sequence[int] = ()  # the measured process's cores
    clock: Callable[[], int] = clock_ns
    allowed: Callable[[], set[int]] = lambda: os.sched_getaffinity(0)
    _at: list[list[int]] = field(default_factory=list)
    _values: list[list[list[float | None]]] = field(default_factory=list)
    _failed: set[int] = field(default_factory=set)
    _doubts: list[Doubt] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None

    def __post_init__(self) -> None:
        self._at = [[] for _ in self.gauges]
        self._values = [[[] for _ in gauge.channels] for gauge in self.gauges]

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
        while not self._stop.wait(1.0 / self.hz):
            self.tick()

    def pin(self) -> None:
        """Move this thread off the measured cores, or record that there is no core to spare."""
        spare = self.allowed() - set(self.avoid)
        if self.avoid and not spare:
            if (shared := Doubt("sampler-shares-core", {})) not in self._doubts:
                self._doubts.append(shared)
        elif self.avoid:
            os.sched_setaffinity(threading.get_native_id(), spare)

    def tick(self) -> None:
        """One sample of every gauge."""
        with self._lock:
            for index, gauge in enumerate(self.gauges):
                if index in self._failed:
                    continue
                try:
                    values = [None if value is None else float(value) for value in gauge.sample()]
                    if len(values) != len(gauge.channels):
                        raise ValueError(f"{len(values)} values for {len(gauge.channels)} channels")
                except Exception as error:  # noqa: BLE001  a third party's gauge may raise anything
                    self._lose(index, error)
                    continue
                self._at[index].append(self.clock())
                for channel, value in zip(self._values[index], values, strict=True):
                    channel.append(value)

    def _lose(self, index: int, error: Exception) -> None:
        if index not in self._failed:
            self._failed.add(index)
            self._doubts.append(gauge_failure(self.gauges[index].name, error))

    def series(self) -> tuple[Series, ...]:
        """Everything sampled so far, one series per channel."""
        with self._lock:
            return tuple(s for index in range(len(self.gauges)) for s in self._series_of(index))

    def _series_of(self, index: int) -> list[Series]:
        return [
            Series(
                channel.metric,
                channel.unit,
                channel.label,
                channel.source,
                channel.origin,
                channel.cumulative,
                channel.interval_ns,
                tuple(self._at[index]),
                tuple(values),
                channel.shape,
            )
            for channel, values in zip(self.gauges[index].channels, self._values[index], strict=True)
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

    def doubts(self) -> list[Doubt]:
        """Cores shared with the measurement, gauges that failed."""
        return list(self._doubts)
