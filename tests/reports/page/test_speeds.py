"""The table of speeds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hwprof.analysis import speeds
from hwprof.analysis.units import WITHIN
from hwprof.records import Run
from hwprof.reports.page.speeds import CONFLICT, speed_table
from hwprof.reports.tables import Table
from hwprof.store import Results
from tests.factories import make_run
from tests.planted_sets import planted_set


def table(tmp_path: Path, *runs: Run) -> Table:
    with Results.create(tmp_path / "r.db") as results:
        for run in runs:
            results.add(run)
        return speed_table(speeds.speeds(results.frame()))


def column(found: Table, name: str) -> list[str]:
    return [row[found.header.index(name)] for row in found.rows]


def test_the_three_figures_stand_together_the_fastest_first(tmp_path: Path) -> None:
    found = table(tmp_path, *(r for n in range(3) for r in planted_set(n, {"b": 2.0, "a": 1.0 + n / 1e3}, drift=0.1)))
    assert column(found, "framework") == ["a *", "b"]
    assert column(found, "FPS") == ["999", "500"]
    assert column(found, "CPU ms/frame") == ["1.00", "2.00"]
    assert column(found, "waits") == ["0 %", "0 %"]
    assert column(found, "of the fastest")[0] == ""
    assert column(found, "of the fastest")[1].startswith("0.50")


def test_a_disturbed_case_is_marked_and_not_ranked_by_fps(tmp_path: Path) -> None:
    runs = [r for n in range(3) for r in planted_set(n, {"a": 0.4, "b": 6.0}, drift=0.0, preempted=True)]
    found = table(tmp_path, *runs)
    assert column(found, "framework") == ["a *", "b"]
    assert column(found, "FPS")[0].endswith("(off 3/3)")
    assert column(found, "ranked by") == ["CPU time"] * 2
    assert column(found, "of the fastest")[1] == "0.0667x"


def test_a_ratio_of_rounds_is_marked_as_not_side_by_side(tmp_path: Path) -> None:
    found = table(tmp_path, make_run("a", fps=40.0), make_run("b", fps=20.0))
    assert column(found, "of the fastest") == ["", "~0.500x"]
    assert not any("*" in cell for cell in column(found, "framework"))


def test_both_ratios_are_shown_where_they_disagree(tmp_path: Path) -> None:
    runs = [run for n in range(4) for run in planted_set(n, {"a": 1.0 + n / 1e4}, drift=0.01, alone=2.0)]
    runs += [run for n in range(4) for run in planted_set(n, {"b": 1.2 - n / 1e4}, drift=0.01)]
    found = table(tmp_path, *runs)
    assert "| alone 0.6" in column(found, "of the fastest")[1]
    assert CONFLICT in found.note
    assert not any("*" in cell for cell in column(found, "framework"))


def test_on_an_emulated_machine_nothing_is_the_fastest(tmp_path: Path) -> None:
    runs = [r for n in range(3) for r in planted_set(n, {"b": 2.0, "a": 1.0 + n / 1e3}, drift=0.1)]
    found = table(tmp_path, *(replace(r, host_state={**r.host_state, "emulated": "qemu-tcg"}) for r in runs))
    assert column(found, "framework") == ["a", "b"]
    assert all(cell.endswith("EMULATED") for cell in column(found, "FPS"))


def test_intervals_over_rounds_are_said_to_be_of_this_session(tmp_path: Path) -> None:
    found = table(tmp_path, make_run("a", fps=40.0), make_run("b", fps=20.0))
    assert found.note.count(WITHIN) == 2
