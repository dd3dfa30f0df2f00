"""The words for how sure a verdict is, and the rules that use them: neither a guess nor a silent event is certain."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from hwprof.analysis.bottlenecks import ceilings, cores, graph, system, threads
from hwprof.analysis.bottlenecks.certainty import (
    State,
    Sure,
    against,
    certainty,
    grade,
    least,
    of_rounds,
    product,
    quotient,
)
from hwprof.analysis.bottlenecks.diagnosis import diagnose
from hwprof.analysis.bottlenecks.verdicts import UNDISTURBED, Spin, Verdict
from hwprof.analysis.factors.evidence import Quantity
from hwprof.records import Doubt, Exactness, Layer, Origin, Series
from hwprof.speed import Interval, Speed
from hwprof.store import Results
from tests.analysis.bottlenecks.test_diagnosis import context, roof
from tests.factories import make_run
from tests.planted_sets import with_slices

LIMITS = (0.35, 0.6)
ROUNDS = [Speed(fps=r, throughput=0.95 * r, cpu_s=1 / r, waiting=0.0, stolen=0.0) for r in (26.7, 27.0, 27.3)]


def judged(verdict: Verdict) -> tuple[State, Sure]:
    return verdict.state, verdict.sure


@pytest.mark.parametrize(
    ("share", "word"),
    [
        (Interval(0.8, 0.75, 0.85), Sure.HIGH),
        (Interval(0.2, 0.18, 0.22), Sure.HIGH),
        (Interval(0.45, 0.42, 0.5), Sure.HIGH),
        (Interval(0.62, 0.61, 0.63), Sure.LOW),  # another session may be 5 % off
        (Interval(0.8, 0.5, 1.2), Sure.LOW),
        (Interval(0.8, None, None), Sure.MEDIUM),
        (Interval(0.65, None, None), Sure.LOW),
        (Interval(0.0, 0.0, 0.0), Sure.HIGH),
    ],
)
def test_high_needs_an_interval_that_is_clear_of_every_limit(share: Interval, word: Sure) -> None:
    assert certainty(share, LIMITS) is word


def test_within_one_session_no_margin_is_needed() -> None:
    near = Interval(1.0, 0.98, 1.03)
    assert certainty(near, (1.05, 1.2)) is Sure.LOW
    assert certainty(near, (1.05, 1.2), margin=1.0) is Sure.HIGH


def test_a_share_is_graded_by_two_limits_and_the_lowest_word_counts() -> None:
    assert [grade(v, LIMITS) for v in (0.34, 0.35, 0.6)] == [State.NO, State.PARTLY, State.YES]
    assert least(Sure.HIGH, Sure.LOW, Sure.MEDIUM) is Sure.LOW
    assert least(Sure.HIGH, Sure.MEDIUM) is Sure.MEDIUM


def test_figures_of_rounds_have_bounds_unless_one_is_0() -> None:
    found = of_rounds([1.0, 2.0, 4.0])
    assert found.value == pytest.approx(2.0)
    assert found.low is not None
    assert of_rounds([0.0, 2.0]) == (1.0, None, None)
    assert of_rounds([0.0, 0.0]) == (0.0, 0.0, 0.0)
    assert of_rounds([0.0]) == (0.0, None, None)
    assert product(Interval(2.0, 1.0, 4.0), 3.0) == (6.0, 3.0, 12.0)
    assert product(Interval(2.0, None, None), Interval(1.0, 0.5, 2.0)) == (2.0, None, None)
    assert tuple(against(Interval(5.0, 4.0, 6.0), 10.0, (8.0, 12.0))) == pytest.approx((0.5, 1 / 3, 0.75))
    assert against(Interval(5.0, 4.0, 6.0), 10.0, None) == (0.5, None, None)


def count(name: str, *rounds: float) -> Quantity:
    value = sum(rounds) / len(rounds)
    return Quantity(name, value, "", "frame", Origin.HARDWARE, Exactness.EXACT, "user", rounds=rounds)


def test_a_ratio_of_counts_has_bounds_unless_a_round_counted_nothing() -> None:
    low, high = quotient(count("a", 1.0, 1.1, 0.9), count("b", 2.0, 2.1, 1.9))[1:]
    assert low is not None
    assert high is not None
    assert low < 0.5 < high
    assert quotient(count("a", 0.0, 1.1), count("b", 2.0, 2.0))[1:] == (None, None)


def test_that_arithmetic_does_not_limit_is_certain_by_rounds_and_that_it_does_never() -> None:
    low, high = (context(about={**roof(gflops=g), "speeds": ROUNDS}) for g in (100, 20))
    assert judged(ceilings.compute_bound(low)) == (State.NO, Sure.HIGH)
    assert judged(ceilings.compute_bound(high)) == (State.YES, Sure.MEDIUM)
    once = dataclasses.replace(low, speeds=ROUNDS[:1])
    assert ceilings.compute_bound(once).sure is Sure.MEDIUM
    unknown = dataclasses.replace(low.roof, bounds={}) if low.roof else None
    assert ceilings.compute_bound(dataclasses.replace(low, roof=unknown)).sure is Sure.MEDIUM


def test_more_than_the_peak_is_not_called_bound_by_it() -> None:
    found = ceilings.compute_bound(context(about={**roof(gflops=12), "speeds": ROUNDS}))
    assert found.state is State.UNKNOWN
    assert "Winograd" in found.because


@pytest.mark.parametrize("code", ["throttled", "container-limit"])
def test_a_rate_that_heat_or_a_limit_lowered_denies_nothing(code: str) -> None:
    speeds = [s._replace(cpu_s=2 * (s.cpu_s or 0.0)) for s in ROUNDS]  # two threads
    held = context(about={**roof(gflops=100), "speeds": speeds}, threads=2, doubts=(Doubt(code, {}),))
    found = ceilings.compute_bound(held)
    assert found.state is State.UNKNOWN
    assert found.missing == (UNDISTURBED,)


def test_misses_are_not_ruled_out_by_those_of_another_level() -> None:
    few: dict[str, Any] = {"dtlb-misses": 10.0}
    found = cores.latency_bound(context(metrics=few))
    assert (found.state, found.missing) == (State.UNKNOWN, ("llc-misses",))
    both = cores.latency_bound(context(metrics={**few, "llc-misses": 10.0}))
    assert judged(both) == (State.NO, Sure.MEDIUM)
    waits = cores.latency_bound(context(metrics={"llc-misses": 10.0, "backend-stalls": 1e6}))
    assert judged(waits) == (State.NO, Sure.HIGH)


def test_bounds_of_several_levels_add_up() -> None:
    cycles = 1e8 / 1.5
    half = {"l2-misses": 0.06 * cycles / 60, "llc-misses": 0.06 * cycles / 300}
    assert cores.latency_bound(context(metrics=half)).state is State.PARTLY


@pytest.mark.parametrize("name", ["branch-misses", "llc-misses", "vector-instructions"])
def test_an_event_that_counted_nothing_makes_nothing_certain(name: str) -> None:
    rules = {"branch-misses": cores.bad_speculation, "llc-misses": cores.latency_bound}
    rule = rules.get(name, cores.vectorisation)
    silent = rule(context(metrics={name: 0.0, "backend-stalls": 1e5}))
    assert silent.sure is not Sure.HIGH
    if name != "vector-instructions":
        assert any("counted nothing" in caution for caution in silent.cautions)
        assert rule(context(metrics={name: 10.0, "backend-stalls": 1e5})).sure is Sure.HIGH


def test_mispredictions_are_ruled_out_for_certain_only_at_twice_their_assumed_cost() -> None:
    cycles = 1e8 / 1.5
    for part, sure in ((0.01, Sure.HIGH), (0.04, Sure.LOW)):
        found = cores.bad_speculation(context(metrics={"branch-misses": part * cycles / 20}))
        assert judged(found) == (State.NO, sure)


def test_faults_are_judged_by_the_least_and_the_most_that_they_cost() -> None:
    frame_s = 1e8 / (0.9 * 2e9 * 1.5)

    def faulting(share: float, major: float | None = None, **about: Any) -> Verdict:
        metrics = {"page-faults": share * frame_s / system.MINOR_S[0]}
        if major is not None:
            metrics["major-faults"] = major
        return system.paging(context(about={"speeds": ROUNDS, **about}, metrics=metrics))

    assert judged(faulting(0.2)) == (State.YES, Sure.MEDIUM)
    assert judged(faulting(0.01, 0.0)) == (State.PARTLY, Sure.LOW)  # at 5 us each it is a tenth
    assert judged(faulting(0.001, 0.0)) == (State.NO, Sure.HIGH)
    assert judged(faulting(0.001)) == (State.NO, Sure.MEDIUM)  # whether the disk was waited for is not known
    assert judged(faulting(0.001, 200.0)) == (State.YES, Sure.HIGH)
    assert judged(faulting(0.001, 0.02))[0] is State.NO
    assert faulting(0.001, 200.0).because == "memory comes from the disk"


def test_a_rerun_without_spinning_is_judged_by_its_interval() -> None:
    def spun(*cpu: float) -> Verdict:
        spin = Spin(Interval(1.0, 0.9, 1.1), Interval(*cpu))
        return threads.spinning(context(about={"spin": spin}, threads=2))

    assert judged(spun(1.5, 1.4, 1.6)) == (State.YES, Sure.HIGH)
    assert judged(spun(1.5, 1.1, 2.0)) == (State.YES, Sure.LOW)
    assert judged(spun(1.0, 0.98, 1.02)) == (State.NO, Sure.HIGH)


def test_efficiency_is_judged_by_the_rounds_of_both_numbers_of_threads() -> None:
    def scaled(one: tuple[float, ...], two: tuple[float, ...]) -> Verdict:
        return threads.poorly_parallel(context(about={"threads": {1: one, 2: two}}, threads=2, parallelism=1.9))

    assert judged(scaled((10.0, 10.1, 9.9), (8.0, 8.1, 7.9))) == (State.YES, Sure.HIGH)
    assert judged(scaled((10.0, 14.0, 7.0), (8.0, 12.0, 6.0)))[1] is Sure.LOW
    assert judged(scaled((10.0,), (8.0, 8.1)))[1] is Sure.MEDIUM


@pytest.mark.parametrize("preempted", [False, True])
def test_one_thread_that_was_disturbed_is_no_baseline(tmp_path: Path, preempted: bool) -> None:
    with Results.create(tmp_path / "r.db") as results:
        for number in range(2):
            one, two = (make_run(round=number, threads=n, cpus=tuple(range(n)), metrics={}) for n in (1, 2))
            results.add(with_slices(one, 4.0, preempted=preempted))
            results.add(with_slices(two, 2.0))
        found, _ = diagnose(results)
    (verdict,) = (v for d in found for v in d.verdicts if d.case.threads == 2 and v.code == "poorly-parallel")
    assert ("efficiency" in {n.name for n in verdict.numbers}) is not preempted
    assert ("the same case with one thread" in verdict.missing) is preempted


def test_other_load_is_certain_where_every_round_says_the_same() -> None:
    def loaded(*waits: float, stolen: float | None = 0.0) -> Verdict:
        speeds = [ROUNDS[0]._replace(waiting=w, stolen=stolen) for w in waits]
        return system.other_load(context(about={"speeds": speeds}))

    assert judged(loaded(0.3, 0.4)) == (State.YES, Sure.HIGH)
    assert judged(loaded(0.0, 0.4)) == (State.YES, Sure.MEDIUM)
    assert judged(loaded(0.0, 0.0)) == (State.NO, Sure.HIGH)
    assert judged(loaded(0.0, 0.0, stolen=None)) == (State.NO, Sure.MEDIUM)


def test_a_line_over_batches_is_judged_by_its_interval() -> None:
    def sent(wobble: float) -> Verdict:
        seconds = {b: (2e-3 + 1e-3 * b, (2e-3 + 1e-3 * b) * wobble) for b in (1, 2, 4)}
        return graph.dispatch(context(about={"batches": seconds}))

    assert judged(sent(1.01)) == (State.YES, Sure.MEDIUM)
    assert judged(sent(3.0))[1] is Sure.LOW


def test_an_operator_that_others_are_folded_into_is_not_left_over() -> None:
    def layered(op: str) -> Verdict:
        return graph.conversion(context(about={"layers": [Layer("a", "Conv", 700_000), Layer("b", op, 300_000)]}))

    for op in ("FusedConvRelu", "fused_nn_conv2d_add_nn_relu", "BatchMatMul", "fused_nn_dense_clip"):
        assert layered(op).state is State.NO, op
    for op in ("Relu", "batch_norm", "HardSwish", "BiasAdd"):
        assert judged(layered(op)) == (State.YES, Sure.MEDIUM), op


def test_no_throttling_is_certain_only_with_counters_and_a_clock() -> None:
    steady = Series("cpu-frequency", "Hz", "cpu0", at_ns=(1, 2), values=(2e9, 2e9))
    events = {"throttle-events": 0.0}
    assert system.throttling(context(series=(steady,))).sure is Sure.MEDIUM
    assert system.throttling(context(system=events)).sure is Sure.MEDIUM
    assert system.throttling(context(series=(steady,), system=events)).sure is Sure.HIGH


def test_rates_have_the_interval_of_the_rounds() -> None:
    rates = context(about={"speeds": ROUNDS}).rates
    assert rates.low is not None
    assert rates.low < rates.value < (rates.high or 0.0)
    assert context(about={"speeds": ROUNDS[:1]}).rates.low is None
