"""The node that a framework refuses is found by converting parts of the network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from hwprof.cli import main
from hwprof.studies.matrix.culprit import Parts
from tests.conftest import AddFramework
from tests.onnx_models import make_model

FLOAT = TensorProto.FLOAT


def branched() -> Any:
    """input -> a -> (b1 -> b2 -> b3), (c1 -> c2) -> add -> end; a constant beside."""
    node = helper.make_node
    nodes = [
        node("Relu", ["input"], ["a"], name="a"),
        node("Sigmoid", ["a"], ["b1"], name="b1"),
        node("Tanh", ["a"], ["c1"], name="c1"),
        node("Relu", ["b1"], ["b2"], name="b2"),
        node("Abs", ["c1"], ["c2"], name="c2"),
        node("Neg", ["b2"], ["b3"], name="b3"),
        node("Neg", ["w"], ["constant"], name="constant"),
        node("Add", ["b3", "c2"], ["sum"], name="sum"),
        node("Mul", ["sum", "constant"], ["y"]),
    ]
    return make_model(nodes, {"input": [1, 4]}, {"y": [1, 4]}, {"w": [1.0]})


@pytest.mark.parametrize("disliked", range(9))
def test_the_one_node_that_is_disliked_is_found_wherever_it_is(disliked: int) -> None:
    parts = Parts(branched())
    asked: list[int] = []

    def fails(index: int) -> bool:
        asked.append(index)
        return disliked in parts.ancestors(index)

    found = parts.culprit(fails)
    # a constant's node is refused by whoever uses it first
    assert found == (8 if disliked == 6 else disliked)
    assert len(asked) == len(set(asked))


def test_of_two_disliked_nodes_one_is_found() -> None:
    parts = Parts(branched())
    assert parts.culprit(lambda index: bool({3, 4} & set(parts.ancestors(index)))) in (3, 4)


def test_what_converts_has_no_culprit() -> None:
    assert Parts(branched()).culprit(lambda index: False) is None


def test_a_part_is_a_network_of_its_own_that_computes_that_node() -> None:
    from onnx.reference import ReferenceEvaluator

    parts, image = Parts(branched()), np.array([[-1.0, 0.0, 1.0, 2.0]], np.float32)
    part = parts.part(4)
    onnx.checker.check_model(part, full_check=True)
    assert [node.name for node in part.graph.node] == ["a", "c1", "c2"]
    assert not part.graph.initializer
    assert np.allclose(ReferenceEvaluator(part).run(None, {"input": image})[0], np.tanh(np.maximum(image, 0)))
    assert parts.title(8) == "operator Mul of node y"


def test_a_message_that_names_operator_and_node_is_believed() -> None:
    parts = Parts(branched())
    assert parts.names_node("can't convert operator Tanh of node c1")
    assert not parts.names_node("unsupported operator: Tanh")
    assert not parts.names_node("the converter made no file")


def test_the_matrix_names_what_the_framework_did_not(
    cache: Path, add_framework: AddFramework, capsys: pytest.CaptureFixture[str]
) -> None:
    add_framework("picky", Path(__file__).with_name("picky.py"))
    words = ["-f", "picky", "-n", "squeezenet1_1", "--size", "32", "--json"]
    assert main(["list", "frameworks", "--matrix", *words]) == 4
    (cell,) = json.loads(capsys.readouterr().out)["cells"]
    assert cell["failure"]["message"].startswith("no (first at operator Concat of node ")


def test_the_matrix_names_where_an_inference_fails(
    cache: Path, add_framework: AddFramework, capsys: pytest.CaptureFixture[str]
) -> None:
    add_framework("stumbling", Path(__file__).with_name("stumbling.py"))
    words = ["-f", "stumbling", "-n", "squeezenet1_1", "--size", "32", "--json"]
    assert main(["list", "frameworks", "--matrix", *words]) == 4
    (cell,) = json.loads(capsys.readouterr().out)["cells"]
    assert (cell["loads"], cell["failure"]["stage"]) == (True, "infer")
    assert "a vector is too long (first at operator Concat of node " in cell["failure"]["message"]
