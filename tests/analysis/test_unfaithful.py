"""An unfaithful case is named so wherever a ratio stands."""

from __future__ import annotations

import dataclasses

from hwprof.analysis.comparison.compare import compare
from hwprof.analysis.comparison.measured import summarise_run
from hwprof.analysis.correlation import strata
from hwprof.analysis.explain.explain import explain
from hwprof.analysis.explain.explanation import SideRuns
from hwprof.analysis.explain.wording import summarise
from hwprof.analysis.speeds import ratios, speeds
from hwprof.records import Case, Fidelity, Run, not_comparable
from hwprof.reports.page.words import ratio_sentence
from hwprof.store import Results
from tests.analysis.planted import several
from tests.factories import make_run

WRONG = Fidelity(1.0, 0.5, None, 8, 1e-3, output="boxes")
UNKNOWN = not_comparable("never repeats", 1e-3)


def judged(runs: list[Run], fidelity: Fidelity, network: str = "") -> list[Run]:
    def case_of(case: Case) -> Case:
        return dataclasses.replace(case, network=network or case.network)

    return [dataclasses.replace(run, fidelity=fidelity, case=case_of(run.case)) for run in runs]


def test_an_explanation_names_the_unfaithful_side_in_its_headline_and_why_in_a_note() -> None:
    found = explain(SideRuns("a", several()), SideRuns("b", judged(several(work=2.5e8), WRONG)))
    assert found.headline.endswith("; b is UNFAITHFUL to the reference")
    assert "b: outputs UNFAITHFUL, max error 5.0e-01 of the largest value of output boxes, the worst one" in found.notes


def test_outputs_that_are_not_comparable_are_a_note_and_no_headline() -> None:
    found = explain(SideRuns("a", judged(several(), UNKNOWN)), SideRuns("b", several(work=2.5e8)))
    assert "UNFAITHFUL" not in found.headline
    assert "a: outputs not comparable: never repeats" in found.notes


def test_the_summary_of_explanations_counts_pairs_with_an_unfaithful_side() -> None:
    right = explain(SideRuns("a", several()), SideRuns("b", several(work=2.5e8)))
    sides = (SideRuns("a", judged(several(), WRONG, "other")), SideRuns("b", judged(several(), WRONG, "other")))
    summary = summarise([right, explain(*sides)])
    assert summary is not None
    assert "one of the two is UNFAITHFUL to the reference in 1 of 2 pairs" in summary.notes


def test_a_comparison_says_of_which_side_the_outputs_are_wrong() -> None:
    old, new = (
        [make_run(fps=fps, round=n, fidelity=fidelity, uid=f"{n:08x}{fps:.0f}") for n in range(3)]
        for fps, fidelity in ((40.0, None), (80.0, WRONG))
    )
    before, after = ([one for run in runs if (one := summarise_run(run)) is not None] for runs in (old, new))
    (change,) = compare(before, after).changes
    assert "UNFAITHFUL (new)" in change.doubts


def test_a_ratio_in_the_summary_counts_unfaithful_cases(results: Results) -> None:
    for framework, fidelity in (("onnxruntime", None), ("opencv", WRONG)):
        results.add_all([make_run(framework, round=n, fidelity=fidelity) for n in range(3)])
    table = speeds(results.frame())
    (one,) = ratios(table, sorted(table[strata.VARIANT].unique()))
    assert one.unfaithful == 1
    assert "In 1 case one of them is UNFAITHFUL." in ratio_sentence(one)


def test_not_comparable_is_a_state_of_its_own_in_the_frame(results: Results) -> None:
    results.add_all([make_run(fidelity=UNKNOWN), make_run("opencv", fidelity=WRONG), make_run("ncnn")])
    frame = results.frame().set_index("framework")
    assert frame["faithful"].to_dict() == {"onnxruntime": None, "opencv": False, "ncnn": True}
    assert frame["agreement"].to_dict() == {
        "onnxruntime": "not comparable: never repeats",
        "opencv": "unfaithful",
        "ncnn": "faithful",
    }
    assert not strata.is_unfaithful(results.frame().query("framework == 'onnxruntime'")).any()
