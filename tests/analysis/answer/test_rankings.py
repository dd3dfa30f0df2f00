"""The answer of three and more frameworks: who is the fastest, who is tied, and what the lead is accounted for by."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

from hwprof.analysis.answer.model import Answer
from tests.analysis.answer.cases import COUNTERS, NETWORKS, found, over, sides
from tests.analysis.answer.test_build import first_sentence, preempted_case


def test_three_frameworks_are_ranked_with_their_ties_each_against_the_fastest() -> None:
    cases = []
    for network in NETWORKS:
        for names, works in (
            (("onnxruntime", "opencv"), (1e8, 2e8)),
            (("onnxruntime", "openvino"), (1e8, 2e8)),
            (("opencv", "openvino"), (2e8, 2e8)),
        ):
            cases.append(sides({"work": works[0]}, {"work": works[1]}, network, names))
    answer = found(cases)
    assert answer.verdict == "onnxruntime is the fastest of 3 frameworks"
    (ranking,) = answer.rankings
    assert [p.name for p in ranking.places] == ["onnxruntime", "opencv", "openvino"]
    assert [p.tied for p in ranking.places] == [False, False, True]
    assert "openvino 0.50x [0.50, 0.50] (not distinguishable from opencv)" in answer.detail
    against = [text for text in answer.why if "mainly accounted for by instructions per frame 2.00x" in text]
    assert len(against) == 2
    assert "the lead of onnxruntime is mainly accounted for by instructions per frame (2.00x [2.00, 2.00] against" in (
        first_sentence(answer)
    )


def of_three(works: tuple[float, float, float], **others: Mapping[str, Any]) -> Answer:
    """Three frameworks on all networks: instructions per frame, and what else each has."""
    names = ("onnxruntime", "opencv", "openvino")
    fields = {name: {"work": work, **others.get(name, {})} for name, work in zip(names, works, strict=True)}
    cases = []
    for a, b in itertools.combinations(names, 2):
        cases += over(NETWORKS, fields[a], fields[b], names=(a, b))
    return found(cases)


def test_a_ranking_names_what_the_lead_over_each_is_accounted_for_by() -> None:
    answer = of_three((1e8, 2e8, 1e8), openvino={"clock": 1e9})
    said = first_sentence(answer)
    assert "mainly accounted for by instructions per frame (2.00x [2.00, 2.00] against opencv)" in said
    assert "mainly accounted for by the clock (2.00x [2.00, 2.00] against openvino)" in said
    assert answer.why[0].startswith("The lead of onnxruntime is ")


def test_a_ranking_of_what_is_tied_names_no_factor() -> None:
    said = first_sentence(of_three((1e8, 1e8, 1e8)))
    assert said.endswith("no factor is named, as no framework is shown to be slower")


def test_a_ranking_of_single_rounds_names_no_factor() -> None:
    names = ("onnxruntime", "opencv", "openvino")
    cases = []
    for a, b in itertools.combinations(names, 2):
        cases += over(NETWORKS[:2], {"count": 1}, {"count": 1, "work": 2e8}, names=(a, b))
    assert "one round on a side has no interval, so that no factor is named" in first_sentence(found(cases))


def test_a_ranking_without_counters_names_the_factor_that_is_not_separable() -> None:
    few = {"leave": COUNTERS}
    said = first_sentence(of_three((1e8, 2e8, 2e8), onnxruntime=few, opencv=few, openvino=few))
    assert "mainly accounted for by CPU time per frame (clock, IPC and work, not separable) (2.00x" in said


def test_a_ranking_says_of_which_frameworks_others_took_the_time() -> None:
    others = sides({"work": 6e6}, {"work": 1.2e7}, names=("onnxruntime", "openvino"))
    said = first_sentence(found([preempted_case("opencv"), others]))
    assert re.search(
        r"(onnxruntime / opencv|opencv / onnxruntime) by [^,]+, as runs are disturbed \(others took up to 7\d % of the",
        said,
    )


def test_two_that_are_tied_at_the_top_are_both_the_fastest() -> None:
    cases = []
    for names, works in (
        (("onnxruntime", "opencv"), (1e8, 1e8)),
        (("onnxruntime", "openvino"), (1e8, 2e8)),
        (("opencv", "openvino"), (1e8, 2e8)),
    ):
        cases += over(NETWORKS, {"work": works[0]}, {"work": works[1]}, names=names)
    verdict = found(cases).verdict
    assert "are the fastest of 3 frameworks and not distinguishable from each other" in verdict
    assert "openvino" not in verdict


def test_a_framework_is_no_tie_with_the_fastest_because_it_is_one_with_the_next() -> None:
    """a = b and b = c by their wide intervals, and a is faster than c."""
    works = {"onnxruntime": 1e8, "opencv": 1.1e8, "openvino": 1.2e8}
    wobbles = {"onnxruntime": 0.01, "opencv": 0.15, "openvino": 0.01}
    fields = {name: {"work": works[name], "wobble": wobbles[name]} for name in works}
    cases = [sides(fields[a], fields[b], names=(a, b)) for a, b in itertools.combinations(works, 2)]
    answer = found(cases)
    assert answer.verdict == (
        "onnxruntime and opencv are the fastest of 3 frameworks and not distinguishable from each other"
    )
    (ranking,) = answer.rankings
    assert [p.tied for p in ranking.places] == [False, True, True]
