"""Readings of power sensors: power becomes energy, and energy power."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hwprof.collectors.gauge import Sensors, integral, samples
from hwprof.collectors.gauge import reading as plain
from hwprof.collectors.protocol import Channel, Unavailable
from hwprof.collectors.sensor_roles import MEANINGS, SensorRole
from hwprof.records import Exactness, Reading, Series, Shape, Window, missing

LEAST_RESTS = 3  # of a power, to be called regular


@dataclass(slots=True)
class PowerSensors(Sensors):
    """Sensors whose power becomes energy and whose energy becomes power, one of each per window and label.

    `absent`: sensors of this machine that can't be read, or that measure something else now, each with the reason.
    """

    absent: Sequence[tuple[Channel, Unavailable]] = field(default_factory=tuple)

    def readings(self, series: Sequence[Series], window: Window) -> list[Reading]:
        """`energy[label]` in J and `power[label]` in W of one window, from whichever of the two the sensor gives."""
        known = {(channel.metric, channel.label): channel for channel in self.channels}
        found = []
        for one in series:
            slowest = max(one.interval_ns, observed_interval_ns(one))
            channel = known.get((one.metric, one.label))
            role = None if channel is None else channel.role
            meaning = "" if role is None else MEANINGS[role]
            first = replace(plain(replace(one, interval_ns=slowest), window), meaning=meaning)
            if role is SensorRole.BATTERY and _rested(one, window):
                why = "the battery did not supply the machine all the time"
                first = replace(first, value=None, exactness=Exactness.MISSING, why=why)
            found += [first, _counterpart(first, one, window)]
        return found


def _rested(series: Series, window: Window) -> bool:
    """Whether a sensor gave no value at some moment of a window."""
    within = zip(series.at_ns, series.values, strict=True)
    return any(value is None for at, value in within if window.t0_ns <= at <= window.t1_ns)


def _counterpart(first: Reading, series: Series, window: Window) -> Reading:
    """Energy of a reading of power, power of one of energy."""
    other = "power" if series.metric == "energy" else "energy"
    name = first.metric.replace(series.metric, other, 1)
    common: dict[str, Any] = {"origin": series.origin, "domain": "system", "source": series.source}
    common |= {"meaning": first.meaning, "unit": "W" if other == "power" else "J"}
    common["shape"] = Shape.LEVEL if other == "power" else Shape.COUNT
    if first.value is None:
        return missing(name, first.why, **common)
    if other == "power":
        return Reading(name, first.value / window.elapsed_s, **common)
    joules = integral(samples(series), window)
    if joules is None:
        return missing(name, "no sample on both sides of the window", **common)
    return Reading(name, joules, **common)


def observed_interval_ns(series: Series) -> int:
    """How often a sensor has a new value at most, as its samples show; 0: not known.

    A total of energy grows all the time: while it stood still the sensor had nothing new. A power may rest, so that
    only changes at regular distances are the sensor's own. RAPL's interval is known, and a part of a package may be
    switched off.
    """
    if series.source.startswith("powercap:"):
        return 0
    rests: list[tuple[int, int]] = []  # samples of one value, the time from the first to the last of them
    for _, same in itertools.groupby(samples(series), key=lambda sample: sample[1]):
        times = [at for at, _ in same]
        rests.append((len(times), times[-1] - times[0]))
    if series.cumulative:
        return max((time for _, time in rests), default=0)
    between = rests[1:-1]  # from a change to a change
    lengths, longest = [count for count, _ in between], max((time for _, time in between), default=0)
    regular = len(between) >= LEAST_RESTS and min(lengths) > 2 and max(lengths) - min(lengths) <= 2
    return longest if regular else 0


def above_idle(reading: Reading, idle_w: float, window: Window) -> Reading:
    """Energy of a window without what the machine takes when idle (`idle_w`, measured before)."""
    name = reading.metric.replace("energy", "energy-above-idle", 1)
    if reading.value is None:
        return replace(reading, metric=name)
    return replace(reading, metric=name, value=reading.value - idle_w * window.elapsed_s)
