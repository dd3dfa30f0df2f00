"""Runs whose adapter called the framework in another way are never pooled, wherever rounds are pooled."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest

from hwprof.analysis.bottlenecks import diagnosis
from hwprof.analysis.comparison.compare import compare
from hwprof.analysis.comparison.measured import RunSummary, summarise_run
from hwprof.analysis.correlation import strata
from hwprof.analysis.explain import selectors
from hwprof.analysis.explain.pairs import Source, find, labels
from hwprof.analysis.speeds import speeds
from hwprof.exchange import pyperf
from hwprof.records import Run
from hwprof.store import Results
from hwprof.store.columns import call_of
from hwprof.store.listing import entries
from tests.factories import SOFTWARE, make_run, make_simulated_run

OLD, NEW = "", "run_with_iobinding"


def called(run: Run, call: str) -> Run:
    """The run, its framework called so; "": as from before calls were recorded."""
    uid = hashlib.sha256(f"{run.uid} {call}".encode()).hexdigest()[:12]
    return dataclasses.replace(run, uid=uid, software={**SOFTWARE, "call": call} if call else SOFTWARE)


def rounds(call: str, fps: float, framework: str = "onnxruntime") -> list[Run]:
    return [called(make_run(framework, fps=fps + i, round=i), call) for i in range(3)]


def counted(call: str, instructions: float) -> Run:
    return called(make_simulated_run(metrics={"instructions": instructions}), call)


def save(results: Results, *runs: Run) -> None:
    for run in runs:
        results.add(run)


def test_a_run_from_before_calls_were_recorded_opens_and_is_the_first_call(results: Results) -> None:
    save(results, *rounds(OLD, 100))
    assert {e.call for e in entries(results.database)} == {""}
    assert {call_of(run.software) for run in results.runs()} == {""}
    assert set(results.frame()["call"]) == {""}


def test_a_framework_with_one_call_is_called_by_its_name(results: Results) -> None:
    save(results, *rounds(NEW, 150), *rounds(OLD, 50, "opencv"))
    assert set(strata.label(results.frame())[strata.VARIANT]) == {"onnxruntime", "opencv"}


def test_two_calls_are_two_rows_of_the_speed_table(results: Results) -> None:
    save(results, *rounds(OLD, 100), *rounds(NEW, 150), *rounds(OLD, 50, "opencv"))
    table = speeds(results.frame()).set_index(strata.VARIANT)
    assert set(table.index) == {"onnxruntime call=unrecorded", f"onnxruntime call={NEW}", "opencv"}
    assert table.loc["onnxruntime call=unrecorded", "fps"] == pytest.approx(101, rel=0.01)
    assert table.loc[f"onnxruntime call={NEW}", "fps"] == pytest.approx(151, rel=0.01)


def test_two_calls_are_two_cells(results: Results) -> None:
    save(results, *rounds(OLD, 100), *rounds(NEW, 150))
    cells = selectors.case_runs(entries(results.database))
    assert [(len(c.entries), c.last.call) for c in cells] == [(3, OLD), (3, NEW)]
    known, _ = diagnosis.measured_cases(results, entries(results.database))
    assert [len(k.speeds) for k in known] == [3, 3]


def test_two_calls_can_be_explained_and_the_call_is_what_differs(results: Results) -> None:
    save(results, *rounds(OLD, 100), *rounds(NEW, 150))
    (pair,) = find("call=unrecorded", f"call={NEW}", Source(results))
    assert pair.differs == ("call",)
    assert labels(pair) == ("call=unrecorded", f"call={NEW}")
    assert ([e.call for e in pair.a.entries], [e.call for e in pair.b.entries]) == ([OLD] * 3, [NEW] * 3)


def test_counts_of_a_simulated_run_stay_with_their_call(results: Results) -> None:
    save(results, *rounds(OLD, 100), *rounds(NEW, 150), counted(OLD, 1.2e6), counted(NEW, 0.8e6))
    per_call = results.frame().groupby("call")["instructions@callgrind"].unique()
    assert {call: list(values) for call, values in per_call.items()} == {OLD: [1.2e6], NEW: [0.8e6]}


def test_counts_of_another_call_are_missing_rather_than_wrong(results: Results) -> None:
    save(results, *rounds(OLD, 100), *rounds(NEW, 150), counted(OLD, 1.2e6))
    frame = results.frame()
    assert frame["instructions@callgrind"].isna().tolist() == (frame["call"] == NEW).tolist()
    found, _ = diagnosis.measured_cases(results, entries(results.database))
    known = {k.runs.last.call: k for k in found}
    assert "callgrind" in str(known[OLD].evidence)
    assert "callgrind" not in str(known[NEW].evidence)


def side(runs: list[Run]) -> list[RunSummary]:
    found = [summarise_run(run) for run in runs]
    assert None not in found
    return [one for one in found if one is not None]


def test_a_comparison_over_a_change_of_the_call_names_it() -> None:
    found = compare(side(rounds(OLD, 100)), side(rounds(NEW, 150)))
    assert [(d.part, d.name, d.old, d.new) for d in found.differences] == [("software", "call", "absent", NEW)]


def test_a_side_with_two_calls_is_compared_call_by_call() -> None:
    found = compare(side(rounds(OLD, 100)) + side(rounds(NEW, 150)), side(rounds(NEW, 150)))
    (change,) = found.changes
    assert change.ratio == pytest.approx(1)
    assert len(change.old) == 3
    assert len(found.only_old) == 1
    assert "call by call" in " ".join(found.notes)


def test_an_export_has_a_benchmark_for_each_call() -> None:
    found = pyperf.document(rounds(OLD, 100) + rounds(NEW, 150))["benchmarks"]
    assert [len(b["runs"]) for b in found] == [3, 3]
    names = [b["metadata"]["name"] for b in found]
    assert names[0].endswith("call unrecorded")
    assert names[1].endswith(f"call {NEW}")
