"""The sampler, moved by hand: no thread, no waiting."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from hwprof.collectors.gauge import Sensors
from hwprof.collectors.protocol import Channel
from hwprof.collectors.sampler import Sampler
from hwprof.records import Role, Series, Window


class Clock:
    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        self.now += 10
        return self.now


def counting() -> Sensors:
    values = itertools.count()
    return Sensors("n", [Channel("n", "")], [lambda: float(next(values))])


def test_each_tick_is_a_sample_with_its_time() -> None:
    sampler = Sampler([counting()], clock=Clock())
    for _ in range(3):
        sampler.tick()
    (series,) = sampler.series()
    assert series.at_ns == (10, 20, 30)
    assert series.values == (0.0, 1.0, 2.0)


def test_a_windows_reading_is_cut_to_the_window() -> None:
    sampler = Sampler([counting()], clock=Clock())
    for _ in range(10):
        sampler.tick()
    (reading,) = sampler.readings(Window(0, Role.BARE, -1, 35, 65, ()))
    assert reading.value == 4.0  # samples 3, 4, 5 at 40, 50, 60


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
