"""What all gauges share: channels that are files, and readings of a window from series."""

from __future__ import annotations

import itertools
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from hwprof.collectors.protocol import Channel
from hwprof.collectors.vocabulary import Name
from hwprof.records import Reading, Series, Shape, Window, missing

# Metrics with a channel for each core, labelled as the kernel calls it: cpu0.
CORE_METRICS = frozenset({Name.CPU_BUSY, Name.CPU_STEAL, Name.CPU_FREQUENCY, Name.THROTTLE_EVENTS})
# A level or an energy is refused for a window of fewer sensor intervals than this.
LEAST_INTERVALS = 5


@dataclass(slots=True)
class Sensors:
    """A gauge of independent channels, each with a function that reads its raw value (None: no answer)."""

    name: str
    channels: Sequence[Channel]
    readers: Sequence[Callable[[], float | None]]
    _last: list[float | None] = field(default_factory=list)
    _offset: list[float] = field(default_factory=list)

    def sample(self) -> list[float | None]:
        """One value per channel in its unit; running totals are unwrapped."""
        if not self._last:
            self._last, self._offset = [None] * len(self.channels), [0.0] * len(self.channels)
        values: list[float | None] = []
        for index, (channel, reader) in enumerate(zip(self.channels, self.readers, strict=True)):
            raw = reader()
            if raw is None:
                values.append(None)
                continue
            last = self._last[index]
            if channel.cumulative and channel.modulus and last is not None and raw < last:
                self._offset[index] += channel.modulus
            self._last[index] = raw
            values.append((raw + self._offset[index]) * channel.scale)
        return values

    def of_cores(self, cpus: Sequence[int]) -> Self:
        """The same gauge without what it tells of each other core."""
        ours = {f"cpu{cpu}" for cpu in cpus}
        pairs = zip(self.channels, self.readers, strict=True)
        kept = [(c, read) for c, read in pairs if c.metric not in CORE_METRICS or c.label in ours]
        return replace(self, channels=[c for c, _ in kept], readers=[read for _, read in kept])

    def readings(self, series: Sequence[Series], window: Window) -> list[Reading]:
        """One reading per channel: difference of a running total, mean of a level."""
        return [reading(one, window) for one in series]


def reading(series: Series, window: Window) -> Reading:
    """What one series says about a window; MISSING with the reason where it can't tell."""
    name = f"{series.metric}[{series.label}]" if series.label else series.metric
    common: dict[str, Any] = {
        "unit": series.unit,
        "origin": series.origin,
        "domain": "system",
        "source": series.source,
        "shape": series.shape or (Shape.COUNT if series.cumulative else Shape.LEVEL),
    }
    known = samples(series)
    if not known:
        return missing(name, "the sensor did not answer", **common)
    length = window.t1_ns - window.t0_ns
    if series.interval_ns and length < LEAST_INTERVALS * series.interval_ns:
        why = (
            f"the window of {length / 1e9:.2f} s is shorter than {LEAST_INTERVALS} intervals "
            f"of the sensor ({series.interval_ns / 1e9:g} s each)"
        )
        return missing(name, why, **common)
    if series.cumulative:
        first, last = edge_values(known, window)
        if first is None or last is None:
            return missing(name, "no sample on both sides of the window", **common)
        return Reading(name, last - first, **common)
    values = values_of_window(known, window)
    if not values:
        return missing(name, "no sample within the window", **common)
    return Reading(name, statistics.fmean(values), **common)


def samples(series: Series) -> list[tuple[int, float]]:
    """(time in ns, value) of every sample that the sensor answered."""
    return [(at, value) for at, value in zip(series.at_ns, series.values, strict=True) if value is not None]


def values_of_windows(series: Series, windows: Sequence[Window]) -> list[float]:
    """Values sampled within any of the windows, in the order of the windows."""
    known = samples(series)
    return [value for window in windows for value in values_of_window(known, window)]


def values_of_window(known: Sequence[tuple[int, float]], window: Window) -> list[float]:
    """Values sampled within a window."""
    times = [at for at, _ in known]
    return [value for _, value in known[bisect_left(times, window.t0_ns) : bisect_right(times, window.t1_ns)]]


def enclosing(known: Sequence[tuple[int, float]], window: Window) -> Sequence[tuple[int, float]]:
    """Samples from the last one before a window to the first one after it."""
    times = [at for at, _ in known]
    return known[max(0, bisect_right(times, window.t0_ns) - 1) : bisect_left(times, window.t1_ns) + 1]


def edge_values(known: Sequence[tuple[int, float]], window: Window) -> tuple[float | None, float | None]:
    """Values at both edges of a window by linear interpolation; None where no samples enclose an edge."""
    return interpolate(known, window.t0_ns), interpolate(known, window.t1_ns)


def interpolate(known: Sequence[tuple[int, float]], at: int) -> float | None:
    """Value at a moment between two samples; None outside of them."""
    times = [t for t, _ in known]
    right = bisect_left(times, at)
    if right < len(known) and times[right] == at:
        return known[right][1]
    if right == 0 or right == len(known):
        return None
    (t0, v0), (t1, v1) = known[right - 1], known[right]
    return v0 + (v1 - v0) * (at - t0) / (t1 - t0)


def integral(known: Sequence[tuple[int, float]], window: Window) -> float | None:
    """Trapezoidal integral of a level over a window, in unit x seconds; None where samples don't enclose it."""
    first, last = edge_values(known, window)
    if first is None or last is None:
        return None
    points = [(window.t0_ns, first)]
    points += [(at, v) for at, v in known if window.t0_ns < at < window.t1_ns]
    points.append((window.t1_ns, last))
    return sum((t1 - t0) / 1e9 * (v0 + v1) / 2 for (t0, v0), (t1, v1) in itertools.pairwise(points))
