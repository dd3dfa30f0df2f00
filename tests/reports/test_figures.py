"""Figures of one set of results: what is drawn, and what is written beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.markers import CARETRIGHTBASE

from hwprof.reports import content, figures, plots
from hwprof.reports.drawing import Drawing
from hwprof.reports.jobs import Job, Speed
from tests.analysis.test_correlation import frame


def made(folder: Path, data: pd.DataFrame, processes: int | None = None) -> dict[str, str]:
    folder.mkdir()
    data = data.assign(latency_ms=1e3 * data["batch"] / data["fps"], max_rel=1e-6)
    report = content.build(data, [])
    with Drawing(folder, processes) as drawing:
        drawing.begin(figures.jobs(report.fps, report.analyses))
        return drawing.wait()


def test_every_figure_is_svg_and_png_with_its_data(tmp_path: Path) -> None:
    names = made(tmp_path / "a", frame()).values()
    assert len(names) == 4
    for name in names:
        for suffix in (".svg", ".png", ".csv"):
            assert (tmp_path / "a" / name).with_suffix(suffix).stat().st_size > 0


def test_one_network_has_dots_and_nothing_else(tmp_path: Path) -> None:
    assert list(made(tmp_path / "a", frame(networks=1)).values()) == ["fps.png"]


def speeds(*parts: dict[str, Any]) -> pd.DataFrame:
    """The table of speeds of one sweep, taken again with other columns."""
    data = pd.concat([frame(networks=5).assign(latency_ms=1.0, max_rel=1e-6, **part) for part in parts])
    return content.speeds(data.reset_index(drop=True))


def test_what_differs_in_threads_is_never_in_one_row() -> None:
    fps = speeds({"threads": 1}, {"threads": 4}, {"threads": 2})
    found = {job.name: job for job in figures.jobs(fps, [])}
    assert list(found) == ["fps", "fps-macs"]
    assert found["fps"].caption == "FPS per network and framework (4 threads)"
    assert len(found["fps"].what) == len(fps) / 3
    assert found["fps"].data.count("\n") == len(fps) + 1  # beside it are all


def test_every_machine_has_a_figure_of_its_own() -> None:
    fps = speeds({"machine": "a"}, {"machine": "b"}, {"machine": "b", "threads": 4, "batch": 1})
    found = [(job.name, job.caption) for job in figures.jobs(fps, []) if job.draw == "dots"]
    assert found == [
        ("fps-1", "FPS per network and framework (a · 1 thread)"),
        ("fps-2", "FPS per network and framework (b · 1 thread)"),  # fuller than with four
    ]


def test_what_an_emulator_ran_says_so_and_is_hollow() -> None:
    fps = speeds({"machine": "a", "emulated": False}, {"machine": "b", "emulated": True})
    real, emulated = (job for job in figures.jobs(fps, []) if job.draw == "against_macs")
    assert real.caption == "FPS against the size of the network (a)"
    assert emulated.caption == "FPS against the size of the network (b) EMULATED"

    def hollow(job: Job) -> int:
        lines: list[Any] = [line for axes in plots.against_macs(job.what).axes for line in axes.lines]
        return sum(len(line.get_xdata()) for line in lines if line.get_markerfacecolor() == "white")

    assert hollow(real) == 0
    assert hollow(emulated) == 5


def test_an_interval_over_orders_of_magnitude_is_cut_and_says_so() -> None:
    def ends(high: float) -> tuple[float, list[Any]]:
        speed = [Speed("n", "f", 1, 10.0, 9.0, 11.0, 1e6, True), Speed("o", "f", 1, 20.0, 2.0, high, 1e6, True)]
        (axes,) = plots.dots(speed).axes
        return axes.get_xlim()[1], [line.get_marker() for line in axes.lines]

    limit, markers = ends(25.0)
    assert limit < 40
    assert CARETRIGHTBASE not in markers
    limit, markers = ends(1e9)
    assert limit < 200
    assert CARETRIGHTBASE in markers


def test_simulated_metrics_say_so_in_figure_and_data(tmp_path: Path) -> None:
    made(tmp_path / "a", frame(origin="simulated"))
    for name in ("correlations.csv", "correlations.svg", "scatters.csv"):
        assert "simulated (callgrind)" in (tmp_path / "a" / name).read_text(), name
