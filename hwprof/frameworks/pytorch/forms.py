"""ONNX's elementwise operators, reductions, and those that change a tensor's form or pick from it, for `graph`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from hwprof.frameworks.pytorch.operators import Padding
from hwprof.frameworks.walk import Attributes, constant, integers

# As onnx.TensorProto numbers them.
TYPES = {
    1: torch.float32,
    2: torch.uint8,
    3: torch.int8,
    5: torch.int16,
    6: torch.int32,
    7: torch.int64,
    9: torch.bool,
    10: torch.float16,
    11: torch.float64,
    16: torch.bfloat16,
}


def _reduce(function: Callable[[Any, Sequence[int], bool], Any]) -> Any:
    """Over the axes of an attribute or an input; over all where there are none."""

    def make(a: Attributes, given: Sequence[Any]) -> Any:
        found = axes_of(a, given)
        keep = bool(a.get("keepdims", 1))
        if found is None and a.get("noop_with_empty_axes", 0):
            return (lambda x: x), given[:1]
        if found is None:
            return (lambda x: function(x, tuple(range(x.dim())), keep)), given[:1]
        return (lambda x: function(x, found, keep)), given[:1]

    return make


def axes_of(a: Attributes, given: Sequence[Any]) -> list[int] | None:
    """Axes of an attribute or of the second input; None: there are none. Raises ValueError where they are computed."""
    found = constant(given, 1)
    axes = a.get("axes") if found is None else found
    return None if axes is None or len(axes) == 0 else [int(axis) for axis in axes]


def _reshape(a: Attributes, given: Sequence[Any]) -> Any:
    dims = integers(a, "shape", given)
    if a.get("allowzero", 0):
        return (lambda x: x.reshape(dims)), given[:1]
    return (lambda x: x.reshape([x.shape[i] if d == 0 else d for i, d in enumerate(dims)])), given[:1]


def _split(a: Attributes, given: Sequence[Any]) -> Any:
    axis = a.get("axis", 0)
    if "split" in a or constant(given, 1) is not None:
        sizes = integers(a, "split", given)
        return (lambda x: torch.split(x, sizes, dim=axis)), given[:1]
    count = a["num_outputs"]
    return (lambda x: torch.split(x, -(-x.shape[axis] // count), dim=axis)), given[:1]


def _slice(a: Attributes, given: Sequence[Any]) -> Any:
    starts, ends = integers(a, "starts", given, 1), integers(a, "ends", given, 2)
    every = {"axes": range(len(starts)), "steps": [1] * len(starts), **a}
    axes, steps = integers(every, "axes", given, 3), integers(every, "steps", given, 4)
    if any(step < 1 for step in steps):
        raise ValueError("steps below 1")
    parts = list(zip(axes, starts, ends, steps, strict=True))

    def cut(x: torch.Tensor) -> torch.Tensor:
        index = [slice(None)] * x.dim()
        for axis, start, end, step in parts:
            index[axis] = slice(start, end, step)
        return x[tuple(index)]

    return cut, given[:1]


def _flatten(a: Attributes, given: Sequence[Any]) -> Any:
    axis = a.get("axis", 1)
    if axis == 1:
        return nn.Flatten(1), given[:1]
    if axis == 0:
        return (lambda x: x.reshape(1, -1)), given[:1]
    return (lambda x: x.reshape(x.shape[:axis].numel(), -1)), given[:1]


def _pad(a: Attributes, given: Sequence[Any]) -> Any:
    mode = a.get("mode", b"constant").decode()
    if mode not in ("constant", "reflect", "edge"):
        raise ValueError(f"mode {mode}")
    if constant(given, 3) is not None:
        raise ValueError("pads of some axes")
    widths, fill = integers(a, "pads", given), constant(given, 2)
    value = float(a.get("value", 0.0) if fill is None else fill)
    half = len(widths) // 2
    flat = [v for b, e in zip(reversed(widths[:half]), reversed(widths[half:]), strict=True) for v in (b, e)]
    if mode == "constant":
        return Padding(flat, value), given[:1]
    while flat[-2:] == [0, 0]:  # the other modes want the last axes only
        flat = flat[:-2]
    kind = "replicate" if mode == "edge" else mode
    return (lambda x: nn.functional.pad(x, flat, mode=kind)), given[:1]


def _unsqueeze(a: Attributes, given: Sequence[Any]) -> Any:
    axes = integers(a, "axes", given)
    if any(axis < 0 for axis in axes) and len(axes) > 1:
        rank_of = len(axes)
        return (lambda x: x[position(x.dim() + rank_of, axes)]), given[:1]
    axes = sorted(axes)

    def grow(x: torch.Tensor) -> torch.Tensor:
        for axis in axes:
            x = x.unsqueeze(axis)
        return x

    return grow, given[:1]


def position(rank: int, axes: Sequence[int]) -> tuple[Any, ...]:
    """An index that adds `axes` to a tensor which has `rank` with them."""
    new = {axis % rank for axis in axes}
    return tuple(None if axis in new else slice(None) for axis in range(rank))


def _squeeze(a: Attributes, given: Sequence[Any]) -> Any:
    axes = axes_of(a, given)
    return (torch.squeeze if axes is None else (lambda x: x.squeeze(axes))), given[:1]


def _gather(a: Attributes, given: Sequence[Any]) -> Any:
    """Rows of a table are an embedding; of anything else what an index picks."""
    axis, table, rows = a.get("axis", 0), given[0], given[1]
    is_table = isinstance(table, torch.Tensor) and table.dim() == 2 and table.is_floating_point()
    if is_table and isinstance(rows, str) and axis == 0:
        layer = nn.Embedding(table.shape[0], table.shape[1], _weight=table)
        layer.weight.requires_grad_(False)
        return layer, given[1:2]
    if isinstance(rows, torch.Tensor) and rows.dim() == 0:
        row = int(rows)
        return (lambda x: x.select(axis, row)), given[:1]
    if axis < 0:
        return (lambda x, i: x[(*(slice(None),) * (x.dim() + axis), i.long())]), given
    before = (slice(None),) * axis
    return (lambda x, i: x[(*before, i.long())]), given


def _cast(a: Attributes, given: Sequence[Any]) -> Any:
    if a["to"] not in TYPES:
        raise ValueError(f"a cast to type {a['to']}")
    kind = TYPES[a["to"]]
    return (lambda x: x.to(kind)), given[:1]


def _expand(a: Attributes, given: Sequence[Any]) -> Any:
    dims = integers(a, "shape", given)
    return (lambda x: x.expand(torch.broadcast_shapes(x.shape, dims))), given[:1]


def _tile(a: Attributes, given: Sequence[Any]) -> Any:
    times = integers(a, "repeats", given)
    return (lambda x: x.repeat(times)), given[:1]


def _divide(a: Attributes, given: Sequence[Any]) -> Any:
    """Of integers ONNX's quotient is one: their types show where one of both is a constant."""
    whole = any(isinstance(v, torch.Tensor) and not v.is_floating_point() for v in given)
    return ((lambda x, y: torch.div(x, y, rounding_mode="trunc")) if whole else torch.div), given


def _extremum(function: Callable[[Any, Any], Any]) -> Any:
    def make(a: Attributes, given: Sequence[Any]) -> Any:
        def fold(*values: Any) -> Any:
            found = values[0]
            for value in values[1:]:
                found = function(found, value)
            return found

        return fold, given

    return make


def _arg(function: Callable[..., Any]) -> Any:
    def make(a: Attributes, given: Sequence[Any]) -> Any:
        if a.get("select_last_index", 0):
            raise ValueError("select_last_index is not supported")
        axis, keep = a.get("axis", 0), bool(a.get("keepdims", 1))
        return (lambda x: function(x, axis, keep)), given[:1]

    return make


def _one(function: Callable[..., Any]) -> Any:
    return lambda a, given: (function, given)


def _transpose(a: Attributes, given: Sequence[Any]) -> Any:
    if "perm" in a:
        perm = list(a["perm"])
        return (lambda x: x.permute(perm)), given[:1]
    return (lambda x: x.permute(tuple(reversed(range(x.dim()))))), given[:1]


ELEMENTWISE: Mapping[str, Callable[..., Any]] = {
    "Add": torch.add,
    "Sub": torch.sub,
    "Mul": torch.mul,
    "Pow": torch.pow,
    "Sqrt": torch.sqrt,
    "Erf": torch.erf,
    "Exp": torch.exp,
    "Log": torch.log,
    "Neg": torch.neg,
    "Abs": torch.abs,
    "Sin": torch.sin,
    "Cos": torch.cos,
    "Floor": torch.floor,
    "Ceil": torch.ceil,
    "Round": torch.round,
    "Sign": torch.sign,
    "Reciprocal": torch.reciprocal,
    "Where": torch.where,
    "Equal": torch.eq,
    "Less": torch.lt,
    "LessOrEqual": torch.le,
    "Greater": torch.gt,
    "GreaterOrEqual": torch.ge,
    "Not": torch.logical_not,
    "And": torch.logical_and,
    "Or": torch.logical_or,
    "IsNaN": torch.isnan,
}

FORMS: Mapping[str, Any] = {
    **{name: _one(function) for name, function in ELEMENTWISE.items()},
    "Div": _divide,
    "Max": _extremum(torch.maximum),
    "Min": _extremum(torch.minimum),
    "Sum": _extremum(torch.add),
    "ReduceMean": _reduce(lambda x, axes, keep: x.mean(axes, keep)),
    "ReduceSum": _reduce(lambda x, axes, keep: x.sum(axes, keep)),
    "ReduceMax": _reduce(lambda x, axes, keep: x.amax(axes, keep)),
    "ReduceMin": _reduce(lambda x, axes, keep: x.amin(axes, keep)),
    "ReduceL2": _reduce(lambda x, axes, keep: torch.linalg.vector_norm(x, 2, axes, keep)),
    "ArgMax": _arg(torch.argmax),
    "ArgMin": _arg(torch.argmin),
    "Concat": lambda a, given: ((lambda *parts: torch.cat(parts, a["axis"])), given),
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Flatten": _flatten,
    "Split": _split,
    "Slice": _slice,
    "Pad": _pad,
    "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze,
    "Gather": _gather,
    "Cast": _cast,
    "Expand": _expand,
    "Tile": _tile,
}
