"""Functions of a network's own are gone before anything is converted."""

from __future__ import annotations

from pathlib import Path

import onnx

from hwprof.networks import find
from tests import output_kinds


def test_a_network_is_written_without_functions_of_its_own(tmp_path: Path) -> None:
    network = find.resolve(str(output_kinds.write("function", tmp_path)))
    network.write(tmp_path / "network.onnx", 0)
    written = onnx.load(str(tmp_path / "network.onnx"))
    assert not written.functions
    assert {node.op_type for node in written.graph.node} == {"Conv", "Relu", "Add"}


def test_a_network_without_functions_is_written_as_it_is(tmp_path: Path) -> None:
    source = output_kinds.write("timefirst", tmp_path)
    network = find.resolve(str(source))
    network.write(tmp_path / "network.onnx", 0)
    assert onnx.load(str(tmp_path / "network.onnx")) == onnx.load(str(source))
