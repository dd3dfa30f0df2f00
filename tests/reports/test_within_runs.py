"""What is said of counters and latency within runs, in the terminal, as JSON and on the page."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from hwprof.analysis.over_time.comovement import ON_CPU, REST, WAITING, Comovement, WithinRuns
from hwprof.analysis.over_time.tail import ExcessShare, SlowEvent, Tail
from hwprof.records import Run
from hwprof.reports import over_time, within_runs
from hwprof.reports.html import gather, page
from hwprof.reports.html.model import Section
from hwprof.store import Results
from tests.analysis.test_comovement import rounds
from tests.analysis.test_tail import chosen, quiet, run_of
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


def recorded() -> list[Run]:
    """The same case, whose counters were read after each inference: faults in 1 % of them."""
    rng = np.random.default_rng(1)
    found = []
    for run in measured(rounds(1)):
        faulty = chosen(rng, 0.01)
        counts = {"page-faults": 512 * faulty}
        (window,) = run_of(quiet(rng) + 1.8e6 * faulty, np.zeros(len(faulty)), counts).windows
        found.append(dataclasses.replace(run, windows=(*run.windows, dataclasses.replace(window, index=2))))
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
    assert row["reason of p99"] == "not recorded (--per-iteration)"


PARTS = (
    ExcessShare(WAITING, 0.93, 0.91, 0.95),
    ExcessShare(ON_CPU, 0.07, 0.05, 0.09),
    ExcessShare(REST, -0.003, -0.004, -0.001),
)
EVENT = SlowEvent("page-faults", 0.8, 0.002, 512.0, False, 0.12, 0.0005, 0.0015, ("minor-faults",))
SLOWEST = Tail(4047, 40, 2, 440_000.0, 2_544_000.0, parts=PARTS, tested=3, events=(EVENT,))


def test_p99_has_its_split_its_reason_and_its_events() -> None:
    assert within_runs.tail_sentences(SLOWEST) == [
        "p99 is 2.544 ms, 5.8x the median of 0.440 ms (4,047 inferences of 2 rounds, counters read after each).",
        "Its reason is waiting for a CPU: something else ran on its CPU.",
        "Of the excess of the slowest 1 % (40 inferences) over the median of the others: 93 % [91, 95] waiting for a "
        "CPU, 7 % [5, 9] own CPU time, 0 % [0, 0] the rest.",
        "By latency without waiting, the slowest 1 % have more page-faults: 80 % of them, 0.2 % of the others, 512x "
        "their mean (q 0.0015; not distinguishable from it: minor-faults); without waiting, such inferences are 12 % "
        "of the excess of p99.",
    ]
    document = within_runs.tail_document(SLOWEST)
    assert document is not None
    assert document["reason"] == WAITING
    assert document["events"][0]["found"] is True


def test_what_has_no_reason_or_no_events_says_so() -> None:
    even = dataclasses.replace(
        SLOWEST, parts=(ExcessShare(WAITING, 0.55, 0.4, 0.7), ExcessShare(ON_CPU, 0.45, 0.3, 0.6)), events=()
    )
    words = within_runs.tail_sentences(even)
    assert words[1] == "No part is known to be more than half of it."
    assert words[-1].endswith("no event more often than the others, as far as is known (no event varied).")
    stolen = within_runs.tail_sentences(dataclasses.replace(SLOWEST, steal_s=0.25))
    assert "The hypervisor took 0.25 s of its CPUs meanwhile: from which inferences is not known." in stolen
    between = within_runs.tail_sentences(dataclasses.replace(SLOWEST, between=0.5))
    assert any(s.startswith("50 % of all waiting fell between inferences") for s in between)
    (_, why) = within_runs.tail_sentences(
        dataclasses.replace(SLOWEST, why="of 500 inferences that it takes there are 9")
    )
    assert why == "Its reason is not known: of 500 inferences that it takes there are 9."
    (slow,) = within_runs.tail_sentences(Tail(0, 0, 3, 0.0, 0.0, why="reading takes more than 1 % of an inference"))
    assert slow == "The reason of p99 is not known: reading takes more than 1 % of an inference."
    (old,) = within_runs.tail_sentences(None)
    assert "`hwprof run --per-iteration`" in old


def test_explain_and_the_page_name_the_reason_of_p99(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = stored(tmp_path / "r.db", recorded())
    text = " ".join(said(capsys, "explain", "onnxruntime", str(path)).split())
    assert "Its reason is own CPU time: it computed for longer." in text
    assert "have more page-faults:" in text
    found = json.loads(said(capsys, "explain", "onnxruntime", str(path), "--json"))["slowest"]
    assert (found["reason"], [e["metric"] for e in found["events"]]) == (ON_CPU, ["page-faults"])
    (table,) = section(path).tables
    row = dict(zip(table.header, table.rows[0], strict=True))
    assert row["reason of p99"].startswith("own CPU time: ")
    assert "page-faults in " in row["reason of p99"]


def test_a_run_prints_the_reason_in_a_line() -> None:
    (line,) = [line for line in over_time.lines(recorded()) if "slowest" in line]
    assert line.startswith("  slowest 1 % own CPU time: ")
    assert "of its excess, page-faults in " in line
    assert not any("slowest" in line for line in over_time.lines(measured(rounds(1))))
