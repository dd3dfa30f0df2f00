"""Figures of one set of results: what is drawn, and what is written beside it."""

from __future__ import annotations

import csv
import os
import signal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hwprof.analysis.correlation.strata import VARIANT
from hwprof.analysis.speeds import speeds as case_speeds
from hwprof.errors import ResultsError
from hwprof.reports import tables
from hwprof.reports.background import Processes
from hwprof.reports.figures import choose
from hwprof.reports.figures.choose import Figures
from hwprof.reports.html.model import Figure
from hwprof.reports.page import content
from tests.analysis.correlation.test_analyse import frame


def report(data: pd.DataFrame) -> tables.Report:
    return content.build(data.assign(latency_ms=1e3 * data["batch"] / data["fps"], max_rel=1e-6), [])


def chosen(found: tables.Report) -> list[Figure]:
    return choose.select_figures(found, sorted(found.fps[VARIANT].unique()))


def made(folder: Path, all_figures: list[Figure], processes: int = 0) -> list[str]:
    folder.mkdir()
    with Processes(processes, "the figures") as beside:
        drawn = Figures(folder, beside)
        if processes:
            drawn.prepare()
        drawn.begin(all_figures)
        return [figure.key for figure in drawn.wait()]


def test_every_figure_is_svg_and_png_with_its_data(tmp_path: Path) -> None:
    names = made(tmp_path / "a", chosen(report(frame())))
    assert names[:4] == ["fps", "fps-macs", "correlations", "scatter-1"]
    for name in names:
        for suffix in (".svg", ".png", ".csv"):
            assert (tmp_path / "a" / f"{name}{suffix}").stat().st_size > 0


def test_two_processes_draw_the_same_as_this_one(tmp_path: Path) -> None:
    found = chosen(report(frame()))[1:4]
    assert made(tmp_path / "a", found) == made(tmp_path / "b", found, 2)
    written = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert written == sorted(p.name for p in (tmp_path / "b").iterdir())
    for name in written:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


@pytest.mark.parametrize("processes", [0, 1])
def test_a_file_that_cannot_be_written_is_an_error_of_the_system(tmp_path: Path, processes: int) -> None:
    (tmp_path / "fps.png").mkdir()
    with Processes(processes, "the figures") as beside:
        drawn = Figures(tmp_path, beside)
        if processes:
            drawn.prepare()
        drawn.begin(chosen(report(frame(networks=1))))
        with pytest.raises(IsADirectoryError) as raised:
            drawn.wait()
    assert raised.value.filename == str(tmp_path / "fps.png")


def test_a_process_that_is_killed_is_told_of(tmp_path: Path) -> None:
    with Processes(1, "the figures") as beside:
        drawn = Figures(tmp_path, beside)
        drawn.prepare()
        os.kill(next(iter(beside.children)), signal.SIGKILL)
        with pytest.raises(ResultsError, match=r"The figures: .* signal 9"):  # noqa: PT012 (whichever sees it first)
            drawn.begin(chosen(report(frame(networks=1))))
            drawn.wait()


def test_few_figures_are_drawn_without_a_process(tmp_path: Path) -> None:
    with Processes(2, "the figures") as beside:
        drawn = Figures(tmp_path, beside)
        drawn.begin(chosen(report(frame(networks=1))))
        drawn.wait()
        assert not beside.children


def test_one_network_has_dots_and_nothing_else() -> None:
    assert [f.key for f in chosen(report(frame(networks=1)))] == ["fps"]


def speeds(*parts: dict[str, Any]) -> tables.Report:
    """A report of speeds alone: one sweep, taken again with other columns."""
    data = pd.concat([frame(networks=5).assign(latency_ms=1.0, max_rel=1e-6, **part) for part in parts])
    return tables.Report((), (), fps=case_speeds(data.reset_index(drop=True)))


def test_what_differs_in_threads_is_never_in_one_row(tmp_path: Path) -> None:
    found = speeds({"threads": 1}, {"threads": 4}, {"threads": 2})
    dots, sizes = chosen(found)
    assert (dots.key, dots.title) == ("fps", "FPS per network and framework · 4 threads")
    assert sizes.title == "FPS against the size of the network, batch 1 · 4 threads"
    assert dots.svg.count(", 4 threads:") == len(found.fps) / 3
    assert ", 1 thread:" not in dots.svg
    made(tmp_path / "a", [dots])
    with (tmp_path / "a" / "fps.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(found.fps)  # beside it are all
    assert {row["threads"] for row in rows} == {"1", "2", "4"}


def test_every_machine_has_a_figure_of_its_own() -> None:
    found = speeds({"machine": "a"}, {"machine": "b"}, {"machine": "b", "threads": 4, "batch": 1})
    assert [(f.key, f.title) for f in chosen(found) if "macs" not in f.key] == [
        ("fps-1", "FPS per network and framework · a · 1 thread"),
        ("fps-2", "FPS per network and framework · b · 1 thread"),  # fuller than with four
    ]


def test_what_an_emulator_ran_says_so_and_is_hollow() -> None:
    found = speeds({"machine": "a", "emulated": False}, {"machine": "b", "emulated": True})
    real, emulated = (figure for figure in chosen(found) if "macs" in figure.key)
    assert real.title.endswith("1 thread · a")
    assert emulated.title.endswith("1 thread · b EMULATED")
    hollow = [figure.svg.count('class="hollow') for figure in (real, emulated)]
    assert hollow == [0, 5]


def test_simulated_metrics_say_so_in_figure_and_data(tmp_path: Path) -> None:
    made(tmp_path / "a", chosen(report(frame(origin="simulated"))))
    for name in ("correlations.csv", "correlations.svg", "scatter-1.svg"):
        assert "simulated (callgrind)" in (tmp_path / "a" / name).read_text(), name
