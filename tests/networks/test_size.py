"""MACs, parameters and bytes of graphs whose figures are known by arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hwprof.networks import table
from hwprof.networks.size import SizeOfNetwork, layers, size_of
from tests.onnx_models import make_model

FLOAT, INT8, UINT8, INT32, INT64 = (
    TensorProto.FLOAT,
    TensorProto.INT8,
    TensorProto.UINT8,
    TensorProto.INT32,
    TensorProto.INT64,
)
MS = "com.microsoft"
LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"


def node(op: str, inputs: Sequence[str], output: str = "y", **attributes: Any) -> Any:
    """One of one output."""
    return helper.make_node(op, list(inputs), [output], name=f"n_{output}", **attributes)


def build(
    nodes: Sequence[Any],
    inputs: Mapping[str, Sequence[int | str]],
    weights: Mapping[str, Any] | None = None,
    opset: int = 17,
    outputs: Sequence[str] = ("y",),
) -> onnx.ModelProto:
    """A network of float inputs; weights are zeros of a shape (a tuple), or arrays."""
    values = {n: np.zeros(v, np.float32) if isinstance(v, tuple) else v for n, v in (weights or {}).items()}
    tensors = [numpy_helper.from_array(value, name) for name, value in values.items()]
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info(name, FLOAT, list(shape)) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid(MS, 1)])


def zeros(shape: Sequence[int], kind: str = "int8") -> Any:
    return np.zeros(tuple(shape), kind)


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


def attention_23(shape: Sequence[int], **attributes: Any) -> onnx.ModelProto:
    """ONNX's Attention; keys are twice as many as queries, heads of V twice as wide as those of Q."""
    names = {"q": list(shape), "k": [*shape], "v": [*shape]}
    axis = 1 if len(shape) == 3 else 2
    names["k"][axis] *= 2
    names["v"][axis] *= 2
    names["v"][-1] *= 2
    return build([node("Attention", ["q", "k", "v"], "a", **attributes), node("Relu", ["a"])], names, opset=23)


def test_an_attention_multiplies_queries_with_keys_and_the_result_with_values() -> None:
    expected = 2 * 4 * 5 * 10 * (8 + 16)  # batch, heads, queries, keys, sizes of heads
    assert size_of(attention_23([2, 4, 5, 8])).macs == expected
    assert size_of(attention_23([2, 5, 32], q_num_heads=4, kv_num_heads=4)).macs == expected


def test_an_attention_of_few_key_heads_multiplies_for_every_query_head() -> None:
    model = build(
        [node("Attention", ["q", "k", "v"], q_num_heads=4, kv_num_heads=2)],
        {"q": [1, 5, 32], "k": [1, 5, 16], "v": [1, 5, 16]},
        opset=23,
    )
    assert size_of(model).macs == 4 * 5 * 5 * (8 + 8)


def test_an_attention_meets_the_keys_of_its_past() -> None:
    model = build(
        [helper.make_node("Attention", ["q", "k", "v", "", "pk", "pv"], ["y", "nk", "nv"])],
        {"q": [1, 4, 1, 8], "k": [1, 4, 1, 8], "v": [1, 4, 1, 8], "pk": [1, 4, 31, 8], "pv": [1, 4, 31, 8]},
        opset=23,
    )
    assert size_of(model).macs == 4 * 1 * 32 * 16
    assert size_of(model, inputs={"pk": [1, 4, 0, 8], "pv": [1, 4, 0, 8]}).macs == 4 * 1 * 1 * 16


def test_onnx_runtimes_attention_projects_first() -> None:
    nodes = [node("Attention", ["x", "w", "b"], "a", domain=MS, num_heads=4), node("MatMul", ["a", "v"])]
    model = build(nodes, {"x": [2, 5, 12]}, {"w": (12, 96), "b": (96,), "v": (32, 3)})
    own = 2 * 5 * (12 * 96 + 5 * (32 + 32))
    assert size_of(model) == SizeOfNetwork(own + 2 * 5 * 32 * 3, 12 * 96 + 96 + 96, 4 * 14 * 96)
    nodes = [node("Attention", ["x", "w", "b", "", "p"], domain=MS, num_heads=4)]
    model = build(nodes, {"x": [2, 5, 12], "p": [2, 2, 4, 7, 8]}, {"w": (12, 96), "b": (96,)})
    assert size_of(model).macs == 2 * 5 * (12 * 96 + (5 + 7) * 64)
    nodes[0].attribute.append(helper.make_attribute("past_present_share_buffer", 1))
    assert (
        "how much of the buffer"
        in size_of(build(nodes, {"x": [2, 5, 12], "p": [2, 2, 4, 7, 8]}, {"w": (12, 96)})).unknown
    )


@pytest.mark.parametrize(
    ("inputs", "names", "macs"),
    [
        ({"q": [2, 5, 32], "k": [2, 9, 32], "v": [2, 9, 16]}, ["q", "k", "v"], 2 * 5 * 9 * (32 + 16)),
        ({"q": [2, 5, 4, 3, 8]}, ["q"], 2 * 5 * 5 * 64),
        ({"q": [2, 5, 32], "k": [2, 9, 4, 2, 8]}, ["q", "k"], 2 * 5 * 9 * 64),
        ({"q": [2, 5, 32], "k": [2, 4, 9, 8], "v": [2, 4, 9, 8]}, ["q", "k", "v"], 2 * 5 * 9 * 64),
        (
            {"q": [2, 1, 32], "k": [2, 1, 32], "v": [2, 1, 32], "pk": [2, 4, 7, 8], "pv": [2, 4, 7, 8]},
            ["q", "k", "v", "", "", "", "pk", "pv"],
            2 * 1 * 8 * 64,
        ),
    ],
)
def test_multi_head_attention_has_several_layouts(
    inputs: dict[str, list[int | str]], names: list[str], macs: int
) -> None:
    assert size_of(build([node("MultiHeadAttention", names, domain=MS, num_heads=4)], inputs)).macs == macs


def test_a_grouped_attention_with_a_past_is_unknown_and_its_parameters_are_not() -> None:
    names = ["q", "k", "v", "pk", "pv", "n", "t", "cos", "sin"]
    nodes = [
        node("GroupQueryAttention", names, "a", domain=MS, num_heads=4, kv_num_heads=2, do_rotary=1),
        node("MatMul", ["a", "w"]),
    ]
    inputs = {"q": [1, 5, 32], "k": [1, 5, 16], "v": [1, 5, 16], "pk": [1, 2, 0, 8], "pv": [1, 2, 0, 8]}
    constants = {"n": np.full((1, 1), 4, np.int32), "t": np.array(5, np.int32), "cos": (9, 4), "sin": (9, 4)}
    model = build(nodes, inputs, {**constants, "w": (32, 3)})
    empty = {"pk": [1, 2, 0, 8], "pv": [1, 2, 0, 8]}
    assert size_of(model, inputs=empty) == SizeOfNetwork(5 * 5 * 2 * 32 + 5 * 32 * 3, 96, 384)
    size = size_of(model, inputs={"pk": [1, 2, 7, 8], "pv": [1, 2, 7, 8]})
    assert (size.macs, size.params) == (None, 96)
    assert "how much of its past is in use depends on the data" in size.unknown
    packed = [node("GroupQueryAttention", ["q", "", "", "", "", "n", "t"], domain=MS, num_heads=4, kv_num_heads=2)]
    assert size_of(build(packed, {"q": [1, 5, 64]}, constants)).macs == 5 * 5 * 2 * 32


def branch(name: str, channels: int, weights: str, deep: bool = False) -> Any:
    """A convolution of the outer x; its own initializer has the same name in every branch."""
    nodes = [node("Conv", ["x", "w"], f"{name}_c"), node("Relu", [f"{name}_c"], f"{name}_y")]
    tensor = numpy_helper.from_array(np.zeros((channels, 3, 3, 3), np.float32), weights)
    return helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(f"{name}_y", FLOAT, None)], [tensor])


def choice(first: int, second: int) -> onnx.ModelProto:
    """If by the input's mean, with branches of so many output channels."""
    nodes = [
        node("ReduceMean", ["x"], "m", keepdims=0),
        node("Greater", ["m", "zero"], "c"),
        node("If", ["c"], then_branch=branch("yes", first, "w"), else_branch=branch("no", second, "w")),
    ]
    return build(nodes, {"x": [1, 3, 8, 8]}, {"zero": np.zeros((), np.float32)})


def test_branches_of_different_cost_are_unknown_and_named() -> None:
    size = size_of(choice(400, 40))
    assert size.macs is None
    found = f"{36 * 40 * 27:,} in else_branch, {36 * 400 * 27:,} in then_branch"
    assert size.unknown == f"node 'n_y' (If): its MACs depend on the data: {found}"
    assert (size.params, size.bytes) == (440 * 27, 4 * 440 * 27)


def test_branches_of_the_same_cost_count_once() -> None:
    size = size_of(choice(4, 4))
    assert (size.macs, size.params, size.unknown) == (36 * 4 * 27, 2 * 4 * 27, "")


def loop_body(op: str) -> Any:
    """The state times the outer w."""
    state = [helper.make_tensor_value_info(name, FLOAT, [2, 7]) for name in ("s", "t")]
    flags = [
        helper.make_tensor_value_info("i", INT64, []),
        *(helper.make_tensor_value_info(n, TensorProto.BOOL, []) for n in "cd"),
    ]
    nodes = [node("MatMul", ["s", "w"], "t") if op == "MatMul" else node(op, ["s"], "t"), node("Identity", ["c"], "d")]
    return helper.make_graph(nodes, "body", [*flags[:2], state[0]], [flags[2], state[1]])


def test_a_loop_counts_one_pass_and_says_so() -> None:
    model = build(
        [node("Loop", ["n", "", "x"], body=loop_body("MatMul"))], {"x": [2, 7]}, {"w": (7, 7), "n": np.array(5)}
    )
    size = size_of(model)
    assert (size.macs, size.params, size.unknown) == (2 * 7 * 7, 49, "")
    assert size.notes == ("of the Loop 'n_y' one pass is counted, 98 MACs",)


def test_a_loop_that_multiplies_nothing_needs_no_note() -> None:
    size = size_of(build([node("Loop", ["n", "", "x"], body=loop_body("Relu"))], {"x": [2, 7]}, {"n": np.array(5)}))
    assert size == SizeOfNetwork(0, 0, 0)


def test_a_scan_counts_every_step() -> None:
    body = helper.make_graph(
        [node("MatMul", ["s", "w"], "p"), node("Add", ["p", "e"], "t")],
        "body",
        [helper.make_tensor_value_info(name, FLOAT, [2, 7]) for name in ("s", "e")],
        [helper.make_tensor_value_info("t", FLOAT, [2, 7])],
    )
    nodes = [node("Scan", ["z", "x"], body=body, num_scan_inputs=1, scan_input_axes=[1])]
    size = size_of(build(nodes, {"z": [2, 7], "x": [2, 9, 7]}, {"w": (7, 7)}))
    assert (size.macs, size.params) == (9 * 2 * 7 * 7, 49)


def test_an_operator_of_an_unknown_domain_makes_everything_unknown() -> None:
    nodes = [node("MatMul", ["x", "w"], "a"), node("Magic", ["a", "v"], domain="acme")]
    acme = helper.make_opsetid("acme", 1)
    model = build(nodes, {"x": [2, 7]}, {"w": (7, 5), "v": (5, 5)})
    model.opset_import.append(acme)
    reason = "node 'n_y' (Magic): the operator acme.Magic is not known"
    assert size_of(model) == SizeOfNetwork(None, None, None, (), reason)
    model = build([nodes[0], node("Magic", ["a"], domain="acme")], {"x": [2, 7]}, {"w": (7, 5)})
    model.opset_import.append(acme)
    assert size_of(model) == SizeOfNetwork(None, 35, 140, (), reason)


def test_weights_in_attributes_of_an_unknown_operator_are_not_zero() -> None:
    linear = node("LinearRegressor", ["x"], domain="ai.onnx.ml", coefficients=[1.0, 2.0])
    model = build([linear], {"x": [3, 2]})
    model.opset_import.append(helper.make_opsetid("ai.onnx.ml", 2))
    assert size_of(model).params is None


@pytest.mark.parametrize("op", ["STFT", "LinearAttention", "NoSuchOperator"])
def test_operators_of_onnx_without_a_formula_are_unknown(op: str) -> None:
    assert size_of(build([node(op, ["x"])], {"x": [2, 7]})).macs is None


def test_a_product_of_unknown_shape_is_unknown_and_not_zero() -> None:
    size = size_of(build([node("MatMul", ["x", "w"])], {"x": [2, "width"]}, {"w": (7, 5)}))
    assert (size.macs, size.params) == (None, 35)
    assert size.unknown == "node 'n_y' (MatMul): the shape of 'x' is not known"
    assert (
        size_of(build([node("MatMul", ["x", "w"])], {"x": [2, "width"]}, {"w": (7, 5)}), inputs={"x": [2, 7]}).macs
        == 70
    )


def test_positions_of_rotary_angles_are_no_embedding() -> None:
    table = {"w": (100, 8), "angles": (50, 8), "ids": np.zeros((1, 4), np.int64)}
    nodes = [
        node("Gather", ["w", "ids"], "e"),
        node("Gather", ["angles", "ids"], "a"),
        node("Unsqueeze", ["a", "axes"], "u"),
        node("Mul", ["x", "u"], "m"),
        node("Add", ["m", "e"]),
    ]
    size = size_of(build(nodes, {"x": [1, 1, 4, 8]}, {**table, "axes": np.array([1])}))
    assert size.params == 800


def test_masks_and_angles_are_no_parameters_but_biases_and_positions_are() -> None:
    nodes = [
        node("Add", ["x", "positions"], "p"),
        node("Mul", ["p", "cos"], "c"),
        node("Mul", ["p", "sin"], "s"),
        node("Add", ["c", "s"], "t"),
        node("MatMul", ["t", "w"], "m"),
        node("Add", ["m", "mask"], "k"),
        node("Softmax", ["k"], "a"),
        node("MatMul", ["a", "w"], "o"),
        node("Add", ["o", "b"], "l"),
        node("Mul", ["l", "scale"], "q"),
        node("Softmax", ["q"]),
    ]
    angles, vectors = {"cos": (1, 1, 4), "sin": (1, 1, 4)}, {"b": (4,), "scale": (4,)}
    weights = {"positions": (1, 4, 4), "w": (4, 4), "mask": (4, 4), **angles, **vectors}
    assert size_of(build(nodes, {"x": [2, 4, 4]}, weights)).params == 16 + 16 + 4 + 4


def test_weights_may_be_listed_among_the_inputs() -> None:
    model = make_model(
        [node("Conv", ["x", "w"])], {"x": ["n", 3, 8, 8]}, {"y": ["n", 4, 6, 6]}, {"w": np.zeros((4, 3, 3, 3))}
    )
    weights = helper.make_tensor_value_info("w", FLOAT, [4, 3, 3, 3])
    inputs = [weights, *model.graph.input]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    assert size_of(model, 2) == SizeOfNetwork(2 * 36 * 4 * 27, 108, 432)


def test_functions_of_a_networks_own_are_counted() -> None:
    body = [helper.make_node("MatMul", ["a", "b"], ["m"]), helper.make_node("Relu", ["m"], ["r"])]
    own = helper.make_function("local", "Dense", ["a", "b"], ["r"], body, [helper.make_opsetid("", 17)])
    model = build([node("Dense", ["x", "w"], domain="local")], {"x": [2, 7]}, {"w": (7, 5)})
    model.functions.append(own)
    model.opset_import.append(helper.make_opsetid("local", 1))
    assert size_of(model) == SizeOfNetwork(70, 35, 140)


def test_data_of_weights_are_not_needed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    model = build([node("MatMul", ["x", "w"])], {"x": [2, 64]}, {"w": rng.random((64, 64), np.float32)})
    onnx.save(model, str(tmp_path / "m.onnx"), save_as_external_data=True, location="m.data", size_threshold=0)
    (tmp_path / "m.data").unlink()
    light = onnx.load(str(tmp_path / "m.onnx"), load_external_data=False)
    assert size_of(light) == SizeOfNetwork(2 * 64 * 64, 4096, 4 * 4096)


def test_a_network_of_more_than_two_gigabytes_has_a_size() -> None:
    side = 30_000  # 3.6 GB of float32 that nobody stores
    weights = TensorProto(name="w", data_type=FLOAT, dims=[side, side], data_location=TensorProto.EXTERNAL)
    weights.external_data.add(key="location", value="m.data")
    model = build([node("MatMul", ["x", "w"])], {"x": [1, side]})
    model.graph.initializer.append(weights)
    assert size_of(model) == SizeOfNetwork(side**2, side**2, 4 * side**2)
    assert model.graph.initializer[0].external_data[0].value == "m.data"  # it is as it was


def test_sparse_weights_count_what_is_stored() -> None:
    values = numpy_helper.from_array(np.ones(3, np.float32), "w")
    indices = numpy_helper.from_array(np.array([0, 5, 9]), "i")
    model = build([node("MatMul", ["x", "w"])], {"x": [2, 7]})
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [7, 5]))
    assert size_of(model) == SizeOfNetwork(70, 3, 3 * 4 + 3 * 8)


def test_layers_keep_the_order_and_the_names_of_the_graph() -> None:
    nodes, inputs, weights, *_ = CASES["fused convolution"]
    found = layers(build(nodes, inputs, weights))
    assert [(one.op, one.macs, one.params, one.shape) for one in found] == [
        ("FusedConv", 64 * 4 * 27, 112, (1, 4, 8, 8)),
        ("Conv", 64 * 8, 8, (1, 2, 8, 8)),
    ]


@pytest.mark.parametrize(("file", "name"), [("resnet50", "resnet50"), ("squeezenet", "squeezenet1_1")])
def test_the_same_network_of_another_exporter_has_the_same_size(file: str, name: str) -> None:
    size, known = size_of(onnx.load(str(LIGHT / f"light_{file}.onnx"))), table.info(name)
    assert (size.macs, size.params) == (known.macs, known.params)
