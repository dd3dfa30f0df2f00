"""`hwprof predict` on results of a core that others use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hwprof.cli import main
from tests.analysis.correlation.test_target import shared_core
from tests.cli.test_report import stored


def test_a_prediction_from_a_shared_core_is_one_of_cpu_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = stored(tmp_path / "r.db", shared_core())
    words = ["predict", "-n", "googlenet", "-f", "a", "--results", str(path)]
    assert main([*words, "--json"]) == 0
    (one,) = json.loads(capsys.readouterr().out)["predictions"]
    assert one["target"] == "frames per CPU second"
    assert "fps" not in one
    assert one["speed"] == pytest.approx(1e11 / 1_497_000_000, rel=0.1)
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "frames per CPU second is predicted, not FPS: in the worst run FPS / throughput is" in said
