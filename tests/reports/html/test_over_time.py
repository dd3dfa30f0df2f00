"""FPS over time on the page: a figure per network, a panel per framework, sentences only with evidence."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from hwprof.records import Role, Run
from hwprof.reports.html import gather, page
from hwprof.reports.html.model import Section
from hwprof.store import Results
from tests.analysis.test_over_time import sliced
from tests.factories import START_NS, make_run, make_window


def measured(framework: str, network: str, change: float) -> Run:
    """A run with slices whose latency changes by `change` half-way, and a bare stretch."""
    base = make_run(framework, network, fps=1000.0)
    slices = sliced([1.0] * 25 + [change] * 25).windows
    alone = make_window(2, Role.BARE, [1_000_000 + 1000 * (i % 5) for i in range(500)])
    alone = dataclasses.replace(alone, t0_ns=START_NS, t1_ns=START_NS + 505_000_000)
    shifted = [
        dataclasses.replace(
            w,
            t0_ns=w.t0_ns + START_NS - 4 * 10**9,
            t1_ns=w.t1_ns + START_NS - 4 * 10**9,
            slices=dataclasses.replace(
                w.slices,
                t0_ns=tuple(t + START_NS - 4 * 10**9 for t in w.slices.t0_ns),
                t1_ns=tuple(t + START_NS - 4 * 10**9 for t in w.slices.t1_ns),
            ),
        )
        for w in slices
        if w.slices is not None
    ]
    return dataclasses.replace(base, windows=(*shifted, alone))


def section(path: Path, runs: list[Run]) -> Section:
    with Results.create(path) as results:
        for run in runs:
            results.add(run)
        made = page.build(gather.gather(results))
    return next(s for s in made.sections if s.key == "fps-time")


def test_each_network_has_a_figure_with_a_panel_per_framework(tmp_path: Path) -> None:
    runs = [measured(f, n, 1.0) for n in ("resnet18", "alexnet") for f in ("onnxruntime", "opencv")]
    made = section(tmp_path / "r.db", runs)
    assert [f.title for f in made.figures] == ["FPS over time · resnet18 224px", "FPS over time · alexnet 224px"]
    figure = made.figures[0]
    assert {row[0] for row in figure.rows} == {"onnxruntime 224px b1 t1", "opencv 224px b1 t1"}
    assert {row[2] for row in figure.rows} == {"paired", "counted", "bare"}
    assert figure.svg.count('class="dots s0"') == figure.svg.count('class="dots s0 pale"') == 1
    assert 'class="link"' not in figure.svg
    assert len(made.words) == 1


def test_a_planted_throttling_is_drawn_and_said(tmp_path: Path) -> None:
    made = section(tmp_path / "r.db", [measured("onnxruntime", "resnet18", 1.6), measured("opencv", "resnet18", 1.0)])
    assert made.figures[0].svg.count('class="link"') == 1
    (sentence,) = made.words[1:]
    assert sentence.startswith("onnxruntime resnet18 224px b1 t1: Latency rises at ")


def test_runs_of_before_are_drawn_as_lines_and_nothing_is_said(tmp_path: Path) -> None:
    made = section(tmp_path / "r.db", [make_run(iterations=201)])
    assert "dots" not in made.figures[0].svg
    assert len(made.words) == 1
