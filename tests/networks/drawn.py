"""The script that draws networks, what networks are fed, and what they give."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator

from hwprof.networks import evaluate
from hwprof.networks.images import synthetic_frames
from hwprof.networks.inputs import InputSpec

TOOLS = Path(__file__).parents[2] / "tools"
sys.path.insert(0, str(TOOLS))
import draw_networks  # noqa: E402

Arrays = dict[str, np.ndarray]


def feed(spec: InputSpec, seed: int) -> Arrays:
    """The seeded values of every input, of one frame."""
    (frame,) = synthetic_frames(spec, 1, seed)
    return dict(zip((one.name for one in spec.inputs), frame, strict=True))


def run(model: onnx.ModelProto, inputs: Arrays) -> list[np.ndarray]:
    """All outputs in ONNX Runtime, one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    found: list[np.ndarray] = onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, inputs)
    return found


def run_double(model: onnx.ModelProto, inputs: Arrays) -> list[np.ndarray]:
    """All outputs by onnx's own evaluator in double precision."""
    evaluator = ReferenceEvaluator(evaluate.to_double(model), new_ops=evaluate.operators())
    double = {name: value.astype(np.float64) if value.dtype == np.float32 else value for name, value in inputs.items()}
    found: list[np.ndarray] = evaluator.run(None, double)
    return found


def fixed(model: onnx.ModelProto, spec: InputSpec) -> onnx.ModelProto:
    """A copy whose inputs have their batch, as OpenCV wants it."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for value, one in zip(copy.graph.input, spec.inputs, strict=True):
        for dim, side in zip(value.type.tensor_type.shape.dim, one.shape, strict=True):
            dim.dim_value = side
    return copy


def error(found: list[np.ndarray], right: list[np.ndarray]) -> float:
    """The largest difference as a share of the largest value of its output."""
    assert [a.shape for a in found] == [b.shape for b in right]
    shares: list[Any] = [np.abs(a - b).max() / np.abs(b).max() for a, b in zip(found, right, strict=True)]
    return float(max(shares))


__all__ = ["draw_networks", "error", "feed", "fixed", "run", "run_double"]
