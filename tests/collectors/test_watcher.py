"""The watcher of one worker: how long its sensors need, when it samples, what it says of slices."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial

import pytest

from hwprof.collectors.gauge import Sensors
from hwprof.collectors.protocol import Channel, Gauge
from hwprof.collectors.watcher import GaugeWatcher
from hwprof.records import Reading, Role, Slices, Window


def watcher(*channels: Channel, hz: float = 10.0) -> GaugeWatcher:
    def make(pid: int | None) -> Sequence[Gauge]:
        return [Sensors("sensors", channels, [lambda: 1.0] * len(channels))]

    return GaugeWatcher(hz, (), factories=lambda: {"sensors": make})


@pytest.mark.parametrize(
    ("channels", "needed_s"),
    [
        ((), 1.0),
        ((Channel("energy", "J", cumulative=True, interval_ns=1_000_000),), 1.0),
        ((Channel("power", "W", interval_ns=500_000_000), Channel("temperature", "degC")), 5.0),
        ((Channel("rss", "B", interval_ns=2_000_000_000),), 1.0),  # memory is no sensor
    ],
)
def test_a_stretch_lasts_ten_intervals_of_the_slowest_sensor(channels: tuple[Channel, ...], needed_s: float) -> None:
    with watcher(*channels) as watched:
        assert watched.needed_s() == 0.0  # nothing is sampled yet
        watched.started(1)
        assert watched.needed_s() == pytest.approx(needed_s)


def test_nothing_is_sampled_while_it_is_paused() -> None:
    with watcher(Channel("power", "W"), hz=1e-3) as watched:
        watched.started(1)
        watched.pause()
        paused = watched.series()[0].at_ns
        watched.resume()
        assert len(paused) == 2
        assert len(watched.series()[0].at_ns) == 3


def test_steal_is_a_share_of_the_windows_that_sensors_see() -> None:
    stolen = Reading("cpu-steal[cpu0]", 0.05, unit="s")
    bare = Window(0, Role.BARE, -1, 0, 1_000_000_000, (), (stolen,))
    slices = Slices((0,), (9_000_000_000,), (1,), (0,))
    paired = Window(1, Role.PAIRED, 0, 0, 9_000_000_000, (1,), slices=slices)
    with watcher() as watched:
        watched.started(1)
        (doubt,) = watched.doubts([bare, paired])
        assert doubt.code == "steal"
        assert doubt.detail["percent"] == pytest.approx(5.0)
        less = dataclasses.replace(bare, readings=(dataclasses.replace(stolen, value=0.01),))
        assert watched.doubts([less, paired]) == []


def test_only_the_cores_of_the_case_are_sampled() -> None:
    names = ("cpu-frequency", "cpu-busy", "cpu-steal", "throttle-events")
    each = [Channel(name, "", f"cpu{n}", cumulative=name != "cpu-frequency") for n in range(128) for name in names]
    zone = Channel("temperature", "degC", "cpu7")  # as some boards call a thermal zone
    read: set[str] = set()

    def reader(channel: Channel) -> float:
        read.add(channel.label)
        return 1.0

    def make(pid: int | None) -> Sequence[Gauge]:
        return [Sensors("sensors", (*each, zone), [partial(reader, channel) for channel in (*each, zone)])]

    with GaugeWatcher(10.0, (3, 64), factories=lambda: {"sensors": make}) as watched:
        watched.started(1)
        sampled = {(series.metric, series.label) for series in watched.series()}
    assert sampled == {(name, f"cpu{n}") for n in (3, 64) for name in names} | {("temperature", "cpu7")}
    assert read == {"cpu3", "cpu64", "cpu7"}
