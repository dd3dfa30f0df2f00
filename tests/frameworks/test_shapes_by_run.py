"""Shapes that no inference tells come from a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from hwprof.errors import UnsupportedModel
from hwprof.frameworks.shapes_by_run import shapes_by_run
from hwprof.networks.size import missing_shapes, size_of


def write(folder: Path) -> Path:
    """Rows of x that are positive at their first place, times a matrix whose data lie in a file of their own."""
    nodes = [
        helper.make_node("Gather", ["x", "zero"], ["column"], axis=1),
        helper.make_node("Greater", ["column", "low"], ["mask"]),
        helper.make_node("Compress", ["x", "mask"], ["rows"], axis=0),
        helper.make_node("MatMul", ["rows", "w"], ["y"]),
    ]
    weights = {
        "w": np.ones((4, 1000), np.float32),
        "zero": np.array(0, np.int64),
        "low": np.array(0, np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["found", 1000])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(folder / "m.onnx"), save_as_external_data=True, location="m.data", size_threshold=1024)
    return folder / "m.onnx"


def test_what_depends_on_the_data_is_found_by_running(tmp_path: Path) -> None:
    source = write(tmp_path)
    model = onnx.load(str(source), load_external_data=False)
    assert size_of(model, 5).macs is None
    assert missing_shapes(model, 5) == ("rows", "y")
    x = np.array([[1, 0, 0, 0], [-1, 0, 0, 0], [2, 0, 0, 0]], np.float32)
    known = shapes_by_run(source, {"x": x})
    assert known == {"rows": (2, 4), "y": (2, 1000)}
    size = size_of(model, inputs={"x": x.shape}, known=known)
    assert (size.macs, size.params, size.unknown) == (2 * 4 * 1000, 4000, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.data", "m.onnx"]


def test_nothing_runs_where_nothing_is_missing(tmp_path: Path) -> None:
    source = write(tmp_path)
    (tmp_path / "m.data").unlink()  # no run could load it
    model = onnx.load(str(source), load_external_data=False)
    del model.graph.node[2]
    model.graph.node[2].input[0] = "x"
    onnx.save(model, str(source))
    assert shapes_by_run(source, {"x": np.zeros((3, 4), np.float32)}) == {}


def test_a_network_that_cannot_run_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path)
    (tmp_path / "m.data").unlink()
    with pytest.raises(UnsupportedModel, match="can't load the network"):
        shapes_by_run(source, {"x": np.zeros((3, 4), np.float32)})
