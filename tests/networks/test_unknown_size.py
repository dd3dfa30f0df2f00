"""What is not understood makes a size unknown, with its reason, and never zero or a part."""

from __future__ import annotations

import pytest
from onnx import helper

from hwprof.networks.size import SizeOfNetwork, size_of
from tests.networks.sized import build, node


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
