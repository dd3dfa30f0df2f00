"""Counters after every inference: what is chosen by its cost, what is kept, and a planted preemption that is named."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence

import pytest

from hwprof.analysis.over_time import tail
from hwprof.analysis.over_time.comovement import WAITING
from hwprof.collectors.protocol import UnswitchedSession
from hwprof.records import Case, Counter, Role, Run, Shape, Snapshot
from hwprof.worker.iterations import HEAD, Ledger, choose, open_ledgers, record
from hwprof.worker.loop import Loop
from tests.worker.test_loop import World, loop_of


class Meter:
    """A reading that takes its time on the clock of a world and counts inferences of the third input."""

    def __init__(self, world: World, cost: int = 10) -> None:
        self.world, self.cost = world, cost

    def read(self) -> Sequence[int]:
        self.world.now += self.cost
        return (self.world.seen.count("c"),)


def test_counts_are_those_of_each_inference_and_reading_is_no_part_of_latency() -> None:
    world = World([1000])
    ledger = Ledger("meter", (Counter("third", source="planted"),), Meter(world).read)
    window = record(loop_of(world), [ledger], 9e-6, 4)
    assert (window.index, window.role) == (4, Role.RECORDED)
    assert set(window.latencies_ns) == {1000}
    (counts,) = window.inferences
    assert counts.raw == (0, 0, 1, 0, 0, 1, 0, 0, 1)
    assert counts.metric == "third"


def test_a_level_is_kept_as_it_is() -> None:
    world = World([1000])
    ledger = Ledger("cpu", (Counter("cpu", shape=Shape.LEVEL),), lambda: (3,))
    (counts,) = record(loop_of(world), [ledger], 2e-6, 0).inferences
    assert set(counts.raw) == {3}
    assert counts.shape is Shape.LEVEL


@pytest.mark.parametrize(("running", "kept"), [(1, 1), (0, 0)])
def test_events_that_counted_a_part_of_the_time_are_left_out(running: int, kept: int) -> None:
    world = World([1000])
    ledger = Ledger("perf", (*HEAD, Counter("faults")), lambda: (1, world.now, world.now * running, len(world.seen)))
    assert len(record(loop_of(world), [ledger], 3e-6, 0).inferences) == kept


def test_what_takes_more_than_a_hundredth_of_an_inference_is_left_out_and_named() -> None:
    world = World([1])
    cheap, dear, late = (
        Ledger(name, (Counter(name),), Meter(world, ns).read)
        for name, ns in (("cheap", 60), ("dear", 90), ("late", 30))
    )
    chosen, omitted = choose([cheap, dear, late], 10_000, world.clock)
    assert [one.name for one in chosen] == ["cheap", "late"]
    assert [(one.name, ns) for one, ns in omitted] == [("dear", 90)]
    assert choose([cheap], 5_000, world.clock)[0] == []


class NoCounters(UnswitchedSession):
    """A session of a machine that counts nothing."""

    def read(self) -> tuple[Snapshot, ...]:
        return ()


@pytest.fixture
def shared_core() -> Iterator[None]:
    """This thread and a busy loop on one CPU."""
    allowed = os.sched_getaffinity(0)
    cpu = min(allowed)
    os.sched_setaffinity(0, {cpu})
    busy = subprocess.Popen([sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=subprocess.PIPE)
    try:
        assert busy.stdout is not None
        busy.stdout.readline()  # it runs
        yield
    finally:
        busy.kill()
        busy.communicate()
        os.sched_setaffinity(0, allowed)


@pytest.mark.counting
@pytest.mark.usefixtures("shared_core")
def test_a_busy_sibling_on_the_same_cpu_is_named_as_waiting() -> None:
    def infer(_: object) -> int:
        return sum(range(5_000))

    with open_ledgers(NoCounters()) as ledgers:
        window = record(Loop(infer, [None]), ledgers, 1.0, 0)
    found = tail.estimate([Run("run", Case("f", "n", "", 32), windows=(window,))])
    assert found is not None
    assert found.reason is not None
    assert found.reason.name == WAITING
    assert {c.metric for c in window.inferences} >= {"run-queue-wait", "involuntary-switches", "rusage-minor-faults"}
