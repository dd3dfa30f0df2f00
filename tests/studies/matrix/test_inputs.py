"""The matrix with inputs that a user says: each file takes what names its own, and what nobody takes is an error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from onnx import helper

from hwprof.cli import main
from hwprof.errors import UsageError
from hwprof.networks.inputs import UNSAID, InputChoice
from hwprof.plan.inputs import parse_inputs
from hwprof.studies.matrix.rows import choices, inputs_by_network
from tests.onnx_models import write_model


def open_width(folder: Path) -> str:
    """A convolution of images of a fixed height and any width."""
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"])]
    weights = {"w": [[[[1.0]], [[2.0]], [[3.0]]]]}
    path = folder / "lines.onnx"
    return str(write_model(path, nodes, {"x": ("n", 3, 8, "width")}, {"y": ("n", 1, 8, "width")}, weights))


def two_inputs(folder: Path) -> str:
    """A sum of two sequences of any length."""
    nodes = [helper.make_node("Add", ["a", "b"], ["y"])]
    path = folder / "sums.onnx"
    return str(write_model(path, nodes, {"a": ("n", "seq"), "b": ("n", "seq")}, {"y": ("n", "seq")}))


def test_a_file_with_an_open_dimension_is_tried_at_the_length_asked_for(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["list", "frameworks", "--matrix", "-f", "onnxruntime", "-n", open_width(tmp_path), "--json"]
    assert main(words) == 2
    assert "--dim width=N" in capsys.readouterr().err
    for length in (12, 20):
        assert main([*words, "--dim", f"width={length}"]) == 0
        shown = capsys.readouterr()
        (cell,) = json.loads(shown.out)["cells"]
        assert cell["faithful"]
        assert f"lines.onnx 3x8x{length} onnxruntime" in shown.err
        assert "(kept)" not in shown.err


def test_each_file_takes_the_dimensions_and_shapes_of_its_own_names(tmp_path: Path) -> None:
    lines, sums = open_width(tmp_path), two_inputs(tmp_path)
    said = parse_inputs(["1,3,8,40"], ["seq=7"])
    found = inputs_by_network([lines, sums, "tiny_cnn"], said)
    assert found == {
        lines: InputChoice(shapes=(("", (1, 3, 8, 40)),)),
        sums: InputChoice(dims=(("seq", 7),)),
    }
    assert choices([lines, sums, "tiny_cnn"], 0, found) == ((lines, 0), (sums, 0), ("tiny_cnn", 32))
    assert inputs_by_network([lines], UNSAID) == {}


def test_what_no_network_takes_is_an_error_that_lists_their_inputs(tmp_path: Path) -> None:
    lines = open_width(tmp_path)
    with pytest.raises(UsageError, match="No network here takes --dim wide=9") as caught:
        inputs_by_network([lines], parse_inputs((), ["wide=9"]))
    assert "x [n, 3, 8, width]" in str(caught.value.remedy)
    with pytest.raises(UsageError, match="--shape ids=1,8"):
        inputs_by_network([lines], parse_inputs(["ids=1,8"]))
    with pytest.raises(UsageError, match="--state hn:h0"):
        inputs_by_network([lines], parse_inputs(states=["hn:h0"]))
    with pytest.raises(UsageError, match="built-in networks have their own inputs"):
        inputs_by_network(["tiny_cnn"], parse_inputs(batch_axis="none"))


def test_options_of_inputs_are_for_the_matrix(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "frameworks", "--dim", "seq=8"]) == 2
    assert "--dim is for --matrix" in capsys.readouterr().err
