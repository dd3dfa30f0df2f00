"""Energy per frame as what metrics are correlated with: the engine's own coefficients, and missing is never zero."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hwprof.analysis import energy as analysis_energy
from hwprof.analysis.correlation import analyse
from hwprof.cli import main
from hwprof.records import Origin, Run
from hwprof.reports.html import gather, page, render
from hwprof.reports.page import content
from hwprof.store import Results
from tests.cli.test_report import stored
from tests.factories import NETWORKS, make_run


def runs(count: int = 9, left_out: Sequence[int] = (), power: float = 0.7) -> list[Run]:
    """Loads and energy that share a part which neither MACs nor FPS have."""
    rng = np.random.default_rng(3)
    out = []
    for n, network in enumerate([*NETWORKS][:count]):
        hidden, noise, own = rng.normal(0, 0.5, 3)
        size = dict(NETWORKS)[network][0] / 1e10
        fps = float(np.exp(own)) / size
        energy = 0.02 * size * float(np.exp(power * hidden))
        metrics = {
            "instructions": 1e9 * size * float(np.exp(0.1 * noise)),
            "loads": 1e8 * size * float(np.exp(hidden)),
            "energy": None if n in left_out else energy,
        }
        for framework in ("onnxruntime", "opencv"):
            for number in range(2):
                wobble = 1 + 0.01 * number
                out.append(make_run(framework, network, fps=fps * wobble, round=number, metrics=metrics))
    return out


def frame_of(path: Path, measured: Sequence[Run]) -> pd.DataFrame:
    with Results.open(stored(path, measured)) as results:
        return results.frame()


def test_the_planted_elasticity_of_energy_is_found_and_fps_is_innocent(tmp_path: Path) -> None:
    frame = frame_of(tmp_path / "r.db", runs())
    (analysis,) = analyse.against_energy(frame)
    found = {c.framework: c for c in analysis.correlations if c.metric.name == "loads"}
    assert set(found) == {"onnxruntime", "opencv"}
    for c in found.values():
        assert c.target == "energy per frame"
        assert c.partial.slope == pytest.approx(0.7, abs=1e-6)
        assert c.partial.n == 9
    (speed,) = analyse.analyse(frame)
    assert all(abs(c.partial.slope or 0) < 0.5 for c in speed.correlations if c.metric.name == "loads")
    # energy is made of joules: it is never a metric that goes with itself, nor with FPS
    assert not any(c.metric.name.startswith("energy") for a in (analysis, speed) for c in a.correlations)


def test_networks_without_energy_are_left_out_and_below_the_gate_there_is_no_coefficient(tmp_path: Path) -> None:
    (some,) = analyse.against_energy(frame_of(tmp_path / "some.db", runs(left_out=(0, 3))))
    assert {c.partial.n for c in some.correlations if c.metric.name == "loads"} == {7}
    (few,) = analyse.against_energy(frame_of(tmp_path / "few.db", runs(left_out=range(6))))
    assert all(c.partial.r is None for c in few.correlations)
    assert analyse.against_energy(frame_of(tmp_path / "none.db", runs(left_out=range(9)))) == []


def test_a_meter_that_stood_still_is_no_energy_of_zero(tmp_path: Path) -> None:
    still = [
        dataclasses.replace(
            run,
            windows=tuple(
                dataclasses.replace(
                    w,
                    readings=tuple(
                        dataclasses.replace(r, value=0.0) if r.metric == "energy" and r.value is not None else r
                        for r in w.readings
                    ),
                )
                for w in run.windows
            ),
        )
        for run in runs(2)
    ]
    frame = frame_of(tmp_path / "r.db", still)
    joules = analysis_energy.per_frame(frame)
    assert joules is not None
    assert joules.isna().all()
    assert analyse.against_energy(frame) == []


def test_the_report_has_a_second_map_a_table_and_a_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = stored(tmp_path / "r.db", runs())
    assert main(["report", str(path), "-o", str(tmp_path / "out"), "--against", "energy", "--full"]) == 0
    assert "Correlation with energy per frame in opencv" in capsys.readouterr().out
    text = (tmp_path / "out" / "report.md").read_text()
    assert "## Correlation with energy per frame in onnxruntime" in text
    assert "% energy per frame" in text
    assert "Correlation with FPS" not in text
    assert (tmp_path / "out" / "correlations-energy-per-frame.csv").exists()
    with Results.open(path) as results:
        made = page.build(gather.gather(results))
    titles = {f.title for s in made.sections for f in s.figures}
    assert {"Correlation with FPS", "Correlation with energy per frame"} <= titles
    assert {s.target for s in made.scatters} == {"FPS", "energy per frame"}
    assert len({s.key for s in made.scatters}) == len(made.scatters)
    assert '"target": "energy per frame"' in render.render(made)


def test_without_a_sensor_the_report_says_so_in_one_line(tmp_path: Path) -> None:
    measured = runs(4, left_out=range(4))
    with Results.open(stored(tmp_path / "r.db", measured)) as results:
        found = gather.gather(results)
        (said,) = (line for line in found.report.summary if "energy per frame" in line)
        assert "synthetic: this machine has no such event" in said
        (section,) = (s for s in page.build(found).sections if "energy" in s.key)
        assert section.is_absent
        (line,) = section.absent
        assert "synthetic: this machine has no such event" in line
        assert not content.build(results.frame(), found.runs, ("fps",)).energy_why


def test_an_unknown_target_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(stored(tmp_path / "r.db", [])), "--against", "speed"]) == 2
    assert "Some of fps, energy" in capsys.readouterr().err


def test_an_emulated_board_is_correlated_with_no_energy_either(tmp_path: Path) -> None:
    board = [
        dataclasses.replace(
            run,
            windows=tuple(
                dataclasses.replace(
                    w, readings=tuple(dataclasses.replace(r, origin=Origin.EMULATED) for r in w.readings)
                )
                for w in run.windows
            ),
        )
        for run in runs(8)
    ]
    for analysis in analyse.against_energy(frame_of(tmp_path / "r.db", board)):
        assert not analysis.correlations
        assert "EMULATED" in analysis.refusal
