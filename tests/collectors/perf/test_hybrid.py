"""Cores of several kinds: one PMU each, counted apart and summed; nothing scaled for being elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import pytest

from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.perf.catalog import Catalog
from hwprof.collectors.perf.events import Parser
from hwprof.collectors.perf.hybrid import LinuxScheduler, stay_on_kind
from hwprof.collectors.perf.session import PerfSession
from hwprof.collectors.protocol import Available, Target, Unavailable
from hwprof.collectors.readings import readings_between
from hwprof.records import Exactness, Reading
from tests import recorded_machines
from tests.collectors.perf.fake import SOFTWARE, FakeKernel, Key

ALDERLAKE, RK3399 = recorded_machines.root("alderlake"), recorded_machines.root("rk3399")
CORE, ATOM = 4 << 32, 10 << 32
INTEL: dict[Key, int] = {
    (0, CORE): 2_000_000,
    (0, ATOM): 1_000_000,
    (0, CORE | 1): 6_000_000,
    (0, ATOM | 1): 1_500_000,
    (0, CORE | 4): 400_000,
    (0, ATOM | 4): 100_000,
    (4, 0x412E): 70,  # llc-misses
    (10, 0x412E): 30,
    (4, 0xFCC7): 900,  # vector-instructions, which the small cores have no event for
}


@dataclass
class Board:
    """A fake kernel and scheduler with two kinds of core; `split`: share of the time spent on the large ones."""

    cpus: dict[int, frozenset[int]] = field(
        default_factory=lambda: {4: frozenset(range(4)), 10: frozenset(range(4, 8))}
    )
    mine: frozenset[int] = frozenset(range(8))
    others: frozenset[int] | None = None
    split: float = 1.0
    lost: float = 0.0  # share of the time in which somebody else has the counters
    pinned: list[frozenset[int]] = field(default_factory=list)
    kernel: FakeKernel = field(default_factory=lambda: FakeKernel(events=SOFTWARE | INTEL))
    now: frozenset[int] | None = None

    def __post_init__(self) -> None:
        self.kernel.behave = self.behave

    def behave(self, keys: tuple[Key, ...]) -> tuple[float, bool]:
        kind, config = keys[0]
        if kind == 1:
            return 1.0, True
        pmu = config >> 32 if kind == 0 else kind
        where = self.now or self.mine
        if where <= self.cpus[pmu]:
            return 1.0 - self.lost, True
        if not where & self.cpus[pmu]:
            return 0.0, True
        return (self.split if pmu == 4 else 1.0 - self.split) * (1.0 - self.lost), True

    def allowed(self, pid: int | None) -> frozenset[int] | None:
        return self.mine if pid is None else self.others

    def pin(self, cpus: frozenset[int]) -> None:
        self.pinned.append(cpus)
        self.now = cpus if cpus != self.mine else None

    def collector(self, multiplex: bool = False) -> PerfCollector:
        return PerfCollector(ALDERLAKE, self.kernel, multiplex, scheduler=self)

    @contextmanager
    def session(self, *names: str, multiplex: bool = False) -> Iterator[PerfSession]:
        with self.collector(multiplex).open(Target(), names) as session:
            yield session

    def count(self, *names: str, multiplex: bool = False) -> dict[str, Reading]:
        """One window over the first pass."""
        with self.session(*names, multiplex=multiplex) as session:
            found: dict[str, Reading] = {}
            for pass_ in session.passes:
                session.select(pass_)
                before = session.read()
                self.kernel.spin()
                after = session.read()
                session.select(None)
                found |= {
                    r.metric: r for r in session.review(readings_between(session.groups, before, after, pass_.index))
                }
            return found


def value(reading: Reading) -> float:
    assert reading.value is not None, reading.why
    return reading.value


def test_both_kinds_are_found_with_their_own_tables() -> None:
    large, small = Catalog(ALDERLAKE).kinds
    assert (large.name, large.cpus, large.title) == ("cpu_core", (0, 1, 2, 3), "Intel Golden Cove (hybrid)")
    assert (small.name, small.cpus, small.title) == ("cpu_atom", (4, 5, 6, 7), "Intel Gracemont")


def test_each_kind_is_asked_by_its_own_code_and_number() -> None:
    parser = Parser(Catalog(ALDERLAKE))
    codes = [(e.metric, e.type, e.config) for e in parser.events("cycles")]
    assert codes == [("cycles@cpu_core", 0, CORE), ("cycles@cpu_atom", 0, ATOM)]
    tlb = [(e.type, e.config) for e in parser.events("dtlb-misses")]
    assert tlb == [(4, 0x0E12), (10, 0x0E08)]
    assert [e.metric for e in parser.events("instructions:u")] == ["instructions:u@cpu_core", "instructions:u@cpu_atom"]
    assert [e.base for e in parser.events("instructions:u")] == ["instructions", "instructions"]


def test_one_kind_alone_can_be_named() -> None:
    (event,) = Parser(Catalog(ALDERLAKE)).events("cycles:u@cpu_atom")
    assert (event.metric, event.config, event.modifiers, event.whole) == ("cycles:u@cpu_atom", ATOM, "u", "")


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("cpu_core/cycles/", "cycles@cpu_core"),
        ("cpu_atom/cycles/u", "cycles:u@cpu_atom"),
        ("cpu_core/r3c/", "r3c@cpu_core"),
        ("cpu_core/L1-dcache-loads/", "L1-dcache-loads@cpu_core"),
    ],
)
def test_names_of_a_kinds_pmu_as_perf_takes_them(name: str, metric: str) -> None:
    parser = Parser(Catalog(ALDERLAKE))
    assert parser.events(name) == parser.events(metric)


def test_counts_are_exact_apart_and_summed_wherever_the_threads_ran() -> None:
    found = Board(split=0.75).count("cycles", "instructions")
    large, small, both = (found[name] for name in ("cycles@cpu_core", "cycles@cpu_atom", "cycles"))
    assert (value(large), large.exactness, large.running) == (1_500_000, Exactness.EXACT, 0.75)
    assert (value(small), small.exactness, small.running) == (250_000, Exactness.EXACT, 0.25)
    assert (value(both), both.exactness, both.running) == (1_750_000, Exactness.EXACT, 1.0)
    assert both.raw == 1_750_000
    assert "cpu_core, cpu_atom" in both.source
    assert value(found["instructions"]) == 6_000_000 * 0.75 + 1_500_000 * 0.25


def test_a_kind_on_which_nothing_ran_counted_zero_and_that_is_exact() -> None:
    found = Board(split=1.0).count("cycles")
    small = found["cycles@cpu_atom"]
    assert (small.value, small.exactness) == (0.0, Exactness.EXACT)
    assert "other kind" in small.why
    assert value(found["cycles"]) == 2_000_000


def test_time_that_no_kind_accounts_for_makes_a_lower_bound() -> None:
    board = Board(split=0.5)
    with board.session("cycles") as session:
        board.lost = 0.2  # after the trials
        (pass_,) = session.passes
        session.select(pass_)
        before = session.read()
        board.kernel.spin()
        after = session.read()
        found = {r.metric: r for r in session.review(readings_between(session.groups, before, after, 0))}
    assert found["cycles"].exactness is Exactness.SUSPECT
    assert "80.0%" in found["cycles"].why
    assert value(found["cycles@cpu_core"]) == 800_000


def test_an_event_of_one_kind_has_no_sum() -> None:
    board = Board(split=0.5)
    with board.session("vector-instructions") as session:
        assert {m for p in session.passes for m in p.metrics} >= {
            "vector-instructions@cpu_core",
            "cycles",
            "cycles@cpu_atom",
        }
        assert "vector-instructions@cpu_atom" in session.unavailable
        assert "no event counts SIMD" in session.unavailable["vector-instructions@cpu_atom"].reason
        assert "cpu_atom" in session.unavailable["vector-instructions"].reason
    found = Board(split=0.5).count("vector-instructions")
    assert value(found["vector-instructions@cpu_core"]) == 450
    assert found["vector-instructions@cpu_core"].exactness is Exactness.EXACT
    assert "vector-instructions" not in found


def test_only_the_kinds_the_process_may_use_are_counted() -> None:
    board = Board(mine=frozenset({5}))
    found = board.count("cycles", "cpu_core/event=0x3c/")
    assert value(found["cycles"]) == value(found["cycles@cpu_atom"]) == 1_000_000
    assert "cycles@cpu_core" not in found
    with board.session("cycles", "cpu_core/event=0x3c/") as session:
        assert "--cpus" in session.unavailable["cpu_core/event=0x3c/"].remedy


def test_a_trial_runs_on_the_kind_it_tries_and_comes_back() -> None:
    board = Board(split=1.0)
    board.count("cycles")
    assert frozenset(range(4)) in board.pinned
    assert frozenset(range(4, 8)) in board.pinned
    assert board.pinned[-1] == board.mine
    assert board.now is None


def test_a_kind_that_only_the_target_may_use_is_counted_untried() -> None:
    board = Board(mine=frozenset({0}), others=frozenset(range(8)))
    with stay_on_kind(board, Catalog(ALDERLAKE).kinds[1]) as there:
        assert not there
    with board.collector().open(Target(pid=7), ["cycles"]) as session:
        assert {"cycles@cpu_core", "cycles@cpu_atom", "cycles"} <= set(session.passes[0].metrics)
    assert set(board.pinned) == {frozenset({0})}


def test_the_real_scheduler_pins_this_thread_and_lets_it_go() -> None:
    scheduler = LinuxScheduler()
    mine = scheduler.allowed(None)
    assert mine
    kind = replace(Catalog(ALDERLAKE).kinds[0], cpus=(max(mine), 4095))
    with stay_on_kind(scheduler, kind) as there:
        assert there
        assert scheduler.allowed(None) == frozenset({max(mine)})
    assert scheduler.allowed(None) == mine
    assert scheduler.allowed(2**22) == frozenset()  # beyond the largest pid there is


def test_a_raw_code_is_counted_apart_and_never_summed() -> None:
    parser = Parser(Catalog(ALDERLAKE))
    whole, large, small = parser.events("r412e")
    assert whole.refused is not None
    assert "no sum" in whole.refused.reason
    assert [(e.type, e.config, e.refused) for e in (large, small)] == [(4, 0x412E, None), (10, 0x412E, None)]
    found = Board(split=0.5).count("r412e")
    assert (value(found["r412e@cpu_core"]), value(found["r412e@cpu_atom"])) == (35, 15)
    assert "r412e" not in found


def test_more_events_than_counters_are_packed_for_both_kinds_in_the_same_pass() -> None:
    board = Board(split=0.5)
    board.kernel.counters = 3
    with board.session("branches", "llc-misses") as session:
        assert len(session.passes) == 2
        for pass_ in session.passes:
            assert {"cycles", "instructions", "cycles@cpu_core", "cycles@cpu_atom"} <= set(pass_.metrics)
    found = board.count("branches", "llc-misses")
    assert value(found["branches"]) == 250_000
    assert value(found["llc-misses"]) == 50
    assert found["llc-misses"].exactness is Exactness.EXACT


def test_an_event_that_one_kinds_pmu_refuses_is_kept_on_the_other() -> None:
    board = Board(split=0.5)
    del board.kernel.events[(10, 0x412E)]
    with board.session("llc-misses") as session:
        assert "llc-misses@cpu_core" in session.passes[0].metrics
        assert "do not count" in session.unavailable["llc-misses@cpu_atom"].reason
        assert session.unavailable["llc-misses"].reason.startswith("llc-misses@cpu_atom: ")


def test_multiplexed_groups_are_scaled_within_the_time_on_their_kind() -> None:
    board = Board(split=0.5)
    original = board.behave

    def rotating(keys: tuple[Key, ...]) -> tuple[float, bool]:
        share, counts = original(keys)
        return (share / 2 if keys[0][1] & 0xFFFF == 0x412E else share), counts

    board.kernel.behave = rotating
    found = board.count("llc-misses", multiplex=True)
    assert found["cycles"].exactness is Exactness.EXACT
    assert found["llc-misses"].exactness is Exactness.SCALED
    assert value(found["llc-misses"]) == pytest.approx(50, rel=0.05)


def test_probing_says_it_for_each_kind_and_for_the_sum() -> None:
    found = Board().collector().probe(["cycles", "vector-instructions"])
    assert isinstance(found["cycles@cpu_core"], Available)
    assert isinstance(found["cycles"], Available)
    assert isinstance(found["vector-instructions@cpu_core"], Available)
    assert isinstance(found["vector-instructions"], Unavailable)


def test_an_event_of_one_kind_can_be_had_where_the_run_stays_on_it() -> None:
    collector = PerfCollector(RK3399, FakeKernel(events={(9, 0x74): 5}))
    assert isinstance(collector.probe(["vector-instructions"])["vector-instructions"], Unavailable)
    on_the_large = collector.probe(["vector-instructions"], [4, 5])
    assert isinstance(on_the_large["vector-instructions"], Available)
    assert "vector-instructions@armv8_cortex_a53" not in on_the_large


def test_arm_clusters_use_the_codes_their_pmus_show() -> None:
    little, big = Catalog(RK3399).kinds
    assert (little.title, little.cpus) == ("Arm Cortex-A53", (0, 1, 2, 3))
    assert (big.title, big.cpus) == ("Arm Cortex-A72", (4, 5))
    parser = Parser(Catalog(RK3399))
    codes = [(e.metric, e.type, e.config) for e in parser.events("cycles")]
    assert codes == [("cycles@armv8_cortex_a53", 8, 0x11), ("cycles@armv8_cortex_a72", 9, 0x11)]
    assert [(e.type, e.config) for e in parser.events("L1-dcache-load-misses")] == [(8, 3), (9, 3)]


def test_what_one_cluster_lacks_is_missing_there_and_nothing_near_it() -> None:
    little, big = Parser(Catalog(RK3399)).events("branches")
    assert (little.type, little.config) == (8, 0x0C)
    assert big.refused is not None
    assert "armv8_cortex_a72" in big.refused.reason
    little, big = Parser(Catalog(RK3399)).events("vector-instructions")
    assert little.refused is not None
    assert "no event for SIMD" in little.refused.reason
    assert (big.type, big.config, big.refused) == (9, 0x74, None)


def test_auto_is_what_the_tables_of_both_kinds_choose() -> None:
    auto = Catalog(RK3399).auto
    assert {"cycles", "l2-misses", "vector-instructions", "page-faults"} <= set(auto)
