"""Trends within turns and effects of the predecessor, planted and absent."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence

import pytest

from hwprof.analysis.turns import (
    LEVEL,
    PREDECESSOR,
    TREND,
    MeasuredTurn,
    TurnEffect,
    by_predecessor,
    predecessor,
    trend,
    turns_of,
)
from hwprof.records import Role, Run, SliceCounts, Slices, Window
from tests.factories import make_case

US = 1000


def turns(
    count: int, slices: int, each: int, latency: Callable[[int, float], float], seed: int = 1
) -> list[MeasuredTurn]:
    """Turns of slices whose latencies are `latency(slice, place within)` microseconds with 5 % of noise."""
    rng = random.Random(seed)

    def one(index: int) -> tuple[int, ...]:
        return tuple(int(US * latency(index, i / each) * rng.lognormvariate(0, 0.05)) for i in range(each))

    return [MeasuredTurn(number, tuple(one(index) for index in range(slices))) for number in range(count)]


def test_a_first_half_that_is_slower_is_a_trend() -> None:
    found = trend(turns(12, 1, 40, lambda index, place: 110 if place < 0.5 else 100))
    assert found is not None
    assert found.what == TREND
    assert found.matters
    assert found.effect == pytest.approx(-0.09, abs=0.02)


def test_a_first_slice_that_is_slower_is_a_trend_of_longer_turns() -> None:
    found = trend(turns(12, 4, 40, lambda index, place: 100 + 10 * (index == 0)))
    assert found is not None
    assert found.matters
    assert found.turns == 12


def test_without_a_trend_few_are_found() -> None:
    effects = [trend(turns(18, 1, 10, lambda index, place: 100, seed)) for seed in range(200)]
    found = [effect for effect in effects if effect is not None]
    assert len(found) == 200
    assert sum(effect.p < LEVEL for effect in found) <= 7  # 2 are expected; more than 7 in one of a thousand


def test_a_certain_effect_that_is_small_does_not_matter() -> None:
    assert not TurnEffect(TREND, 0.01, 1e-9, 30).matters
    assert not TurnEffect(TREND, 0.10, 0.02, 30).matters
    assert TurnEffect(TREND, -0.03, 0.001, 30).matters


def test_too_few_turns_or_inferences_say_nothing() -> None:
    assert trend(turns(7, 1, 40, lambda index, place: 110 if place < 0.5 else 100)) is None
    assert trend(turns(30, 1, 3, lambda index, place: 110 if place < 0.5 else 100)) is None
    assert trend([MeasuredTurn(0, ((100, 100, 100, 100),))] * 20) is None


def test_what_depends_on_the_case_before_is_found() -> None:
    rng = random.Random(3)
    values = [(name, rng.gauss(0.08 if name == "sweeper" else 0.0, 0.02)) for name in ["sweeper", "other"] * 10]
    found = predecessor(values)
    assert found is not None
    assert found.what == PREDECESSOR
    assert found.matters
    assert found.effect == pytest.approx(0.083, abs=0.03)


def test_independence_of_the_case_before_is_no_effect() -> None:
    rng = random.Random(4)
    found = [predecessor([(name, rng.gauss(0, 0.05)) for name in "abc" * 8]) for _ in range(200)]
    assert sum(effect is not None and effect.p < LEVEL for effect in found) <= 7
    assert predecessor([("a", 0.1)] * 4 + [("b", 0.2)] * 20) is None
    assert predecessor([("a", 0.0)] * 9 + [("b", 0.0)] * 9) is None


def run(framework: str, *slices: tuple[int, int, int], switches: Sequence[int | None] = ()) -> Run:
    """A run of (start, turn, latency) slices with two inferences each, and involuntary switches of each slice."""
    columns = Slices(
        tuple(t0 for t0, _, _ in slices),
        tuple(t0 + 5 for t0, _, _ in slices),
        (2,) * len(slices),
        tuple(turn for _, turn, _ in slices),
        (SliceCounts("involuntary-switches", tuple(switches), "", "process", "rusage"),) if switches else (),
    )
    latencies = tuple(latency for _, _, latency in slices for _ in range(2))
    return Run(framework, make_case(framework), windows=(Window(0, Role.PAIRED, 0, 0, 99, latencies, slices=columns),))


def test_turns_are_put_together_from_the_slices_of_all_passes() -> None:
    one = run("a", (0, 0, 10), (10, 0, 11), (40, 2, 12))
    other = run("a", (20, 1, 13))
    both = Run("a", one.case, windows=(*one.windows, *other.windows))
    assert turns_of(both) == [
        MeasuredTurn(0, ((10, 10), (11, 11))),
        MeasuredTurn(20, ((13, 13),)),
        MeasuredTurn(40, ((12, 12),)),
    ]
    assert turns_of(Run("a", one.case)) == []


def test_the_case_before_follows_from_the_times_of_turns() -> None:
    a, b = run("a", (0, 0, 10), (30, 1, 10)), run("b", (10, 0, 20), (20, 1, 20))
    found = [(case, before) for case, before, _ in by_predecessor([a, b])]
    keys = {"a": a.case.key, "b": b.case.key}
    assert found == [(keys["b"], keys["a"]), (keys["b"], keys["b"]), (keys["a"], keys["b"])]
    assert all(value == pytest.approx(0) for _, _, value in by_predecessor([a, b]))


def test_a_turn_from_which_the_scheduler_took_the_cpu_shows_no_effect() -> None:
    disturbed = turns(12, 1, 40, lambda index, place: 100 if place < 0.5 else 150)
    assert trend(disturbed) is not None
    assert trend([dataclasses.replace(turn, is_disturbed=True) for turn in disturbed]) is None
    a = run("a", (0, 0, 10), (30, 1, 10), switches=(0, None))
    b = run("b", (10, 0, 20), (20, 1, 99), switches=(0, 3))
    assert [turn.is_disturbed for one in (a, b) for turn in turns_of(one)] == [False, False, False, True]
    found = [(case, before, value) for case, before, value in by_predecessor([a, b])]
    assert [(case, before) for case, before, _ in found] == [(b.case.key, a.case.key), (a.case.key, b.case.key)]
    assert all(value == pytest.approx(0) for _, _, value in found)
