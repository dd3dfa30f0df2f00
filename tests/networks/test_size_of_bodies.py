"""MACs of the bodies of If, Loop and Scan: what is counted, and what is said of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hwprof.networks.size import SizeOfNetwork, size_of
from tests.networks.sized import FLOAT, INT64, build, node


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
