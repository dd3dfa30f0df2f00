"""The sampler, moved by hand: no thread, no waiting."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from hwprof import doubts
from hwprof.collectors import sampler as sampler_module
from hwprof.collectors.gauge import Sensors
from hwprof.collectors.protocol import Channel
from hwprof.collectors.sampler import Sampler
from hwprof.records import Role, Series, Window


class Clock:
    """Moves by 5 with each look: a sample takes as long, from one look to the next."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        self.now += 5
        return self.now


def counting() -> Sensors:
    values = itertools.count()
    return Sensors("n", [Channel("n", "")], [lambda: float(next(values))])


def test_each_tick_is_a_sample_with_its_time() -> None:
    sampler = Sampler([counting()], clock=Clock())
    for _ in range(3):
        sampler.tick()
    (series,) = sampler.series()
    assert series.at_ns == (7, 17, 27)  # the middle of 5 and 10, of 15 and 20, ...
    assert series.values == (0.0, 1.0, 2.0)


def test_a_windows_reading_is_cut_to_the_window() -> None:
    sampler = Sampler([counting()], clock=Clock())
    for _ in range(10):
        sampler.tick()
    (reading,) = sampler.readings(Window(0, Role.BARE, -1, 35, 65, ()))
    assert reading.value == 4.0  # samples 3, 4, 5 at 37, 47, 57


class Broken:
    name = "broken"
    channels = (Channel("heat", "degC"),)

    def sample(self) -> Sequence[float | None]:
        raise OSError("sensor fell off")

    def readings(self, series: Sequence[Series], window: Window) -> Sequence[object]:
        return []


def test_a_gauge_that_fails_is_doubted_and_the_others_go_on() -> None:
    sampler = Sampler([Broken(), counting()], clock=Clock())  # type: ignore[list-item]
    sampler.tick()
    sampler.tick()
    assert [(d.code, d.detail["reason"]) for d in sampler.doubts()] == [("gauge-failed", "OSError: sensor fell off")]
    assert [len(s.values) for s in sampler.series()] == [0, 2]


class Talker(Broken):
    def __init__(self, values: Any, readings: Any = ()) -> None:
        self.values, self.told = values, readings

    def sample(self) -> Sequence[float | None]:
        return [*self.values]

    def readings(self, series: Sequence[Series], window: Window) -> Sequence[object]:
        return list(self.told)


@pytest.mark.parametrize(
    ("gauge", "reason"),
    [
        (Talker([1.0, 2.0]), "ValueError: 2 values for 1 channels"),
        (Talker(["hot"]), "ValueError: could not convert string to float: 'hot'"),
        (Talker([1.0], readings=3), "TypeError: 'int' object is not iterable"),
    ],
)
def test_a_gauge_that_talks_nonsense_is_one_that_fails(gauge: Talker, reason: str) -> None:
    sampler = Sampler([gauge, counting()], clock=Clock())  # type: ignore[list-item]
    for _ in range(3):
        sampler.tick()
    assert [r.metric for r in sampler.readings(Window(0, Role.BARE, -1, 0, 65, ()))] == ["n"]
    assert [d.detail["reason"] for d in sampler.doubts()] == [reason]


def test_without_a_core_to_spare_there_is_a_doubt() -> None:
    sampler = Sampler([], avoid=[0, 1], allowed=lambda: {0, 1})
    sampler.pin()
    assert [d.code for d in sampler.doubts()] == ["sampler-shares-core"]


def test_with_a_core_to_spare_the_thread_moves_there() -> None:
    cores = sorted(os.sched_getaffinity(0))
    seen: list[set[int]] = []

    def pinned() -> None:
        Sampler([], avoid=[99], allowed=lambda: {cores[0]}).pin()
        seen.append(os.sched_getaffinity(0))

    thread = threading.Thread(target=pinned)
    thread.start()
    thread.join()
    assert seen == [{cores[0]}]
    assert sorted(os.sched_getaffinity(0)) == cores


def test_a_started_sampler_has_samples_at_both_ends() -> None:
    sampler = Sampler([counting()], hz=1000)
    sampler.start()
    sampler.stop()
    (series,) = sampler.series()
    assert len(series.values) >= 2


def test_a_stopped_sampler_samples_again_after_a_new_start() -> None:
    ticks = threading.Semaphore(0)

    def count() -> float:
        ticks.release()
        return 1.0

    sampler = Sampler([Sensors("n", [Channel("n", "")], [count])], hz=1000.0)
    for _ in range(2):
        sampler.start()
        for _ in range(5):  # one at the start, the others from its thread
            ticks.acquire()
        sampler.stop()
        while ticks.acquire(blocking=False):
            pass
        assert not [thread for thread in threading.enumerate() if thread.name == "hwprof-sampler"]


def test_a_core_that_is_shared_is_doubted_once() -> None:
    sampler = Sampler([], avoid=(0,), allowed=lambda: {0})
    sampler.pin()
    sampler.pin()
    assert [doubt.code for doubt in sampler.doubts()] == ["sampler-shares-core"]


class SlowClock:
    """Time as the test moves it, in seconds."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> int:
        return round(self.now_s * 1e9)


def sampled(read_s: float, count: int, sensors: int = 1, hz: float = 10.0) -> tuple[Sampler, SlowClock]:
    """A sampler whose thread took `count` samples, with sensors of which each takes `read_s` to read."""
    clock = SlowClock()
    left = iter(range(count))

    def read() -> float:
        clock.now_s += read_s
        return 1.0

    def wait(seconds: float) -> bool:
        clock.now_s += seconds
        return next(left, None) is None

    channels = [Channel("cpu-frequency", "Hz", f"cpu{n}") for n in range(sensors)]
    sampler = Sampler([Sensors("thermal", channels, [read] * sensors)], hz, clock=clock)
    sampler.sample_until(wait)
    return sampler, clock


def test_a_rate_that_is_kept_is_recorded_and_not_doubted() -> None:
    sampler, clock = sampled(read_s=0.03, count=20)
    assert clock.now_s == pytest.approx(2.1, abs=0.05)  # reading is part of the period
    assert sampler.facts() == pytest.approx({"hz": 10.0, "kept_hz": 10.0, "sample_s": 0.03}, rel=0.02)
    assert sampler.doubts() == []


def test_a_rate_that_is_not_kept_is_doubted_with_what_a_sample_takes() -> None:
    sampler, _ = sampled(read_s=0.015, count=4, sensors=128)
    (doubt,) = sampler.doubts()
    assert doubt.code == "slow-sampling"
    assert doubt.detail == pytest.approx({"kept": 0.29, "hz": 10.0, "sensors": 128, "seconds": 1.92}, abs=0.01)
    says = "sensors were read 0.3 times a second, not 10 (reading 128 of them takes 1.9 s)"
    assert doubts.text(doubt).startswith(says)


def test_a_sampler_takes_no_more_than_half_of_a_core() -> None:
    sampler, clock = sampled(read_s=0.5, count=10)
    assert sampler.facts()["kept_hz"] == pytest.approx(1.05, abs=0.06)
    assert clock.now_s >= 10 * (0.5 + 0.5)


def test_a_moment_is_too_short_to_doubt_the_rate() -> None:
    sampler, _ = sampled(read_s=0.2, count=1)
    assert sampler.doubts() == []
    assert Sampler([]).facts() == {"hz": 10.0}  # none kept, none known


def test_samples_beyond_a_number_are_thinned_evenly_and_fewer_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler_module, "MOST_VALUES", 64)
    sampler, clock = sampled(read_s=0.0, count=90)
    (series,) = sampler.series()
    assert 32 <= len(series.values) <= 64
    gaps = {round((b - a) / 1e9, 3) for a, b in itertools.pairwise(series.at_ns)}
    assert gaps == {0.2}
    assert clock.now_s > 11  # 65 samples at 10 Hz, the others at 5
    assert sampler.doubts() == []


def test_many_channels_share_the_memory_of_a_gauge(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler_module, "MOST_VALUES", 64)
    sampler, _ = sampled(read_s=0.0, count=100, sensors=8)
    assert sum(len(series.values) for series in sampler.series()) <= 64


def test_a_sensor_without_an_answer_leaves_none_and_never_a_number() -> None:
    answers = iter([1.0, None, float("nan"), 2.0])
    sampler = Sampler([Sensors("n", [Channel("n", "")], [lambda: next(answers)])], clock=Clock())
    for _ in range(4):
        sampler.tick()
    assert sampler.series()[0].values == (1.0, None, None, 2.0)
