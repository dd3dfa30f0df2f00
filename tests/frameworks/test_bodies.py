"""Bodies of If and Loop round as the graph around them does: other roundings and other sums reach them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from hwprof.frameworks import outputs_file, reference
from hwprof.frameworks.roundings import graphs_within, with_other_roundings, with_other_sums
from hwprof.networks import find
from tests.onnx_models import make_model

WIDTH, OUTPUT = 64, "y"
RNG = np.random.default_rng(5)
WEIGHTS = {
    "w": 1 + 1e-3 * RNG.standard_normal((WIDTH, WIDTH)).astype(np.float32),
    "zero": np.array(0.0),
}
WEIGHTS["v"] = WEIGHTS["w"] + 1e-5 * RNG.random((WIDTH, WIDTH)).astype(np.float32)
IN_A_BODY = ("If", "Loop", "Loop in If")


def value(name: str, kind: int = TensorProto.FLOAT, shape: Sequence[int] = (1, WIDTH)) -> Any:
    return helper.make_tensor_value_info(name, kind, list(shape))


def difference(source: str, target: str, suffix: str) -> list[Any]:
    """The difference of two large sums that are nearly equal: it amplifies roundings."""
    return [
        helper.make_node("MatMul", [source, "w"], [f"large{suffix}"]),
        helper.make_node("MatMul", [source, "v"], [f"alike{suffix}"]),
        helper.make_node("Sub", [f"large{suffix}", f"alike{suffix}"], [target]),
    ]


def steps(source: str, target: str, suffix: str) -> list[Any]:
    """Quantised and back, in steps of 1/16."""
    return [
        helper.make_node("QuantizeLinear", [source, "step"], [f"integers{suffix}"]),
        helper.make_node("DequantizeLinear", [f"integers{suffix}", "step"], [target]),
    ]


def loop(make: Any, target: str) -> list[Any]:
    """`make` in the body of a loop of one pass."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go_in"], ["go_out"]), *make("state_in", "state_out", "_in_loop")],
        "body",
        [value("pass", TensorProto.INT64, ()), value("go_in", TensorProto.BOOL, ()), value("state_in")],
        [value("go_out", TensorProto.BOOL, ()), value("state_out")],
    )
    return [helper.make_node("Loop", ["once", "", "x"], [target], body=body)]


def branches(make: Any) -> list[Any]:
    """`make` where the input's sum is positive, as it is."""
    then = helper.make_graph(make("then_out"), "then", [], [value("then_out")])
    other = helper.make_graph([helper.make_node("Neg", ["x"], ["else_out"])], "other", [], [value("else_out")])
    return [
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Greater", ["sum", "zero"], ["is_positive"]),
        helper.make_node("If", ["is_positive"], [OUTPUT], then_branch=then, else_branch=other),
    ]


def model_of(kind: str, make: Any) -> Any:
    """`make` in a body of this kind, or in the main graph ("")."""
    nodes_of: dict[str, Callable[[], list[Any]]] = {
        "": lambda: make("x", OUTPUT, ""),
        "If": lambda: branches(lambda target: make("x", target, "_in_then")),
        "Loop": lambda: loop(make, OUTPUT),
        "Loop in If": lambda: branches(lambda target: loop(make, target)),
    }
    model = make_model(nodes_of[kind](), {"x": (1, WIDTH)}, {OUTPUT: (1, WIDTH)}, {**WEIGHTS, "step": np.array(1 / 16)})
    model.graph.initializer.append(numpy_helper.from_array(np.array(1, np.int64), "once"))
    onnx.checker.check_model(model)
    return model


def run(model: Any, image: Any) -> Any:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": image})[0]


@pytest.mark.parametrize("kind", IN_A_BODY)
def test_what_another_order_of_sums_does_in_a_body_is_allowed(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "body.onnx"
    onnx.save(model_of(kind, difference), str(file))
    frames = [[RNG.random((1, WIDTH), np.float32)] for _ in range(2)]
    spec, path = find.resolve(str(file)).input_spec(None, 1), tmp_path / outputs_file.NAME
    reference.write_reference(file, spec, frames, path)
    reference.write_sums(file, spec, frames, path)
    assert outputs_file.load_simulated(path) is not None


@pytest.mark.parametrize("kind", IN_A_BODY)
def test_integers_within_a_body_are_moved_by_a_step_as_those_outside(kind: str) -> None:
    image = RNG.random((1, WIDTH), np.float32)
    plain = model_of(kind, steps)
    moved = np.round((run(with_other_roundings(plain), image) - run(plain, image)) * 16)
    assert {-1, 0, 1} == set(moved.ravel().tolist())


@pytest.mark.parametrize("kind", ["", *IN_A_BODY])
def test_every_sum_of_a_model_is_disturbed_wherever_it_lies(kind: str) -> None:
    model = with_other_sums(model_of(kind, difference))
    onnx.checker.check_model(model)
    operators = [node.op_type for graph in graphs_within(model.graph) for node in graph.node]
    assert (operators.count("MatMul"), operators.count("RandomUniformLike")) == (2, 2)
