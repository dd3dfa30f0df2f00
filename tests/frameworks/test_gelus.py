"""GELU by the error function is one operator in whatever order its factors are written, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from hwprof.frameworks.gelus import join_gelus
from hwprof.frameworks.walk import OnnxGraph
from tests.input_kinds import model, value
from tests.output_kinds import node

ANY: Any = type("Any", (dict,), {"__contains__": lambda self, name: True})()
NUMBERS = {"r": np.float32(2**0.5), "i": np.float32(0.5**0.5), "one": np.float32(1), "half": np.float32(0.5)}
BEGIN = [node("Div", ["x", "r"], "d"), node("Erf", ["d"], "e"), node("Add", ["e", "one"], "a")]
FORMS = {
    "last": [*BEGIN, node("Mul", ["x", "a"], "m"), node("Mul", ["m", "half"], "y")],
    "second": [*BEGIN, node("Mul", ["a", "half"], "m"), node("Mul", ["m", "x"], "y")],
    "first": [*BEGIN, node("Mul", ["half", "x"], "h"), node("Mul", ["h", "a"], "y")],
    "product": [
        node("Mul", ["x", "i"], "d"),
        node("Erf", ["d"], "e"),
        node("Add", ["one", "e"], "a"),
        node("Mul", ["a", "x"], "m"),
        node("Mul", ["half", "m"], "y"),
    ],
}


def joined(path: Path, nodes: list[Any], *outputs: str) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    made = model(nodes, [value("x", (2, 4))], [value(name, (2, 4)) for name in outputs or ("y",)], NUMBERS)
    onnx.save(made, str(path / "n.onnx"))
    graph = OnnxGraph(path / "n.onnx", "F", ANY)
    return [(n.op, n.inputs, n.outputs) for n in join_gelus(graph.nodes, graph.constants, graph.results)]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_one_operator(form: str, tmp_path: Path) -> None:
    assert joined(tmp_path, FORMS[form]) == [("Gelu", ("x",), ("y",))]


def test_a_part_that_is_wanted_elsewhere_keeps_its_nodes(tmp_path: Path) -> None:
    assert len(joined(tmp_path, FORMS["last"], "y", "e")) == 5
    assert len(joined(tmp_path, [*FORMS["last"], node("Relu", ["a"], "z")], "y", "z")) == 6


def test_what_only_looks_like_it_is_left_alone(tmp_path: Path) -> None:
    other = [*BEGIN, node("Mul", ["x", "a"], "m"), node("Mul", ["m", "one"], "y")]
    assert "Gelu" not in [op for op, _, _ in joined(tmp_path, other)]
    turned = [node("Div", ["r", "x"], "d"), *FORMS["last"][1:]]
    assert "Gelu" not in [op for op, _, _ in joined(tmp_path, turned)]
