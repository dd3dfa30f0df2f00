"""Figures of speed: what FPS does not rank is hollow, and its point has throughput and CPU time too."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hwprof.analysis import speeds
from hwprof.analysis.correlation import strata
from hwprof.analysis.correlation.strata import NETWORK, VARIANT
from hwprof.reports.html import speed, tables
from hwprof.store import Results
from tests.factories import make_run
from tests.planted_sets import with_slices

COSTS_MS = {"squeezenet1_1": 0.4, "resnet18": 6.0}


def frame_of(path: Path, disturbed: str = "") -> pd.DataFrame:
    """Two frameworks on two networks; one framework's core is shared."""
    with Results.create(path) as results:
        for framework in ("onnxruntime", "opencv"):
            for network, cost_ms in COSTS_MS.items():
                for batch in (1, 2):
                    run = make_run(framework, network, batch=batch, metrics={}, cpus=(0,))
                    results.add(with_slices(run, cost_ms * batch, preempted=framework == disturbed))
        return results.frame()


def points(svg: str) -> dict[str, str]:
    """Text of a point -> class of its marker."""
    found = re.findall(r"<title>([^<]+)</title><path[^>]*class=\"(\w+)", svg)
    return dict(found)


def test_disturbed_cases_are_hollow_and_the_caption_says_that_they_are_not_ranked(tmp_path: Path) -> None:
    fps = speeds.speeds(frame_of(tmp_path / "r.db", "opencv"))
    figure = speed.dot_plot(fps, ["onnxruntime", "opencv"], "key", "")
    assert "or others took the CPU, by more than 10 %. It is not ranked" in figure.note
    found = points(figure.svg)
    assert len(found) == 8
    short = {text: kind for text, kind in found.items() if "squeezenet1_1" in text}
    assert {kind for text, kind in short.items() if text.startswith("opencv")} == {"hollow"}
    assert {kind for text, kind in short.items() if text.startswith("onnxruntime")} == {"solid"}


def test_points_have_throughput_and_cpu_time_beside_fps(tmp_path: Path) -> None:
    rows = speeds.speeds(frame_of(tmp_path / "r.db", "opencv")).to_dict("records")
    (row,) = (r for r in rows if (r[VARIANT], r[NETWORK], r["batch"]) == ("opencv", "squeezenet1_1", 1))
    text = speed.describe(row)
    assert "0.400 CPU ms per frame, 7" in text  # 12 of 16 ms in the run queue
    assert "% of the time in the run queue" in text
    assert text.endswith("FPS is off")
    figure = speed.dot_plot(pd.DataFrame(rows), ["onnxruntime", "opencv"], "key", "")
    by_name = [dict(zip(figure.header, data, strict=True)) for data in figure.rows]
    assert all(isinstance(one[n], float) for one in by_name for n in ("fps", "throughput", "cpu_ms"))
    assert {one["framework"] for one in by_name if one["off"]} == {"opencv"}


def test_a_quiet_machine_has_no_hollow_marker_and_no_word_of_it(tmp_path: Path) -> None:
    fps = speeds.speeds(frame_of(tmp_path / "r.db"))
    drawn: list[Any] = [
        speed.dot_plot(fps, ["onnxruntime", "opencv"], "a", ""),
        speed.scaling_chart(fps, "batch", ["onnxruntime", "opencv"], "b"),
        speed.size_chart(fps, ["onnxruntime", "opencv"], "c"),
    ]
    for figure in drawn:
        assert set(points(figure.svg).values()) == {"solid"}
        assert "ollow" not in figure.note


def test_charts_against_batch_and_size_mark_what_is_off(tmp_path: Path) -> None:
    fps = speeds.speeds(frame_of(tmp_path / "r.db", "opencv"))
    for figure in (
        speed.scaling_chart(fps, "batch", ["onnxruntime", "opencv"], "b"),
        speed.size_chart(fps, ["onnxruntime", "opencv"], "c"),
    ):
        assert figure is not None
        hollow = [text for text, kind in points(figure.svg).items() if kind == "hollow"]
        assert hollow
        assert all(text.startswith("opencv") for text in hollow)
        assert "not ranked" in figure.note


def test_every_run_has_its_three_speeds_and_says_where_fps_is_off(tmp_path: Path) -> None:
    found = tables.runs_table(strata.label(frame_of(tmp_path / "r.db", "opencv")))
    rows = [dict(zip(found.header, row, strict=True)) for row in found.rows]
    off = {row["framework"] for row in rows if row["state"] == "FPS off"}
    assert off == {"opencv"}
    assert all(row["frames/s"] != "-" and row["CPU ms/frame"] != "-" for row in rows)


def test_of_many_names_those_that_would_cover_something_are_left_out() -> None:
    rng = np.random.default_rng(1)
    at = [(float(x), float(y)) for x, y in rng.uniform(60, 400, (90, 2))]
    names = [(f"block:resnet50/{i}-1x1", *point) for i, point in enumerate(at)]
    shown = speed.place(names, at, 410)
    assert 5 < len(shown) < 60
    assert all(name.startswith("resnet50/") for name, _, _ in shown)
    boxes = [(x, y - 10, x + 5.7 * len(name), y + 2) for name, x, y in shown]
    for i, a in enumerate(boxes):
        assert not any(a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3] for b in boxes[:i])
        assert not any(a[0] < x + 5 and x - 5 < a[2] and a[1] < y + 5 and y - 5 < a[3] for x, y in at)


def test_of_a_few_names_every_one_is_shown() -> None:
    at = [(100.0, 100.0)] * 12
    assert len(speed.place([(f"net{i}", *point) for i, point in enumerate(at)], at, 410)) == 12
