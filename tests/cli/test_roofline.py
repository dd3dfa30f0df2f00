"""`hwprof calibrate`, `roofline`, `models`, `predict` on small results; figures are invented but for a calibration."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hwprof.cli import main
from hwprof.store import Results
from tests.factories import MACHINE, make_run

BOARD = {**MACHINE, "caches": [{"level": 1, "type": "Data", "kib": 32, "shared_by": 1, "count": 4}]}
CEILINGS: list[tuple[str, float, str, dict[str, Any]]] = [
    ("fp32 avx2 cpus=2", 1e11, "op/s", {"what": "fp32", "of": "avx2", "cpus": [2], "share": 1.0, "at_utc": "1"}),
    ("fp32 sse2 cpus=2", 4e10, "op/s", {"what": "fp32", "of": "sse2", "cpus": [2], "share": 0.5, "at_utc": "1"}),
    ("bandwidth DRAM cpus=2", 1e10, "B/s", {"what": "bandwidth", "of": "DRAM", "cpus": [2], "at_utc": "1"}),
]


def results(path: Path, **fields: Any) -> Path:
    networks = ("tiny_cnn", "squeezenet1_1", "mobilenet_v2", "resnet18", "a_network_of_old")
    with Results.open(path, create=True) as stored:
        for i, network in enumerate(networks):
            for r in range(2):
                size = 32 if network == "tiny_cnn" else 64
                fields = {"machine": BOARD, "cpus": (2,), **fields}
                stored.add(make_run(network=network, fps=100 / (i + 1) + r, round=r, size=size, **fields))
        stored.add_ceilings(BOARD, {"kernel": "1"}, CEILINGS)
    return path


def test_cases_are_placed_under_the_best_instruction_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = results(tmp_path / "r.db")
    assert main(["roofline", str(path), "--json", "-o", str(tmp_path / "r.svg")]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {c["peak"] for c in said["cases"]} == {1e11}
    assert {c["point"]["origin"] for c in said["cases"]} == {"compulsory traffic"}
    assert [u["title"].split()[1] for u in said["not_placed"]] == ["a_network_of_old"]
    assert "resnet18" in (tmp_path / "r.svg").read_text() or (tmp_path / "r.svg").stat().st_size > 5000
    assert main(["roofline", str(path)]) == 0
    assert "measured with 50 % of the CPU" in capsys.readouterr().out


def test_without_ceilings_there_is_a_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Results.open(tmp_path / "r.db", create=True) as stored:
        stored.add(make_run())
    assert main(["roofline", str(tmp_path / "r.db")]) == 2
    assert "hwprof calibrate" in capsys.readouterr().err


def test_the_emulated_are_not_placed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = results(tmp_path / "r.db", host_state={"emulated": True})
    assert main(["roofline", str(path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["cases"] == []
    assert "emulator" in said["not_placed"][0]["why"]


def test_the_last_calibration_of_a_machine_counts(tmp_path: Path) -> None:
    path = results(tmp_path / "r.db")
    with Results.open(path) as stored:
        later = {**CEILINGS[0][3], "at_utc": "2"}
        stored.add_ceilings(BOARD, {"kernel": "2"}, [("fp32 avx2 cpus=2", 9e10, "op/s", later)])
        stored.add_ceilings(BOARD, {"kernel": "1"}, [("fp32 avx2 cpus=2", 1.0, "op/s", CEILINGS[0][3])])
        found = {c.name: c.value for c in stored.ceilings()}
    assert found["fp32 avx2 cpus=2"] == 9e10
    assert len(found) == 3


@pytest.mark.cc
def test_calibrate_keeps_what_it_measures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "r.db"
    cpu = str(sorted(os.sched_getaffinity(0))[0])
    words = ["calibrate", "--cpus", cpu, "-r", "1", "--seconds", "0.002", "--results", str(path), "--json"]
    assert main(words) == 0
    said = json.loads(capsys.readouterr().out)
    values = {c["name"]: c["value"] for c in said["ceilings"] if c["value"] is not None}
    with Results.open(path) as stored:
        assert {c.name: c.value for c in stored.ceilings()} == pytest.approx(values)
    assert f"fp32 scalar cpus={cpu}" in values
    assert main(["calibrate", "-r", "0"]) == 2


def test_models_and_predictions_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = results(tmp_path / "r.db")
    assert main(["models", str(path), "--json"]) == 0
    (model,) = json.loads(capsys.readouterr().out)["models"]
    assert (model["networks"], model["chosen"]) == (5, ["macs"])
    words = ["predict", "-n", "googlenet", "-s", "64", "-f", "onnxruntime", "--results", str(path)]
    assert main([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    (one,) = said["predictions"]
    assert one["low"] < one["fps"] < one["high"]
    assert said["facts"]["macs"] > 1e8
    assert main(words) == 0
    assert "95 % for a new network" in capsys.readouterr().out
    assert main(["predict", "-n", "googlenet", "-f", "onnxruntim", "--results", str(path)]) == 2
    assert "Did you mean onnxruntime" in capsys.readouterr().err
    assert main([*words, "-b", "64"]) == 3
