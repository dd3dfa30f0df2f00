"""The answer of planted results: it names the factor that was planted, or says that it cannot be separated."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import pytest

from hwprof.analysis.answer import aggregate
from hwprof.analysis.answer.aggregate import ComparedCase
from hwprof.analysis.answer.build import answer_alone
from hwprof.analysis.answer.model import Answer, PairAnswer, Standing, document
from hwprof.analysis.bottlenecks.certainty import State, Sure
from hwprof.analysis.bottlenecks.diagnosis import Diagnosis
from hwprof.analysis.bottlenecks.verdicts import Context, Verdict
from hwprof.analysis.estimator import Estimator, EstimatorChoice
from hwprof.analysis.explain.explain import explain
from hwprof.analysis.explain.explanation import ChangedRuns, SideRuns
from hwprof.analysis.factors.evidence import collect
from hwprof.analysis.factors.ratio import Weight
from hwprof.analysis.speeds import SpeedRatio
from hwprof.records import Origin
from hwprof.speed import Interval
from tests.analysis.answer.cases import COUNTERS, NETWORKS, found, over, sides
from tests.analysis.planted import in_slices, planted, preempted, several
from tests.factories import HOST_STATE, make_case, make_run, make_simulated_run


def first_sentence(answer: Answer) -> str:
    """Up to the first full stop that ends a sentence."""
    return answer.paragraph.partition(". ")[0]


THREADS: Mapping[str, Any] = {"threads": 2, "facts": {"spin": False}}
PLANTED = (
    ({"work": 2e8}, "instructions per frame 2.00x"),
    ({"clock": 1e9}, "the clock 2.00x"),
    ({"ipc": 0.75}, "instructions per cycle 2.00x"),
    ({"parallelism": 0.45}, "CPUs used 2.00x"),
)


@pytest.mark.parametrize("networks", [1, 2, 8])
@pytest.mark.parametrize(("slow", "words"), PLANTED)
def test_the_first_sentence_names_the_factor_that_was_planted(
    networks: int, slow: Mapping[str, float], words: str
) -> None:
    answer = found(over(NETWORKS[:networks], THREADS, {**THREADS, **slow}))
    sentence = first_sentence(answer)
    assert sentence.startswith("onnxruntime is 2.00 times as fast as opencv")
    assert f"mainly accounted for by {words}" in sentence
    assert "because" not in answer.paragraph


@pytest.mark.parametrize(("slow", "words"), PLANTED)
def test_the_faster_one_comes_first_whichever_was_named_first(slow: Mapping[str, float], words: str) -> None:
    answer = found(over(NETWORKS, {**THREADS, **slow}, THREADS))
    assert answer.verdict == "opencv is 2.00 times as fast as onnxruntime"
    assert f"mainly accounted for by {words}" in first_sentence(answer)


def test_a_difference_in_the_tail_is_named_as_tail_latency() -> None:
    sentence = first_sentence(found(over(NETWORKS, {"tail": 1.08}, {})))
    assert "mainly accounted for by tail latency (mean / median) 1.08x" in sentence


def test_two_factors_of_one_size_are_both_named_partly() -> None:
    answer = found(over(NETWORKS, {}, {"work": 1.5e8, "ipc": 1.0}))
    sentence = first_sentence(answer)
    assert "partly accounted for by" in sentence
    assert "mainly" not in sentence
    assert "instructions per frame 1.50x" in sentence
    assert "instructions per cycle 1.50x" in sentence


def test_a_factor_against_the_ratio_is_said_to_be() -> None:
    sentence = first_sentence(found(over(NETWORKS, {}, {"work": 3e8, "ipc": 2.25})))
    assert "mainly accounted for by instructions per frame 3.00x" in sentence
    assert "against it instructions per cycle 0.67x" in sentence


def test_without_counters_clock_ipc_and_work_are_one_factor_that_is_said_not_to_be_separable() -> None:
    answer = found(over(NETWORKS, {"leave": COUNTERS}, {"leave": COUNTERS, "work": 2e8}))
    assert "mainly accounted for by CPU time per frame (clock, IPC and work, not separable) 2.00x" in first_sentence(
        answer
    )
    assert {s.origin for s in pair_of(answer).factors} == {Origin.KERNEL}
    assert "instructions per frame 2.00x" not in answer.paragraph


def test_without_cycles_clock_and_ipc_are_one_factor() -> None:
    answer = found(over(NETWORKS, {"leave": ("cycles",)}, {"leave": ("cycles",), "clock": 1e9}))
    assert "mainly accounted for by clock and IPC (not separable) 2.00x" in first_sentence(answer)


def test_without_cpu_time_nothing_is_separable() -> None:
    nothing = (*COUNTERS, "task-clock")
    answer = found(over(NETWORKS, {"leave": nothing}, {"leave": nothing, "work": 2e8}))
    assert "everything together (nothing is separable)" in first_sentence(answer)


def test_factors_that_scatter_more_than_they_differ_are_not_distinguishable() -> None:
    """The ratio is the same everywhere; in which factor it lies differs from network to network."""
    cases = []
    for number, network in enumerate(NETWORKS):
        shift = math.exp((-1) ** number * (1.0 + 0.1 * number))
        cases.append(sides({}, {"work": 1.3e8 * shift, "ipc": 1.5 * shift}, network))
    answer = found(cases)
    assert answer.verdict == "onnxruntime is 1.30 times as fast as opencv"
    assert "the factors are not distinguishable by these measurements" in first_sentence(answer)
    assert {s.weight for s in pair_of(answer).factors if s.factor.name in ("work", "ipc")} == {Weight.HIDDEN}


def test_a_factor_whose_interval_over_networks_holds_1_is_not_named_though_every_network_has_it() -> None:
    """Three networks that happen to agree say nothing of others; of these the ratio is decided without it."""
    clocks = (1.01, 1.3, 1.02)
    cases = [sides({"clock": 2e9 * c}, {"work": 4e8}, n) for n, c in zip(NETWORKS, clocks, strict=False)]
    shares = {s.factor.name: s.weight for s in pair_of(found(cases)).factors}
    assert shares["clock"] is Weight.HIDDEN
    assert shares["work"] is Weight.MAINLY


def test_noise_between_rounds_that_is_larger_than_the_ratio_makes_a_tie() -> None:
    noisy = {"wobble": 0.3}
    answer = found([sides(noisy, {**noisy, "work": 1.05e8})])
    assert answer.verdict == "onnxruntime and opencv are not distinguishable by FPS"
    assert not pair_of(answer).ranked
    assert "times as fast" not in answer.paragraph


def test_frameworks_that_win_on_half_of_the_networks_each_are_tied_with_their_counts() -> None:
    cases = [sides({}, {"work": 1.5e8 if i % 2 else 0.667e8}, n) for i, n in enumerate(NETWORKS)]
    answer = found(cases)
    assert pair_of(answer).standing is Standing.TIED
    assert "on 4 of 8 networks, slower on 4" in answer.detail


def test_a_ratio_that_varies_too_much_for_a_mean_is_still_faster_everywhere() -> None:
    cases = [sides({}, {"work": 1e8 * w}, n) for n, w in zip(NETWORKS, (1.2, 9.0), strict=False)]
    answer = found(cases)
    assert pair_of(answer).standing is Standing.EVERYWHERE
    assert "faster on 2 of 2 networks" in answer.detail
    assert "1.20x to 9.00x" in answer.detail


@pytest.mark.parametrize(("works", "decided"), [((2e8, 2e8, 2e8), 1), ((2e8, 1e8, 1e8), 0), ((2e8, 2e8, 0.5e8), 0)])
def test_a_network_is_decided_where_most_of_its_cases_are_and_none_contradicts(
    works: tuple[float, ...], decided: int
) -> None:
    cases = [sides({"batch": 2**n}, {"batch": 2**n, "work": work}) for n, work in enumerate(works)]
    (network,) = pair_of(found(cases)).networks
    assert network.decided == decided


def test_one_round_has_no_interval_and_names_no_factor() -> None:
    answer = found(over(NETWORKS[:2], {"count": 1}, {"count": 1, "work": 2e8}))
    assert "in a single round" in answer.verdict
    assert "no factor is named" in first_sentence(answer)
    assert answer.trust is not None
    assert answer.trust.level == "low"


def test_factors_are_over_the_networks_that_have_them_with_the_ratio_of_the_same_ones() -> None:
    cases = over(NETWORKS[:6], {}, {"work": 2e8})
    cases += over(NETWORKS[6:], {"leave": COUNTERS}, {"leave": COUNTERS, "work": 6e8})
    pair = pair_of(answer := found(cases))
    assert pair.factored == 6
    assert pair.beside is not None
    assert pair.beside.ratio == pytest.approx(2.0, rel=1e-6)
    assert pair.ratio.ratio == pytest.approx(math.exp((6 * math.log(2) + 2 * math.log(6)) / 8), rel=1e-6)
    assert math.prod(s.factor.ratio for s in pair.factors) == pytest.approx(pair.beside.ratio, rel=1e-9)
    assert "(over 6 of 8 networks, on which the ratio is 2.00x" in answer.paragraph


def test_counters_of_a_few_networks_alone_do_not_explain_all() -> None:
    cases = over(NETWORKS[:3], {}, {"work": 2e8})
    cases += over(NETWORKS[3:], {"leave": COUNTERS}, {"leave": COUNTERS, "clock": 1e9})
    pair = pair_of(found(cases))
    assert pair.factored == 8
    assert {s.factor.name for s in pair.factors} == {"parallelism", "clock x ipc x work", "observer", "tail"}


def test_simulated_work_stands_beside_the_native_ratio_and_is_no_factor_of_it() -> None:
    few = {"leave": COUNTERS}
    cases = over(NETWORKS[:5], few, {**few, "work": 2e8}, simulated=(1e8, 1.7e8))
    cases += over(NETWORKS[5:], few, {**few, "work": 3e8})
    answer = found(cases)
    work = pair_of(answer).work
    assert work is not None
    assert (work.networks, work.origin, work.tool) == (5, Origin.SIMULATED, "callgrind")
    assert work.factor.ratio == pytest.approx(1.7)
    assert work.beside.ratio == pytest.approx(2.0, rel=1e-6)
    text = answer.paragraph
    assert "opencv executes 1.70x [1.70, 1.70] the instructions per frame of onnxruntime" in text
    assert "(SIMULATED by callgrind, over 5 networks of 8); on the same networks the measured ratio is 2.00x" in text
    assert "1.18" not in text  # 2.0 / 1.7: a remainder that nobody measured
    assert {s.factor.name for s in pair_of(answer).factors} == {"parallelism", "clock x ipc x work", "observer", "tail"}
    works = {n.network: n.work for n in pair_of(answer).networks}
    origins = {n.network: n.work_origin for n in pair_of(answer).networks}
    assert works[NETWORKS[0]] == pytest.approx(1.7)
    assert origins[NETWORKS[0]] is Origin.SIMULATED
    assert (works[NETWORKS[7]], origins[NETWORKS[7]]) == (None, None)


def test_an_emulators_time_ranks_nothing_but_its_instructions_compare() -> None:
    board = {"host": {**HOST_STATE, "emulated": True}, "origin": Origin.EMULATED}
    answer = found(over(NETWORKS, board, {**board, "work": 2e8}))
    assert "not ranked" in answer.verdict
    assert "times as fast" not in answer.paragraph
    assert "opencv executes 2.00x" in answer.paragraph
    assert "EMULATED" in answer.paragraph
    assert not any("mainly" in text for text in answer.why)


def test_a_rerun_that_changed_one_thing_is_the_only_because() -> None:
    network = "resnet18"
    unspun = several(framework="opencv", network=network, threads=2, options={"spin": False}, facts={"spin": False})
    change = ChangedRuns("spin", "spin=false", unspun)
    slow = {"threads": 2, "work": 2e8, "facts": {"spin": True}}
    answer = found([sides({"threads": 2, "facts": {"spin": False}}, slow, network, changed=((), (change,)))])
    assert f"On {network} because of spin-waiting: with spin=false the ratio is 1.00x (rerun)" in answer.paragraph


def preempted_case(slow: str) -> ComparedCase:
    """ONNX Runtime alone on its core, another framework on one that three others use; both take 2 ms of CPU time."""
    alone = [in_slices(planted("onnxruntime", "resnet18", work=6e6, round=n), f"set {n}") for n in range(4)]
    shared = [preempted(slow, "resnet18", 2.0, n, f"set {n}") for n in range(4)]
    one = explain(SideRuns("onnxruntime", alone), SideRuns(slow, shared))
    return aggregate.of_explanations([one])[0]


def test_the_first_sentence_says_of_which_framework_others_took_the_time() -> None:
    said = first_sentence(found([preempted_case("opencv")]))
    assert re.search(r"as runs are disturbed \(others took up to 7\d % of the time of opencv\)", said)
    assert "of the time of onnxruntime" not in said


def test_machines_are_not_pooled() -> None:
    quick, slow = {"machine": {"label": "quick"}}, {"machine": {"label": "slow"}}
    cases = []
    for machine, work in ((quick, 2e8), (slow, 4e8)):
        cases += over(NETWORKS, machine, {**machine, "work": work})
    placed = [type(c)(c.names, c.evidence[0].machine["label"], c.decomposition, c.evidence) for c in cases]
    answer = found(placed)
    assert "on each of 2 machines" in answer.verdict
    assert "on quick: opencv 0.50x [0.50, 0.50] of the speed of onnxruntime" in answer.detail
    assert "on slow: opencv 0.25x [0.25, 0.25] of the speed of onnxruntime" in answer.detail
    assert "0.35" not in answer.paragraph  # the mean over both


def test_its_json_form_has_no_value_that_json_has_not() -> None:
    answer = found(over(NETWORKS, {}, {"work": 2e8}, simulated=(1e8, 2e8)))
    data = json.loads(json.dumps(document(answer), allow_nan=False))
    assert data["format"] == 1
    (pair,) = data["pairs"]
    assert (pair["fast"], pair["slow"], pair["standing"], pair["wins"]) == ("onnxruntime", "opencv", "faster", 8)
    assert {f["name"]: f["shown"] for f in pair["factors"]}["work"] == "mainly"
    assert {f["name"]: f["origin"] for f in pair["factors"]}["work"] == "hardware"
    assert pair["work"]["origin"] == "simulated"
    assert data["paragraph"].startswith(data["verdict"])


def diagnosis(state: State, sure: Sure) -> Diagnosis:
    evidence = collect([planted()])
    assert evidence is not None
    return Diagnosis(make_case(), "here", "1.0", Context(evidence), (Verdict("compute-bound", state, "", sure=sure),))


def test_one_framework_has_what_bounds_it_where_that_is_highly_certain() -> None:
    answer = answer_alone(["onnxruntime"], (), diagnoses=[diagnosis(State.YES, Sure.HIGH)] * 2)
    assert answer.paragraph.startswith("onnxruntime alone was measured, compute-bound in 2 of 2 cases")


@pytest.mark.parametrize(("state", "sure"), [(State.YES, Sure.MEDIUM), (State.NO, Sure.HIGH)])
def test_one_framework_without_a_certain_bottleneck_says_so(state: State, sure: Sure) -> None:
    answer = answer_alone(["onnxruntime spin=false"], (), diagnoses=[diagnosis(state, sure)], results="my results.db")
    assert "can't be said with high certainty" in answer.paragraph
    assert "compute-bound" not in answer.paragraph
    assert answer.commands[0].command == "hwprof explain onnxruntime 'my results.db'"


def test_results_without_any_speed_say_what_they_are() -> None:
    simulated = make_simulated_run(metrics={"instructions": 1e8})
    assert "1 simulated run alone" in answer_alone([], [simulated]).paragraph
    emulated = make_run(host_state={**HOST_STATE, "emulated": True})
    assert "ran on an emulated board" in answer_alone([], [emulated]).paragraph
    assert "No two of 2 frameworks measured the same case" in answer_alone(["a", "b"], ()).paragraph


def test_runs_without_latencies_have_a_ratio_and_no_reasons() -> None:
    ratio = SpeedRatio("litert", "opencv", Interval(1.7, 1.5, 1.9), 4, 4, EstimatorChoice(Estimator.FPS), 4, 0, 0)
    answer = answer_alone(["litert", "opencv"], (), [ratio])
    assert answer.paragraph.startswith(
        "litert is 1.70 times as fast as opencv by FPS (95 % over networks [1.50, 1.90])"
    )
    assert "No factors" in answer.paragraph
    assert answer.trust is not None
    assert answer.trust.level == "low"


def pair_of(answer: Answer) -> PairAnswer:
    """The only pair."""
    (pair,) = answer.pairs
    return pair
