"""Counters after every inference: what is chosen by its cost, what is kept, and a planted preemption that is named."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from hwprof.analysis.over_time import tail
from hwprof.analysis.over_time.comovement import WAITING
from hwprof.collectors.protocol import Session, UnswitchedSession
from hwprof.networks.inputs import InputSpec
from hwprof.records import Case, Counter, Role, Run, Shape, Snapshot, Window
from hwprof.worker import iterations
from hwprof.worker.iterations import HEAD, Ledger, add_window, choose, open_ledgers, record
from hwprof.worker.loop import Loop
from hwprof.worker.protocol import Job, Task
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


class Launcher:
    """The other end of the line: says "go", and keeps what it was told."""

    def __init__(self) -> None:
        self.heard: list[Mapping[str, Any]] = []

    def send(self, message: Mapping[str, Any]) -> None:
        self.heard.append(message)

    def receive(self) -> Mapping[str, Any]:
        return {"go": True, "seconds": 0.0}


def added(latency_ns: int, session: Session) -> tuple[list[Window], Mapping[str, Any], Launcher]:
    """The windows, the facts and what the launcher heard, where an inference takes so long."""
    launcher = Launcher()
    windows = [Window(0, Role.BARE, -1, 0, latency_ns, (latency_ns,))]
    job = Job(Task.MEASURE, Case("f", "n", "", 8), "n", 0, InputSpec("input", (1, 3, 8, 8)))
    facts = add_window(launcher, windows, loop_of(World([latency_ns])), job, session)  # type: ignore[arg-type]
    return windows, facts["per_iteration"], launcher


def test_the_window_is_announced_measured_and_described() -> None:
    windows, facts, launcher = added(10**9, NoCounters())
    assert [w.role for w in windows] == [Role.BARE, Role.RECORDED]
    assert len(windows[1].latencies_ns) == 10  # of a second each: no longer than ten seconds
    assert [message["say"] for message in launcher.heard] == ["ready", "done"]
    assert "rusage" in facts["read"]
    assert facts["omitted"] == {}
    assert facts["read_share"] == 0.0


def test_where_inferences_are_too_short_nothing_is_measured_and_the_reason_is_kept() -> None:
    windows, facts, launcher = added(1, NoCounters())
    assert [w.role for w in windows] == [Role.BARE]
    assert facts["why"] == "reading takes more than 1 % of an inference"
    assert launcher.heard == []


def test_a_counter_that_can_not_be_read_any_more_costs_the_window_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Window:
        raise OSError(9, "gone")

    monkeypatch.setattr(iterations, "record", fail)
    windows, facts, launcher = added(10**9, NoCounters())
    assert len(windows) == 1
    assert facts["why"] == "a counter could not be read: [Errno 9] gone"
    assert [message["say"] for message in launcher.heard] == ["ready", "done"]


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
