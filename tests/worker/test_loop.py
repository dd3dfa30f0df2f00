"""The loop with a clock of its own: nothing here depends on how fast this machine is."""

from __future__ import annotations

import gc
from collections.abc import Mapping, Sequence

import pytest

from hwprof.collectors.protocol import Group, Pass, Unavailable
from hwprof.records import Counter, Reading, Role, Snapshot
from hwprof.worker.loop import Loop, no_garbage_collection, rehearse, schedule, warm_up, window
from hwprof.worker.protocol import LoopSettings


class World:
    """A clock that only inference moves, and a model that remembers its inputs."""

    def __init__(self, durations: Sequence[int]) -> None:
        self.now = 0
        self.durations = list(durations)
        self.seen: list[str] = []

    def clock(self) -> int:
        return self.now

    def infer(self, bound: str) -> None:
        self.seen.append(bound)
        self.now += self.durations[min(len(self.seen), len(self.durations)) - 1]


def loop_of(world: World, ring: Sequence[str] = ("a", "b", "c")) -> Loop:
    return Loop(world.infer, ring, world.clock)


def test_every_latency_is_kept_and_the_ring_goes_round() -> None:
    world = World([10, 20, 30, 40])
    t0, t1, latencies = loop_of(world).run(4, 0.0)
    assert list(latencies) == [10, 20, 30, 40]
    assert (t0, t1) == (0, 100)
    assert world.seen == ["a", "b", "c", "a"]


def test_a_time_budget_stops_after_the_iteration_that_reaches_it() -> None:
    world = World([300_000_000])
    _, t1, latencies = loop_of(world).run(None, 1.0)
    assert len(latencies) == 4
    assert t1 == 1_200_000_000


def test_the_least_number_of_iterations_outlasts_the_budget() -> None:
    _, _, latencies = loop_of(World([10**9])).run(None, 1.0, at_least=5)
    assert len(latencies) == 5


def test_warm_up_goes_on_until_two_blocks_agree() -> None:
    slow, fast = 40_000_000, 20_000_000
    done = warm_up(loop_of(World([slow] * 5 + [fast] * 100)), max_s=60)
    assert done.steady is True
    assert done.iterations == 15  # a slow block, a fast one that differs, one that agrees with it
    assert done.first_ns == slow


def test_warm_up_gives_up_and_says_so() -> None:
    falling = [10**9 - i * 5 * 10**6 for i in range(150)]
    done = warm_up(loop_of(World(falling)), max_s=20)
    assert done.steady is False


def test_bare_and_counted_windows_take_turns() -> None:
    passes = [Pass(0, ("cycles",)), Pass(1, ("branches",))]
    roles = [(role, None if p is None else p.index) for role, p in schedule(passes, False)]
    bare, counted = Role.BARE, Role.COUNTED
    assert roles == [(bare, None), (counted, 0), (bare, None), (counted, 1)]
    assert next(iter(schedule(passes, True)))[0] is counted
    assert [r for r, _ in schedule([], False)] == [bare]


@pytest.mark.parametrize("first", [0, 2, 4])
def test_a_loop_begins_with_the_input_it_is_told(first: int) -> None:
    world = World([10])
    loop_of(world).run(4, 0.0, first=first)
    assert world.seen == [("a", "b", "c")[(first + i) % 3] for i in range(4)]


def test_a_watched_loop_names_the_inferences_in_which_the_cpu_was_taken_away() -> None:
    world = World([10, 20, 30, 40, 50])
    switches = {1: 1, 2: 3, 4: 4}  # inferences done -> switches so far

    def read() -> int:
        return max((n for done, n in switches.items() if done <= len(world.seen)), default=0)

    t0, t1, latencies, disturbed = loop_of(world).run_watched(5, 0.0, 1, read)
    assert disturbed == (0, 1, 3)
    assert (t0, t1, list(latencies)) == (0, 150, [10, 20, 30, 40, 50])
    assert world.seen == ["a", "b", "c", "a", "b"]


def test_a_watched_loop_ends_as_an_unwatched_one_does() -> None:
    for iterations, seconds, at_least in ((None, 25e-9, 1), (None, 0.0, 4), (3, 99.0, 30)):
        watched, unwatched = World([10]), World([10])
        *found, disturbed = loop_of(watched).run_watched(iterations, seconds, at_least, lambda: 5)
        assert tuple(found) == loop_of(unwatched).run(iterations, seconds, at_least)
        assert disturbed == (), "only what changes is a switch"


def test_a_bare_window_that_is_watched_has_what_was_seen() -> None:
    watched = window(0, Role.BARE, None, loop_of(World([10])), LoopSettings(iterations=3), [], lambda: 0)
    assert watched.disturbed == ()
    assert window(0, Role.BARE, None, loop_of(World([10])), LoopSettings(iterations=3), []).disturbed is None


def test_garbage_collection_stays_off_until_the_outermost_is_over() -> None:
    with no_garbage_collection():
        window(0, Role.BARE, None, loop_of(World([10])), LoopSettings(iterations=3), [])
        assert not gc.isenabled()
        assert gc.get_freeze_count() > 0
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


class Counting:
    """A session of one always-on group and one group of pass 0, counting the reads."""

    def __init__(self) -> None:
        self.passes: Sequence[Pass] = (Pass(0, ("cycles",)),)
        self.groups: Sequence[Group] = (Group((Counter("faults"),)), Group((Counter("cycles"),), 0))
        self.unavailable: Mapping[str, Unavailable] = {}
        self.on = False
        self.reads = 0
        self.enabled = 0

    def select(self, pass_: Pass | None) -> None:
        self.on = pass_ is not None

    def read(self) -> tuple[Snapshot, ...]:
        self.reads += 1
        self.enabled += 100 if self.on else 0
        always = Snapshot(self.reads, (self.reads,), self.reads, self.reads)
        return (always, Snapshot(self.reads, (self.enabled,), self.enabled, self.enabled))

    def review(self, readings: Sequence[Reading]) -> Sequence[Reading]:
        return readings


def test_a_bare_window_has_no_readings_of_what_was_switched_off() -> None:
    session = Counting()
    bare = window(0, Role.BARE, None, loop_of(World([10])), LoopSettings(iterations=3), [session])
    assert [r.metric for r in bare.readings] == ["faults"]
    counted = window(1, Role.COUNTED, session.passes[0], loop_of(World([10])), LoopSettings(iterations=3), [session])
    assert {r.metric: r.value for r in counted.readings} == {"faults": 1.0, "cycles": 100.0}
    assert session.on is False


def test_a_rehearsal_counts_one_inference_and_leaves_the_counters_off() -> None:
    session, world = Counting(), World([10])
    rehearse(session.passes[0], loop_of(world), LoopSettings(iterations=3), [session])
    assert (session.enabled, session.reads, session.on) == (200, 2, False)  # counted at both edges, then switched off
    assert world.seen == ["a"]


def test_garbage_collection_is_off_in_the_window_and_on_after_a_failure() -> None:
    def fail(_: object) -> None:
        assert not gc.isenabled()
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        window(0, Role.BARE, None, Loop(fail, ["a"], lambda: 0), LoopSettings(iterations=1), [])
    assert gc.isenabled()


def test_garbage_is_collected_before_the_first_edge_and_not_between_the_edges() -> None:
    told: list[str] = []

    class Edges(Counting):
        def read(self) -> tuple[Snapshot, ...]:
            told.append("edge")
            return super().read()

    def heard(phase: str, info: dict[str, int]) -> None:
        told.append("garbage")

    gc.callbacks.append(heard)
    try:
        window(0, Role.BARE, None, loop_of(World([10])), LoopSettings(iterations=3), [Edges()])
    finally:
        gc.callbacks.remove(heard)
    first, last = (index for index, what in enumerate(told) if what == "edge")
    assert "garbage" in told[:first]
    assert last == first + 1
