"""MACs, parameters and bytes of graphs whose figures are known by arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import helper, numpy_helper

from hwprof.networks.size import SizeOfNetwork, layers, size_of
from tests.networks.sized import FLOAT, MS, build, node, zeros

ONE, NOTHING = np.ones((), np.float32), np.zeros((), np.int8)

# (nodes, inputs, weights, MACs, parameters, bytes of weights and scales)
Case = tuple[list[Any], dict[str, list[int | str]], dict[str, Any], int, int, int]
CASES: dict[str, Case] = {
    "convolution of one dimension": (
        [node("Conv", ["x", "w", "b"], pads=[1, 1])],
        {"x": [1, 4, 10]},
        {"w": (6, 4, 3), "b": (6,)},
        10 * 6 * 4 * 3,
        6 * 4 * 3 + 6,
        4 * 78,
    ),
    "convolution of three dimensions in groups": (
        [node("Conv", ["x", "w"], group=2)],
        {"x": [2, 4, 5, 5, 5]},
        {"w": (6, 2, 3, 3, 3)},
        2 * 6 * 27 * 2 * 27,
        6 * 2 * 27,
        4 * 324,
    ),
    "transposed convolution": (
        [node("ConvTranspose", ["x", "w"], strides=[2, 2], group=2)],
        {"x": [1, 4, 5, 5]},
        {"w": (4, 3, 2, 2)},
        4 * 25 * 3 * 4,
        4 * 3 * 4,
        4 * 48,
    ),
    "product of transposed matrices": (
        [node("Gemm", ["x", "w", "b"], transA=1, transB=1)],
        {"x": [7, 2]},
        {"w": (5, 7), "b": (5,)},
        2 * 5 * 7,
        40,
        160,
    ),
    "product with a broadcast batch": (
        [node("MatMul", ["x", "z"])],
        {"x": [3, 1, 4, 5], "z": [6, 5, 2]},
        {},
        3 * 6 * 4 * 2 * 5,
        0,
        0,
    ),
    "product of a matrix and a vector": ([node("MatMul", ["x", "w"])], {"x": [4, 5]}, {"w": (5,)}, 20, 5, 20),
    "einsum": ([node("Einsum", ["x", "w"], equation="bij, jk -> bik")], {"x": [2, 3, 4]}, {"w": (4, 5)}, 120, 20, 80),
    "einsum without a result's indices": (
        [node("Einsum", ["x", "z"], equation="ij,jk")],
        {"x": [2, 3], "z": [3, 4]},
        {},
        24,
        0,
        0,
    ),
    "einsum with an ellipsis": (
        [node("Einsum", ["x", "z"], equation="...ij,...jk->...ik")],
        {"x": [6, 1, 2, 3], "z": [5, 3, 4]},
        {},
        6 * 5 * 2 * 3 * 4,
        0,
        0,
    ),
    "einsum of three, from the left": (  # ij,jk first, then ik,kl
        [node("Einsum", ["x", "z", "v"], equation="ij,jk,kl->il")],
        {"x": [2, 3], "z": [3, 4], "v": [4, 5]},
        {},
        2 * 3 * 4 + 2 * 4 * 5,
        0,
        0,
    ),
    "einsum of one": ([node("Einsum", ["x"], equation="ij->ji")], {"x": [2, 3]}, {}, 0, 0, 0),
    "LSTM of two directions": (
        [node("LSTM", ["x", "w", "r", "b"], hidden_size=8, direction="bidirectional")],
        {"x": [6, 3, 5]},
        {"w": (2, 32, 5), "r": (2, 32, 8), "b": (2, 64)},
        6 * 3 * 2 * 32 * (5 + 8),
        2 * 32 * 13 + 128,
        4 * (2 * 32 * 13 + 128),
    ),
    "LSTM and a classifier of its last state": (
        [
            helper.make_node("LSTM", ["x", "w", "r"], ["s", "h"], hidden_size=128),
            node("Squeeze", ["h", "axis"], "q"),
            node("Gemm", ["q", "v"], transB=1),
        ],
        {"x": [50, 1, 64]},
        {"w": (1, 512, 64), "r": (1, 512, 128), "axis": np.array([0]), "v": (10, 128)},
        50 * 512 * (64 + 128) + 10 * 128,  # 4,916,480
        512 * 192 + 1280,
        4 * (512 * 192 + 1280),
    ),
    "GRU": (
        [node("GRU", ["x", "w", "r"], hidden_size=8)],
        {"x": [6, 3, 5]},
        {"w": (1, 24, 5), "r": (1, 24, 8)},
        6 * 3 * 24 * 13,
        24 * 13,
        4 * 24 * 13,
    ),
    "RNN whose last state alone is taken": (
        [helper.make_node("RNN", ["x", "w", "r"], ["", "y"], hidden_size=8)],
        {"x": [6, 3, 5]},
        {"w": (1, 8, 5), "r": (1, 8, 8)},
        6 * 3 * 8 * 13,
        8 * 13,
        4 * 8 * 13,
    ),
    "fused convolution": (
        [
            node("FusedConv", ["x", "w", "b"], "a", domain=MS, activation="Relu", pads=[1, 1, 1, 1]),
            node("Conv", ["a", "v"]),  # inference has to go on
        ],
        {"x": [1, 3, 8, 8]},
        {"w": (4, 3, 3, 3), "b": (4,), "v": (2, 4, 1, 1)},
        64 * 4 * 27 + 64 * 8,
        108 + 4 + 8,
        480,
    ),
    "fused convolution with channels last": (
        [node("NhwcFusedConv", ["x", "w"], "a", domain=MS), node("MatMul", ["a", "v"])],
        {"x": [1, 8, 6, 3]},
        {"w": (4, 3, 3, 3), "v": (4, 7)},
        6 * 4 * 4 * 27 + 6 * 4 * 4 * 7,
        108 + 28,
        4 * 136,
    ),
    "fused product of transposed operands": (
        [
            node("FusedMatMul", ["x", "w"], "a", domain=MS, transA=1, transB=1),
            node("FusedMatMul", ["a", "z"], domain=MS, transBatchA=1, transBatchB=1, transA=1),
        ],
        {"x": [2, 5, 7, 3], "z": [2, 5, 3, 6]},  # a: 2, 5, 3, 4; batches of 5, 3
        {"w": (4, 7)},
        2 * 5 * 3 * 4 * 7 + 5 * 3 * 4 * 6 * 2,
        28,
        112,
    ),
    "fused matrix product with an activation": (
        [node("FusedGemm", ["x", "w", "b"], "a", domain=MS, transB=1, activation="Relu"), node("MatMul", ["a", "v"])],
        {"x": [2, 7]},
        {"w": (5, 7), "b": (5,), "v": (5, 3)},
        2 * 5 * 7 + 2 * 3 * 5,
        35 + 5 + 15,
        220,
    ),
    "products of integers": (
        [
            helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
            node("MatMulInteger", ["q", "w", "z", "o"], "m"),
            node("Cast", ["m"], to=FLOAT),
        ],
        {"x": [3, 4]},
        {"w": zeros((4, 5)), "o": NOTHING},
        60,
        20,
        20,
    ),
    "convolution of integers": (
        [
            helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
            node("ConvInteger", ["q", "w", "z", "o"], "m"),
            node("Cast", ["m"], to=FLOAT),
        ],
        {"x": [1, 3, 8, 8]},
        {"w": zeros((4, 3, 3, 3)), "o": NOTHING},
        36 * 4 * 27,
        108,
        108,
    ),
    "quantised convolution and product": (
        [
            node("QuantizeLinear", ["x", "s", "z"], "q"),
            node("QLinearConv", ["q", "s", "z", "w", "s", "z", "s", "z", "b"], "c"),
            node("Flatten", ["c"], "f"),
            node("QLinearMatMul", ["f", "s", "z", "v", "s", "z", "s", "z"], "m"),
            node("DequantizeLinear", ["m", "s", "z"]),
        ],
        {"x": [1, 3, 8, 8]},
        {"s": ONE, "z": NOTHING, "w": zeros((4, 3, 3, 3)), "b": zeros((4,), "int32"), "v": zeros((144, 5))},
        36 * 4 * 27 + 144 * 5,
        108 + 4 + 720,
        108 + 16 + 720 + 4 + 1,  # one scale and one zero point, shared
    ),
    "quantised product with a bias": (
        [
            node("QuantizeLinear", ["x", "s", "z"], "q"),
            node("QGemm", ["q", "s", "z", "w", "s", "z", "b"], domain=MS, transB=1),
        ],
        {"x": [2, 7]},
        {"s": ONE, "z": NOTHING, "w": zeros((5, 7)), "b": zeros((5,), "int32")},
        70,
        40,
        35 + 20 + 5,
    ),
    "product of quantised weights": (
        [node("DynamicQuantizeMatMul", ["x", "w", "s", "z"], "a", domain=MS), node("MatMul", ["a", "v"])],
        {"x": [2, 7]},
        {"w": zeros((7, 5)), "s": ONE, "z": NOTHING, "v": (5, 3)},
        70 + 30,
        35 + 15,
        35 + 5 + 60,
    ),
    "product of weights of four bits": (
        [node("MatMulNBits", ["x", "w", "s"], "a", domain=MS, K=32, N=6, bits=4, block_size=16), node("Relu", ["a"])],
        {"x": [2, 3, 32]},
        {"w": zeros((6, 2, 8), "uint8"), "s": (12,)},
        2 * 3 * 6 * 32,
        32 * 6,
        96 + 48,
    ),
    "quantised weights behind DequantizeLinear and Transpose": (
        [
            node("DequantizeLinear", ["w", "s", "z"], "d"),
            node("Transpose", ["d"], "t"),
            node("MatMul", ["x", "t"], "m"),
            node("Add", ["m", "b"]),
        ],
        {"x": [2, 7]},
        {"w": zeros((5, 7)), "s": ONE, "z": NOTHING, "b": (5,)},
        70,
        40,
        35 + 5 + 20,
    ),
    "weights of half precision behind Cast": (
        [node("Cast", ["w"], "c", to=FLOAT), node("MatMul", ["x", "c"])],
        {"x": [2, 7]},
        {"w": zeros((7, 5), "float16")},
        70,
        35,
        70,
    ),
    "weights of two constants": (  # as weight normalisation has them
        [node("Mul", ["v", "g"], "w"), node("Conv", ["x", "w"])],
        {"x": [1, 3, 8, 8]},
        {"v": (4, 3, 3, 3), "g": (4, 1, 1, 1)},
        36 * 4 * 27,
        108 + 4,
        448,
    ),
    "weights in Constant nodes": (
        [
            helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(zeros((5, 7), "float32"))),
            helper.make_node("Constant", [], ["b"], value_floats=[0.0] * 5),
            node("Gemm", ["x", "w", "b"], transB=1),
        ],
        {"x": [2, 7]},
        {},
        70,
        40,
        160,
    ),
    "weights that are filled when the network runs": (
        [node("ConstantOfShape", ["n"], "w"), node("MatMul", ["x", "w"])],
        {"x": [2, 40]},
        {"n": np.array([40, 50], np.int64)},
        4000,
        2000,
        8000,
    ),
    "normalisations": (
        [
            node("BatchNormalization", ["x", "c", "c2", "m", "v"], "n"),
            node("LayerNormalization", ["n", "s", "b"], "l"),
            node("PRelu", ["l", "p"]),
        ],
        {"x": [1, 3, 5, 5]},
        {"c": (3,), "c2": (3,), "m": (3,), "v": (3,), "s": (5,), "b": (5,), "p": (3, 1, 1)},
        0,
        3 + 3 + 5 + 5 + 3,
        76,
    ),
    "numbers are no parameters": (
        [node("Mul", ["x", "half"], "a"), node("Add", ["a", "half"])],
        {"x": [2, 7]},
        {"half": np.full((1,), 0.5, np.float32)},
        0,
        0,
        0,
    ),
    "one tensor in two places": (
        [node("MatMul", ["x", "w"], "a"), node("Transpose", ["w"], "t"), node("MatMul", ["a", "t"])],
        {"x": [2, 7]},
        {"w": (7, 5)},
        140,
        35,
        140,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_figures_are_those_of_arithmetic(name: str) -> None:
    nodes, inputs, weights, macs, params, stored = CASES[name]
    assert size_of(build(nodes, inputs, weights)) == SizeOfNetwork(macs, params, stored)


def test_layers_keep_the_order_and_the_names_of_the_graph() -> None:
    nodes, inputs, weights, *_ = CASES["fused convolution"]
    found = layers(build(nodes, inputs, weights))
    assert [(one.op, one.macs, one.params, one.shape) for one in found] == [
        ("FusedConv", 64 * 4 * 27, 112, (1, 4, 8, 8)),
        ("Conv", 64 * 8, 8, (1, 2, 8, 8)),
    ]
