"""Small ONNX networks of float32 tensors, in an opset that every framework reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Shapes = Mapping[str, Sequence[int | str]]


def make_model(
    nodes: Sequence[Any], inputs: Shapes, outputs: Shapes, weights: Mapping[str, Any] | None = None
) -> onnx.ModelProto:
    """The network of these nodes. `weights`: name -> array, or nested lists."""
    values = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)) for name, shape in shapes.items()]
        for shapes in (inputs, outputs)
    ]
    tensors = [numpy_helper.from_array(np.asarray(v, np.float32), name) for name, v in (weights or {}).items()]
    graph = helper.make_graph(nodes, "g", *values, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def write_model(
    path: Path, nodes: Sequence[Any], inputs: Shapes, outputs: Shapes, weights: Mapping[str, Any] | None = None
) -> Path:
    """The same as a file; where it lies."""
    onnx.save(make_model(nodes, inputs, outputs, weights), str(path))
    return path
