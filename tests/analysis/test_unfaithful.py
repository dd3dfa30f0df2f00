"""An unfaithful case is named so wherever a ratio stands."""

from __future__ import annotations

import dataclasses

import pytest

from hwprof.analysis import placement
from hwprof.analysis.answer.build import answer_alone
from hwprof.analysis.bottlenecks.diagnosis import diagnose
from hwprof.analysis.comparison.compare import compare
from hwprof.analysis.comparison.measured import summarise_run
from hwprof.analysis.correlation import strata
from hwprof.analysis.explain.explain import explain
from hwprof.analysis.explain.explanation import SideRuns
from hwprof.analysis.explain.wording import summarise
from hwprof.analysis.factors import scaling
from hwprof.analysis.roofline import Roof
from hwprof.analysis.speeds import ratios, speeds
from hwprof.cli.progress import progress
from hwprof.records import Case, Fidelity, Run, not_comparable
from hwprof.reports.html import factors, gather, speed, tables
from hwprof.reports.page.speeds import speed_table
from hwprof.reports.terminal import bottlenecks, comparison, tuning
from hwprof.reports.terminal import scaling as scaling_report
from hwprof.runner.rounds import Progress
from hwprof.store import Results
from tests.analysis.planted import several
from tests.factories import make_run

WRONG = Fidelity(1.0, 0.5, None, 8, 1e-3, output="boxes")
UNKNOWN = not_comparable("never repeats", 1e-3)
RIGHT = Fidelity(1e-6, 1e-6, 1.0, 8, 1e-3)


def judged(runs: list[Run], fidelity: Fidelity, network: str = "") -> list[Run]:
    def case_of(case: Case) -> Case:
        return dataclasses.replace(case, network=network or case.network)

    return [dataclasses.replace(run, fidelity=fidelity, case=case_of(run.case)) for run in runs]


def test_an_explanation_names_the_unfaithful_side_in_its_headline_and_why_in_a_note() -> None:
    found = explain(SideRuns("a", several()), SideRuns("b", judged(several(work=2.5e8), WRONG)))
    assert found.headline.endswith(". b is UNFAITHFUL to the reference")
    assert "b: outputs UNFAITHFUL, max error 5.0e-01 of the largest value of output boxes, the worst one" in found.notes


def test_outputs_that_are_not_comparable_are_named_with_their_reason() -> None:
    found = explain(SideRuns("a", judged(several(), UNKNOWN)), SideRuns("b", several(work=2.5e8)))
    assert "UNFAITHFUL" not in found.headline
    assert found.headline.endswith(". The outputs of a are not comparable: never repeats")
    assert "a: outputs not comparable: never repeats" in found.notes


def test_one_round_that_is_unfaithful_marks_its_side() -> None:
    mixed = [*judged(several()[:1], WRONG), *several()[1:]]
    assert explain(SideRuns("a", mixed), SideRuns("b", several(work=2.5e8))).a.evidence.unfaithful
    unknown = [*judged(several()[:1], UNKNOWN), *several()[1:]]
    assert "not comparable" in explain(SideRuns("a", unknown), SideRuns("b", several(work=2.5e8))).headline


def test_the_summary_of_explanations_counts_pairs_with_an_unfaithful_side() -> None:
    right = explain(SideRuns("a", several()), SideRuns("b", several(work=2.5e8)))
    sides = (SideRuns("a", judged(several(), WRONG, "other")), SideRuns("b", judged(several(), WRONG, "other")))
    summary = summarise([right, explain(*sides)])
    assert summary is not None
    assert "one of the two is UNFAITHFUL to the reference in 1 of 2 pairs" in summary.notes
    unknown = (SideRuns("a", several()), SideRuns("b", judged(several(), UNKNOWN)))
    other = (SideRuns("a", judged(several(), UNKNOWN, "other")), SideRuns("b", judged(several(), UNKNOWN, "other")))
    summary = summarise([explain(*unknown), explain(*other)])
    assert summary is not None
    assert "the outputs of one of the two in 2 of 2 pairs are not comparable: never repeats" in summary.notes


def test_a_comparison_says_of_which_side_the_outputs_are_wrong() -> None:
    old, new = (
        [make_run(fps=fps, round=n, fidelity=fidelity, uid=f"{n:08x}{fps:.0f}") for n in range(3)]
        for fps, fidelity in ((40.0, None), (80.0, WRONG))
    )
    before, after = ([one for run in runs if (one := summarise_run(run)) is not None] for runs in (old, new))
    (change,) = compare(before, after).changes
    assert "UNFAITHFUL (new)" in change.doubts


@pytest.mark.parametrize(
    ("fidelity", "beside", "mean"),
    [
        (WRONG, " (UNFAITHFUL (new))", "; outputs UNFAITHFUL in 1 case"),
        (UNKNOWN, " (outputs not comparable: never repeats (new))", "; outputs not comparable in 1 case"),
        (RIGHT, "", ""),
    ],
)
def test_a_comparison_names_wrong_outputs_beside_the_ratio(fidelity: Fidelity, beside: str, mean: str) -> None:
    sides = [
        [make_run(fps=fps, round=n, fidelity=one, uid=f"{n:08x}{fps:.0f}") for n in range(3)]
        for fps, one in ((40.0, RIGHT), (20.0, fidelity))
    ]
    old, new = ([one for run in runs if (one := summarise_run(run)) is not None] for runs in sides)
    lines = comparison.summary(compare(old, new), "old", "new")
    (slower,) = (line for line in lines if line.startswith("REGRESSION"))
    (overall,) = (line for line in lines if line.startswith("NEW is"))
    assert slower.endswith(f" 0.50x{beside}")
    assert overall.endswith(f"){mean}")


def judged_pair(results: Results, fidelity: Fidelity) -> None:
    """Two frameworks in three rounds, one of them with this fidelity."""
    results.add_all(several(framework="onnxruntime"))
    results.add_all(judged(several(framework="opencv", work=2.5e8), fidelity))


@pytest.mark.parametrize(("fidelity", "mark"), [(WRONG, "UNFAITHFUL"), (UNKNOWN, "not comparable: never repeats")])
def test_the_page_names_it_in_every_table_and_figure_with_a_ratio(
    results: Results, fidelity: Fidelity, mark: str
) -> None:
    judged_pair(results, fidelity)
    material = gather.gather(results)
    fps = material.report.fps
    (row,) = (row for row in speed_table(fps).rows if "opencv" in row[4])
    assert mark in row[5]
    assert mark in speed.dot_plot(fps, ["onnxruntime", "opencv"], "k", "").svg
    (pair,) = factors.table(material.pairs).rows
    assert pair[3].endswith(f" {mark}")
    (drawn,) = material.explanations
    assert f" · {mark}" in factors.waterfall(drawn[0], "k", drawn[1].headline).title
    assert material.report.answer is not None
    assert mark.partition(":")[0] in material.report.answer.paragraph
    assert any(mark in cell for row in tables.runs_table(material.frame).rows for cell in row)


def test_a_case_that_is_not_comparable_is_counted_beside_the_ratio_of_frameworks(results: Results) -> None:
    judged_pair(results, UNKNOWN)
    table = speeds(results.frame())
    (one,) = ratios(table, sorted(table[strata.VARIANT].unique()))
    assert (one.unfaithful, one.incomparable) == (0, 1)
    assert "in 1 case the outputs of one of them are not comparable" in answer_alone((), (), [one]).paragraph


def test_an_unfaithful_case_has_no_place_under_the_roof_and_one_not_comparable_says_so(results: Results) -> None:
    for framework, fidelity in (("onnxruntime", UNKNOWN), ("opencv", WRONG), ("ncnn", RIGHT)):
        results.add(make_run(framework, "tiny_cnn", size=32, fidelity=fidelity))
    frame = results.frame()
    roof = Roof("board", (), {"fp32": 1e12}, {"fp32": "avx2"}, {"DRAM": 1e10}, {})
    good, out = placement.place_cases(frame, {machine: [roof] for machine in frame["machine_id"]})
    assert sorted(one.point.title for one, _ in good) == [
        "ncnn tiny_cnn 32px b1 t1",
        "onnxruntime tiny_cnn 32px b1 t1 (outputs not comparable: never repeats)",
    ]
    assert [(one.title, one.why) for one in out] == [("opencv tiny_cnn 32px b1 t1", placement.UNFAITHFUL)]


def test_scaling_marks_the_numbers_of_threads_whose_outputs_are_wrong() -> None:
    fidelities = {1: RIGHT, 2: WRONG, 4: UNKNOWN}
    runs = [
        make_run(threads=threads, fps=30.0 * threads, round=n, fidelity=fidelity if n else RIGHT)
        for threads, fidelity in fidelities.items()
        for n in range(2)
    ]
    marks = scaling_report.outputs(runs)
    assert marks == {2: "UNFAITHFUL", 4: "not comparable: never repeats"}
    found = scaling.thread_speeds(runs)
    shown = scaling_report.text("title", found.choice, scaling.points(found), (), marks, 200).splitlines()
    (two,) = (line for line in shown if line.startswith("        2 "))
    (four,) = (line for line in shown if line.startswith("        4 "))
    (one,) = (line for line in shown if line.startswith("        1 "))
    assert two.endswith("  UNFAITHFUL")
    assert four.endswith("  not comparable: never repeats")
    assert "faithful" not in one.lower()
    plain = scaling_report.document(found.choice, scaling.points(found), (), marks)
    assert [point["outputs"] for point in plain["points"]] == ["", "UNFAITHFUL", "not comparable: never repeats"]


@pytest.mark.parametrize(("fidelity", "mark"), [(WRONG, "UNFAITHFUL"), (UNKNOWN, "not comparable: never repeats")])
def test_the_progress_of_a_sweep_names_it(fidelity: Fidelity, mark: str) -> None:
    assert progress(Progress(1, 2, make_run(fidelity=fidelity), None)).endswith(f" FPS, {mark}")
    assert progress(Progress(1, 2, make_run(fidelity=RIGHT), None)).endswith(" FPS")


def test_the_ratio_of_a_tuned_case_is_marked() -> None:
    tuned = {
        "winner": {"threads": 1, "cpus": [], "options": {}},
        **{"ratio": 1.5, "low": 1.4, "high": 1.6, "experiment": "t", "at_utc": "2000", "changes": {"threads": 2}},
    }
    (wrong,) = tuning.rows([make_run(facts={"tuned": tuned}, fidelity=WRONG)])
    assert wrong[2] == "1.500x [1.400, 1.600] UNFAITHFUL"
    (right,) = tuning.rows([make_run(facts={"tuned": tuned}, fidelity=RIGHT)])
    assert right[2] == "1.500x [1.400, 1.600]"


def test_a_diagnosis_names_it(results: Results) -> None:
    judged_pair(results, UNKNOWN)
    shown = bottlenecks.text(diagnose(results, "opencv")[0], width=200)
    assert "Outputs not comparable: never repeats" in shown
    assert "Outputs" not in bottlenecks.text(diagnose(results, "onnxruntime")[0], width=200)


def test_a_ratio_in_the_summary_counts_unfaithful_cases(results: Results) -> None:
    for framework, fidelity in (("onnxruntime", None), ("opencv", WRONG)):
        results.add_all([make_run(framework, round=n, fidelity=fidelity) for n in range(3)])
    table = speeds(results.frame())
    (one,) = ratios(table, sorted(table[strata.VARIANT].unique()))
    assert one.unfaithful == 1
    assert "in 1 case one of them is UNFAITHFUL" in answer_alone((), (), [one]).paragraph


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
