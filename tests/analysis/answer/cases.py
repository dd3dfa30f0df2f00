"""Compared cases of planted runs: two frameworks on some networks, as `hwprof explain` would find them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hwprof.analysis.answer import aggregate
from hwprof.analysis.answer.aggregate import ComparedCase
from hwprof.analysis.answer.build import answer_cases
from hwprof.analysis.answer.model import Answer
from hwprof.analysis.explain.explain import explain
from hwprof.analysis.explain.explanation import ChangedRuns, SideRuns
from hwprof.records import Run
from tests.analysis.planted import in_slices, several
from tests.factories import make_case, make_simulated_run

NETWORKS = ("mobilenet_v2", "resnet18", "resnet50", "googlenet", "densenet121", "alexnet", "squeezenet1_1", "vgg11")
COUNTERS = ("cycles", "instructions")


def sides(
    fast: Mapping[str, Any],
    slow: Mapping[str, Any],
    network: str = "resnet18",
    names: Sequence[str] = ("onnxruntime", "opencv"),
    simulated: tuple[float, float] | None = None,
    in_sets: bool = False,
    changed: tuple[Sequence[ChangedRuns], Sequence[ChangedRuns]] = ((), ()),
) -> ComparedCase:
    """One case of both; `fast`, `slow`: fields of `planted`; `simulated`: instructions per frame of each.

    `in_sets`: measured side by side.
    """
    both = []
    for place, fields in enumerate((fast, slow)):
        runs: list[Run] = several(framework=names[place], network=network, **fields)
        if in_sets:
            runs = [in_slices(run, f"set {run.round}") for run in runs]
        if simulated is not None:
            case = make_case(names[place], network)
            runs.append(make_simulated_run(case=case, metrics={"instructions": simulated[place]}))
        both.append(SideRuns(names[place], runs, variants=changed[place]))
    return aggregate.of_explanations([explain(both[0], both[1])])[0]


def over(networks: Sequence[str], fast: Mapping[str, Any], slow: Mapping[str, Any], **more: Any) -> list[ComparedCase]:
    """The same factors on each of some networks."""
    return [sides(fast, slow, network, **more) for network in networks]


def found(cases: Sequence[ComparedCase], **fields: Any) -> Answer:
    """The answer, which there must be."""
    answer = answer_cases(cases, **fields)
    assert answer is not None
    return answer
