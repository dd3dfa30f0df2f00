"""Multiply-accumulates and parameters, counted from an ONNX graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# Where the learned tensors of an operator stand among its inputs. Running statistics are no parameters.
LEARNED = {"Conv": (1, 2), "ConvTranspose": (1, 2), "Gemm": (1, 2), "MatMul": (1,), "BatchNormalization": (1, 2)}


@dataclass(frozen=True, slots=True)
class NodeCost:
    """One node. `macs` per batch; None: its shapes are not known (never 0 for a convolution or matrix product)."""

    name: str
    op: str
    macs: int | None
    params: int
    shape: tuple[int, ...] | None


def layers(model: Any, batch: int = 1) -> tuple[NodeCost, ...]:
    """Every node with its MACs at the model's own input size and `batch`.

    MACs are counted for Conv, ConvTranspose, Gemm and MatMul; everything else has none. A convolution costs
    (output elements) x (input channels / groups) x (kernel elements): the count that torchvision calls "ops".
    """
    nodes, shapes, sizes = infer_shapes(model, batch)
    return tuple(
        NodeCost(
            node.name or node.output[0],
            node.op_type,
            _macs(node, shapes),
            sum(sizes.get(node.input[i], 0) for i in LEARNED.get(node.op_type, ()) if i < len(node.input)),
            shapes.get(node.output[0]),
        )
        for node in nodes
    )


def infer_shapes(model: Any, batch: int) -> tuple[list[Any], dict[str, tuple[int, ...] | None], dict[str, int]]:
    """(nodes, shape of each tensor or None where it is unknown, elements of each learned tensor) at `batch`."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(_with_batch(model, batch)).graph
    shapes = {value.name: _shape(value) for value in [*graph.value_info, *graph.output, *graph.input]}
    shapes |= {i.name: tuple(i.dims) for i in graph.initializer}
    return list(graph.node), shapes, {i.name: math.prod(i.dims) for i in graph.initializer}


def totals(model: Any, batch: int = 1) -> tuple[int | None, int]:
    """(MACs of one batch or None where a shape is unknown, parameters)."""
    found = layers(model, batch)
    macs = [layer.macs for layer in found]
    total = None if any(m is None for m in macs) else sum(m for m in macs if m is not None)
    return total, sum(layer.params for layer in found)


def _with_batch(model: Any, batch: int) -> Any:
    """A copy whose symbolic batch is a number."""
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    dims = copy.graph.input[0].type.tensor_type.shape.dim
    if dims and not dims[0].dim_value:
        dims[0].dim_value = batch
    del copy.graph.value_info[:]
    for output in copy.graph.output:
        output.type.tensor_type.ClearField("shape")
    return copy


def _shape(info: Any) -> tuple[int, ...] | None:
    if not info.type.tensor_type.HasField("shape"):
        return None
    dims = [d.dim_value if d.HasField("dim_value") else 0 for d in info.type.tensor_type.shape.dim]
    return tuple(dims) if all(dims) else None


def _macs(node: Any, shapes: dict[str, tuple[int, ...] | None]) -> int | None:
    if node.op_type not in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
        return 0
    first, weight, out = (shapes.get(name) for name in (node.input[0], node.input[1], node.output[0]))
    if first is None or weight is None or out is None:
        return None
    if node.op_type == "Conv":
        return math.prod(out) * math.prod(weight[1:])
    if node.op_type == "ConvTranspose":
        return math.prod(first) * math.prod(weight[1:])
    inner = first[-1]
    if node.op_type == "Gemm" and any(a.name == "transA" and a.i for a in node.attribute):
        inner = first[0]
    return math.prod(out) * inner


def side_after(size: int, halvings: int) -> int:
    """Side of a feature map after some 3x3 layers of stride 2 with padding 1: rounded up each time."""
    for _ in range(halvings):
        size = -(-size // 2)
    return size


def reshape_for(dims: Sequence[int], size: int, default: int) -> list[int]:
    """Shape constant of a Reshape recorded at side `default`, for side `size`: the last two entries are the map's."""
    side = side_for(dims[-1], size, default)
    return [*dims[:-2], side, side]


def side_for(side: int, size: int, default: int) -> int:
    """Side, for an image of side `size`, of a map that has `side` for one of side `default`."""
    for halvings in range(7):
        if side_after(default, halvings) == side:
            return side_after(size, halvings)
    raise ValueError(f"no stride turns {default} into {side}")
