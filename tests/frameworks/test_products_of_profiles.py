"""Profiles of transformers and recurrent networks that name no node: sizes lead to the products, the rest goes on."""

from __future__ import annotations

from typing import Any

import pytest

from hwprof.analysis.layers import NetworkNode, locate_steps, mismatch, owners
from hwprof.frameworks.litert.graph import FileOperator, family_of, locate_events, operators_of, sources
from hwprof.frameworks.litert.profile import steps_of
from hwprof.frameworks.ncnn import profile as ncnn
from hwprof.frameworks.ncnn.pnnx import lines
from hwprof.frameworks.protocol import Step

# After real conversions of bert_mini, vit_tiny and gru_keywords, shortened.
PARAM = """7767517
9 9
Gemm                     gemm_4                   1 1 a b 10=4 2=0 3=1 4=0 5=1 6=1 7=128 8=1024 9=256
GELU                     gelu_24                  1 1 b c
MatMul                   matmul_75                2 1 26 22 27
MultiHeadAttention       attention_64             1 1 9 10 0=192 1=3 2=36864 3=192 4=192
MultiHeadAttention       attention_65             2 1 9 8 10 0=192 1=3 2=36864 3=192 4=192
GRU                      gru_0                    2 1 in0 2 4 0=128 1=15360 2=0
LSTM                     lstm_0                   1 1 in0 4 0=64 1=10240 2=2
"""
GEMM, GELU, MATMUL, ATTENTION, CROSS, GRU, LSTM = lines(PARAM)
DENSE = "Fully Connected (NC, F32) GEMM"
BETWEEN = "Batch Matrix Multiply (NC, F32) GEMM"


@pytest.mark.parametrize(
    ("layer", "elements", "form"),
    [
        (GEMM, 131072, (262144, 131072)),
        (MATMUL, 32768, (0, 32768)),
        (GRU, 12544, (49152, 12544)),  # 3 gates of 128 x 128, more than the 3 x 128 x 40 of the input
        (LSTM, 640, (32768, 640)),  # in two directions
    ],
)
def test_layers_of_ncnn_have_the_sizes_of_their_nodes(layer: Any, elements: int, form: tuple[int, ...]) -> None:
    assert ncnn.form(layer, elements) == form
    assert ncnn.parts(layer, elements) == ()


def test_a_self_attention_of_ncnn_stands_for_its_six_products() -> None:
    elements, scores = 197 * 192, 3 * 197 * 197
    product = ("MatMul", (36864, elements))
    assert ncnn.parts(ATTENTION, elements) == (
        *[product] * 4,
        ("MatMul", (0, scores)),
        ("MatMul", (0, elements)),
    )
    assert ncnn.parts(CROSS, elements) == ()  # how long the other sequence is, is not known


def dense(name: str, source: str, weights: int = 9) -> NetworkNode:
    return NetworkNode(name, "MatMul", (source, f"{name}.w"), (name,), 10, (weights, 4))


def test_a_step_of_several_products_takes_all_of_them_and_what_lies_between() -> None:
    nodes = [
        dense("query", "x"),
        dense("key", "x"),
        NetworkNode("scores", "MatMul", ("query", "key"), ("scores",), 5, (0, 2)),
        NetworkNode("shares", "Softmax", ("scores",), ("shares",), 0, (2,)),
        dense("next", "shares", 8),
    ]
    parts = (("MatMul", (9, 4)), ("MatMul", (9, 4)), ("MatMul", (0, 2)))
    steps = [Step("attention", "", 3.0, parts=parts), Step("gemm", "", 1.0, kind="Gemm", form=(8, 4))]
    assert owners(nodes, steps) == [("query", "key", "scores", "shares"), ("next",)]
    assert [layer.macs for layer in locate_steps(nodes, steps)] == [25, 10]
    assert mismatch(nodes, steps) == ""


def test_an_addition_goes_with_the_later_of_its_inputs() -> None:
    """A residual can't be added before the branch has been computed."""
    nodes = [
        dense("stem", "x"),
        dense("branch", "stem", 8),
        NetworkNode("sum", "Add", ("stem", "branch"), ("sum",), 0, (4,)),
    ]
    steps = [Step("s", "", 1.0, kind="Gemm", form=(9, 4)), Step("b", "", 1.0, kind="Gemm", form=(8, 4))]
    assert owners(nodes, steps) == [("stem",), ("branch", "sum")]


def test_steps_that_cannot_be_attributed_say_why() -> None:
    nodes = [dense("a", "x"), dense("b", "a", 8)]
    one = Step("s", "", 1.0, kind="Gemm", form=(9, 4))
    assert mismatch(nodes, [one]) == "its profile has 1 product (convolution, matrix product), the network 2"
    assert "different sizes" in mismatch(nodes, [one, one])
    assert mismatch(nodes, [Step("s", "op", 1.0, ("a",)), Step("t", "op", 1.0, ("b",))]) == ""


# Tensors of the file below: 0 is the input, 20 to 22 are weights.
DETAILS: list[dict[str, Any]] = [
    {"op_name": "MUL", "inputs": [0, 0], "outputs": [1]},
    {"op_name": "MEAN", "inputs": [1, 30], "outputs": [2]},
    {"op_name": "MUL", "inputs": [0, 2], "outputs": [3]},
    {"op_name": "FULLY_CONNECTED", "inputs": [3, 20, 21], "outputs": [4]},
    {"op_name": "TRANSPOSE", "inputs": [4, 31], "outputs": [5]},
    {"op_name": "BATCH_MATMUL", "inputs": [5, 4], "outputs": [6]},
    {"op_name": "BATCH_MATMUL", "inputs": [6, 22], "outputs": [7]},
    {"op_name": "ADD", "inputs": [0, 7], "outputs": [8]},
]
SHAPES = {0: [4, 8], 1: [4, 8], 2: [4, 1], 3: [4, 8], 4: [4, 6], 5: [6, 4], 6: [6, 6], 7: [6, 3], 8: [6, 3]}
OPERATORS = operators_of(DETAILS, {**SHAPES, 20: [6, 8], 21: [6], 22: [6, 3]}, [0])
# XNNPACK squares within the mean, and copies before it adds.
EVENTS = [
    "Mean Squared (ND) Reduce2",
    "Multiply (ND)",
    DENSE,
    "Transpose (ND, X32) Transpose",
    BETWEEN,
    BETWEEN,
    "Static Reshape (NC)",
    "Add (ND)",
]


def test_products_of_a_file_have_weights_or_two_activations() -> None:
    forms = [one.form for one in OPERATORS if one.name in ("FULLY_CONNECTED", "BATCH_MATMUL")]
    assert forms == [(48, 24), (0, 36), (18, 18)]


def test_events_are_operators_of_the_file_but_for_those_added_or_joined() -> None:
    places = locate_events(EVENTS, OPERATORS)
    assert places == [1, 2, 3, 4, 5, 6, None, 7]
    assert sources(places, OPERATORS) == [None, 0, 1, 2, 3, 4, None, 5]


def test_an_event_goes_on_with_what_an_operator_without_one_is_made_of() -> None:
    chain = [FileOperator(name, (n,), (n + 1,), (4,)) for n, name in enumerate(("SOFTMAX", "RESHAPE", "GELU"))]
    assert sources([0, 2], chain) == [None, 0]


def test_the_longest_name_of_an_event_decides() -> None:
    assert family_of("Square Root (NC)") == "SQRT"
    assert family_of("Squared Difference (ND)") == "SQUARED_DIFFERENCE"
    assert family_of("DEPTHWISE_CONV_2D") == "CONV_2D"
    assert family_of("WHILE") == "WHILE"


def test_steps_of_a_file_have_its_sizes_where_every_kind_has_its_operator() -> None:
    trace = [(tag, 8, 2) for tag in EVENTS]
    steps = steps_of([trace], OPERATORS)
    assert [step.form for step in steps if step.kind in ("Conv", "MatMul")] == [(48, 24), (0, 36), (18, 18)]
    assert [step.into for step in steps] == [None, 0, 1, 2, 3, 4, None, 5]
    unknown = steps_of([[*trace, ("Softmax (NC, F32)", 8, 1)]], OPERATORS)
    assert {step.form for step in unknown} == {None}


def test_a_loop_of_litert_is_counted_by_what_runs_in_it() -> None:
    steps = steps_of([[("WHILE", 2, 9), (DENSE, 8, 4), ("ADD", 2, 3)]])
    assert [(step.op, step.ns) for step in steps] == [(DENSE, 4e3), ("ADD", 3e3)]
