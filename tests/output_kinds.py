"""Small networks whose outputs are unlike those of a classifier, each a file; weights are seeded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING
SIDE = 16
Weights = Mapping[str, Any]


def weights(**shapes: Sequence[int]) -> Weights:
    """Seeded values by name."""
    random = np.random.default_rng(0)
    return {name: random.normal(size=tuple(shape)).astype(np.float32) / 5 for name, shape in shapes.items()}


def conv(source: str, weight: str, target: str) -> Any:
    """3x3, of the input's size."""
    return helper.make_node("Conv", [source, weight], [target], name=target, kernel_shape=[3, 3], pads=[1, 1, 1, 1])


def node(op: str, inputs: Sequence[str], output: str, **attributes: Any) -> Any:
    """One of one output, named as that."""
    return helper.make_node(op, list(inputs), [output], name=output, **attributes)


def tensor(name: str, shape: Sequence[int | str] | None, kind: int = FLOAT) -> Any:
    """An output."""
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes: Sequence[Any], outputs: Sequence[Any], learned: Weights, **more: Any) -> Any:
    """Of the input x, (N, 3, 16, 16)."""
    initializers = [numpy_helper.from_array(value, name) for name, value in learned.items()]
    graph = helper.make_graph(nodes, "g", [tensor("x", ["N", 3, SIDE, SIDE])], outputs, initializers)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 2)]
    return helper.make_model(graph, **{"opset_imports": opsets, "ir_version": 8, **more})


MAPS = ("N", 8, SIDE, SIDE)


def heavy_second() -> Any:
    """Two outputs; nearly all work is behind the second."""
    nodes = [
        node("GlobalAveragePool", ["x"], "light"),
        conv("x", "w", "a"),
        conv("a", "v", "b"),
        conv("b", "u", "heavy"),
    ]
    learned = weights(w=(8, 3, 3, 3), v=(32, 8, 3, 3), u=(8, 32, 3, 3))
    return model(nodes, [tensor("light", ["N", 3, 1, 1]), tensor("heavy", MAPS)], learned)


def two_outputs_same() -> Any:
    """Two outputs of one shape, the last layer's first."""
    nodes = [conv("x", "w", "early"), conv("early", "v", "late")]
    return model(nodes, [tensor("late", MAPS), tensor("early", MAPS)], weights(w=(8, 3, 3, 3), v=(8, 8, 3, 3)))


def timefirst() -> Any:
    """Time first, then the batch, as networks with a CTC decoder have it."""
    nodes = [
        conv("x", "w", "a"),
        node("ReduceMean", ["a"], "m", axes=[2], keepdims=0),
        node("Transpose", ["m"], "y", perm=[2, 0, 1]),
    ]
    return model(nodes, [tensor("y", [SIDE, "N", 8])], weights(w=(8, 3, 3, 3)))


def timefirst_unnamed() -> Any:
    """The same without any name for the batch."""
    found = timefirst()
    for value in (found.graph.input[0], found.graph.output[0]):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.ClearField("dim_param")
    return found


def function() -> Any:
    """A function of the network's own."""
    body = [helper.make_node("Relu", ["i"], ["r"]), helper.make_node("Add", ["r", "r"], ["o"])]
    double = helper.make_function("local", "DoubleRelu", ["i"], ["o"], body, [helper.make_opsetid("", 17)])
    nodes = [conv("x", "w", "a"), node("DoubleRelu", ["a"], "y", domain="local")]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)]
    return model(nodes, [tensor("y", MAPS)], weights(w=(8, 3, 3, 3)), functions=[double], opset_imports=opsets)


def scalar_out() -> Any:
    """One number."""
    nodes = [conv("x", "w", "a"), node("ReduceMean", ["a"], "y", keepdims=0)]
    return model(nodes, [tensor("y", [])], weights(w=(8, 3, 3, 3)))


def nonzero() -> Any:
    """A shape that depends on the data."""
    nodes = [conv("x", "w", "a"), node("Relu", ["a"], "r"), node("NonZero", ["r"], "y")]
    return model(nodes, [tensor("y", [4, "found"], INT64)], weights(w=(8, 3, 3, 3)))


def seq_out() -> Any:
    """A sequence of two tensors."""
    nodes = [conv("x", "w", "a"), node("Relu", ["a"], "r"), node("SequenceConstruct", ["a", "r"], "y")]
    return model(nodes, [helper.make_tensor_sequence_value_info("y", FLOAT, None)], weights(w=(8, 3, 3, 3)))


def string_out() -> Any:
    """A label as text."""
    nodes = [
        conv("x", "w", "a"),
        node("ReduceMean", ["a"], "m", axes=[2, 3], keepdims=0),
        node("ArgMax", ["m"], "k", axis=1, keepdims=0),
        node(
            "LabelEncoder",
            ["k"],
            "y",
            domain="ai.onnx.ml",
            keys_int64s=list(range(8)),
            values_strings=[f"label {i}" for i in range(8)],
        ),
    ]
    return model(nodes, [tensor("y", ["N"], STRING)], weights(w=(8, 3, 3, 3)))


def nan() -> Any:
    """The root of each value, half of which are negative."""
    return model([node("Sqrt", ["x"], "y")], [tensor("y", ["N", 3, SIDE, SIDE])], {})


def random() -> Any:
    """Noise on a feature map."""
    nodes = [conv("x", "w", "a"), node("RandomNormalLike", ["a"], "n"), node("Add", ["a", "n"], "y")]
    return model(nodes, [tensor("y", MAPS)], weights(w=(8, 3, 3, 3)))


def classes() -> Any:
    """The most likely class of each image, and its score: integers beside floats."""
    nodes = [
        conv("x", "w", "a"),
        node("ReduceMean", ["a"], "m", axes=[2, 3], keepdims=0),
        node("ArgMax", ["m"], "class", axis=1, keepdims=0),
        node("ReduceMax", ["m"], "score", axes=[1], keepdims=0),
    ]
    return model(nodes, [tensor("class", ["N"], INT64), tensor("score", ["N"])], weights(w=(8, 3, 3, 3)))


KINDS: Mapping[str, Callable[[], Any]] = {
    make.__name__: make
    for make in (
        heavy_second,
        two_outputs_same,
        timefirst,
        timefirst_unnamed,
        function,
        scalar_out,
        nonzero,
        seq_out,
        string_out,
        nan,
        random,
        classes,
    )
}


def write(kind: str, folder: Path) -> Path:
    """KIND.onnx in `folder`."""
    path = folder / f"{kind}.onnx"
    onnx.save(KINDS[kind](), str(path))
    return path
