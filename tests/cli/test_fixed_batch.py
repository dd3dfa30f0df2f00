"""A network whose file has a fixed batch is measured at that batch without being told, and the heading says so."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from onnx import helper

from hwprof.cli import main
from hwprof.cli.options import CASE, choice_of
from hwprof.cli.parsers import command_parser
from hwprof.networks import find
from tests.onnx_models import write_model

QUICK = ["-r", "1", "-e", "page-faults", "--window", "0.02", "--no-save", "--cooldown", "0"]


@pytest.fixture
def four(tmp_path: Path) -> str:
    """A matrix product of a fixed batch of four."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    weights = {"w": [[0.5] * 3] * 8}
    return str(write_model(tmp_path / "four.onnx", nodes, {"x": (4, 8)}, {"y": (4, 3)}, weights))


def batch_of(*words: str) -> int:
    return choice_of(command_parser("run")[0].parse_args(words)).batch


def test_the_batch_is_that_of_the_file_unless_one_is_given(four: str) -> None:
    assert batch_of("-n", four) == 4
    assert batch_of("-n", four, "-b", "2") == 2
    assert batch_of("-n", four, "--batch-axis", "none") == 1
    assert batch_of("-n", "tiny_cnn") == 1
    assert CASE["batch"][1]["default"] == 0


def test_the_heading_names_a_fixed_batch_and_frames_are_counted(
    four: str, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "-n", four, *QUICK]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "four 4x8 fp32" in shown
    assert "The network's file has a fixed batch of 4 frames." in shown
    assert main(["run", "-n", four, *QUICK, "--json"]) == 0
    run = json.loads(capsys.readouterr().out)["runs"][0]
    assert (run["case"]["batch"], run["macs"]) == (4, 24)


def test_a_batch_that_contradicts_the_file_is_one_line(four: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "-n", four, *QUICK, "-b", "2"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "fixed batch of 4, not 2" in error
    assert "--batch 4" in error


def test_one_input_is_one_frame_where_the_batch_has_no_axis(four: str) -> None:
    network = find.resolve(four)
    alone = dataclasses.replace(network, choice=dataclasses.replace(network.choice, batch_axis="none"))
    assert (network.own_batch, alone.own_batch, alone.fixed_batch) == (4, 1, None)
    assert alone.input_spec(None, alone.own_batch).frame == "4x8"


def test_a_simulation_of_a_fixed_batch_is_refused(four: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "-n", four, *QUICK, "--simulate"]) == 2
    assert "batch 1 only" in capsys.readouterr().err
