"""Compulsory traffic of a graph whose tensors can be counted on fingers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from hwprof.networks import traffic
from tests.onnx_models import make_model


def model(known: bool = True) -> onnx.ModelProto:
    """1x3x8x8 -> 3x3 convolution to 4 channels (288 - 4 sides kept) -> ReLU -> flat -> 2 classes."""
    weights = {"w": np.zeros((4, 3, 3, 3)), "g": np.zeros((256, 2))}
    side = 8 if known else "side"
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("Flatten", ["r"], ["f"]),
        helper.make_node("Gemm", ["f", "g"], ["y"]),
    ]
    return make_model(nodes, {"x": ["n", 3, side, side]}, {"y": ["n", 2]}, weights)


def test_every_computing_layer_reads_and_writes_once() -> None:
    found = traffic.traffic(model())
    assert found is not None
    assert found.weights == 108 + 512
    assert found.activations == (3 * 64 + 4 * 64) + (256 + 2)
    assert (found.layers, found.largest) == (2, 7 * 64)
    assert found.bytes(2) == 2 * (620 + 706)
    assert found.footprint() == 4 * (620 + 448)


def test_activations_grow_with_the_batch_and_weights_do_not() -> None:
    one, four = traffic.traffic(model()), traffic.traffic(model(), 4)
    assert one is not None
    assert four is not None
    assert (four.weights, four.activations) == (one.weights, 4 * one.activations)


def test_unknown_shapes_are_unknown_and_not_zero() -> None:
    assert traffic.traffic(model(known=False)) is None


def test_recurrent_and_quantised_layers_move_data_too() -> None:
    nodes = [
        helper.make_node("LSTM", ["x", "w", "r"], ["o", "", ""], hidden_size=4),
        helper.make_node("DequantizeLinear", ["q", "s"], ["d"]),
        helper.make_node("MatMul", ["o", "d"], ["y"]),
    ]
    weights = {"w": np.zeros((1, 16, 3)), "r": np.zeros((1, 16, 4)), "s": np.ones(())}
    quantised = onnx.numpy_helper.from_array(np.zeros((4, 2), np.int8), "q")
    one = make_model(nodes, {"x": [5, "n", 3]}, {"y": [5, 1, "n", 2]}, weights)
    one.graph.initializer.append(quantised)
    found = traffic.traffic(one, inputs={"x": [5, 2, 3]})
    assert found is not None
    assert found.weights == 16 * 7 + 8
    assert found.activations == 5 * 2 * (3 + 4) + 5 * 2 * (4 + 2)
    assert found.layers == 2


def test_an_operator_that_is_not_known_makes_traffic_unknown() -> None:
    one = make_model([helper.make_node("Magic", ["x"], ["y"], domain="acme")], {"x": [2, 3]}, {"y": [2, 3]})
    one.opset_import.append(helper.make_opsetid("acme", 1))
    assert traffic.traffic(one) is None


def test_built_in_networks_have_facts_and_strangers_have_none(tmp_path: Path) -> None:
    found = traffic.facts([("tiny_cnn", 32, ""), ("a_network_of_old", 224, "")])
    assert list(found) == [("tiny_cnn", 32, "")]
    assert found["tiny_cnn", 32, ""]["layers"] >= 3
    assert traffic.of_network(str(tmp_path / "none.onnx"), 8) is None


@pytest.mark.parametrize("size", [32, 64])
def test_activations_follow_the_size(size: int) -> None:
    found = traffic.of_network("tiny_cnn", size)
    small = traffic.of_network("tiny_cnn", 32)
    assert found is not None
    assert small is not None
    assert found.activations >= small.activations * (size / 32) ** 2 * 0.9
