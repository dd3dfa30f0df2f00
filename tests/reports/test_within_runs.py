"""What is said of counters and latency within runs, in the terminal, as JSON and on the page."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from hwprof.analysis.over_time.comovement import Comovement, WithinRuns
from hwprof.records import Run
from hwprof.reports import within_runs
from hwprof.reports.html import gather, page
from hwprof.reports.html.model import Section
from hwprof.store import Results
from tests.analysis.test_comovement import rounds
from tests.cli.test_explain import said
from tests.factories import make_run

ONE = Comovement("l2-misses", "", "", "", 0.62, 0.4, 0.77, 1e-4, 0.003, 84, 61.2)


def measured(rounds_: list[Run]) -> list[Run]:
    """Runs of a planted case with slices and a bare stretch."""
    found = []
    for run in rounds_:
        base = make_run("onnxruntime", "resnet18", fps=1000.0, round=run.round)
        (counted,) = run.windows
        windows = (dataclasses.replace(base.windows[0], index=0), counted)
        found.append(dataclasses.replace(base, windows=windows))
    return found


def stored(path: Path, runs: list[Run]) -> Path:
    with Results.create(path) as results:
        for run in runs:
            results.add(run)
    return path


def section(path: Path) -> Section:
    with Results.open(path) as results:
        made = page.build(gather.gather(results))
    return next(s for s in made.sections if s.key == "within-runs")


def test_a_counter_is_named_with_its_interval_and_what_it_is_not_distinguishable_from() -> None:
    two = dataclasses.replace(ONE, metric="page-faults", r=-0.5, also=("a", "b", "c", "d"))
    found = WithinRuns(84, 3, 0.056, {"waiting for a CPU": 0.6, "own CPU time": 0.4}, True, 12, (ONE, two))
    lines = within_runs.lines(found)
    assert lines[0] == "Within runs (84 slices of 3 rounds; association, not causation)"
    assert "60 % is waiting for a CPU, 40 % own CPU time." in lines[2]
    assert lines[3] == (
        "Latency without waiting rises with l2-misses (r +0.62 [0.40, 0.77], q 0.003, 84 slices that say as much as 61 "
        "independent ones)."
    )
    assert "falls with page-faults" in lines[4]
    assert "not distinguishable from it: a, b, c and 1 more" in lines[4]
    assert within_runs.document(found)["tested"][0]["found"] is True  # type: ignore[index]


def test_what_is_not_found_is_not_denied() -> None:
    weak = dataclasses.replace(ONE, q=0.2)
    (*_, last) = within_runs.sentences(WithinRuns(84, 3, 0.056, None, False, 1, (weak,)))
    assert last == "No counter is known to move with latency (1 tested, smallest q 0.2)."
    (*_, last) = within_runs.sentences(
        WithinRuns(8, 1, 0.0, None, False, 0, (), "of 20 slices that it takes there are 8")
    )
    assert last == "Of 20 slices that it takes there are 8, so that no counter was tested."


def test_explain_of_one_case_ends_with_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = stored(tmp_path / "r.db", measured(rounds(1)))
    text = " ".join(said(capsys, "explain", "onnxruntime", str(path)).split())
    assert "Within runs (120 slices of 3 rounds; association, not causation):" in text
    assert "Latency rises with l2-misses (r +0." in text
    found = json.loads(said(capsys, "explain", "onnxruntime", str(path), "--json"))["within_runs"]
    assert [one["metric"] for one in found["tested"] if one["found"]] == ["l2-misses"]


def test_results_of_before_slices_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = stored(tmp_path / "r.db", [make_run("onnxruntime", "resnet18")])
    text = " ".join(said(capsys, "explain", "onnxruntime", str(path)).split())
    assert "Within runs: Not known: these runs have no slices" in text
    assert json.loads(said(capsys, "explain", "onnxruntime", str(path), "--json"))["within_runs"] is None
    made = section(path)
    assert made.is_absent
    assert "no run has slices" in made.absent[0]


def test_the_page_has_it_beside_the_latency_distribution(tmp_path: Path) -> None:
    (table,) = section(stored(tmp_path / "r.db", measured(rounds(1)))).tables
    (row,) = [dict(zip(table.header, row, strict=True)) for row in table.rows]
    assert row["case"] == "onnxruntime resnet18 224px b1 t1"
    assert row["p50 ms"] == "1.00"
    assert row["of it waiting"] == "not known"
    assert row["moves with latency"].startswith("l2-misses (r +0.")
