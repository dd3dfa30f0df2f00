"""A network at two shapes on the page: a row, a panel and a name for each, and tables that say which."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from hwprof.analysis.speeds import speeds
from hwprof.cli import main
from hwprof.records import Kind, Layer, Run
from hwprof.reports.html import gather, speed, tables
from hwprof.reports.html.gather import Material
from hwprof.reports.html.over_time import choose, figure, sentences
from hwprof.reports.page.speeds import speed_table
from hwprof.reports.terminal import command, layers, tuning
from hwprof.reports.terminal.matrix import table as matrix_table
from hwprof.store import Results
from hwprof.studies.matrix.matrix import Matrix, MatrixCell, MatrixColumn
from tests.factories import make_case, make_run
from tests.reports.html.test_over_time import measured

NARROW, WIDE = "3x48x320", "3x48x640"


def runs_of(shapes: tuple[str, ...] = (NARROW, WIDE), threads: tuple[int, ...] = (1,)) -> list[Run]:
    return [
        make_run(case=make_case(name, "crnn", shape=shape, threads=t), fps=fps * t, round=n, metrics={})
        for shape, fps in zip(shapes, (40.0, 20.0), strict=False)
        for name in ("onnxruntime", "opencv")
        for t in threads
        for n in range(2)
    ] + [make_run(name, "resnet18", metrics={}) for name in ("onnxruntime", "opencv")]


def material(path: Path, runs: list[Run]) -> Material:
    with Results.create(path) as results:
        results.add_all(runs)
        return gather.gather(results)


def words_of(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_each_shape_has_a_row_of_its_own_in_the_chart_and_one_size_has_none(tmp_path: Path) -> None:
    fps = material(tmp_path / "r.db", runs_of()).report.fps
    drawn = speed.dot_plot(fps, ["onnxruntime", "opencv"], "k", "")
    assert {f"crnn {NARROW}", f"crnn {WIDE}", "resnet18"} <= set(words_of(drawn.svg))
    assert f"onnxruntime, crnn {NARROW}, batch 1" in drawn.svg
    assert "onnxruntime, resnet18 224 px, batch 1" in drawn.svg
    at = drawn.header.index("shape")
    assert {row[at] for row in drawn.rows} == {NARROW, WIDE, ""}
    alone = speed.dot_plot(fps[fps["shape"] != WIDE], ["onnxruntime", "opencv"], "k", "")
    assert {"crnn", "resnet18"} <= set(words_of(alone.svg))


def test_lines_over_threads_are_of_one_shape_with_a_panel_each(tmp_path: Path) -> None:
    fps = material(tmp_path / "r.db", runs_of(threads=(1, 2))).report.fps
    drawn = speed.scaling_chart(fps, "threads", ["onnxruntime", "opencv"], "k")
    assert drawn is not None
    assert {f"crnn {NARROW}", f"crnn {WIDE}"} <= set(words_of(drawn.svg))
    assert drawn.svg.count('class="path s0"') == 2
    across = fps[(fps["shape"] == NARROW) & (fps["threads"] == 1) | (fps["shape"] == WIDE) & (fps["threads"] == 2)]
    assert speed.scaling_chart(across, "threads", ["onnxruntime", "opencv"], "k") is None


def test_each_shape_is_named_at_its_point(tmp_path: Path) -> None:
    fps = material(tmp_path / "r.db", runs_of()).report.fps
    drawn = speed.size_chart(fps, ["onnxruntime", "opencv"], "k")
    assert drawn is not None
    assert {f"crnn {NARROW}", f"crnn {WIDE}", "resnet18"} <= set(words_of(drawn.svg))


def test_the_fastest_is_found_shape_by_shape(tmp_path: Path) -> None:
    found = speed_table(speeds(material(tmp_path / "r.db", runs_of()).frame))
    shown = [(row[0], row[1]) for row in found.rows]
    assert shown == [("crnn", NARROW)] * 2 + [("crnn", WIDE)] * 2 + [("resnet18", "224 px")] * 2
    ratios = [row[found.header.index("of the fastest")] for row in found.rows]
    assert [bool(text) for text in ratios] == [False, True] * 3
    assert all(text in ("", "~1.00x") for text in ratios)


def test_every_run_has_its_input(tmp_path: Path) -> None:
    found = tables.runs_table(material(tmp_path / "r.db", runs_of()).frame)
    assert {row[found.header.index("input")] for row in found.rows} == {NARROW, WIDE, "224"}


def test_fps_over_time_is_of_one_shape_and_says_which(tmp_path: Path) -> None:
    base = [measured(name, "crnn", 1.0) for name in ("onnxruntime", "opencv")]
    shaped = [
        make_run(case=make_case(run.case.framework, "crnn", shape=shape), uid=f"{i:012x}")
        for i, (run, shape) in enumerate(zip(base, (NARROW, WIDE), strict=True))
    ]
    runs = [dataclasses.replace(one, windows=run.windows) for one, run in zip(shaped, base, strict=True)]
    found = material(tmp_path / "r.db", runs)
    chosen = choose(found.frame, found.runs)
    drawn = figure("crnn", chosen["crnn"], ["onnxruntime", "opencv"], "k")
    assert drawn.title == f"FPS over time · crnn {NARROW}, {WIDE}"
    assert {f"onnxruntime {NARROW} b1 t1, round 1", f"opencv {WIDE} b1 t1, round 1"} <= set(words_of(drawn.svg))
    assert all(NARROW in text or WIDE in text for text in sentences(chosen))


def test_the_report_of_two_shapes_names_both(tmp_path: Path) -> None:
    with Results.create(tmp_path / "r.db") as results:
        results.add_all(runs_of())
    assert main(["report", str(tmp_path / "r.db"), "-o", str(tmp_path / "out")]) == 0
    shown = "".join(path.read_text() for path in (tmp_path / "out").rglob("*.*") if path.suffix in (".md", ".html"))
    assert NARROW in shown
    assert WIDE in shown
    assert "0 px" not in shown
    assert " 0px" not in shown


def test_titles_of_runners_tuned_cases_and_layers_have_the_shape() -> None:
    case = make_case(network="crnn", shape=NARROW, batch=4, options={"runner": "bench"})
    run = make_run(case=case, facts={}, metrics={})
    assert command.declared_title(run).startswith(f"crnn 4x{NARROW} fp32 · bench")
    assert command.title(run) == f"bench {NARROW} b4 t1 fp32"
    tuned = {
        "winner": {"threads": 1, "cpus": [], "options": {}},
        **{"ratio": 1.5, "low": None, "high": None, "experiment": "t", "at_utc": "2000", "changes": {}},
    }
    (row,) = tuning.rows([make_run(case=make_case(network="crnn", shape=NARROW), facts={"tuned": tuned})])
    assert row[0] == f"onnxruntime crnn {NARROW} b1 fp32"
    profiled = Run("a", make_case(network="crnn", shape=NARROW), Kind.LAYERS, layers=(Layer("c", "Conv", 5.0),))
    assert layers.text([profiled], [], 0).startswith(f"crnn 1x{NARROW} fp32")


def test_a_matrix_shows_the_shape_of_a_network_without_a_side() -> None:
    work = Matrix([MatrixColumn("f", "f")], [("crnn", 0), ("resnet18", 64)])
    square = MatrixCell("resnet18", 64, "f", True, True)
    assert matrix_table(work, [square])[0][1] == "px"
    shown = matrix_table(work, [square, MatrixCell("crnn", 0, "f", True, True, shape=NARROW)])
    assert [row[:2] for row in shown] == [["network", "input"], ["crnn", NARROW], ["resnet18", "64px"]]
