"""Kinds of core whose events have the counters by turns: counts scaled to the time spent on each kind, or missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from hwprof.collectors.perf.hybrid import combine_kinds
from hwprof.collectors.protocol import Target
from hwprof.records import Exactness, Reading, missing
from tests.collectors.perf.scheduled import CYCLES, INSTRUCTIONS, MISSES, REFERENCES, FakePmu, ScheduledKernel
from tests.collectors.perf.windows import readings

# Counts in a millisecond. In 800 ms on each kind: 820,000 and 1,000,000 misses.
BIG = {CYCLES: 2_000_000, INSTRUCTIONS: 3_000_000, REFERENCES: 10_250, MISSES: 1_025}
LITTLE = {CYCLES: 1_000_000, INSTRUCTIONS: 1_000_000, REFERENCES: 12_500, MISSES: 1_250}
NAMES = ("cycles", "instructions", "cache-references", "cache-misses")
ONE_EACH = ((800, 0), (800, 2))


def machine(big: int = 8, little: int = 2, **fields: int) -> ScheduledKernel:
    """Two kinds of core with so many counters; `fields`: of the small kind's PMU."""
    kinds = FakePmu("pmu_big", 12, big, BIG, (0, 1)), FakePmu("pmu_little", 13, little, LITTLE, (2, 3), **fields)
    return ScheduledKernel(pmus=kinds)


def count(
    kernel: ScheduledKernel, folder: Path, spans: Sequence[tuple[int, int]], names: Sequence[str] = NAMES
) -> dict[str, Reading]:
    """Readings of a multiplexed window of so many milliseconds on so many CPUs."""
    with kernel.collector(folder, multiplex=True).open(Target(), names) as session:
        assert not session.unavailable
        session.select(session.passes[0])
        before = session.read()
        for ms, cpu in spans:
            kernel.run(ms, cpu)
        return readings(session, before, session.read(), 0)


def test_kinds_with_unequal_counters_are_scaled_to_the_time_on_each(tmp_path: Path) -> None:
    found = count(machine(), tmp_path, ONE_EACH)
    for name, value in (("cache-misses@pmu_big", 820_000), ("cache-references@pmu_big", 8_200_000)):
        assert (found[name].value, found[name].exactness) == (value, Exactness.EXACT)
    for name, value in (("cache-misses@pmu_little", 1_000_000), ("instructions@pmu_little", 800_000_000)):
        assert found[name].value == pytest.approx(value, rel=0.02)
        assert found[name].exactness is Exactness.SCALED
    assert found["cache-misses"].value == pytest.approx(1_820_000, rel=0.01)
    assert found["cache-misses"].exactness is Exactness.SCALED
    assert (found["cycles"].value, found["cycles"].exactness) == (2_400_000_000, Exactness.EXACT)


@pytest.mark.parametrize("cpu", [0, 2])
def test_a_program_that_stays_on_one_kind_has_its_totals(tmp_path: Path, cpu: int) -> None:
    found = count(machine(3, 3), tmp_path, [(800, cpu)])
    here, there = ("pmu_big", "pmu_little") if cpu == 0 else ("pmu_little", "pmu_big")
    for name in NAMES:
        assert (found[f"{name}@{there}"].value, found[f"{name}@{there}"].exactness) == (0, Exactness.EXACT)
        assert found[name].value == found[f"{name}@{here}"].value
    assert found["cache-misses"].value == pytest.approx((BIG if cpu == 0 else LITTLE)[MISSES] * 800, rel=0.02)


def test_one_counter_is_not_kept_from_the_events_that_need_it(tmp_path: Path) -> None:
    """Nothing is pinned on the small kind: what the large one leaves of the window was spent there."""
    found = count(machine(little=1), tmp_path, ONE_EACH)
    assert found["cache-misses@pmu_little"].value == pytest.approx(1_000_000, rel=0.02)
    assert found["cycles@pmu_little"].value == pytest.approx(800_000_000, rel=0.02)
    assert found["cycles"].exactness is found["cache-misses"].exactness is Exactness.SCALED


def test_a_clock_that_lost_its_counters_is_missing_and_the_other_kind_tells_the_time(tmp_path: Path) -> None:
    kernel = machine()
    with kernel.collector(tmp_path, multiplex=True).open(Target(), NAMES) as session:
        session.select(session.passes[0])
        before = session.read()
        kernel.run(400, 0)
        large, small = kernel.pmus
        kernel.pmus = (replace(large, taken=7), small)
        kernel.run(400, 0)
        kernel.run(800, 2)
        found = readings(session, before, session.read(), 0)
    assert "could not be read" in found["cycles@pmu_big"].why
    assert found["cycles"].exactness is Exactness.MISSING
    assert found["cache-misses@pmu_big"].value == pytest.approx(820_000, rel=0.02)


def reading(metric: str, value: float, running_ns: int, enabled_ns: int = 1_000) -> Reading:
    """A count as `between` scales it."""
    scaled = value * enabled_ns / running_ns
    return Reading(
        metric, scaled, exactness=Exactness.SCALED, raw=round(value), enabled_ns=enabled_ns, running_ns=running_ns
    )


def test_where_the_time_on_a_kind_is_not_known_its_counts_are_missing_with_their_bounds() -> None:
    """Three groups by turns on each kind, of 500 ns there: the shares alone do not say so."""
    shares = {"a@big": 300, "b@big": 310, "c@big": 390, "a@little": 200, "b@little": 150, "c@little": 150}
    asked = [reading(metric, 3.0 * ns, ns) for metric, ns in shares.items()]
    clusters = {metric: metric.partition("@")[2] for metric in shares}
    found = {r.metric: r for r in combine_kinds(asked, clusters, {"a": ("a@big", "a@little")}, multiplexed=True)}
    assert found["a@big"].exactness is found["a"].exactness is Exactness.MISSING
    # 390 ns the longest of the one kind, 200 ns of the other: the one kind had 500 to 800 ns, the other 200 to 500.
    assert "between 1,500 and 2,400" in found["a@big"].why
    assert "between 600 and 1,500" in found["a@little"].why
    with_clock = {
        r.metric: r
        for r in combine_kinds(
            [*asked, reading("cycles@big", 1e3, 500)],
            {**clusters, "cycles@big": "big"},
            {"a": ("a@big", "a@little")},
            multiplexed=True,
            pinned={"cycles@big"},
        )
    }
    assert with_clock["a"].value == pytest.approx(3_000)
    assert with_clock["a"].exactness is Exactness.SCALED


def test_a_kind_too_short_for_a_turn_costs_no_total() -> None:
    """The program began on the large kind, and stayed on the small one."""
    clusters = {"cycles@big": "big", "cycles@little": "little", "a@big": "big", "a@little": "little"}
    asked = [reading("cycles@big", 4, 2), reading("cycles@little", 998, 998), reading("a@little", 499, 499)]
    asked.append(missing("a@big", "opened, but the kernel never ran it", running=0.0, enabled_ns=1_000, running_ns=0))
    pinned = {"cycles@big", "cycles@little"}
    found = {r.metric: r for r in combine_kinds(asked, clusters, {"a": ("a@big", "a@little")}, True, pinned)}
    assert found["a@big"].exactness is Exactness.MISSING
    assert "0.20% of the window" in found["a@big"].why
    assert found["a"].value == pytest.approx(998)
    assert found["a"].exactness is Exactness.SCALED
