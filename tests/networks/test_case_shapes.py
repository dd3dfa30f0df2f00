"""The way back from a case's recorded shape to the inputs of its network."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import helper

from hwprof.networks import find, traffic
from hwprof.networks.case_shapes import network_of_shape, shapes_of
from hwprof.networks.inputs import OpenInput
from tests.onnx_models import write_model

IDS, MASK = OpenInput("ids", ("batch", "length"), "int64"), OpenInput("mask", ("batch", "length"))
CACHE = [OpenInput(f"past_{n}", (2, "batch", 8), batch_axis=1) for n in range(3)]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ("ids 128 int64, mask 128", (("ids", (1, 128)), ("mask", (1, 128)))),
        ("past_0 ... past_2 2x8", tuple((f"past_{n}", (2, 1, 8)) for n in range(3))),
        ("128", (("ids", (1, 128)),)),
        ("ids scalar", (("ids", (1,)),)),
        ("other 128", ()),
        ("mask ... ids 128", ()),
        ("a square image", ()),
    ],
)
def test_shapes_are_read_back_with_a_batch_of_one(shape: str, expected: object) -> None:
    assert shapes_of([IDS, MASK, *CACHE], shape) == expected


def test_a_built_in_network_has_its_own_shape_only() -> None:
    bert = find.resolve("bert_mini")
    own = bert.input_spec(None, 1).frame
    assert network_of_shape(bert, own) == bert
    assert network_of_shape(bert, own.replace("128", "64")) is None
    assert traffic.of_network("bert_mini", 0, shape=own) is not None


@pytest.mark.parametrize(("batch", "frames"), [("n", 1), (4, 4)])
def test_traffic_of_a_users_shape_is_per_frame(tmp_path: Path, batch: str | int, frames: int) -> None:
    path = write_model(
        tmp_path / "product.onnx",
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        {"x": (batch, "length", 16)},
        {"y": (batch, "length", 8)},
        {"w": [[0.0] * 8] * 16},
    )
    network = find.resolve(str(path))
    assert network.fixed_batch == (None if frames == 1 else frames)
    found = traffic.of_network(str(path), 0, shape="10x16")
    assert found is not None
    assert (found.weights, found.activations, found.largest) == (128, 10 * 24, 10 * 24)
    assert traffic.of_network(str(path), 0, shape="10x17") is None
