"""Planted factors come back, logs add up, what can't be told apart is one factor and said so."""

from __future__ import annotations

import math
from typing import Any

import pytest

from hwprof.analysis.explain.explain import rounds
from hwprof.analysis.factors import ratio
from hwprof.records import Exactness, Origin
from tests.analysis.planted import planted, several

PLANTED = {"parallelism": 1.7, "clock": 2.4e9, "ipc": 1.9, "work": 0.8e8}


def both(a: dict[str, Any], b: dict[str, Any], **how: Any) -> ratio.Decomposition:
    return ratio.decompose(rounds(several(**a)), rounds(several(**b)), **how)


def logs(found: ratio.Decomposition) -> float:
    return sum(math.log(f.ratio) for f in found.terms)


def test_each_planted_factor_comes_back_with_its_sign() -> None:
    found = both({**PLANTED, "tail": 1.1, "observer": 1.05}, {})
    factors = {f.name: f.ratio for f in found.terms}
    expected = {
        "parallelism": 1.7 / 0.9,
        "clock": 1.2,
        "ipc": 1.9 / 1.5,
        "work": 1 / 0.8,
        "tail": 1.1,
        "observer": 1.05,
    }
    assert factors == pytest.approx(expected, rel=1e-6)
    assert found.level == "full"
    assert found.merged == ""


@pytest.mark.parametrize("spinning", [False, True])
@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("gone", [0, 1, 2, 3])
def test_logs_of_the_terms_add_up_to_the_log_of_the_ratio(spinning: bool, paired: bool, gone: int) -> None:
    leave = ("cycles", "instructions", "task-clock")[:gone]
    found = both({**PLANTED, "tail": 0.9, "leave": leave}, {"leave": leave}, spinning=spinning, paired=paired)
    assert abs(logs(found) - math.log(found.fps.ratio)) < 1e-9
    main = sum(math.log(f.ratio) for f in found.factors)
    assert abs(main - math.log(found.throughput.ratio)) < 1e-9


@pytest.mark.parametrize(
    ("fields", "level", "names"),
    [
        ({"leave": ("cycles",)}, "rate", ("parallelism", "clock x ipc", "work")),
        ({"leave": ("cycles", "instructions")}, "clockless", ("parallelism", "clock x ipc x work")),
        ({"leave": ("cycles", "instructions", "task-clock")}, "wall", ("throughput",)),
        ({"domain": "user"}, "user", ("parallelism", "clock x user share", "ipc", "work")),
        ({"exactness": Exactness.SCALED}, "clockless", ("parallelism", "clock x ipc x work")),
        ({"origin": Origin.EMULATED}, "rate", ("parallelism", "clock x ipc", "work")),
        ({"host": {"emulated": True}}, "rate", ("parallelism", "clock x ipc", "work")),
    ],
)
def test_what_one_side_did_not_count_is_merged_on_both_and_named(
    fields: dict[str, Any], level: str, names: tuple[str, ...]
) -> None:
    found = both({**PLANTED, **fields}, fields)
    assert found.level == level
    assert tuple(f.name for f in found.factors) == names
    assert found.merged


def test_user_counts_never_meet_counts_of_both_modes() -> None:
    found = both({**PLANTED, "domain": "user"}, {})
    assert found.level == "clockless"


def test_where_threads_may_spin_three_factors_are_one() -> None:
    found = both(PLANTED, {}, spinning=True)
    factors = {f.name: f.ratio for f in found.factors}
    assert set(factors) == {"clock", "parallelism x ipc x work"}
    assert factors["parallelism x ipc x work"] == pytest.approx(1.7 / 0.9 * 1.9 / 1.5 / 0.8, rel=1e-6)
    assert "spin" in found.merged


def test_percentages_need_one_sign_and_a_decided_ratio() -> None:
    agreeing = both(PLANTED, {})
    assert agreeing.shares is not None
    assert sum(agreeing.shares.values()) == pytest.approx(100)
    opposed = both({**PLANTED, "work": 2e8}, {})
    assert opposed.shares is None
    undecided = both({"work": 1.001e8, "wobble": 0.2}, {"wobble": 0.2})
    assert undecided.shares is None
    assert not undecided.decided


def test_pairing_takes_a_shared_drift_out_of_the_interval() -> None:
    drift = {"wobble": 0.1}
    welch, paired = both({**PLANTED, **drift}, drift), both({**PLANTED, **drift}, drift, paired=True)
    assert welch.fps.low is not None
    assert paired.fps.low is not None
    assert paired.fps.low > welch.fps.low
    assert paired.fps.ratio == pytest.approx(welch.fps.ratio)


def test_one_round_has_no_interval_and_no_rounds_is_an_error() -> None:
    found = ratio.decompose(rounds([planted()]), rounds([planted(work=2e8)]))
    assert found.fps.low is None
    assert found.shares is None
    with pytest.raises(ValueError, match="rounds"):
        ratio.decompose([], rounds([planted()]))
