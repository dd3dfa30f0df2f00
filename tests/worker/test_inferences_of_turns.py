"""Slices wait outside of the heap, and say how many inferences ran so far: growth per inference rests on both."""

from __future__ import annotations

from itertools import count

from hwprof.records import Role
from hwprof.worker.loop import Loop
from hwprof.worker.protocol import LoopSettings
from hwprof.worker.slices import SlicedMeasurement


def test_inferences_that_begin_a_turn_are_counted_too() -> None:
    ticks = count(0, 1_000_000)  # each look at the clock is a millisecond later
    called: list[int] = []
    loop = Loop(called.append, list(range(4)), clock=lambda: next(ticks))
    measurement = SlicedMeasurement(loop, LoopSettings(window_s=0.5, slice_s=0.04), [], [])
    while not measurement.is_complete():
        measurement.run_turn()
    (window,) = measurement.windows()
    assert window.role is Role.PAIRED
    assert window.slices is not None
    done = next(c for c in window.slices.counts if c.metric == "inferences")
    assert done.raw[-1] == len(called) > len(window.latencies_ns)
    assert sum(window.slices.iterations) == len(window.latencies_ns)
