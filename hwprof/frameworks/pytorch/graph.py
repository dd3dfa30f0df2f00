"""An ONNX graph as a torch module: each operator with state is the torch.nn module that torchvision would use.

No maintained converter reads opset 17 graphs with BatchNormalization kept and an open batch, so this is our own. It
covers the operators of image networks; another one raises UnsupportedModel with the operator and the node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from hwprof.frameworks.walk import Attributes, OnnxGraph, check_product, clip_limits, constant, integers, pads_of


class Graph(nn.Module):  # type: ignore[misc]
    """Runs its steps in order; `steps`: (function, names of its inputs, names of its outputs)."""

    def __init__(self, source: str, results: Sequence[str]) -> None:
        super().__init__()
        self.source, self.results = source, tuple(results)
        self.steps: list[tuple[Any, tuple[Any, ...], tuple[str, ...]]] = []
        self.last_use: dict[str, int] = {}

    def add(self, function: Any, inputs: tuple[Any, ...], outputs: tuple[str, ...], name: str) -> None:
        """One more step; a module is registered, so that its parameters are the graph's."""
        if isinstance(function, nn.Module):
            self.add_module(name, function)
        for used in inputs:
            if isinstance(used, str):
                self.last_use[used] = len(self.steps)
        self.steps.append((function, inputs, outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """The network's output, or all of them in its order."""
        values: dict[str, Any] = {self.source: x}
        for index, (function, inputs, outputs) in enumerate(self.steps):
            found = function(*(values[i] if isinstance(i, str) else i for i in inputs))
            if len(outputs) == 1:
                values[outputs[0]] = found
            else:
                values.update(zip(outputs, found, strict=False))
            for used in inputs:  # as eager code would: an intermediate dies with its last use
                if isinstance(used, str) and self.last_use[used] == index and used not in self.results:
                    values.pop(used, None)
        found = tuple(values[name] for name in self.results)
        return found if len(found) > 1 else found[0]


def build(path: Path) -> Graph:
    """The module of an .onnx file, in evaluation mode. Raises UnsupportedModel."""
    onnx = OnnxGraph(path, "PyTorch", OPERATORS)
    constants = {name: torch.from_numpy(value.copy()) for name, value in onnx.constants.items()}
    graph = Graph(onnx.source, onnx.results)
    for node in onnx.nodes:
        given = [constants.get(name, name) if name else None for name in node.inputs]
        function, inputs = onnx.convert(node, node.attributes, given)
        graph.add(function, tuple(inputs), node.outputs, f"{node.number:03d}_{node.label.strip('/').replace('.', '_')}")
    graph.eval()
    return graph


def _pads(attributes: Attributes, dims: int) -> tuple[list[int], list[int] | None]:
    """(symmetric padding, or zeros and what functional.pad takes where it is not symmetric)."""
    begin, end = pads_of(attributes, dims)
    if begin == end:
        return begin, None
    uneven = [value for pair in zip(reversed(begin), reversed(end), strict=True) for value in pair]
    return [0] * dims, uneven


def _conv(a: Attributes, given: Sequence[Any]) -> Any:
    weight, bias = given[1], given[2] if len(given) > 2 else None
    dims = weight.dim() - 2
    padding, uneven = _pads(a, dims)
    kind = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[dims]
    group = a.get("group", 1)
    layer = kind(
        weight.shape[1] * group,
        weight.shape[0],
        tuple(weight.shape[2:]),
        stride=tuple(a.get("strides", [1] * dims)),
        padding=tuple(padding),
        dilation=tuple(a.get("dilations", [1] * dims)),
        groups=group,
        bias=bias is not None,
    )
    layer.weight.data = weight
    if bias is not None:
        layer.bias.data = bias
    return (nn.Sequential(_Pad(uneven, 0.0), layer) if uneven else layer), given[:1]


class _Pad(nn.Module):  # type: ignore[misc]
    def __init__(self, pads: Sequence[int], value: float) -> None:
        super().__init__()
        self.pads, self.value = list(pads), value

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.pad(x, self.pads, value=self.value)


def _batch_norm(a: Attributes, given: Sequence[Any]) -> Any:
    scale, shift, mean, variance = given[1:5]
    layer = nn.BatchNorm2d(len(scale), eps=a.get("epsilon", 1e-5))
    layer.weight.data, layer.bias.data = scale, shift
    layer.running_mean.data, layer.running_var.data = mean, variance
    return layer, given[:1]


def _gemm(a: Attributes, given: Sequence[Any]) -> Any:
    check_product(a)
    weight = given[1] if a.get("transB", 0) else given[1].t().contiguous()
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=len(given) > 2)
    layer.weight.data = weight
    if len(given) > 2:
        layer.bias.data = given[2].reshape(-1)
    return layer, given[:1]


def _max_pool(a: Attributes, given: Sequence[Any]) -> Any:
    kernel = a["kernel_shape"]
    padding, uneven = _pads(a, len(kernel))
    layer = nn.MaxPool2d(
        tuple(kernel),
        tuple(a.get("strides", [1] * len(kernel))),
        tuple(padding),
        tuple(a.get("dilations", [1] * len(kernel))),
        ceil_mode=bool(a.get("ceil_mode", 0)),
    )
    return (nn.Sequential(_Pad(uneven, float("-inf")), layer) if uneven else layer), given[:1]


def _average_pool(a: Attributes, given: Sequence[Any]) -> Any:
    kernel = a["kernel_shape"]
    padding, uneven = _pads(a, len(kernel))
    if uneven:
        raise ValueError("padding that differs between the sides")
    layer = nn.AvgPool2d(
        tuple(kernel),
        tuple(a.get("strides", [1] * len(kernel))),
        tuple(padding),
        ceil_mode=bool(a.get("ceil_mode", 0)),
        count_include_pad=bool(a.get("count_include_pad", 0)),
    )
    return layer, given[:1]


def _clip(a: Attributes, given: Sequence[Any]) -> Any:
    low, high = clip_limits(a, given)
    return (nn.ReLU6() if (low, high) == (0.0, 6.0) else nn.Hardtanh(low, high)), given[:1]


def _hard_sigmoid(a: Attributes, given: Sequence[Any]) -> Any:
    alpha, beta = a.get("alpha", 0.2), a.get("beta", 0.5)
    if abs(alpha - 1 / 6) < 1e-6 and beta == 0.5:
        return nn.Hardsigmoid(), given[:1]
    return (lambda x: torch.clamp(alpha * x + beta, 0.0, 1.0)), given[:1]


def _reduce_mean(a: Attributes, given: Sequence[Any]) -> Any:
    axes, keep = integers(a, "axes", given), bool(a.get("keepdims", 1))
    return (lambda x: x.mean(axes, keep)), given[:1]


def _reshape(a: Attributes, given: Sequence[Any]) -> Any:
    dims = integers(a, "shape", given)
    return (lambda x: x.reshape([x.shape[i] if d == 0 else d for i, d in enumerate(dims)])), given[:1]


def _split(a: Attributes, given: Sequence[Any]) -> Any:
    axis = a.get("axis", 0)
    sizes = integers(a, "split", given)
    return (lambda x: torch.split(x, sizes, dim=axis)), given[:1]


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
    if a.get("axis", 1) != 1:
        raise ValueError("axis other than 1")
    return nn.Flatten(1), given[:1]


def _pad(a: Attributes, given: Sequence[Any]) -> Any:
    if a.get("mode", b"constant") != b"constant":
        raise ValueError("mode other than constant")
    widths, fill = integers(a, "pads", given), constant(given, 2)
    value = float(a.get("value", 0.0) if fill is None else fill)
    half = len(widths) // 2
    flat = [v for b, e in zip(reversed(widths[:half]), reversed(widths[half:]), strict=True) for v in (b, e)]
    return _Pad(flat, value), given[:1]


def _unsqueeze(a: Attributes, given: Sequence[Any]) -> Any:
    axes = sorted(integers(a, "axes", given))

    def grow(x: torch.Tensor) -> torch.Tensor:
        for axis in axes:
            x = x.unsqueeze(axis)
        return x

    return grow, given[:1]


def _squeeze(a: Attributes, given: Sequence[Any]) -> Any:
    axes = integers(a, "axes", given)
    return (lambda x: x.squeeze(axes)), given[:1]


def _one(function: Callable[..., Any]) -> Any:
    return lambda a, given: (function, given)


def _module(kind: Callable[[], Any]) -> Any:
    return lambda a, given: (kind(), given[:1])


OPERATORS: Mapping[str, Any] = {
    "Conv": _conv,
    "BatchNormalization": _batch_norm,
    "Gemm": _gemm,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _module(lambda: nn.AdaptiveAvgPool2d(1)),
    "Clip": _clip,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _module(nn.Hardswish),
    "Relu": _module(nn.ReLU),
    "Sigmoid": _module(nn.Sigmoid),
    "Tanh": _module(nn.Tanh),
    "LeakyRelu": lambda a, given: (nn.LeakyReLU(a.get("alpha", 0.01)), given[:1]),
    "Softmax": lambda a, given: (nn.Softmax(a.get("axis", -1)), given[:1]),
    "LRN": lambda a, given: (
        nn.LocalResponseNorm(a["size"], a.get("alpha", 1e-4), a.get("beta", 0.75), a.get("bias", 1.0)),
        given[:1],
    ),
    "Dropout": lambda a, given: (nn.Identity(), given[:1]),
    "Identity": _module(nn.Identity),
    "Add": _one(torch.add),
    "Sub": _one(torch.sub),
    "Mul": _one(torch.mul),
    "Div": _one(torch.div),
    "Pow": _one(torch.pow),
    "Sqrt": _one(torch.sqrt),
    "Erf": _one(torch.erf),
    "MatMul": _one(torch.matmul),
    "Concat": lambda a, given: ((lambda *parts: torch.cat(parts, a["axis"])), given),
    "ReduceMean": _reduce_mean,
    "Reshape": _reshape,
    "Transpose": lambda a, given: ((lambda x: x.permute(list(a["perm"]))), given[:1]),
    "Flatten": _flatten,
    "Split": _split,
    "Slice": _slice,
    "Pad": _pad,
    "Unsqueeze": _unsqueeze,
    "Squeeze": _squeeze,
}
