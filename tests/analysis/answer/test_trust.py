"""How far an answer can be trusted: each rule on results that differ in what it is about alone."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from hwprof.analysis.answer import trust as rules
from hwprof.analysis.answer.aggregate import ComparedCase
from hwprof.analysis.answer.model import Level, Trust
from hwprof.records import Doubt, Fidelity
from tests.analysis.answer.cases import COUNTERS, NETWORKS, found, over, sides
from tests.factories import HOST_STATE

DOCUMENT = Path(__file__).parents[3] / "docs" / "report.md"


def trust(fast: dict[str, Any], slow: dict[str, Any]) -> Trust:
    judged = found(over(NETWORKS, fast, {"work": 2e8, **slow}, in_sets=True)).trust
    assert judged is not None
    return judged


def codes(judged: Trust) -> set[str]:
    return {reason.code for reason in judged.reasons}


def test_with_counters_and_quiet_rounds_it_is_high_and_the_ranking_is_safe() -> None:
    judged = trust({}, {})
    assert (judged.level, judged.reasons) == (Level.HIGH, ())
    assert "onnxruntime is faster than opencv on this machine" in judged.safe
    assert "instructions per frame accounts for more than half of the ratio of onnxruntime to opencv" in judged.safe
    assert any("causes" in text for text in judged.unsafe)


@pytest.mark.parametrize(
    ("fields", "code", "level"),
    [
        ({"count": 1}, "one-round", Level.LOW),
        ({"count": 2}, "few-rounds", Level.MEDIUM),
        ({"leave": COUNTERS}, "no-counters", Level.MEDIUM),
        ({"leave": ("cycles",)}, "merged-factors", Level.MEDIUM),
        ({"doubts": (Doubt("noisy", {"ratio": 1.5}),)}, "doubtful-runs", Level.MEDIUM),
        ({"host": {**HOST_STATE, "emulated": True}}, "emulated", Level.LOW),
        ({"tail": 1.5}, "disturbed", Level.MEDIUM),
    ],
)
def test_a_rule_lowers_it_and_says_what_would_change_it(fields: dict[str, Any], code: str, level: Level) -> None:
    judged = trust(fields, fields)
    assert judged.level is level
    assert code in codes(judged)
    assert all(reason.change for reason in judged.reasons)


def test_rounds_one_after_the_other_are_not_side_by_side() -> None:
    judged = found(over(NETWORKS, {}, {"work": 2e8})).trust
    assert judged is not None
    assert codes(judged) == {"not-side-by-side"}


def test_a_doubt_on_few_runs_does_not_lower_it() -> None:
    noisy = {"doubts": (Doubt("noisy", {"ratio": 1.5}),)}
    cases = over(NETWORKS[:2], noisy, {"work": 2e8}, in_sets=True)
    cases += over(NETWORKS[2:], {}, {"work": 2e8}, in_sets=True)
    judged = found(cases).trust
    assert judged is not None
    assert judged.level is Level.HIGH


def test_a_small_ratio_of_one_session_may_be_what_sessions_differ_by() -> None:
    small = found([sides({"wobble": 0.001}, {"wobble": 0.001, "work": 1.03e8})]).trust
    large = found([sides({"wobble": 0.001}, {"wobble": 0.001, "work": 1.2e8})]).trust
    assert small is not None
    assert large is not None
    assert "one-session" in codes(small)
    assert small.safe == ()
    assert "one-session" not in codes(large)


def test_wrong_outputs_lower_it_by_their_number() -> None:
    wrong = Fidelity(1.0, 1.0, 0.0, inputs=8, tolerance=1e-3)

    def unfaithful(case: ComparedCase) -> ComparedCase:
        a, b = case.evidence
        return dataclasses.replace(case, evidence=(a, dataclasses.replace(b, fidelity=wrong)))

    cases = over(NETWORKS, {}, {"work": 2e8})
    one = found([unfaithful(cases[0]), *cases[1:]]).trust
    most = found([unfaithful(c) for c in cases]).trust
    assert one is not None
    assert most is not None
    assert (one.level, most.level) == (Level.MEDIUM, Level.LOW)
    assert "UNFAITHFUL to the reference in 1 of 8 cases" in one.reasons[0].text


def test_every_rule_has_a_row_in_the_document_with_its_level() -> None:
    """The table and the rules have the same codes."""
    source = Path(rules.__file__).read_text(encoding="utf-8")
    known = set(re.findall(r'TrustReason\("([a-z-]+)"', source))
    rows = re.findall(r"^\| `([a-z-]+)` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert known
    assert known <= set(rows)
