"""What a user says of inputs, on the command line and in experiments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from hwprof.errors import BadExperiment, UsageError
from hwprof.networks.inputs import UNSAID, InputChoice
from hwprof.plan import experiment
from hwprof.plan.cases import plan
from hwprof.plan.inputs import parse_inputs
from tests.onnx_models import write_model

HEAD = "[matrix]\nframeworks = ['onnxruntime']\n"


def test_the_command_line_says_shapes_dimensions_and_states() -> None:
    found = parse_inputs(["ids=1,128", "sr="], ["seq=128"], "s.npz", "none", ["hn:h0"])
    assert found == InputChoice((("ids", (1, 128)), ("sr", ())), (("seq", 128),), "s.npz", "none", (("hn", "h0"),))
    assert parse_inputs(["1,3,48,320"]).shapes == (("", (1, 3, 48, 320)),)
    assert parse_inputs() == UNSAID


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"shapes": ["1,x"]}, "'x' is no length"),
        ({"shapes": ["1,-3"]}, "'-3' is no length"),
        ({"shapes": [f"{1 << 40}"]}, "is no length"),
        ({"shapes": [""]}, "--shape is empty"),
        ({"dims": ["seq"]}, "is no pair"),
        ({"dims": ["seq=1.5"]}, "'1.5' is no length"),
        ({"states": ["hn"]}, "--state hn is no pair"),
    ],
)
def test_what_can_not_be_read_is_named(said: dict[str, list[str]], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        parse_inputs(**said)  # type: ignore[arg-type]


def network(folder: Path) -> Path:
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    return write_model(folder / "mine.onnx", nodes, {"x": ["N", 3, "H", "W"]}, {"y": ["N", 3, "H", "W"]})


def test_an_experiment_says_them_for_each_network(tmp_path: Path) -> None:
    network(tmp_path)
    text = HEAD + "networks = ['mine.onnx', 'tiny_cnn']\n[inputs.mine]\ndim = {H = 48, W = 320}\n"
    found = experiment.parse(text, "x.toml", tmp_path)
    assert [choice.inputs.dims for choice in found.choices] == [(("H", 48), ("W", 320)), ()]
    cases = [planned.case for planned in plan(found)]
    assert [(case.size, case.shape) for case in cases] == [(0, "3x48x320"), (32, "")]


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("[inputs.other]\ndim = {H = 4}", r"\[inputs.other\] is of no network"),
        ("[inputs.mine]\ndims = {H = 4}", "Did you mean 'dim'"),
        ("[inputs.mine]\ndim = {H = 'x'}", "dim.H is no length"),
        ("[inputs.mine]\nshape = {x = 4}", "no list of lengths"),
        ("[inputs.mine]\nshape = [1, true]", "no list of lengths"),
        ("[inputs.mine]\nstate = {a = 1}", "state.a is no name"),
        ("[inputs.mine]\nsamples = 4", "samples is a path"),
        ("inputs = 4", "has a table for each network"),
    ],
)
def test_an_experiments_mistake_is_named(table: str, why: str, tmp_path: Path) -> None:
    network(tmp_path)
    text = HEAD + "networks = ['mine.onnx']\n" + table
    with pytest.raises(BadExperiment, match=why):
        experiment.parse(
            text if not table.startswith("inputs") else table + "\n" + HEAD + "networks = ['mine.onnx']",
            "x.toml",
            tmp_path,
        )


def test_what_nobody_says_changes_no_plan() -> None:
    text = HEAD + "networks = ['tiny_cnn']\n"
    assert experiment.parse(text, "x").plan_hash == "75ee845a455ec5dc"


def test_samples_of_ones_own_give_the_shape_and_are_another_case(tmp_path: Path) -> None:
    path = network(tmp_path)
    np.savez(tmp_path / "s.npz", x=np.zeros((5, 1, 3, 8, 12), np.float32))
    choice = experiment.Choice("onnxruntime", str(path), inputs=parse_inputs(samples=str(tmp_path / "s.npz")))
    first = plan(experiment.Experiment("e", (choice,)))[0]
    assert (first.case.shape, first.case.batch) == ("3x8x12", 1)
    label = str(first.case.option("inputs"))
    assert label.startswith("s.npz@")
    np.savez(tmp_path / "t.npz", x=np.ones((5, 1, 3, 8, 12), np.float32))
    other = plan(
        experiment.Experiment(
            "e", (experiment.Choice("onnxruntime", str(path), inputs=parse_inputs(samples=str(tmp_path / "t.npz"))),)
        )
    )[0]
    assert other.case.key != first.case.key
