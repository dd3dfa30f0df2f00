"""Arithmetic on shapes: the values of small tensors that follow from constants and known shapes.

onnx's data propagation does this too, but only for operators of opset 13 and later and for one axis (1.23). Exporters
of older opsets compute the shape of a Reshape or Expand from the shape of an activation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hwprof.networks.contrib import ONNX, attribute

MOST_ELEMENTS = 1024  # of a value
Known = Mapping[str, tuple[int, ...] | None]
Formula = Callable[[Any, Sequence[Any]], Any]


def values_of(graph: Any, shapes: Known) -> dict[str, Any]:
    """Tensor -> its value, for the small ones of a graph that are constants or follow from them and from shapes."""
    from onnx import numpy_helper

    found: dict[str, Any] = {}
    for tensor in graph.initializer:
        if math.prod(tensor.dims) <= MOST_ELEMENTS and not tensor.external_data and not is_empty(tensor):
            found[tensor.name] = numpy_helper.to_array(tensor)
    for node in graph.node:
        if node.domain not in ONNX:
            continue
        value: Any = None
        if node.op_type in ("Shape", "Size"):
            value = of_shape(node, shapes.get(node.input[0]))
        elif node.op_type in FORMULAS and all(name in found for name in node.input if name):
            try:
                value = FORMULAS[node.op_type](node, [found.get(name) for name in node.input])
            except (ValueError, IndexError, TypeError, ZeroDivisionError, OverflowError):  # a graph that can't be run
                continue
        if value is not None and value.size <= MOST_ELEMENTS:
            found[node.output[0]] = value
    return found


def is_empty(tensor: Any) -> bool:
    """It has a shape but no data."""
    fields = (tensor.raw_data, tensor.float_data, tensor.int32_data, tensor.int64_data, tensor.double_data)
    return math.prod(tensor.dims) > 0 and not any(len(field) for field in (*fields, tensor.uint64_data))


def of_shape(node: Any, shape: tuple[int, ...] | None) -> Any:
    """The value of a Shape or Size."""
    import numpy as np

    if shape is None:
        return None
    if node.op_type == "Size":
        return np.array(math.prod(shape), np.int64)
    return np.array(shape[attribute(node, "start", 0) : attribute(node, "end")], np.int64)


def axes_of(node: Any, inputs: Sequence[Any], place: int = 1) -> tuple[int, ...] | None:
    """Axes from an attribute (before opset 13) or an input; None: all."""
    axes = attribute(node, "axes")
    if axes is None and len(inputs) > place and inputs[place] is not None:
        axes = inputs[place].tolist()
    return None if axes is None else tuple(axes)


def cast(node: Any, inputs: Sequence[Any]) -> Any:
    from onnx import helper

    return inputs[0].astype(helper.tensor_dtype_to_np_dtype(attribute(node, "to")))


def constant(node: Any, _: Sequence[Any]) -> Any:
    import numpy as np
    from onnx import numpy_helper

    value = attribute(node, "value")
    if value is None:
        numbers = next((attribute(node, f"value_{kind}") for kind in ("ints", "int", "floats", "float")), None)
        return None if numbers is None else np.array(numbers)
    return None if math.prod(value.dims) > MOST_ELEMENTS or is_empty(value) else numpy_helper.to_array(value)


def cut(node: Any, inputs: Sequence[Any]) -> Any:
    """Slice: bounds as attributes before opset 10."""
    import numpy as np

    data, *more = inputs
    starts, ends = more[:2] if more else (attribute(node, "starts"), attribute(node, "ends"))
    axes = axes_of(node, inputs, 3) or range(len(starts))
    steps = more[3] if len(more) > 3 and more[3] is not None else [1] * len(starts)
    places = [slice(None)] * data.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        lowest = end if step > 0 or end > -data.shape[axis] - 1 else None  # backwards to the very first
        places[axis] = slice(int(start), None if lowest is None else int(lowest), int(step))
    return np.ascontiguousarray(data[tuple(places)])


def unsqueeze(node: Any, inputs: Sequence[Any]) -> Any:
    import numpy as np

    return np.expand_dims(inputs[0], axes_of(node, inputs) or ())


def squeeze(node: Any, inputs: Sequence[Any]) -> Any:
    import numpy as np

    return np.squeeze(inputs[0], axes_of(node, inputs))


def divide(_: Any, inputs: Sequence[Any]) -> Any:
    """Integers are cut towards 0."""
    import numpy as np

    first, second = inputs
    if first.dtype.kind == "f":
        return first / second
    return (np.sign(first) * np.sign(second) * (abs(first) // abs(second))).astype(first.dtype)


def filled(node: Any, inputs: Sequence[Any]) -> Any:
    import numpy as np
    from onnx import numpy_helper

    value, dims = attribute(node, "value"), tuple(inputs[0].tolist())
    if math.prod(dims) > MOST_ELEMENTS:
        return None
    return np.full(dims, numpy_helper.to_array(value).reshape(()) if value is not None else np.float32(0))


def expand(_: Any, inputs: Sequence[Any]) -> Any:
    import numpy as np

    shape = np.broadcast_shapes(inputs[0].shape, tuple(inputs[1].tolist()))
    return None if math.prod(shape) > MOST_ELEMENTS else np.broadcast_to(inputs[0], shape)


def reshape(_: Any, inputs: Sequence[Any]) -> Any:
    data, dims = inputs[0], inputs[1].tolist()
    return data.reshape([data.shape[axis] if size == 0 else size for axis, size in enumerate(dims)])


def counted(_: Any, inputs: Sequence[Any]) -> Any:
    """Range."""
    import numpy as np

    start, limit, step = (value.item() for value in inputs)
    count = max(math.ceil((limit - start) / step), 0)
    return None if count > MOST_ELEMENTS else (start + step * np.arange(count)).astype(inputs[0].dtype)


def concat(node: Any, inputs: Sequence[Any]) -> Any:
    import numpy as np

    return np.concatenate(inputs, attribute(node, "axis"))


def where(_: Any, inputs: Sequence[Any]) -> Any:
    import numpy as np

    return np.where(*inputs)


def by_numpy(name: str) -> Formula:
    """numpy's function of this name on the inputs, in their type."""

    def formula(_: Any, inputs: Sequence[Any]) -> Any:
        import numpy as np

        result = inputs[0]
        for other in inputs[1:] or [None]:
            result = getattr(np, name)(result) if other is None else getattr(np, name)(result, other)
        return np.asarray(result)

    return formula


def reduced(name: str) -> Formula:
    """numpy's function of this name along axes."""

    def formula(node: Any, inputs: Sequence[Any]) -> Any:
        import numpy as np

        keep = bool(attribute(node, "keepdims", 1))
        return np.asarray(getattr(np, name)(inputs[0], axis=axes_of(node, inputs), keepdims=keep))

    return formula


FORMULAS: dict[str, Formula] = {
    "Constant": constant,
    "ConstantOfShape": filled,
    "Cast": cast,
    "Concat": concat,
    "Div": divide,
    "Expand": expand,
    "Gather": lambda node, inputs: inputs[0].take(inputs[1], axis=attribute(node, "axis", 0)),
    "Identity": lambda _, inputs: inputs[0],
    "Range": counted,
    "Reshape": reshape,
    "Slice": cut,
    "Squeeze": squeeze,
    "Transpose": lambda node, inputs: inputs[0].transpose(attribute(node, "perm")),
    "Unsqueeze": unsqueeze,
    "Where": where,
    "ReduceMax": reduced("max"),
    "ReduceMin": reduced("min"),
    "ReduceProd": reduced("prod"),
    "ReduceSum": reduced("sum"),
    **{
        op: by_numpy(name)
        for op, name in (
            *(("Abs", "abs"), ("Add", "add"), ("And", "logical_and"), ("Ceil", "ceil"), ("Equal", "equal")),
            *(("Floor", "floor"), ("Greater", "greater"), ("Less", "less"), ("Max", "maximum"), ("Min", "minimum")),
            *(("Mul", "multiply"), ("Neg", "negative"), ("Not", "logical_not"), ("Or", "logical_or")),
            *(
                ("Sqrt", "sqrt"),
                ("Sub", "subtract"),
                ("GreaterOrEqual", "greater_equal"),
                ("LessOrEqual", "less_equal"),
            ),
        )
    },
}
