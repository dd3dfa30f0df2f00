"""Slices with a clock of their own: nothing here depends on how fast this machine is."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import pytest

from hwprof.collectors.protocol import Group, Pass, Unavailable
from hwprof.records import Counter, Exactness, Reading, Role, Slices, Snapshot, Window
from hwprof.worker import slices
from hwprof.worker.loop import Loop
from hwprof.worker.protocol import LoopSettings
from tests.factories import raw_counts

MS = 1_000_000


class World:
    """A clock that inference, edges and pauses move; a model that remembers its inputs and when it saw them."""

    def __init__(self, durations: Sequence[int]) -> None:
        self.now = 0
        self.durations = itertools.cycle(durations)
        self.seen: list[tuple[int, str]] = []

    def clock(self) -> int:
        return self.now

    def infer(self, bound: str) -> None:
        self.seen.append((self.now, bound))
        self.now += next(self.durations)


class Counting:
    """A session: a group that always counts, and one for each pass. Its edges take a millisecond."""

    unavailable: Mapping[str, Unavailable] = {}

    def __init__(self, world: World, passes: int = 1, modulus: int = 1 << 64, start: int = 0, slow: bool = False):
        self.world, self.modulus = world, modulus
        self.passes: Sequence[Pass] = [Pass(n, (f"event-{n}",)) for n in range(passes)]
        groups = [Group((Counter(f"event-{n}", modulus=modulus),), n) for n in range(passes)]
        self.groups: Sequence[Group] = [Group((Counter("seen"),), slow=slow), *groups]
        self.selected: Pass | None = None
        self.counted = [start] * passes
        self.enabled = [0] * passes
        self.reads: list[int] = []
        self.unreadable: set[int] = set()  # reads, by number

    def select(self, pass_: Pass | None) -> None:
        self.selected = pass_

    def read(self) -> tuple[Snapshot, ...]:
        """Each edge of a pass that is enabled counts ten: 10 between the two of a slice."""
        lost = len(self.reads) in self.unreadable
        self.reads.append(self.world.now)
        self.world.now += MS
        if self.selected is not None:
            self.counted[self.selected.index] += 10
            self.enabled[self.selected.index] += 100
        always = Snapshot(0, (len(self.world.seen),), len(self.reads), len(self.reads))
        return (
            always,
            *(
                Snapshot(0, (None if lost else raw % self.modulus,), enabled, enabled)
                for raw, enabled in zip(self.counted, self.enabled, strict=True)
            ),
        )

    def review(self, readings: Sequence[Reading]) -> Sequence[Reading]:
        return readings


def measured(
    world: World, session: Counting | None, pause_ns: int = 10**9, **settings: object
) -> tuple[slices.SlicedMeasurement, list[Window]]:
    """All turns, `pause_ns` apart, and the windows of what was measured."""
    plan = LoopSettings(**{"window_s": 1.0, "slice_s": 0.04, "order": "7/0", **settings})  # type: ignore[arg-type]
    sessions = [] if session is None else [session]
    ring = [f"image-{n}" for n in range(8)]
    found = slices.SlicedMeasurement(
        Loop(world.infer, ring, world.clock), plan, session.passes if session else (), sessions
    )
    while not found.is_complete():
        found.run_turn()
        world.now += pause_ns
    return found, found.windows()


def slices_of(window: Window) -> Slices:
    assert window.slices is not None
    return window.slices


def order(windows: Sequence[Window]) -> list[bool]:
    """Whether the counted slice of each pair was first."""
    bare, counted = map(slices_of, windows)
    return [c < b for b, c in zip(bare.t0_ns, counted.t0_ns, strict=True)]


def test_every_bare_slice_has_a_counted_one_right_beside_it() -> None:
    world = World([10 * MS])
    _, windows = measured(world, Counting(world))
    assert [(w.index, w.role, w.pass_) for w in windows] == [(0, Role.PAIRED, -1), (1, Role.COUNTED, 0)]
    bare, counted = map(slices_of, windows)
    assert len(bare.t0_ns) == len(counted.t0_ns) == 25, "a second in slices of 40 ms"
    assert bare.iterations == counted.iterations == (4,) * 25
    assert bare.turns == counted.turns == tuple(range(25))
    gaps = [
        max(b, c) - min(d, e) for b, c, d, e in zip(bare.t0_ns, counted.t0_ns, bare.t1_ns, counted.t1_ns, strict=True)
    ]
    assert set(gaps) == {2 * MS}, "one slice's last edge, the other's first"


def test_edges_lie_outside_the_timed_span() -> None:
    world = World([10 * MS])
    session = Counting(world)
    _, windows = measured(world, session)
    for window in windows:
        own = slices_of(window)
        assert own.elapsed_ns == sum(window.latencies_ns) == 10 * MS * 100
        assert not any(
            t0 < read + 1 <= t1 for read in session.reads for t0, t1 in zip(own.t0_ns, own.t1_ns, strict=True)
        )


def test_the_order_within_pairs_is_the_seeds_and_of_either_kind_as_often() -> None:
    def of(seed: str, pairs: int = 25) -> list[bool]:
        world = World([10 * MS])
        _, windows = measured(world, Counting(world), order=seed, window_s=0.04 * pairs)
        return order(windows)

    assert of("7/0") == of("7/0")
    assert of("7/0") != of("7/1")
    for seed in range(20):
        for pairs in (7, 8, 25):
            assert abs(2 * sum(of(str(seed), pairs)) - pairs) <= 1, "a clock that falls is no overhead"


def test_both_slices_of_a_pair_begin_with_the_same_input() -> None:
    world = World([10 * MS])
    _, windows = measured(world, Counting(world))
    first = dict(world.seen)
    bare, counted = map(slices_of, windows)
    begun = [[first[t] for t in own.t0_ns] for own in (bare, counted)]
    assert begun[0] == begun[1] == [f"image-{n % 8}" for n in range(25)]


def test_an_inference_longer_than_a_slice_is_one() -> None:
    world = World([900 * MS])
    session = Counting(world)
    _, windows = measured(world, session)
    assert [slices_of(w).iterations for w in windows] == [(1,) * slices.MIN_PAIRS] * 2


@pytest.mark.parametrize(("iterations", "pairs"), [(1, 1), (10, 3), (100, 25), (101, 26)])
def test_exactly_as_many_inferences_as_asked_for(iterations: int, pairs: int) -> None:
    world = World([10 * MS])
    _, windows = measured(world, Counting(world), iterations=iterations)
    assert [sum(slices_of(w).iterations) for w in windows] == [iterations] * 2
    assert [len(w.latencies_ns) for w in windows] == [iterations] * 2
    assert [len(slices_of(w).t0_ns) for w in windows] == [pairs] * 2


def test_passes_take_turns_until_each_has_its_pairs() -> None:
    world = World([10 * MS])
    session = Counting(world, passes=3)
    found, windows = measured(world, session)
    assert [(w.role, w.pass_) for w in windows] == [
        (r, p) for n in range(3) for r, p in ((Role.PAIRED, -1), (Role.COUNTED, n))
    ]
    assert [len(slices_of(w).t0_ns) for w in windows] == [25] * 6
    assert slices_of(windows[1]).turns[:3] == (0, 3, 6)
    assert found.turns == 75
    for number in range(3):
        readings = {r.metric: r.value for r in windows[2 * number + 1].readings}
        assert readings == {"seen": 100.0, f"event-{number}": 250.0}
        assert [c.metric for c in slices_of(windows[2 * number]).counts] == ["seen", "rss", "inferences"]


def test_a_turn_holds_whole_pairs_of_one_pass() -> None:
    world = World([10 * MS])
    found, windows = measured(world, Counting(world, passes=2), turn_pairs=10)
    assert found.turns == 6
    assert slices_of(windows[0]).turns == (0,) * 10 + (2,) * 10 + (4,) * 5
    assert slices_of(windows[2]).turns == (1,) * 10 + (3,) * 10 + (5,) * 5


def test_without_counters_there_are_bare_slices_only() -> None:
    _, (window,) = measured(World([10 * MS]), None)
    assert (window.role, len(slices_of(window).t0_ns)) == (Role.PAIRED, 25)


def test_a_turn_begins_with_inferences_that_are_not_measured() -> None:
    world = World([2 * MS])
    _, windows = measured(world, Counting(world))
    inside = sum(len(w.latencies_ns) for w in windows)
    assert len(world.seen) - inside == 25 * 3, "5 ms of each of 25 turns"


@pytest.mark.parametrize(("pause_ms", "unmeasured"), [(8, 1), (10, 7)])
def test_only_a_pause_makes_a_turn_begin_with_unmeasured_ones(pause_ms: int, unmeasured: int) -> None:
    world = World([900 * MS])
    _, windows = measured(world, None, pause_ns=pause_ms * MS)
    assert len(world.seen) - len(windows[0].latencies_ns) == unmeasured


def test_counts_of_a_slice_are_differences_of_its_edges() -> None:
    world = World([10 * MS])
    _, (_, counted) = measured(world, Counting(world, start=1000))
    assert raw_counts(counted, "event-0") == (10,) * 25
    assert raw_counts(counted, "seen") == (4,) * 25
    assert {r.metric: (r.value, r.running) for r in counted.readings}["event-0"] == (250.0, 1.0)


def test_a_counter_that_wraps_within_a_slice_counts_on_in_every_later_one() -> None:
    world = World([10 * MS])
    session = Counting(world, modulus=32)  # 20 a pair: it wraps in every second slice, often within it
    _, (_, counted) = measured(world, session)
    assert raw_counts(counted, "event-0") == (10,) * 25
    assert {r.metric: r.value for r in counted.readings}["event-0"] == 250.0, "not modulo 32"


def test_what_could_not_be_read_in_one_slice_is_missing_in_the_sum_and_known_in_the_others() -> None:
    world = World([10 * MS])
    session = Counting(world)
    session.unreadable = {1, 3}  # both slices of the first pair
    _, (_, counted) = measured(world, session)
    assert raw_counts(counted, "event-0") == (None, *(10,) * 24)
    (reading,) = (r for r in counted.readings if r.metric == "event-0")
    assert reading.exactness is Exactness.MISSING
    assert reading.why == slices.LOST


def test_a_session_that_is_slow_is_not_read_at_the_edges_of_slices() -> None:
    world = World([10 * MS])
    slow, quick = Counting(world, passes=0, slow=True), Counting(world)
    plan = LoopSettings(window_s=0.1, slice_s=0.04)
    found = slices.SlicedMeasurement(Loop(world.infer, ["a"], world.clock), plan, quick.passes, [slow, quick])
    while not found.is_complete():
        found.run_turn()
    assert slow.reads == []
    assert len(quick.reads) == 4 * slices.MIN_PAIRS


def test_the_sum_over_slices_keeps_the_share_of_time_in_which_a_counter_ran() -> None:
    parts = [Snapshot(1, (4,), 100, 50), Snapshot(2, (6,), 100, 100)]
    assert slices.total(parts) == Snapshot(2, (10,), 200, 150)


def test_switches_are_watched_only_where_that_takes_less_than_a_hundredth() -> None:
    assert slices.switch_reader(1e9, 1) is not None
    assert slices.switch_reader(1e9, 2) is not None
    assert slices.switch_reader(1.0, 1) is None


class Cold(World):
    """A model that needs some inferences after a pause until it is as fast as it gets."""

    def __init__(self, duration_ns: int, inferences: int) -> None:
        super().__init__([duration_ns])
        self.slow, self.run, self.ended = inferences, 0, -1

    def infer(self, bound: str) -> None:
        self.run = 0 if self.now - self.ended > 100 * MS else self.run + 1
        super().infer(bound)
        if self.run < self.slow:
            self.now += int(0.2 * MS)
        self.ended = self.now


@pytest.mark.parametrize(("slow", "warm_s"), [(0, 0.005), (10, 0.022), (40, 0.088)])
def test_the_first_turns_find_out_how_long_a_case_needs_to_settle(slow: int, warm_s: float) -> None:
    world = Cold(2 * MS, slow)
    found, (window,) = measured(world, None, turn_warm_s=None)
    assert found.warm_s == pytest.approx(warm_s, abs=0.005)
    late = [ns for ns in window.latencies_ns if ns > 2 * MS]
    assert len(late) <= 0.05 * len(window.latencies_ns)


def test_a_slow_fall_of_latency_ends_where_the_rest_of_it_is_below_a_hundredth() -> None:
    falling = [int(MS * (1 + 0.2 * 0.9**n)) for n in range(300)]
    assert slices.settling_s(falling) == pytest.approx(sum(falling[:28]) / 1e9, abs=0.013)
    assert slices.settling_s([MS] * 300) == 0.0


def test_inferences_so_long_that_few_fit_are_taken_to_settle_with_the_first() -> None:
    assert slices.settling_s([90 * MS] * 4) == 0.0
    world = World([90 * MS])
    found, (window,) = measured(world, None, turn_warm_s=None)
    assert found.warm_s == 0.005
    assert len(world.seen) - len(window.latencies_ns) == slices.SETTLING_TURNS * 4 + (found.turns - 2)


def test_later_turns_are_as_told() -> None:
    world = World([2 * MS])
    found, (window,) = measured(world, None, turn_warm_s=0.1)
    assert len(world.seen) - len(window.latencies_ns) == 50 * found.turns


@pytest.mark.parametrize(("pause_ms", "interrupted"), [(8, False), (10, True)])
def test_turns_are_interrupted_where_the_pause_is_long_beside_an_inference(pause_ms: int, interrupted: bool) -> None:
    found, _ = measured(World([900 * MS]), None, pause_ns=pause_ms * MS)
    assert found.interrupted == interrupted
