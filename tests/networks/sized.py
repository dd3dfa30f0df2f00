"""Small graphs whose size is to be counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT8, UINT8, INT32, INT64 = (
    TensorProto.FLOAT,
    TensorProto.INT8,
    TensorProto.UINT8,
    TensorProto.INT32,
    TensorProto.INT64,
)
MS = "com.microsoft"
LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"


def node(op: str, inputs: Sequence[str], output: str = "y", **attributes: Any) -> Any:
    """One of one output."""
    return helper.make_node(op, list(inputs), [output], name=f"n_{output}", **attributes)


def build(
    nodes: Sequence[Any],
    inputs: Mapping[str, Sequence[int | str]],
    weights: Mapping[str, Any] | None = None,
    opset: int = 17,
    outputs: Sequence[str] = ("y",),
) -> onnx.ModelProto:
    """A network of float inputs; weights are zeros of a shape (a tuple), or arrays."""
    values = {n: np.zeros(v, np.float32) if isinstance(v, tuple) else v for n, v in (weights or {}).items()}
    tensors = [numpy_helper.from_array(value, name) for name, value in values.items()]
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info(name, FLOAT, list(shape)) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, FLOAT, None) for name in outputs],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid(MS, 1)])


def zeros(shape: Sequence[int], kind: str = "int8") -> Any:
    return np.zeros(tuple(shape), kind)
