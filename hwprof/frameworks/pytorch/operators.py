"""ONNX's operators of image networks as torch modules and functions: a table for `graph`.

An entry makes of a node's attributes and of what it takes (tensors for constants, else names) a callable and its
inputs. Operators of sequences are in `sequences`, those that change a tensor's form in `forms`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from hwprof.frameworks.resizing import resizing
from hwprof.frameworks.walk import RANK, Attributes, check_product, clip_limits, pads_of


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
    return (nn.Sequential(Padding(uneven, 0.0), layer) if uneven else layer), given[:1]


class Padding(nn.Module):  # type: ignore[misc]
    """Pads with one value; `pads` as functional.pad takes them."""

    def __init__(self, pads: Sequence[int], value: float) -> None:
        super().__init__()
        self.pads, self.value = list(pads), value

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The padded tensor."""
        return functional.pad(x, self.pads, value=self.value)


def _batch_norm(a: Attributes, given: Sequence[Any]) -> Any:
    scale, shift, mean, variance = given[1:5]
    kind = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 5: nn.BatchNorm3d}.get(a.get(RANK, 4), nn.BatchNorm2d)
    layer = kind(len(scale), eps=a.get("epsilon", 1e-5))
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
    layer = {1: nn.MaxPool1d, 3: nn.MaxPool3d}.get(len(kernel), nn.MaxPool2d)(
        tuple(kernel),
        tuple(a.get("strides", [1] * len(kernel))),
        tuple(padding),
        tuple(a.get("dilations", [1] * len(kernel))),
        ceil_mode=bool(a.get("ceil_mode", 0)),
    )
    return (nn.Sequential(Padding(uneven, float("-inf")), layer) if uneven else layer), given[:1]


def _average_pool(a: Attributes, given: Sequence[Any]) -> Any:
    kernel = a["kernel_shape"]
    padding, uneven = _pads(a, len(kernel))
    if uneven:
        raise ValueError("padding that differs between the sides")
    layer = {1: nn.AvgPool1d, 3: nn.AvgPool3d}.get(len(kernel), nn.AvgPool2d)(
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


def _average(a: Attributes, given: Sequence[Any]) -> Any:
    kind = {3: nn.AdaptiveAvgPool1d, 5: nn.AdaptiveAvgPool3d}.get(a.get(RANK, 4), nn.AdaptiveAvgPool2d)
    return kind(1), given[:1]


def _greatest(a: Attributes, given: Sequence[Any]) -> Any:
    kind = {3: nn.AdaptiveMaxPool1d, 5: nn.AdaptiveMaxPool3d}.get(a.get(RANK, 4), nn.AdaptiveMaxPool2d)
    return kind(1), given[:1]


def _conv_transpose(a: Attributes, given: Sequence[Any]) -> Any:
    weight, bias = given[1], given[2] if len(given) > 2 else None
    dims, group = weight.dim() - 2, a.get("group", 1)
    padding, uneven = _pads(a, dims)
    if uneven or "output_shape" in a:
        raise ValueError("output_shape, or padding that differs between the sides")
    layer = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}[dims](
        weight.shape[0],
        weight.shape[1] * group,
        tuple(weight.shape[2:]),
        stride=tuple(a.get("strides", [1] * dims)),
        padding=tuple(padding),
        output_padding=tuple(a.get("output_padding", [0] * dims)),
        dilation=tuple(a.get("dilations", [1] * dims)),
        groups=group,
        bias=bias is not None,
    )
    layer.weight.data = weight
    if bias is not None:
        layer.bias.data = bias
    return layer, given[:1]


def _instance_norm(a: Attributes, given: Sequence[Any]) -> Any:
    scale, shift, epsilon = given[1], given[2], a.get("epsilon", 1e-5)
    return (lambda x, w, b: functional.instance_norm(x, weight=w, bias=b, eps=epsilon)), [given[0], scale, shift]


def _prelu(a: Attributes, given: Sequence[Any]) -> Any:
    slope = given[1].reshape(-1)
    if slope.numel() not in (1, given[1].shape[0]):
        raise ValueError("slopes that are not one of each channel")
    layer = nn.PReLU(slope.numel())
    layer.weight.data = slope
    return layer, given[:1]


def _depth_to_space(a: Attributes, given: Sequence[Any]) -> Any:
    if a.get("mode", b"DCR") != b"CRD":
        size = a["blocksize"]

        def spread(x: torch.Tensor) -> torch.Tensor:
            n, c, h, w = x.shape
            parts = x.reshape(n, size, size, c // size**2, h, w).permute(0, 3, 4, 1, 5, 2)
            return parts.reshape(n, c // size**2, h * size, w * size)

        return spread, given[:1]
    return nn.PixelShuffle(a["blocksize"]), given[:1]


def _resize(a: Attributes, given: Sequence[Any]) -> Any:
    """Of the last axes, by factors or to a size."""
    how = resizing(a, given)
    if how.mode == "nearest":
        mode, corners = "nearest", None
    else:
        names = {
            ("linear", 1): "linear",
            ("linear", 2): "bilinear",
            ("linear", 3): "trilinear",
            ("cubic", 2): "bicubic",
        }
        mode, corners = names[how.mode, how.axes], how.corners
        if how.asymmetric:
            raise ValueError(f"mode {how.mode} of asymmetric coordinates")
    size, factors = how.size, how.factors
    if size is not None:
        return (lambda x: functional.interpolate(x, size, mode=mode, align_corners=corners)), given[:1]
    return (lambda x: functional.interpolate(x, scale_factor=factors, mode=mode, align_corners=corners)), given[:1]


def _module(kind: Callable[[], Any]) -> Any:
    return lambda a, given: (kind(), given[:1])


OPERATORS: Mapping[str, Any] = {
    "Conv": _conv,
    "BatchNormalization": _batch_norm,
    "Gemm": _gemm,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _average,
    "GlobalMaxPool": _greatest,
    "ConvTranspose": _conv_transpose,
    "InstanceNormalization": _instance_norm,
    "PRelu": _prelu,
    "Resize": _resize,
    "Upsample": _resize,
    "DepthToSpace": _depth_to_space,
    "Clip": _clip,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _module(nn.Hardswish),
    "Relu": _module(nn.ReLU),
    "Sigmoid": _module(nn.Sigmoid),
    "Tanh": _module(nn.Tanh),
    "Elu": lambda a, given: (nn.ELU(a.get("alpha", 1.0)), given[:1]),
    "Softplus": _module(nn.Softplus),
    "Gelu": lambda a, given: (nn.GELU(a.get("approximate", b"none").decode()), given[:1]),
    "LeakyRelu": lambda a, given: (nn.LeakyReLU(a.get("alpha", 0.01)), given[:1]),
    "Softmax": lambda a, given: (nn.Softmax(a.get("axis", -1)), given[:1]),
    "LogSoftmax": lambda a, given: (nn.LogSoftmax(a.get("axis", -1)), given[:1]),
    "LRN": lambda a, given: (
        nn.LocalResponseNorm(a["size"], a.get("alpha", 1e-4), a.get("beta", 0.75), a.get("bias", 1.0)),
        given[:1],
    ),
    "Dropout": lambda a, given: (nn.Identity(), given[:1]),
    "Identity": _module(nn.Identity),
}
