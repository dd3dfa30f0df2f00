"""Parameters of whole networks: what is one, what is not, and where their data may lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hwprof.networks import table
from hwprof.networks.size import SizeOfNetwork, size_of
from tests.networks.sized import FLOAT, LIGHT, build, node
from tests.onnx_models import make_model


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


@pytest.mark.parametrize(("file", "name"), [("resnet50", "resnet50"), ("squeezenet", "squeezenet1_1")])
def test_the_same_network_of_another_exporter_has_the_same_size(file: str, name: str) -> None:
    size, known = size_of(onnx.load(str(LIGHT / f"light_{file}.onnx"))), table.info(name)
    assert (size.macs, size.params) == (known.macs, known.params)
