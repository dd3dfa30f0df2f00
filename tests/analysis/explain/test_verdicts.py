"""Possible causes after their reruns: confirmed, ruled out, undecided; and how often chance confirms one."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from hwprof.analysis.explain.explain import explain
from hwprof.analysis.explain.explanation import ChangedRuns, Explanation, SideRuns
from hwprof.analysis.explain.verdicts import CauseState, CauseVerdict, check, of_pairs
from hwprof.records import Run
from hwprof.reports.terminal import causes
from tests.analysis.planted import in_slices, planted

SETS = 6


def rounds(framework: str, work: float, noise: float, seed: int, **fields: Any) -> list[Run]:
    """One round in each of SETS sets, its work off by `noise`."""
    chance = random.Random(f"{framework} {seed} {fields}")
    return [
        in_slices(planted(framework, round=n, work=work * chance.lognormvariate(0, noise), **fields), f"set{n}")
        for n in range(SETS)
    ]


def pair(
    effects: Mapping[str, tuple[float, float]], noise: float = 0.01, seed: int = 0, facts: Any = None
) -> Explanation:
    """A with half of the work of B; per kind the work of the changed A and of the changed B, times as much."""
    sides = []
    for place, (framework, work) in enumerate((("onnxruntime", 1e8), ("opencv", 2e8))):
        changed = [
            ChangedRuns(
                kind,
                f"{kind}=off",
                rounds(framework, work * factors[place], noise, seed, options={kind: "off"}, facts=facts and facts[1]),
            )
            for kind, factors in effects.items()
        ]
        own = rounds(framework, work, noise, seed, facts=facts and facts[0])
        sides.append(SideRuns(framework, own, variants=changed))
    a, b = sides
    return explain(a, b)


def verdicts(*found: Explanation) -> list[CauseVerdict]:
    return [one for _, own in of_pairs(found) for one in own]


def test_a_change_that_closes_the_gap_is_confirmed_with_its_share() -> None:
    [found] = verdicts(pair({"graph": (1.5, 1.0)}))
    assert found.state is CauseState.CONFIRMED
    assert found.effect is not None
    assert found.effect.ratio == pytest.approx(1.5, rel=0.03)
    assert found.share == pytest.approx(0.585, abs=0.05)  # log 1.5 / log 2
    assert causes.words(found, "a", "b").startswith("confirmed: graph optimisation: 1.5")


def test_what_changes_both_sides_alike_is_ruled_out() -> None:
    [found] = verdicts(pair({"simd": (3.0, 3.0)}, noise=0.002))
    assert found.state is CauseState.RULED_OUT
    assert causes.words(found, "a", "b").startswith("ruled out: wide vector instructions")


def test_what_widens_the_gap_is_said_to_work_against_it() -> None:
    [found] = verdicts(pair({"simd": (1.0, 2.0)}))
    assert found.state is CauseState.CONFIRMED
    assert found.share is not None
    assert found.share < 0
    assert "against the gap" in causes.words(found, "a", "b")


def test_noise_leaves_a_small_effect_undecided() -> None:
    [found] = verdicts(pair({"graph": (1.05, 1.0)}, noise=0.2))
    assert found.state is CauseState.UNDECIDED
    assert "neither an effect nor that none is" in causes.words(found, "a", "b")


def test_intervals_of_more_tests_are_wider() -> None:
    [alone] = verdicts(pair({"graph": (1.5, 1.0)}))
    many = verdicts(pair({"graph": (1.5, 1.0), "simd": (1.0, 1.0), "spin": (1.0, 1.0)}))
    one = next(v for v in many if v.kind == "graph")
    assert one.effect is not None
    assert alone.effect is not None
    assert one.effect.low is not None
    assert alone.effect.low is not None
    assert one.effect.low < alone.effect.low


def test_a_change_that_did_not_happen_decides_nothing() -> None:
    same = ({"huge_pages_bytes": 0}, {"huge_pages_bytes": 0})
    [found] = verdicts(pair({"pages": (1.5, 1.0)}, facts=same))
    assert found.state is CauseState.UNDECIDED
    assert found.why == "nothing was changed: 0 MiB in huge pages before, 0 MiB after"
    given = ({"huge_pages_bytes": 0}, {"huge_pages_bytes": 64 << 20})
    [found] = verdicts(pair({"pages": (1.5, 1.0)}, facts=given))
    assert found.state is CauseState.CONFIRMED


def test_rounds_that_were_not_side_by_side_decide_nothing() -> None:
    own = [planted("onnxruntime", round=n) for n in range(4)]
    off = ChangedRuns("graph", "graph=off", [planted("onnxruntime", round=n, work=2e8) for n in range(4)])
    other = [planted("opencv", round=n) for n in range(4)]
    [found] = verdicts(explain(SideRuns("a", own, variants=[off]), SideRuns("b", other)))
    assert (found.state, found.effect) == (CauseState.UNDECIDED, None)


def faulting(faults: float, **fields: Any) -> list[Run]:
    return [planted("onnxruntime", round=n, metrics={"minor-faults": faults}, **fields) for n in range(3)]


@pytest.mark.parametrize(
    ("before", "after", "happened"), [(640.0, 0.0, True), (640.0, 600.0, False), (0.2, 0.0, False)]
)
def test_kept_memory_is_seen_by_the_page_faults(before: float, after: float, happened: bool) -> None:
    found = check("allocator", faulting(before), faulting(after, options={"kept": True}))
    assert found is not None
    assert found.happened is happened
    assert "page faults per frame" in found.text


def test_nothing_records_whether_threads_stopped_to_spin() -> None:
    assert check("spin", faulting(1.0), faulting(1.0)) is None


def called(draws: int, kinds: Sequence[str]) -> int:
    """How many of so many pairs without any effect have a confirmed cause."""
    found = (verdicts(pair(dict.fromkeys(kinds, (1.0, 1.0)), 0.03, seed)) for seed in range(draws))
    return sum(any(one.state is CauseState.CONFIRMED for one in several) for several in found)


def test_chance_confirms_a_cause_in_five_of_a_hundred_pairs_at_most() -> None:
    assert called(60, ("graph", "simd", "spin")) <= 8  # .05 of 60 is 3; more than 8 has a probability of .005
