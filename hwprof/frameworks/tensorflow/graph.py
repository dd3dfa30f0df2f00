"""An ONNX graph as TensorFlow operators, channels last, as TensorFlow's own networks are written.

A feature map lies as (batch, height, width, channels) throughout; the graph's axes are translated. Padding is explicit
(TensorFlow's "SAME" pads elsewhere when a stride is above 1). An operator that isn't here raises UnsupportedModel.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from hwprof.frameworks.walk import Attributes, OnnxGraph, check_product, clip_limits, integers, pads_of

# Rank -> our order of the graph's axes. Rank 5 is a feature map whose channels were split, as for a channel shuffle.
ORDER = {4: (0, 2, 3, 1), 5: (0, 3, 4, 1, 2)}
# Operators whose output is never below 0, and those of which it isn't where no input is.
NON_NEGATIVE = ("Relu", "Sigmoid", "HardSigmoid")
KEEPS_SIGN = ("MaxPool", "AveragePool", "GlobalAveragePool", "Concat", "Identity")


def axis_of(axis: int, rank: int) -> int:
    """Where axis `axis` of the graph's tensor lies in ours."""
    axis %= rank
    return ORDER[rank].index(axis) if rank in ORDER else axis


class TfGraph(tf.Module):  # type: ignore[misc]
    """The network as a callable of one channels-last tensor."""

    def __init__(self, path: Path, shape: Sequence[int], pads_apart: bool = False) -> None:
        super().__init__()
        # .tflite has no maximum with pads of its own: they become an operator before it
        self.pads_apart = pads_apart
        self._graph = OnnxGraph(path, "TensorFlow", OPERATORS)
        batch, channels, *sides = shape
        self.signature = tf.TensorSpec((batch, *sides, channels), tf.float32, name="input")
        self.weights: dict[str, Any] = {}
        self.non_negative: set[str] = set()  # feature maps, as far as walked
        # Makes the variables. Autograph would turn an UnsupportedModel into an error of its own.
        tf.function(self.walk, input_signature=[self.signature], autograph=False).get_concrete_function()

    def variable(self, name: str, value: np.ndarray) -> Any:
        """A weight, made once: a constant of this size inside of the graph would be copied by each optimiser pass."""
        if name not in self.weights:
            with tf.init_scope():
                self.weights[name] = tf.Variable(value, trainable=False, name=name.replace("/", "_").strip("_"))
        return self.weights[name]

    def walk(self, x: Any) -> Any:
        """The graph's output, or all of them in its order."""
        values: dict[str, Any] = {**self._graph.constants, self._graph.source: x}
        self.non_negative = set()
        for node in self._graph.nodes:
            given = [values[name] if name else None for name in node.inputs]
            made = self._graph.convert(node, self, node.attributes, given, node.inputs)
            if node.op in NON_NEGATIVE or (node.op in KEEPS_SIGN and self.non_negative.issuperset(node.inputs)):
                self.non_negative.add(node.outputs[0])
            if isinstance(made, (list, tuple)):
                values.update(zip(node.outputs, made, strict=True))
            else:
                values[node.outputs[0]] = made
        found = tuple(tf.identity(values[name], name="output") for name in self._graph.results)
        return found if len(found) > 1 else found[0]


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
        kernel = net.variable(names[1], weight.transpose(2, 3, 1, 0))
        y = tf.nn.conv2d(x, kernel, [1, *strides, 1], padding, dilations=[1, *dilations, 1])
    elif groups == channels:
        per = weight.shape[0] // groups
        kernel = net.variable(names[1], weight.reshape(groups, per, *weight.shape[2:]).transpose(2, 3, 0, 1))
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
    y = tf.matmul(given[0], net.variable(names[1], np.ascontiguousarray(weight)))
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


def reduce_mean(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    axes = integers(a, "axes", given)
    rank = len(given[0].shape)
    keep = bool(a.get("keepdims", 1))
    if not keep and rank in ORDER and {x % rank for x in axes} != {2, 3}:
        raise ValueError(f"a mean over axes {axes} that drops them")
    return tf.reduce_mean(given[0], [axis_of(x, rank) for x in axes], keep)


def reshape(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    """Flattening, or channels split or joined, which leaves the order of the rest alone."""
    x, dims = given[0], integers(a, "shape", given)
    shape = [x.shape[i] for i in (ORDER_BACK[len(x.shape)] if len(x.shape) in ORDER else range(len(x.shape)))]
    if len(dims) == 2:
        return flatten(net, {}, given, names)
    if (len(shape), len(dims)) not in ((4, 5), (5, 4)):
        raise ValueError(f"{shape} to {dims}")
    wanted = list(dims[1:])
    if -1 in wanted or [int(s) for s in shape[-2:]] != wanted[-2:]:
        raise ValueError(f"{shape} to {dims}: only channels can be split or joined")
    batch = -1 if x.shape[0] is None else int(x.shape[0])
    target = [batch, *(wanted[i - 1] for i in ORDER[len(dims)][1:])]
    return tf.reshape(x, target)


# Ours -> the graph's order of axes.
ORDER_BACK = {rank: tuple(order.index(i) for i in range(rank)) for rank, order in ORDER.items()}


def transpose(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    """The graph's permutation between our orders."""
    x, perm = given[0], list(a["perm"])
    rank = len(perm)
    if rank not in ORDER:
        return tf.transpose(x, perm)
    return tf.transpose(x, [ORDER[rank].index(perm[axis]) for axis in ORDER[rank]])


def flatten(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    """To (batch, features) in the graph's order of features."""
    x = given[0]
    if a.get("axis", 1) != 1:
        raise ValueError("axis other than 1")
    rank = len(x.shape)
    if rank in ORDER and any(int(s) != 1 for s in x.shape[1:-1]):
        x = tf.transpose(x, ORDER_BACK[rank])
    return tf.reshape(x, [-1 if x.shape[0] is None else int(x.shape[0]), int(np.prod(x.shape[1:]))])


def split(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    return tf.split(given[0], integers(a, "split", given), axis_of(a.get("axis", 0), len(given[0].shape)))


def binary(function: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    """Elementwise of two; a constant of the graph's layout is brought into ours."""

    def make(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
        rank = max(len(v.shape) for v in given)
        ours = []
        for value in given:
            if isinstance(value, np.ndarray) and rank in ORDER and value.ndim > 1:
                value = value.reshape((1,) * (rank - value.ndim) + value.shape).transpose(ORDER[rank])
            ours.append(value)
        return function(*ours)

    return make


def unary(function: Callable[[Any], Any]) -> Callable[..., Any]:
    """Elementwise of one."""
    return lambda net, a, given, names: function(given[0])


OPERATORS: Mapping[str, Callable[..., Any]] = {
    "Conv": conv,
    "BatchNormalization": batch_norm,
    "Gemm": gemm,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": lambda net, a, given, names: tf.reduce_mean(given[0], [1, 2], keepdims=True),
    "ReduceMean": reduce_mean,
    "Clip": clip,
    "HardSigmoid": hard_sigmoid,
    "HardSwish": unary(lambda x: x * tf.nn.relu6(x + 3.0) * (1 / 6)),
    "Relu": unary(tf.nn.relu),
    "Sigmoid": unary(tf.nn.sigmoid),
    "Tanh": unary(tf.nn.tanh),
    "Softmax": lambda net, a, given, names: tf.nn.softmax(given[0], axis_of(a.get("axis", -1), len(given[0].shape))),
    "Dropout": unary(lambda x: x),
    "Identity": unary(lambda x: x),
    "Add": binary(tf.add),
    "Sub": binary(tf.subtract),
    "Mul": binary(tf.multiply),
    "Div": binary(tf.divide),
    "Concat": lambda net, a, given, names: tf.concat(given, axis_of(a["axis"], len(given[0].shape))),
    "Reshape": reshape,
    "Transpose": transpose,
    "Flatten": flatten,
    "Split": split,
}
