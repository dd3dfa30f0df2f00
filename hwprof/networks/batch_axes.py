"""On which axis of each output of a network the images of a batch lie. Pure; onnx only."""

from __future__ import annotations

from typing import Any

# Two sizes of a batch that are no multiples of each other: an axis that follows both is the batch's.
SIZES = (2, 3)


def batch_axes(model: Any) -> dict[str, int | None]:
    """Output -> its batch axis, None: it has none; outputs of which the graph does not tell are left out.

    By the name that the input's first axis and an axis of the output have in common; where there is none, by inferring
    the output's shape for two sizes of the batch.
    """
    learned = {tensor.name for tensor in model.graph.initializer}
    source = next(value for value in model.graph.input if value.name not in learned)
    symbol = source.type.tensor_type.shape.dim[0].dim_param
    found: dict[str, int | None] = {}
    for output in model.graph.output:
        names = [dim.dim_param for dim in output.type.tensor_type.shape.dim]
        if symbol and symbol in names:
            found[output.name] = names.index(symbol)
    if len(found) == len(model.graph.output):
        return found
    small, large = (output_shapes(model, source.name, size) for size in SIZES)
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


def output_shapes(model: Any, source: str, batch: int) -> dict[str, list[int] | None]:
    """Output -> its shape for a batch, 0 for an axis that is not known; None: not even their number is."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    entry = next(value for value in copy.graph.input if value.name == source)
    entry.type.tensor_type.shape.dim[0].dim_value = batch
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
