"""Figures of one set of results: what is drawn, what is written beside it, and that it is the same every time."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from hwprof.reports import content, figures
from hwprof.reports.drawing import Drawing
from tests.analysis.test_correlation import frame


def made(folder: Path, data: pd.DataFrame, processes: int | None = None) -> dict[str, str]:
    folder.mkdir()
    data = data.assign(latency_ms=1e3 * data["batch"] / data["fps"], max_rel=1e-6)
    report = content.build(data, [])
    with Drawing(figures.jobs(report.fps, report.analyses), folder, processes) as drawing:
        return drawing.wait()


def test_every_figure_is_svg_and_png_with_its_data(tmp_path: Path) -> None:
    names = made(tmp_path / "a", frame()).values()
    assert len(names) == 4
    for name in names:
        for suffix in (".svg", ".png", ".csv"):
            assert (tmp_path / "a" / name).with_suffix(suffix).stat().st_size > 0


def test_same_results_same_files(tmp_path: Path) -> None:
    made(tmp_path / "a", frame())
    made(tmp_path / "b", frame())
    for one in sorted((tmp_path / "a").glob("*.svg")):
        assert one.read_bytes() == (tmp_path / "b" / one.name).read_bytes()


def test_one_network_has_dots_and_nothing_else(tmp_path: Path) -> None:
    assert list(made(tmp_path / "a", frame(networks=1)).values()) == ["fps.png"]


def test_simulated_metrics_say_so_in_figure_and_data(tmp_path: Path) -> None:
    made(tmp_path / "a", frame(origin="simulated"))
    for name in ("correlations.csv", "correlations.svg", "scatters.csv"):
        assert "simulated (callgrind)" in (tmp_path / "a" / name).read_text(), name
