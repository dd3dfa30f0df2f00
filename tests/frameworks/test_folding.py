"""What is known of a graph once its inputs have their shapes: constants, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx

from hwprof.frameworks.walk import OnnxGraph
from hwprof.networks.inputs import TensorSpec
from tests import walked_networks
from tests.input_kinds import BATCH, INT64, model, value
from tests.output_kinds import node

ANY: Any = type("Any", (dict,), {"__contains__": lambda self, name: True})()


def walked(path: Path, made: Any, *inputs: TensorSpec) -> OnnxGraph:
    onnx.save(made, str(path / "n.onnx"))
    return OnnxGraph(path / "n.onnx", "F", ANY, inputs)


def test_arithmetic_on_a_shape_is_a_constant(tmp_path: Path) -> None:
    ids, attention = TensorSpec("ids", (2, 12), "int64"), TensorSpec("attention", (2, 12), "int64")
    graph = walked(tmp_path, walked_networks.bert_as_exported(), ids, attention)
    assert not {"Shape", "Range"} & {one.op for one in graph.nodes}
    assert graph.constants["position"].tolist() == [list(range(12))]
    assert graph.constants["flat"].tolist() == [2, 192]
    assert graph.shapes["out.0"] == (2, 12, 16)
    assert graph.rank("out.0") == 3


def test_without_shapes_a_shape_stays_an_operator(tmp_path: Path) -> None:
    graph = walked(tmp_path, walked_networks.bert_as_exported())
    assert {"Shape", "Range"} <= {one.op for one in graph.nodes}
    assert graph.rank("out.0") is None


def test_weights_that_are_computed_from_weights_stay_nodes(tmp_path: Path) -> None:
    nodes = [node("Relu", ["w"], "v"), node("Mul", ["x", "v"], "y")]
    made = model(nodes, [value("x", (2, 4))], [value("y", (2, 4))], {"w": np.ones(4, np.float32)})
    assert [one.op for one in walked(tmp_path, made, TensorSpec("x", (2, 4))).nodes] == ["Relu", "Mul"]


def test_a_random_number_of_a_known_shape_is_no_constant(tmp_path: Path) -> None:
    nodes = [
        node("Shape", ["x"], "s"),
        node("RandomNormal", [], "r", shape=[4]),
        node("ConstantOfShape", ["s"], "z"),
        node("RandomNormalLike", ["z"], "n"),
        node("Add", ["x", "n"], "m"),
        node("Add", ["m", "r"], "y"),
    ]
    made = model(nodes, [value("x", (2, 4))], [value("y", (2, 4))], {})
    graph = walked(tmp_path, made, TensorSpec("x", (2, 4)))
    assert [one.op for one in graph.nodes] == ["RandomNormal", "RandomNormalLike", "Add", "Add"]
    assert graph.constants["z"].tolist() == [[0.0] * 4] * 2


def test_a_shape_that_depends_on_data_stays_unknown(tmp_path: Path) -> None:
    nodes = [node("NonZero", ["x"], "n"), node("Shape", ["n"], "y")]
    made = model(nodes, [value("x", (BATCH, 4))], [value("y", (2,), INT64)], {})
    graph = walked(tmp_path, made, TensorSpec("x", (1, 4)))
    assert [one.op for one in graph.nodes] == ["NonZero", "Shape"]


def test_outputs_that_nobody_takes_are_left_to_the_framework(tmp_path: Path) -> None:
    nodes = [onnx.helper.make_node("Dropout", ["x"], ["d", "mask"], name="d"), node("Relu", ["d"], "y")]
    made = model(nodes, [value("x", (2, 4))], [value("y", (2, 4))], {})
    assert [one.outputs for one in walked(tmp_path, made).nodes] == [("d",), ("y",)]
