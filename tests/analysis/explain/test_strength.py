"""The strongest evidence is on the factors that are shown, and what was planted comes first."""

from __future__ import annotations

from typing import Any

import pytest

from hwprof.analysis.explain.explain import explain
from hwprof.analysis.explain.explanation import Explanation, SideRuns
from hwprof.analysis.explain.strength import observations, strongest
from hwprof.records import Doubt, Origin, Series
from tests.analysis.planted import several

CYCLES = 1e8 / 1.5  # per frame of a planted run


def explained(fast: dict[str, Any], slow: dict[str, Any]) -> Explanation:
    return explain(SideRuns("a", several(**fast)), SideRuns("b", several(framework="opencv", **slow)))


def misses(llc: float, branches: float) -> dict[str, Any]:
    return {"metrics": {"llc-misses": llc, "branch-misses": branches}}


@pytest.mark.parametrize(
    ("fast", "slow", "first"),
    [
        (misses(1e3, 1e4), {"ipc": 0.75, **misses(1e5, 1.1e4)}, "llc-misses"),
        (misses(1e4, 1e4), {"ipc": 0.75, **misses(1.1e4, 1e6)}, "branch-misses"),
        (
            {"metrics": {"vector-instructions": 0.6e8}},
            {"work": 3e8, "metrics": {"vector-instructions": 1e6, "loads": 1e7}},
            "vector-share",
        ),
        ({}, {"clock": 1e9, "doubts": (Doubt("throttled", {}),)}, "throttled"),
        ({}, {"parallelism": 0.45, "system": {"run-queue-wait": 0.5}}, "run-queue-wait"),
    ],
)
def test_what_was_planted_comes_first(fast: dict[str, Any], slow: dict[str, Any], first: str) -> None:
    assert strongest(explained(fast, slow))[0].code == first


def test_evidence_on_a_factor_that_is_equal_is_not_among_the_strongest() -> None:
    found = explained({"clock": 2e9, **misses(1e3, 1e4)}, {"clock": 1e9, **misses(1e5, 1e4)})
    assert {o.code for o in observations(found)} >= {"llc-misses", "branch-misses"}
    assert [o for o in strongest(found) if o.factor == "ipc"] == []


def test_where_no_factor_is_shown_there_is_no_evidence_on_one() -> None:
    found = explained({"wobble": 0.3, **misses(1e3, 1e4)}, {"wobble": 0.3, **misses(1e5, 1e4)})
    assert not found.decomposition.decided
    assert strongest(found) == []


def test_what_repeats_a_factor_is_no_evidence_on_it_but_is_on_a_merged_one() -> None:
    own = explained({}, {"work": 3e8})
    assert "instructions" not in {o.code for o in strongest(own)}
    merged = explained({"leave": ("cycles",)}, {"work": 3e8, "leave": ("cycles",)})
    assert "instructions" not in {o.code for o in strongest(merged)}  # work is still a factor of its own
    spinning: dict[str, Any] = {"threads": 2, "parallelism": 2.0}
    found = explained(spinning, {"work": 3e8, **spinning})
    assert [f.name for f in found.decomposition.factors] == ["clock", "parallelism x ipc x work"]
    assert "instructions" in {o.code for o in strongest(found)}


def test_a_temperature_is_context_and_never_evidence() -> None:
    def side(hertz: float, degrees: float) -> dict[str, Any]:
        values = {"cpu-frequency": ("Hz", hertz), "temperature": ("degC", degrees)}
        series = [
            Series(name, unit, "cpu0", "sys", Origin.KERNEL, False, 0, (0, 1, 2), (value,) * 3)
            for name, (unit, value) in values.items()
        ]
        return {"clock": hertz, "series": series}

    found = explained(side(2e9, 50.0), side(1e9, 95.0))
    assert {o.code: o.strength for o in observations(found)}["temperature"] == 0.0
    assert [o.code for o in strongest(found)] == ["frequency"]


def test_only_as_many_as_are_asked_for_are_given() -> None:
    metrics = {"llc-misses": 1.0, "branch-misses": 1.0, "l2-misses": 1.0, "dtlb-misses": 1.0}
    few, many = ({"metrics": {n: v * each for n, v in metrics.items()}} for each in (1e4, 1e6))
    found = explained(few, {"ipc": 0.5, **many})
    assert len(strongest(found)) == 3
    assert len(strongest(found, 1)) == 1
    strengths = [o.strength for o in strongest(found)]
    assert strengths == sorted(strengths, reverse=True)
