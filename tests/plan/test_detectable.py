"""What a plan could find, before anything is measured."""

from __future__ import annotations

from hwprof.analysis.statistics import power
from hwprof.plan import experiment
from hwprof.plan.cases import plan
from hwprof.plan.detectable import FAMILY, TOGETHER, reaches


def test_a_few_networks_see_strong_correlations_only() -> None:
    found = reaches(plan(experiment.load("quick")))
    together, *each = found
    assert {(r.variant, r.networks, r.parents) for r in each} == {("onnxruntime", 7, 0), ("opencv", 7, 0)}
    assert each[0].alone == (power.of_size(7, 2),)
    assert each[0].first == (power.of_size(7, 2, FAMILY),)
    # 14 cells less 7 + 2 - 1 means, the instructions and the metric leave 4 degrees of freedom
    assert (together.variant, together.networks) == (TOGETHER, 7)
    assert together.alone == (power.of_size(4 + 2, 0),)


def test_networks_without_instructions_are_left_out() -> None:
    found = reaches(plan(experiment.load("quick")), ["resnet18", "googlenet"])
    assert {(r.networks, r.alone, r.why) for r in found} == {(2, (), "at least 7 networks are needed")}


def test_blocks_see_more_the_less_alike_those_of_a_network_are_and_kinds_have_a_reach_of_their_own() -> None:
    found = [r for r in reaches(plan(experiment.load("blocks"))) if r.variant == "opencv"]
    whole = found[0]
    assert "blocks of layers" in whole.stratum
    assert whole.networks >= 60
    assert whole.parents == 14
    assert whole.alone[0] < whole.alone[1] < 0.6
    assert whole.first[0] > whole.alone[0]
    assert {"1x1", "3x3", "depthwise"} <= {r.stratum.partition("blocks of ")[2].partition(" layers")[0] for r in found}
    assert all(r.alone[0] > whole.alone[0] for r in found[1:])
