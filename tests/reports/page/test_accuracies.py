"""Accuracies of another benchmark's table: shown as they are stated, and no reason for anything else."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from hwprof.analysis.omissions import MOST_NAMED, Omission, lines, why_no_speed
from hwprof.cli import main
from hwprof.records import Run
from hwprof.reports.page import accuracies, omissions
from hwprof.store import Results
from tests.factories import make_run


def stated(network: str, recipe: str = "dli from PyTorch", **shares: float) -> Run:
    run = make_run("openvino", network, metrics={})
    case = dataclasses.replace(run.case, recipe=recipe)
    return dataclasses.replace(run, case=case, windows=(), facts={"imported": {"format": "DLI", "accuracy": shares}})


def test_every_measure_of_a_case_is_a_row_in_percent_with_where_its_network_came_from() -> None:
    runs = [stated("a", top1=0.761, top5=0.929), stated("a", "dli from Caffe", top1=0.75)]
    rows = accuracies.rows(runs)
    assert [(given, measure, value) for _, given, _, measure, value in rows] == [
        ("dli from Caffe", "top1", "75.00"),
        ("dli from PyTorch", "top1", "76.10"),
        ("dli from PyTorch", "top5", "92.90"),
    ]
    assert accuracies.summary(runs).startswith("2 cases have an imported accuracy")
    assert accuracies.summary([make_run()]) == ""


def test_what_states_no_speed_is_omitted_from_nothing() -> None:
    assert omissions.rows([stated("a", top1=0.5)], ()) == ()
    assert why_no_speed([stated("a", top1=0.5)]).startswith("its table states accuracies and no speeds")


def test_many_that_are_left_out_are_counted_and_some_are_named() -> None:
    few, many = ([Omission(f"case{i}", "of it") for i in range(n)] for n in (MOST_NAMED, MOST_NAMED + 5))
    assert lines(few) == [f"Left out, because of it: {', '.join(f'case{i}' for i in range(MOST_NAMED))}."]
    (line,) = lines(many)
    assert line.endswith("case10 and 6 more (`hwprof list cases`).")


def test_a_report_and_an_explanation_of_accuracies_alone_say_what_there_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "r.db")
    with Results.create(Path(file)) as results:
        experiment = results.begin_experiment("import", "", "hash", 0)
        results.add(stated("resnet50", top1=0.761), experiment)
    assert main(["report", file, "-o", str(tmp_path), "--format", "html,markdown"]) == 0
    for name in ("report.html", "report.md"):
        text = (tmp_path / name).read_text()
        assert "76.10" in text
        assert "no single latencies" not in text
    capsys.readouterr()
    assert main(["explain", file]) == 2
    said = capsys.readouterr().err
    assert "its table states accuracies and no speeds" in said
