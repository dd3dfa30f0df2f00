"""Shapes of ONNX Runtime's own operators: those that it computes itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hwprof.frameworks.shapes_by_run import shapes_by_run
from hwprof.networks.graph import infer_shapes

MS = "com.microsoft"
RNG = np.random.default_rng(0)


def floats(*shape: int) -> Any:
    return RNG.random(shape, np.float32)


def bytes_(*shape: int) -> Any:
    return RNG.integers(1, 9, shape, np.uint8)


ONE, ZERO, IDS = np.float32(0.1).reshape(()), np.uint8(3).reshape(()), np.zeros((2, 5), np.int32)
QUANTISED = {"s": ONE, "z": ZERO}
IMAGE, WEIGHTS = floats(2, 3, 8, 6), floats(4, 3, 3, 3)

# Operator -> (inputs of the node, values of x and y (given when it runs), weights, attributes)
Case = tuple[list[str], dict[str, Any], dict[str, Any], dict[str, Any]]
CASES: dict[str, Case] = {
    "FusedConv": (
        ["x", "w", "b"],
        {"x": IMAGE},
        {"w": WEIGHTS, "b": floats(4)},
        {"activation": "Relu", "strides": [2, 2]},
    ),
    "QLinearConv": (
        ["x", "s", "z", "w", "s", "z", "s", "z"],
        {"x": bytes_(1, 8, 6, 3)},
        {"w": bytes_(4, 3, 3, 3), **QUANTISED},
        {"channels_last": 1, "pads": [1, 1, 0, 0]},
    ),
    "NhwcMaxPool": (["x"], {"x": bytes_(1, 8, 6, 3)}, {}, {"kernel_shape": [2, 2]}),
    "QLinearAveragePool": (
        ["x", "s", "z", "s", "z"],
        {"x": bytes_(1, 8, 6, 3)},
        QUANTISED,
        {"kernel_shape": [3, 3], "channels_last": 1},
    ),
    "QLinearGlobalAveragePool": (["x", "s", "z", "s", "z"], {"x": bytes_(1, 3, 8, 6)}, QUANTISED, {"channels_last": 0}),
    "FusedGemm": (
        ["x", "w", "b"],
        {"x": floats(5, 2)},
        {"w": floats(3, 5), "b": floats(3)},
        {"transA": 1, "transB": 1, "activation": "Relu"},
    ),
    "QGemm": (
        ["x", "s", "z", "w", "s", "z", "b", "s", "z"],
        {"x": bytes_(2, 5)},
        {"w": bytes_(3, 5), "b": np.zeros(3, np.int32), **QUANTISED},
        {"transB": 1},
    ),
    "DynamicQuantizeMatMul": (["x", "w", "s", "z"], {"x": floats(2, 4, 5)}, {"w": bytes_(5, 3), **QUANTISED}, {}),
    "MatMulIntegerToFloat": (
        ["x", "w", "s", "s", "z", "z"],
        {"x": bytes_(2, 4, 5)},
        {"w": bytes_(5, 3), **QUANTISED},
        {},
    ),
    "FusedMatMul": (["x", "y"], {"x": floats(2, 1, 5, 4), "y": floats(3, 4, 6)}, {}, {}),
    "FusedMatMul of weights": (["x", "w"], {"x": floats(2, 3, 5, 4)}, {"w": floats(6, 5)}, {"transA": 1, "transB": 1}),
    "FusedMatMul of batches": (
        ["x", "y"],
        {"x": floats(5, 2, 3, 4), "y": floats(4, 2, 3, 6)},
        {},
        {"transBatchA": 1, "transBatchB": 1},
    ),
    "MatMulNBits": (
        ["x", "w", "s"],
        {"x": floats(2, 3, 32)},
        {"w": bytes_(6, 2, 8), "s": floats(12)},
        {"K": 32, "N": 6, "bits": 4, "block_size": 16},
    ),
    "Attention": (
        ["x", "w", "b"],
        {"x": floats(2, 5, 12)},
        {"w": floats(12, 80), "b": floats(80)},
        {"num_heads": 4, "qkv_hidden_sizes": [32, 32, 16]},
    ),
    "QAttention": (
        ["x", "w", "b", "s", "s", "", "z", "z"],
        {"x": bytes_(2, 5, 12)},
        {"w": bytes_(12, 96), "b": floats(96), **QUANTISED},
        {"num_heads": 4},
    ),
    "MultiHeadAttention": (
        ["x", "y", "y"],
        {"x": floats(2, 5, 32), "y": floats(2, 9, 32)},
        {},
        {"num_heads": 4},
    ),
    "DynamicQuantizeLSTM": (
        ["x", "w", "r", "", "", "", "", "", "s1", "z1", "s1", "z1"],
        {"x": floats(6, 2, 5)},
        {"w": bytes_(1, 5, 32), "r": bytes_(1, 8, 32), "s1": floats(1), "z1": bytes_(1)},
        {"hidden_size": 8},
    ),
    "EmbedLayerNormalization": (
        ["x", "", "w", "p", "", "g", "b"],
        {"x": IDS},
        {"w": floats(9, 8), "p": floats(7, 8), "g": floats(8), "b": floats(8)},
        {},
    ),
    "QLinearAdd": (["x", "s", "z", "y", "s", "z", "s", "z"], {"x": bytes_(2, 1, 4), "y": bytes_(3, 4)}, QUANTISED, {}),
    "QLinearMul": (["x", "s", "z", "y", "s", "z", "s", "z"], {"x": bytes_(2, 1, 4), "y": bytes_(3, 4)}, QUANTISED, {}),
    "QLinearConcat": (
        ["s", "z", "x", "s", "z", "y", "s", "z"],
        {"x": bytes_(2, 4), "y": bytes_(3, 4)},
        QUANTISED,
        {"axis": 0},
    ),
    "QLinearSigmoid": (["x", "s", "z", "s", "z"], {"x": bytes_(2, 4)}, QUANTISED, {}),
    "QuantizeLinear": (["x", "s", "z"], {"x": floats(2, 4)}, QUANTISED, {}),
    "DequantizeLinear": (["x", "s", "z"], {"x": bytes_(2, 4)}, QUANTISED, {}),
    "SkipLayerNormalization": (["x", "y", "g"], {"x": floats(2, 5, 8), "y": floats(2, 5, 8)}, {"g": floats(8)}, {}),
    "BiasGelu": (["x", "b"], {"x": floats(2, 5, 8)}, {"b": floats(8)}, {}),
    "Pad": (["x", "p"], {"x": floats(2, 4)}, {"p": np.array([1, 0, 0, 2])}, {}),
}

OTHERS = {"EmbedLayerNormalization": ["mask"]}  # outputs that have to be there


@pytest.mark.parametrize("name", CASES)
def test_the_inferred_shape_is_the_computed_one(name: str, tmp_path: Path) -> None:
    inputs, feeds, weights, attributes = CASES[name]
    node = helper.make_node(name.partition(" ")[0], inputs, ["out", *OTHERS.get(name, ())], domain=MS, **attributes)
    after = helper.make_node("Identity", ["out"], ["end"])
    graph = helper.make_graph(
        [node, after],
        "g",
        [
            helper.make_tensor_value_info(key, helper.np_dtype_to_tensor_dtype(value.dtype), list(value.shape))
            for key, value in feeds.items()
        ],
        [onnx.ValueInfoProto(name="end")],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in weights.items()],
    )
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(MS, 1)]
    path = tmp_path / "one.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), str(path))
    inferred = infer_shapes(onnx.load(str(path))).shapes
    assert inferred["end"] is not None
    assert shapes_by_run(path, feeds, ["out", "end"]) == {"out": inferred["out"], "end": inferred["end"]}


def test_attention_with_computed_weights_has_no_shape() -> None:
    node = helper.make_node("Attention", ["x", "w"], ["y"], domain=MS, num_heads=2)
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4, 12]) for name in "xw"]
    graph = helper.make_graph([node], "g", values, [onnx.ValueInfoProto(name="y")])
    assert infer_shapes(helper.make_model(graph)).shapes["y"] is None
