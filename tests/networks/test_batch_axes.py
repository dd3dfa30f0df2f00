"""The axis of an output on which the images of a batch lie."""

from __future__ import annotations

from typing import Any

import pytest
from onnx import helper

from hwprof.networks.batch_axes import batch_axes
from hwprof.networks.inputs import TensorSpec
from tests import output_kinds
from tests.onnx_models import make_model


def axes_of(model: Any) -> dict[str, int | None]:
    """Of a model whose only input has its batch first."""
    return batch_axes(model, [TensorSpec(model.graph.input[0].name, (1,))])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("timefirst", {"y": 1}),
        ("timefirst_unnamed", {"y": 1}),
        ("two_outputs_same", {"late": 0, "early": 0}),
        ("scalar_out", {"y": None}),
        ("nonzero", {}),  # 4 rows, and nobody knows how many columns
        ("classes", {"class": 0, "score": 0}),
    ],
)
def test_the_batch_is_found_by_its_name_or_by_what_follows_it(kind: str, expected: dict[str, Any]) -> None:
    assert axes_of(output_kinds.KINDS[kind]()) == expected


def test_a_batch_of_one_that_is_written_into_the_graph_is_no_error() -> None:
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["y"])]
    model = make_model(nodes, {"x": ["N", 2, 3]}, {"y": [1, 6]})
    model.graph.initializer.append(helper.make_tensor("shape", 7, [2], [1, 6]))
    assert axes_of(model) in ({}, {"y": None})


def test_a_fixed_batch_is_found_as_an_open_one_is() -> None:
    nodes = [helper.make_node("Transpose", ["x"], ["y"], perm=[1, 0])]
    assert axes_of(make_model(nodes, {"x": [4, 4]}, {"y": [4, 4]})) == {"y": 1}
