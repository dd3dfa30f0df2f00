"""Values that follow from shapes: those that ONNX Runtime computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from hwprof.networks.arithmetic import MOST_ELEMENTS, values_of
from hwprof.networks.graph import infer_shapes

INT, FLOAT, BOOL = TensorProto.INT64, TensorProto.FLOAT, TensorProto.BOOL
SHAPE = (2, 3, 8, 5)


def node(op: str, inputs: Sequence[str], output: str = "y", **attributes: Any) -> Any:
    return helper.make_node(op, list(inputs), [output], **attributes)


def build(nodes: Sequence[Any], opset: int, kind: int = INT, **constants: Any) -> onnx.ModelProto:
    """Of the input x; s is its shape."""
    graph = helper.make_graph(
        [node("Shape", ["x"], "s"), *nodes],
        "g",
        [helper.make_tensor_value_info("x", FLOAT, list(SHAPE))],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


ONE, AXIS, BIG = np.array([1]), np.array([0]), np.iinfo(np.int64).max
# name -> (nodes, opset, type of the result, constants)
CASES: dict[str, tuple[list[Any], int, int, dict[str, Any]]] = {
    "a part of the shape, by inputs": (
        [node("Slice", ["s", "a", "b", "c"])],
        11,
        INT,
        {"a": [1], "b": [BIG], "c": [0]},
    ),
    "a part of the shape, by attributes": ([node("Slice", ["s"], starts=[0], ends=[-1])], 9, INT, {}),
    "the shape backwards": (
        [node("Slice", ["s", "a", "b", "c", "d"])],
        13,
        INT,
        {"a": [-1], "b": [-BIG], "c": [0], "d": [-1]},
    ),
    "one axis, and one more": (
        [
            node("Gather", ["s", "i"], "g"),
            node("Unsqueeze", ["g"], "u", axes=[0]),
            node("Concat", ["u", "c", "s"], axis=0),
        ],
        11,
        INT,
        {"i": np.array(2), "c": np.array([-1])},
    ),
    "axes as inputs": (
        [node("Unsqueeze", ["s", "a"], "u"), node("Squeeze", ["u", "a"], "q"), node("Identity", ["q"])],
        13,
        INT,
        {"a": [0]},
    ),
    "division towards zero": (
        [node("Sub", ["s", "c"], "d"), node("Div", ["d", "e"])],
        13,
        INT,
        {"c": [9, 9, 9, 9], "e": [2, -2, 2, 2]},
    ),
    "a scale of a Resize": (
        [node("Cast", ["s"], "f", to=FLOAT), node("Div", ["f", "c"], "d"), node("Floor", ["d"])],
        11,
        FLOAT,
        {"c": np.full(4, 3, np.float32)},
    ),
    "the product of all": ([node("ReduceProd", ["s"], keepdims=0)], 13, INT, {}),
    "comparison and choice": (
        [node("Greater", ["s", "c"], "g"), node("Where", ["g", "s", "c"])],
        13,
        INT,
        {"c": [3, 3, 3, 3]},
    ),
    "positions": (
        [node("Gather", ["s", "i"], "n"), node("Range", ["a", "n", "b"])],
        13,
        INT,
        {"i": np.array(2), "a": np.array(0), "b": np.array(3)},
    ),
    "a filled tensor": (
        [node("ConstantOfShape", ["c"], "f"), node("Expand", ["f", "d"], "e"), node("Cast", ["e"], to=INT)],
        13,
        INT,
        {"c": [1, 3], "d": [2, 1]},
    ),
    "another order": (
        [node("Reshape", ["s", "c"], "r"), node("Transpose", ["r"], perm=[1, 0])],
        13,
        INT,
        {"c": [2, -1]},
    ),
    "logic": (
        [node("Equal", ["s", "c"], "e"), node("Not", ["e"])],
        13,
        BOOL,
        {"c": [2, 3, 4, 5]},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_values_are_those_that_onnx_runtime_computes(name: str) -> None:
    nodes, opset, kind, constants = CASES[name]
    model = build(nodes, opset, kind, **constants)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"x": np.zeros(SHAPE, np.float32)})
    found = values_of(model.graph, {"x": SHAPE})["y"]
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert (found == expected).all()


def test_nothing_follows_from_an_unknown_shape() -> None:
    model = build([node("Gather", ["s", "i"])], 13, i=np.array(0))
    assert "y" not in values_of(model.graph, {"x": None})
    assert values_of(model.graph, {"x": SHAPE})["y"] == 2


def test_large_values_are_not_computed() -> None:
    model = build([node("Range", ["a", "n", "b"])], 13, a=np.array(0), n=np.array(10**12), b=np.array(1))
    assert "y" not in values_of(model.graph, {"x": SHAPE})
    model = build([node("Expand", ["a", "n"])], 13, a=np.array([0]), n=np.array([MOST_ELEMENTS + 1]))
    assert "y" not in values_of(model.graph, {"x": SHAPE})


def test_an_impossible_value_is_left_out() -> None:
    assert "y" not in values_of(build([node("Gather", ["s", "i"])], 13, i=np.array(9)).graph, {"x": SHAPE})


@pytest.mark.parametrize("opset", [9, 11, 13, 17])
def test_shapes_behind_a_computed_reshape_are_known_in_every_opset(opset: int) -> None:
    axes = [("u", {"axes": [0]}, ["g"])] if opset < 13 else [("u", {}, ["g", "zero"])]
    nodes = [
        node("Gather", ["s", "first"], "g"),
        *(node("Unsqueeze", inputs, name, **more) for name, more, inputs in axes),
        node("Concat", ["u", "rest"], "t", axis=0),
        node("Reshape", ["x", "t"]),
    ]
    constants = {"first": np.array(0), "rest": np.array([-1]), "zero": np.array([0])}
    assert infer_shapes(build(nodes, opset, FLOAT, **constants)).shapes["y"] == (2, 120)
