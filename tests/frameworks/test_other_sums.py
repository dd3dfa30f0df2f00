"""A network in FP32 that amplifies roundings: what sums in another order do to it is allowed, and nothing more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from hwprof.frameworks import fidelity, named_outputs, outputs_file, reference
from hwprof.frameworks.roundings import TERMS, terms, with_other_sums
from hwprof.networks import find
from hwprof.records import Agreement, Fidelity
from tests.onnx_models import write_model

WIDTH, OUTPUT = 256, "y"
RNG = np.random.default_rng(3)
NEARLY_ONE = 1 + 1e-3 * RNG.standard_normal((WIDTH, WIDTH)).astype(np.float32)


def plain(folder: Path) -> Path:
    """A matrix product of random signs."""
    return write_model(
        folder / "plain.onnx",
        [helper.make_node("MatMul", ["x", "w"], [OUTPUT])],
        {"x": (1, WIDTH)},
        {OUTPUT: (1, WIDTH)},
        {"w": RNG.standard_normal((WIDTH, WIDTH)) / 16},
    )


def cancelling(folder: Path) -> Path:
    """The difference of two large sums that are nearly equal."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["large"]),
        helper.make_node("MatMul", ["x", "v"], ["alike"]),
        helper.make_node("Sub", ["large", "alike"], [OUTPUT]),
    ]
    weights = {"w": NEARLY_ONE, "v": NEARLY_ONE + 1e-5 * RNG.random((WIDTH, WIDTH))}
    return write_model(folder / "cancelling.onnx", nodes, {"x": (1, WIDTH)}, {OUTPUT: (1, WIDTH)}, weights)


def undecided(folder: Path) -> Path:
    """A softmax over equal sums of a hundred million: any rounding decides which is largest."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["first"]),
        helper.make_node("MatMul", ["first", "w"], ["second"]),
        helper.make_node("Softmax", ["second"], [OUTPUT]),
    ]
    weights = {"w": np.full((WIDTH, WIDTH), 50)}
    return write_model(folder / "undecided.onnx", nodes, {"x": (1, WIDTH)}, {OUTPUT: (1, WIDTH)}, weights)


class Judge:
    """A file with its reference, and with its sums in another order where that makes a difference."""

    def __init__(self, file: Path) -> None:
        network = find.resolve(str(file))
        self.model, self.path = onnx.load(str(file)), file.parent / outputs_file.NAME
        self.frames = [[RNG.random((1, WIDTH), np.float32)] for _ in range(4)]
        spec = network.input_spec(None, 1)
        reference.write_reference(file, spec, self.frames, self.path)
        reference.write_sums(file, spec, self.frames, self.path)
        self.other = outputs_file.load_simulated(self.path)
        self.reference = outputs_file.load(self.path)

    def judge(self, outputs: list[Any]) -> Fidelity:
        allowed, by_roundings = fidelity.tolerance("fp32"), self.other is not None
        return named_outputs.compare({OUTPUT: outputs}, self.reference, allowed, self.other, 1, by_roundings)

    def in_double_precision(self) -> list[Any]:
        """The outputs by sums that are not rounded to FP32: as right as the reference's."""
        weights = {t.name: onnx.numpy_helper.to_array(t).astype(np.float64) for t in self.model.graph.initializer}
        return [image[0].astype(np.float64) @ (weights["w"] - weights["v"]) for image in self.frames]


def test_what_sums_do_to_an_ordinary_network_allows_no_more_than_fp32(tmp_path: Path) -> None:
    judge = Judge(plain(tmp_path))
    assert judge.other is None
    outputs: list[Any] = list(judge.reference.outputs[OUTPUT])
    assert judge.judge(outputs).faithful
    assert judge.judge([y * 1.01 for y in outputs]).unfaithful


def test_a_difference_of_large_sums_is_allowed_what_their_order_does(tmp_path: Path) -> None:
    judge = Judge(cancelling(tmp_path))
    assert judge.other is not None
    found = judge.judge(judge.in_double_precision())
    assert found.max_rel is not None
    assert found.max_rel > fidelity.tolerance("fp32")
    assert found.faithful


def test_a_wrong_output_of_a_network_that_amplifies_roundings_is_found(tmp_path: Path) -> None:
    judge = Judge(cancelling(tmp_path))
    outputs = judge.in_double_precision()
    assert judge.judge([y * 1.5 for y in outputs]).unfaithful
    assert judge.judge([np.zeros_like(y) for y in outputs]).unfaithful


def test_outputs_that_roundings_alone_decide_are_not_comparable(tmp_path: Path) -> None:
    judge = Judge(undecided(tmp_path))
    one_hot = [np.eye(1, WIDTH, k=7) for _ in judge.frames]
    found = judge.judge(one_hot)
    assert found.agreement is Agreement.INCOMPARABLE
    assert "roundings alone" in found.parts[0].why


@pytest.mark.parametrize(
    ("node", "shape", "count"),
    [
        (helper.make_node("Conv", ["x", "w"], ["y"]), (32, 8, 3, 3), 72),
        (helper.make_node("ConvTranspose", ["x", "w"], ["y"]), (32, 8, 3, 3), 288),
        (helper.make_node("Gemm", ["x", "w"], ["y"]), (100, 10), 100),
        (helper.make_node("Gemm", ["x", "w"], ["y"], transB=1), (10, 100), 100),
        (helper.make_node("MatMul", ["x", "w"], ["y"]), (4, 100, 10), 100),
        (helper.make_node("MatMul", ["x", "other"], ["y"]), (100, 10), TERMS),
        (helper.make_node("MatMul", ["x", "w"], ["y"]), (100,), TERMS),
    ],
)
def test_products_that_a_sum_adds_up(node: Any, shape: tuple[int, ...], count: int) -> None:
    assert terms(node, {"w": shape}) == count


def test_nothing_but_sums_is_disturbed(tmp_path: Path) -> None:
    """A length or an index that is computed in FP32 stays what it is."""
    path = write_model(
        tmp_path / "rounded.onnx",
        [helper.make_node("Floor", ["x"], ["f"]), helper.make_node("Relu", ["f"], [OUTPUT])],
        {"x": (1, 4)},
        {OUTPUT: (1, 4)},
    )
    model = onnx.load(str(path))
    assert [node.op_type for node in with_other_sums(model).graph.node] == ["Floor", "Relu"]
