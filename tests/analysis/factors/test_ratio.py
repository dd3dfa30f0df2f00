"""Planted factors come back, logs add up, what is not separable is one factor and said so."""

from __future__ import annotations

import math
from typing import Any

import pytest
from scipy import stats

from hwprof.analysis.estimator import Estimator
from hwprof.analysis.explain.explain import rounds
from hwprof.analysis.factors import ratio
from hwprof.analysis.factors.identity import Identity
from hwprof.records import Exactness, Origin
from tests.analysis.planted import in_slices, planted, preempted, several

PLANTED = {"parallelism": 1.7, "clock": 2.4e9, "ipc": 1.9, "work": 0.8e8}


def both(a: dict[str, Any], b: dict[str, Any], **how: Any) -> ratio.Decomposition:
    return ratio.decompose(rounds(several(**a)), rounds(several(**b)), **how)


def logs(found: ratio.Decomposition) -> float:
    return sum(math.log(f.ratio) for f in found.terms)


def test_each_planted_factor_comes_back_with_its_sign() -> None:
    found = both({**PLANTED, "tail": 1.04, "observer": 1.05}, {})
    factors = {f.name: f.ratio for f in found.terms}
    expected = {
        "parallelism": 1.7 / 0.9,
        "clock": 1.2,
        "ipc": 1.9 / 1.5,
        "work": 1 / 0.8,
        "tail": 1.04,
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
    found = both({**PLANTED, "tail": 0.95, "leave": leave}, {"leave": leave}, spinning=spinning, paired=paired)
    assert found.choice.estimator is Estimator.FPS
    assert abs(logs(found) - math.log(found.whole.ratio)) < 1e-9
    main = sum(math.log(f.ratio) for f in found.factors)
    assert found.throughput is not None
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


def weights(found: ratio.Decomposition) -> dict[str, str]:
    return {name: part.weight.value for name, part in found.parts.items()}


def test_a_factor_is_mainly_the_reason_only_where_it_is_shown_to_be_more_than_half() -> None:
    one = both({"clock": 2.6e9, "wobble": 0.02}, {"wobble": 0.02})
    assert weights(one)["clock"] == "mainly"
    assert weights(one)["work"] == "not distinguishable"
    two = both({"clock": 2.2e9, "ipc": 1.65}, {})
    assert (weights(two)["clock"], weights(two)["ipc"]) == ("partly", "partly")
    opposed = both({"clock": 2.2e9, "ipc": 1.2}, {})
    assert (weights(opposed)["clock"], weights(opposed)["ipc"]) == ("partly", "mainly")
    undecided = both({"clock": 2.02e9, "wobble": 0.2}, {"wobble": 0.2})
    assert not undecided.decided
    assert weights(undecided)["clock"] == "partly"


def test_the_intervals_of_all_terms_hold_together() -> None:
    """Six of them, each at 1 - .05 / 6; Welch's t of the logs."""
    found = both({"work": 0.9e8, "wobble": 0.02}, {"wobble": 0.03})
    work = next(f for f in found.factors if f.name == "work")
    logs = [[-w * (i - 1.5) for i in range(4)] for w in (0.02, 0.03)]
    expected = stats.ttest_ind(*logs, equal_var=False).confidence_interval(1 - 0.05 / 6)
    assert work.low is not None
    assert work.high is not None
    assert math.log(work.low) + math.log(0.9) == pytest.approx(expected.low, abs=1e-6)
    assert math.log(work.high) + math.log(0.9) == pytest.approx(expected.high, abs=1e-6)
    alone = stats.ttest_ind(*logs, equal_var=False).confidence_interval(0.95)
    assert found.whole.high is not None
    assert math.log(found.whole.high) + math.log(0.9) == pytest.approx(alone.high, abs=1e-6)


def of_sessions(work: float, *sessions: tuple[str, float]) -> list[Identity]:
    """Two rounds of 1 % in each session; `sessions`: name and what its noise multiplies the clock by."""
    runs = [
        planted(round=2 * i + r, clock=2e9 * times, work=work * (1 + 0.01 * r), facts={"session": {"id": name}})
        for i, (name, times) in enumerate(sessions)
        for r in range(2)
    ]
    return rounds(runs)


def test_rounds_of_several_sessions_are_averaged_in_each() -> None:
    noises = (("s1", 1.0), ("s2", 1.1), ("s3", 0.95))
    a, b = of_sessions(1e8, *noises), of_sessions(2e8, *noises)
    paired = ratio.decompose(a, b)
    assert (paired.over, paired.paired, paired.units, paired.rounds) == ("sessions", True, (3, 3), (6, 6))
    assert paired.whole.low == pytest.approx(2.0, rel=1e-6)  # what a session does to both cancels
    own = ratio.decompose(a, of_sessions(2e8, *((name + "'", times) for name, times in noises)))
    assert (own.over, own.paired, own.units) == ("sessions", False, (3, 3))
    assert own.whole.low is not None
    assert own.whole.low < 1.8
    assert abs(logs(own) - math.log(own.whole.ratio)) < 1e-9


def test_one_session_of_a_side_leaves_the_rounds_of_a_common_one() -> None:
    a = of_sessions(1e8, ("s1", 1.0), ("s2", 1.1))
    found = ratio.decompose(a, of_sessions(2e8, ("s2", 1.1)))
    assert (found.over, found.units, found.omitted) == ("rounds", (2, 2), (2, 0))
    assert found.whole.ratio == pytest.approx(2.0, rel=1e-6)
    apart = ratio.decompose(a, of_sessions(2e8, ("s3", 1.0)))
    assert (apart.over, apart.omitted) == ("rounds", (2, 0))
    assert ratio.decompose(a, of_sessions(1.05e8, ("s3", 1.0))).whole.ratio > 1


def test_pairing_takes_a_shared_drift_out_of_the_interval() -> None:
    drift = {"wobble": 0.1}
    welch, paired = both({**PLANTED, **drift}, drift), both({**PLANTED, **drift}, drift, paired=True)
    assert welch.whole.low is not None
    assert paired.whole.low is not None
    assert paired.whole.low > welch.whole.low
    assert paired.whole.ratio == pytest.approx(welch.whole.ratio)


def test_one_round_has_no_interval_and_no_rounds_is_an_error() -> None:
    found = ratio.decompose(rounds([planted()]), rounds([planted(work=2e8)]))
    assert found.whole.low is None
    with pytest.raises(ValueError, match="rounds"):
        ratio.decompose([], rounds([planted()]))


def sliced(sets: str, alone: float = 1.0, **fields: Any) -> list[Identity]:
    """Rounds in slices, one in each of these sets; "-": in none."""
    runs = several(len(sets), **fields)
    return rounds([in_slices(r, "" if s == "-" else s, alone) for r, s in zip(runs, sets, strict=True)])


def test_only_rounds_of_common_sets_enter_the_ratio_in_pairs() -> None:
    drift = {"wobble": 0.1}
    a, b = sliced("pqrst", **drift), sliced("pqrst", work=2e8, **drift)
    alike = ratio.decompose(a, b)
    assert (alike.sets, alike.rounds, alike.omitted, alike.paired) == (5, (5, 5), (0, 0), True)
    # the order of the rounds is that of nothing, and a round without a partner changes nothing
    mixed = ratio.decompose([*reversed(a)], [b[3], b[0], *sliced("xy", work=9e8), b[4]])
    alone = ratio.decompose([a[0], a[3], a[4]], [b[0], b[3], b[4]])
    assert (mixed.sets, mixed.omitted) == (3, (2, 2))
    assert mixed.whole.ratio == pytest.approx(alone.whole.ratio)
    assert (mixed.whole.low, mixed.whole.high) == pytest.approx((alone.whole.low, alone.whole.high))
    assert mixed.whole.ratio == pytest.approx(2.0, rel=1e-6)


def test_without_a_common_set_rounds_are_compared_as_ever() -> None:
    a, b = sliced("pqr-", wobble=0.1), sliced("xyz-", work=2e8, wobble=0.1)
    found, plain = (
        ratio.decompose(a, b),
        ratio.decompose(sliced("----", wobble=0.1), sliced("----", work=2e8, wobble=0.1)),
    )
    assert (found.sets, found.omitted, found.paired) == (0, (0, 0), False)
    assert found.whole == plain.whole


def test_slices_and_stretches_that_contradict_each_other_decide_nothing() -> None:
    a, b = sliced("pqrst", wobble=0.001), sliced("pqrst", work=1.2e8, wobble=0.001)
    agreeing = ratio.decompose(a, b)
    assert agreeing.alone is not None
    assert agreeing.alone.ratio == pytest.approx(1.2, rel=1e-6)
    assert agreeing.decided
    opposed = ratio.decompose(sliced("pqrst", 0.7, wobble=0.001), b)
    assert opposed.alone is not None
    assert opposed.alone.ratio == pytest.approx(0.84, rel=1e-6)
    assert opposed.whole.ratio == pytest.approx(1.2, rel=1e-6)
    assert opposed.conflict
    assert not opposed.decided
    unknown = ratio.decompose(a[:1], b[:1])
    assert not unknown.conflict
    assert ratio.decompose(rounds(several()), rounds(several())).alone is None


@pytest.mark.parametrize("counters", [True, False])
def test_preempted_cases_of_one_thread_are_compared_by_cpu_time(counters: bool) -> None:
    a, b = (
        rounds([preempted("onnxruntime", n, ms, r, f"set{r}", counters) for r in range(4)])
        for n, ms in (("squeezenet1_1", 0.5), ("resnet18", 4.5))
    )
    found = ratio.decompose(a, b)
    assert found.choice.estimator is Estimator.CPU_TIME
    assert "preempted: " in found.choice.why
    assert found.whole.ratio == pytest.approx(9.0, rel=0.02)
    assert [f.name for f in found.terms] == (["clock", "ipc", "work"] if counters else ["clock x ipc x work"])
    assert abs(logs(found) - math.log(found.whole.ratio)) < 1e-9
    by_fps = found.ratio_by(Estimator.FPS)
    assert by_fps is not None
    assert by_fps > 20
    assert ratio.decompose(a, b).whole.ratio > 1


def test_a_disturbed_case_without_its_cpu_time_is_compared_by_throughput() -> None:
    found = both({**PLANTED, "tail": 1.5}, {})
    assert found.choice.estimator is Estimator.THROUGHPUT
    assert found.tail is None
    assert found.whole.ratio == pytest.approx(1.7 / 0.9 * 1.2 * 1.9 / 1.5 / 0.8, rel=1e-6)
    assert abs(logs(found) - math.log(found.whole.ratio)) < 1e-9


@pytest.mark.parametrize(
    ("a", "b", "how"),
    [
        ({**PLANTED, "tail": 1.04}, {}, {}),
        ({**PLANTED, "threads": 2}, {"threads": 2}, {"spinning": True}),
        ({"count": 1, **PLANTED}, {"count": 1}, {}),
        ({"leave": ("cycles",), **PLANTED}, {"leave": ("cycles",)}, {"paired": True}),
    ],
)
def test_a_swapped_ratio_is_that_of_the_other_over_the_one(
    a: dict[str, Any], b: dict[str, Any], how: dict[str, Any]
) -> None:
    swapped, anew = ratio.swap(both(a, b, **how)), both(b, a, **how)
    for one, other in zip((*swapped.terms, swapped.whole), (*anew.terms, anew.whole), strict=True):
        assert one.name == other.name
        assert (one.low is None, one.high is None) == (other.low is None, other.high is None)
        found, expected = ([v for v in (f.ratio, f.low, f.high) if v is not None] for f in (one, other))
        assert found == pytest.approx(expected, rel=1e-9)
    assert {name: part.weight for name, part in swapped.parts.items()} == {n: p.weight for n, p in anew.parts.items()}
    assert (swapped.units, swapped.rounds, swapped.sides) == (anew.units, anew.rounds, anew.sides)
    assert swapped.decided == anew.decided
