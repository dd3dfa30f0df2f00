"""On which axis of each output of a network the images of a batch lie. Pure; onnx only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hwprof.networks.inputs import TensorSpec

# Two sizes of a batch that are no multiples of each other: an axis that follows both is the batch's.
SIZES = (2, 3)


def batch_axes(model: Any, inputs: Sequence[TensorSpec]) -> dict[str, int | None]:
    """Output -> its batch axis, None: it has none; outputs of which the graph does not tell are left out.

    By the name that the batch of an input and an axis of the output have in common; where there is none, by inferring
    the output's shape for two sizes of the batch. Without a batch no output has an axis for it.
    """
    axes = {one.name: one.batch_axis for one in inputs if one.batch_axis is not None}
    if not axes:
        return dict.fromkeys((output.name for output in model.graph.output), None)
    values = {value.name: value for value in model.graph.input}
    symbols = {values[name].type.tensor_type.shape.dim[axis].dim_param for name, axis in axes.items()} - {""}
    found: dict[str, int | None] = {}
    for output in model.graph.output:
        names = [dim.dim_param for dim in output.type.tensor_type.shape.dim]
        if places := [names.index(symbol) for symbol in sorted(symbols) if symbol in names]:
            found[output.name] = places[0]
    if len(found) == len(model.graph.output):
        return found
    small, large = (output_shapes(model, axes, size) for size in SIZES)
    for name in small:
        if name in found or small[name] is None or large.get(name) is None:
            continue
        pairs = list(zip(small[name] or (), large[name] or (), strict=False))
        following = [i for i, (a, b) in enumerate(pairs) if a and b and a != b and a * SIZES[1] == b * SIZES[0]]
        if following:
            found[name] = following[0]
        elif all(a and b for a, b in pairs):
            found[name] = None
    return found


def output_shapes(model: Any, axes: Mapping[str, int], batch: int) -> dict[str, list[int] | None]:
    """Output -> its shape for a batch, 0 for an axis that is not known; None: not even their number is.

    `axes`: input -> its batch axis.
    """
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for value in copy.graph.input:
        if value.name in axes:
            value.type.tensor_type.shape.dim[axes[value.name]].dim_value = batch
    del copy.graph.value_info[:]
    for output in copy.graph.output:
        if output.type.HasField("tensor_type"):
            output.type.tensor_type.ClearField("shape")
    try:
        inferred = onnx.shape_inference.infer_shapes(copy, data_prop=True)
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError):  # a batch that the graph has written in
        return {}
    return {output.name: shape_of(output.type) for output in inferred.graph.output}


def shape_of(kind: Any) -> list[int] | None:
    """The shape of a tensor's type; None where there is none."""
    if not kind.HasField("tensor_type") or not kind.tensor_type.HasField("shape"):
        return None
    return [dim.dim_value for dim in kind.tensor_type.shape.dim]
