"""ONNX's operators of feature maps, and of what follows them in image networks, as TensorFlow's: a table for `graph`.

An entry makes a tensor, or several, of the graph that is walked, a node's attributes, and what it takes with its names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from hwprof.frameworks.resizing import resizing
from hwprof.frameworks.walk import Attributes, check_product, clip_limits, pads_of

if TYPE_CHECKING:
    from hwprof.frameworks.tensorflow.graph import TfGraph


def explicit(attributes: Attributes) -> list[list[int]]:
    """Padding of a feature map as TensorFlow takes it."""
    (top, left), (bottom, right) = pads_of(attributes)
    return [[0, 0], [top, bottom], [left, right], [0, 0]]


def same_or(pads: list[list[int]], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> Any:
    """ "VALID" or "SAME" where they mean these pads, which more kernels know; else the pads themselves."""
    if not any(map(any, pads)):
        return "VALID"
    full = [(k - 1) * d for k, d in zip(kernel, dilations, strict=True)]
    even = [[f // 2, f - f // 2] for f in full]
    return "SAME" if list(strides) == [1, 1] and pads[1:3] == even else pads


def conv(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    x, weight = given[0], given[1]
    strides, dilations = list(a.get("strides", [1, 1])), list(a.get("dilations", [1, 1]))
    padding = same_or(explicit(a), weight.shape[2:], strides, dilations)
    groups, channels = a.get("group", 1), int(x.shape[-1])
    if groups == 1:
        kernel = net.variable(names[1], weight.transpose(2, 3, 1, 0), "conv")
        y = tf.nn.conv2d(x, kernel, [1, *strides, 1], padding, dilations=[1, *dilations, 1])
    elif groups == channels:
        per = weight.shape[0] // groups
        kernel = weight.reshape(groups, per, *weight.shape[2:]).transpose(2, 3, 0, 1)
        kernel = net.variable(names[1], kernel, "depthwise")
        y = tf.nn.depthwise_conv2d(x, kernel, [1, *strides, 1], padding, dilations=dilations)
    else:
        raise ValueError(f"{groups} groups of {channels} channels")
    if len(given) > 2 and given[2] is not None:
        y = tf.nn.bias_add(y, net.variable(names[2], given[2]))
    return y


def batch_norm(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    scale, shift, mean, variance = (net.variable(n, v) for n, v in zip(names[1:5], given[1:5], strict=True))
    epsilon = a.get("epsilon", 1e-5)
    return tf.compat.v1.nn.fused_batch_norm(given[0], scale, shift, mean, variance, epsilon, is_training=False)[0]


def gemm(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    check_product(a)
    weight = given[1].T if a.get("transB", 0) else given[1]
    kernel = net.variable(names[1], np.ascontiguousarray(weight), f"matrix {a.get('transB', 0)}")
    y = tf.matmul(net.plain(given[0], names[0]), kernel)
    return y if len(given) < 3 or given[2] is None else tf.nn.bias_add(y, net.variable(names[2], given[2].reshape(-1)))


def max_pool(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    x, kernel = given[0], list(a["kernel_shape"])
    strides, pads = list(a.get("strides", [1, 1])), explicit(a)
    if any(d != 1 for d in a.get("dilations", [1, 1])):
        raise ValueError("dilations are not supported")
    if a.get("ceil_mode", 0):
        for i in (0, 1):
            room = int(x.shape[1 + i]) + sum(pads[1 + i]) - kernel[i]
            steps = -(-room // strides[i])
            # there is no window that begins in the padding after the map
            if steps * strides[i] >= int(x.shape[1 + i]) + pads[1 + i][0]:
                steps -= 1
            pads[1 + i][1] += max(0, steps * strides[i] - room)
    padding = same_or(pads, kernel, strides, [1, 1])
    if net.pads_apart and not isinstance(padding, str):
        x, padding = padded_for_maximum(x, pads, kernel, names[0] in net.non_negative), "VALID"
    return tf.nn.max_pool2d(x, kernel, strides, padding)


def padded_for_maximum(x: Any, pads: list[list[int]], kernel: Sequence[int], non_negative: bool) -> Any:
    """A map with pads that no window's maximum comes from.

    The lowest number does for any map, but it would be the range of a quantised one (one scale for all values): 0 where
    nothing lies below; else values of the map itself that lie in each window which reaches the pads, mirrored at the
    edge (the pads are at most half a window).
    """
    if non_negative:
        return tf.pad(x, pads)
    if all(2 * max(pad) <= k for pad, k in zip(pads[1:3], kernel, strict=True)):
        return tf.pad(x, pads, mode="SYMMETRIC")
    return tf.pad(x, pads, constant_values=x.dtype.min)


def average_pool(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    x, kernel, strides = given[0], list(a["kernel_shape"]), list(a.get("strides", [1, 1]))
    if any(map(any, explicit(a))):
        raise ValueError("padding is not supported")
    if a.get("ceil_mode", 0) and any((int(x.shape[1 + i]) - kernel[i]) % strides[i] for i in (0, 1)):
        raise ValueError("ceil_mode is not supported")
    return tf.nn.avg_pool2d(x, kernel, strides, "VALID")


def clip(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    low, high = clip_limits(a, given)
    return tf.nn.relu6(given[0]) if (low, high) == (0.0, 6.0) else tf.clip_by_value(given[0], low, high)


def hard_sigmoid(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    alpha, beta = a.get("alpha", 0.2), a.get("beta", 0.5)
    if abs(alpha - 1 / 6) < 1e-6 and beta == 0.5:
        return tf.nn.relu6(given[0] + 3.0) * (1 / 6)
    return tf.clip_by_value(alpha * given[0] + beta, 0.0, 1.0)


def conv_transpose(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    """Of one group. What ONNX pads is cut off: TensorFlow's "SAME" cuts elsewhere where the pads are uneven."""
    x, weight = given[0], given[1]
    (top, left), (bottom, right) = pads_of(a)
    strides, more = list(a.get("strides", [1, 1])), list(a.get("output_padding", [0, 0]))
    if a.get("group", 1) != 1 or any(d != 1 for d in a.get("dilations", [1, 1])) or "output_shape" in a:
        raise ValueError("groups, dilations or output_shape")
    kernel = net.variable(names[1], weight.transpose(2, 3, 1, 0), "conv transpose")
    sides = [int(x.shape[1 + i]) for i in (0, 1)]
    whole = [(sides[i] - 1) * strides[i] + weight.shape[2 + i] + more[i] for i in (0, 1)]
    shape = [int(x.shape[0]), *whole, weight.shape[1]]
    y = tf.nn.conv2d_transpose(x, kernel, shape, strides, "VALID")
    if any((top, left, bottom, right)):
        y = y[:, top : whole[0] - bottom, left : whole[1] - right, :]
    if len(given) > 2 and given[2] is not None:
        y = tf.nn.bias_add(y, net.variable(names[2], given[2]))
    return y


def instance_norm(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    x = given[0]
    mean, variance = tf.nn.moments(x, list(range(1, len(x.shape) - 1)), keepdims=True)
    return (x - mean) * tf.math.rsqrt(variance + a.get("epsilon", 1e-5)) * given[1] + given[2]


def resize(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    x, how = given[0], resizing(a, given)
    size = how.target([int(side) for side in x.shape[1:3]])
    if how.mode == "nearest":
        return tf.raw_ops.ResizeNearestNeighbor(images=x, size=size)
    if how.mode != "linear":
        raise ValueError(f"mode {how.mode}")
    centred = not how.corners and not how.asymmetric
    return tf.raw_ops.ResizeBilinear(images=x, size=size, align_corners=how.corners, half_pixel_centers=centred)


def depth_to_space(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    if a.get("mode", b"DCR") != b"DCR":
        raise ValueError("mode other than DCR")
    return tf.nn.depth_to_space(given[0], a["blocksize"])


def unary(function: Callable[[Any], Any]) -> Callable[..., Any]:
    """Elementwise of one."""
    return lambda net, a, given, names: function(given[0])


Make = Callable[..., Any]


def of_maps(function: Make) -> Make:
    """Of a feature map, or of rows of features: a map of height 1."""

    def make(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
        x = net.channels_last(given[0], names[0])
        if len(x.shape) != 3:
            return function(net, a, [x, *given[1:]], names)
        wide = {
            key: [1, *value] if key in ("kernel_shape", "strides", "dilations") else value for key, value in a.items()
        }
        if "pads" in a:
            before, after = a["pads"]
            wide["pads"] = [0, before, 0, after]
        rest = [v[:, :, None] if isinstance(v, np.ndarray) and v.ndim == 3 else v for v in given[1:]]
        return tf.squeeze(function(net, wide, [tf.expand_dims(x, 1), *rest], names), [1])

    return make


# Of feature maps, channels last.
MAPS: Mapping[str, Make] = {
    "Conv": of_maps(conv),
    "ConvTranspose": of_maps(conv_transpose),
    "BatchNormalization": of_maps(batch_norm),
    "InstanceNormalization": of_maps(instance_norm),
    "MaxPool": of_maps(max_pool),
    "AveragePool": of_maps(average_pool),
    "GlobalAveragePool": of_maps(lambda net, a, given, names: tf.reduce_mean(given[0], [1, 2], keepdims=True)),
    "GlobalMaxPool": of_maps(lambda net, a, given, names: tf.reduce_max(given[0], [1, 2], keepdims=True)),
    "Resize": of_maps(resize),
    "Upsample": of_maps(resize),
    "DepthToSpace": of_maps(depth_to_space),
}

OPERATORS: Mapping[str, Make] = {
    **MAPS,
    "Gemm": gemm,
    "Clip": clip,
    "HardSigmoid": hard_sigmoid,
    "HardSwish": unary(lambda x: x * tf.nn.relu6(x + 3.0) * (1 / 6)),
    "Relu": unary(tf.nn.relu),
    "Sigmoid": unary(tf.nn.sigmoid),
    "Tanh": unary(tf.nn.tanh),
    "Dropout": unary(lambda x: x),
    "Identity": unary(lambda x: x),
}
