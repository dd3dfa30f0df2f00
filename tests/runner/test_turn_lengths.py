"""Turns that show a trend become longer in later rounds, and a case for which that is not enough goes alone."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest

from hwprof.records import Role, Run, Slices, Window
from hwprof.runner.turn_lengths import LONGER, TurnLengths
from tests.factories import make_case

TURNS, EACH = 12, 40


def run(framework: str, excess: float, pairs: int = 1, **facts: Any) -> Run:
    """A run whose turns begin slower by `excess`: half of a single slice, or the first of several slices."""
    rng = random.Random(f"{framework} {excess} {pairs}")
    latencies: list[int] = []
    for _ in range(TURNS):
        for place in range(pairs):
            for at in range(EACH):
                slow = at < EACH // 2 if pairs == 1 else place == 0
                latencies.append(int(100_000 * (1 + excess * slow) * rng.lognormvariate(0, 0.03)))
    count = TURNS * pairs
    times = tuple(range(count))
    slices = Slices(times, tuple(t + 1 for t in times), (EACH,) * count, tuple(t // pairs for t in times))
    window = Window(0, Role.PAIRED, 0, 0, count, tuple(latencies), slices=slices)
    told = {"id": f"{framework}{pairs}", "turn_pairs": pairs, **facts}
    return Run(framework, make_case(framework), windows=(window,), facts={"set": told})


def test_turns_without_a_trend_stay_as_they_are() -> None:
    lengths = TurnLengths()
    steady = run("a", 0.0)
    lengths.learn([steady])
    assert lengths.pairs(steady.case.key) == 1
    assert lengths.notes(steady.case.key) == {}


def test_turns_with_a_trend_become_longer_for_that_case_alone() -> None:
    lengths, slow, steady = TurnLengths(), run("a", 0.1), run("b", 0.0)
    lengths.learn([slow, steady])
    assert [lengths.pairs(one.case.key) for one in (slow, steady)] == [LONGER, 1]
    assert not lengths.is_alone(slow.case.key)
    (note,) = lengths.notes(slow.case.key)["effects"]
    assert note["what"] == "trend"
    assert note["turns"] == TURNS


def test_what_longer_turns_do_not_help_goes_alone() -> None:
    lengths = TurnLengths()
    lengths.learn([run("a", 0.1)])
    lengths.learn([run("a", 0.1, LONGER)])
    assert lengths.is_alone(make_case("a").key)
    assert len(lengths.notes(make_case("a").key)["effects"]) == 2


def test_what_longer_turns_help_stays_in_its_set() -> None:
    lengths = TurnLengths()
    lengths.learn([run("a", 0.1)])
    lengths.learn([run("a", 0.0, LONGER)])
    assert not lengths.is_alone(make_case("a").key)
    assert lengths.pairs(make_case("a").key) == LONGER


def test_runs_of_no_set_and_failed_ones_teach_nothing() -> None:
    lengths, slow = TurnLengths(), run("a", 0.1)
    lengths.learn([Run("a", slow.case, windows=slow.windows)])
    assert lengths.pairs(slow.case.key) == 1


def in_company(framework: str, warm_s: float) -> list[Run]:
    """A case and another of its set, with what their workers found."""
    found = [run(name, 0.0) for name in (framework, "other")]
    return [
        dataclasses.replace(one, facts={"set": {**one.facts["set"], "id": "both"}, "turn_warm_s": warm_s})
        for one in found
    ]


def test_how_long_a_case_needs_to_settle_is_kept_for_its_later_rounds() -> None:
    lengths, key = TurnLengths(), make_case("a").key
    assert lengths.warm_s(key) is None
    lengths.learn(in_company("a", 0.2))
    assert (lengths.warm_s(key), lengths.pairs(key)) == (0.2, 2), "at least a third of a turn is measured"
    lengths.learn(in_company("a", 0.01))
    assert lengths.warm_s(key) == 0.2


def test_longer_turns_have_a_longer_unmeasured_part() -> None:
    lengths, key = TurnLengths(), make_case("a").key
    lengths.learn(in_company("a", 0.02))
    lengths.learn([run("a", 0.1)])
    assert lengths.warm_s(key) == pytest.approx(0.02 * LONGER)


def test_a_run_by_itself_says_nothing_of_turns_among_others() -> None:
    lengths, slow = TurnLengths(), run("a", 0.0)
    lengths.learn([dataclasses.replace(slow, facts={**slow.facts, "turn_warm_s": 0.2})])
    assert lengths.warm_s(slow.case.key) is None
