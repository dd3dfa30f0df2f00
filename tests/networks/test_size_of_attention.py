"""MACs of attention: projections, keys of the past, few key heads, the forms of ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from hwprof.networks.size import SizeOfNetwork, size_of
from tests.networks.sized import MS, build, node


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
