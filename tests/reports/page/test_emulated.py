"""Results of an emulated board beside those of a machine: said as what they are, and never mixed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hwprof.analysis.factors.identity import identities
from hwprof.machine import facts as machine_facts
from hwprof.records import Origin, Run
from hwprof.reports import tables
from hwprof.reports.html.gather import gather
from hwprof.reports.page import content
from hwprof.store import Results
from tests.factories import MACHINE, NETWORKS, make_run, make_window

BOARD = {"label": "emulated board", "cpus": 1}


def emulated(run: Run) -> Run:
    """The same run, counted by an emulator's PMU."""
    import dataclasses

    windows = [
        make_window(
            w.index,
            w.role,
            w.latencies_ns,
            [dataclasses.replace(r, origin=Origin.EMULATED) if r.origin is Origin.HARDWARE else r for r in w.readings],
            w.pass_,
        )
        for w in run.windows
    ]
    return dataclasses.replace(run, windows=tuple(windows))


def report(tmp_path: Path, *, board: bool, machine: bool) -> tables.Report:
    tmp_path.mkdir(exist_ok=True)
    with Results.create(tmp_path / "x.db") as results:
        for number, network in enumerate(sorted(NETWORKS)[:8]):
            for framework, fps in (("onnxruntime", 40.0), ("opencv", 20.0)):
                metrics = {"instructions": 1e9 / fps, "cycles": 1e9 / fps, "cache-misses": 1e4 * (number % 3 + 1)}
                if machine:
                    results.add(make_run(framework, network, fps=fps + number, metrics=metrics))
                if board:
                    # the emulator is fast where the machine is slow
                    run = make_run(framework, network, fps=100 - fps, metrics=metrics, machine=BOARD)
                    results.add(emulated(run))
        return gather(results).report


def test_the_report_of_a_board_says_emulated_and_correlates_nothing(tmp_path: Path) -> None:
    made = report(tmp_path, board=True, machine=False)
    said = " ".join(made.summary)
    assert "EMULATED" in said
    assert "IPC is fixed" in said
    assert not any(analysis.correlations for analysis in made.analyses)
    speeds = made.tables[0]
    assert all(row[speeds.header.index("FPS")].endswith("EMULATED") for row in speeds.rows)


def test_an_emulators_time_is_not_compared_between_frameworks(tmp_path: Path) -> None:
    made = report(tmp_path, board=True, machine=False)
    assert made.answer is not None
    assert "not ranked" in made.answer.verdict
    assert "as fast as" not in " ".join((made.answer.paragraph, *made.summary))


def test_a_machine_beside_a_board_is_still_analysed_with_its_own_counts_only(tmp_path: Path) -> None:
    alone = report(tmp_path / "alone", board=False, machine=True)
    both = report(tmp_path / "both", board=True, machine=True)
    mine = next(a for a in both.analyses if a.stratum.machine == MACHINE["label"])
    other = next(a for a in both.analyses if a.stratum.machine == BOARD["label"])
    assert not mine.refusal
    assert mine.correlations
    assert {origin for c in mine.correlations for origin in c.metric.origins} == {"hardware"}
    assert "EMULATED" in other.refusal
    assert [c.partial.r for c in mine.correlations] == pytest.approx(
        [c.partial.r for c in alone.analyses[0].correlations], nan_ok=True
    )
    assert alone.answer is not None
    assert both.answer is not None
    assert alone.answer.main is not None
    assert both.answer.main is not None
    assert both.answer.main.ratio == alone.answer.main.ratio
    assert both.answer.paragraph.count("as fast as") == 1


def test_a_case_on_two_machines_has_two_rows_of_factors(tmp_path: Path) -> None:
    with Results.create(tmp_path / "x.db") as results:
        counted = {"cycles": 2e7, "instructions": 4e7, "task-clock": 25.0}
        results.add(make_run(fps=40, metrics=counted))
        results.add(emulated(make_run(fps=10, metrics=counted, machine=BOARD)))
        results.add(emulated(make_run(fps=10, metrics={"task-clock": 100.0}, machine=BOARD, round=1)))
        runs = list(results.runs())
        table = content.identity_table(results.frame(), runs, identities(runs))
    # an emulator's cycles are no clock, in the table no more than in `hwprof explain`
    assert {(row[0].rpartition(" on ")[2], re.sub(r" [\d.,]+.*", "", row[2].split("  ")[1])) for row in table.rows} == {
        (machine_facts.label(MACHINE), "clock"),
        (machine_facts.label(BOARD), "clock x ipc"),
        (machine_facts.label(BOARD), "cpu time per frame"),
    }


def test_a_board_is_emulated_even_where_its_pmu_counted_nothing(tmp_path: Path) -> None:
    import dataclasses

    with Results.create(tmp_path / "x.db") as results:
        results.add(make_run(fps=40, metrics={"page-faults": 3.0}))
        board = make_run(fps=10, metrics={"page-faults": 3.0}, machine=BOARD)
        results.add(dataclasses.replace(board, host_state={"emulated": True}))
        frame = results.frame()
    assert dict(zip(frame["machine"], frame["emulated"], strict=True)) == {
        MACHINE["label"]: False,
        BOARD["label"]: True,
    }


def test_the_factors_call_machines_what_all_other_tables_call_them(tmp_path: Path) -> None:
    counted = {"cycles": 2e7, "instructions": 4e7, "task-clock": 25.0}
    alike = [{**MACHINE, "memory_gib": gib} for gib in (4, 8)]
    with Results.create(tmp_path / "x.db") as results:
        for facts in (*alike, {**MACHINE, "label": "", "board": "Board 9"}):
            results.add(make_run(metrics=counted, machine=facts))
        frame, runs = results.frame(), list(results.runs())
    table = content.identity_table(frame, runs, identities(runs))
    called = {row[0].rpartition(" on ")[2] for row in table.rows}
    assert called == set(frame["machine"])
    assert len(called) == 3
    assert "Board 9" in called
