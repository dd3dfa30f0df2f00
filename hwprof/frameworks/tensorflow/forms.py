"""ONNX's operators of transformers, reductions, and those that change a tensor's form, as TensorFlow's, for `graph`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from hwprof.frameworks.tensorflow.layout import BACK, ORDER
from hwprof.frameworks.tensorflow.maps import Make, unary
from hwprof.frameworks.walk import Attributes, constant, integers

if TYPE_CHECKING:
    from hwprof.frameworks.tensorflow.graph import TfGraph

# As onnx.TensorProto numbers them.
TYPES = {
    1: tf.float32,
    2: tf.uint8,
    3: tf.int8,
    5: tf.int16,
    6: tf.int32,
    7: tf.int64,
    9: tf.bool,
    10: tf.float16,
    11: tf.float64,
}


def computed(value: Any) -> Any:
    """What the walk's helpers take for the name of a computed tensor."""
    return value if isinstance(value, np.ndarray) or value is None else "tensor"


def ints(a: Attributes, name: str, given: Sequence[Any], index: int = 1) -> list[int]:
    """As `integers`."""
    return integers(a, name, [computed(value) for value in given], index)


def axes_of(a: Attributes, given: Sequence[Any], rank: int) -> list[int]:
    """Axes of an attribute or of the second input, from 0; all where there are none."""
    found = constant([computed(value) for value in given], 1)
    axes = a.get("axes") if found is None else found
    return list(range(rank)) if axes is None or len(axes) == 0 else [int(axis) % rank for axis in axes]


def keeps_order(rank: int, axes: Sequence[int]) -> bool:
    """Whether a map without these axes of the graph lies as the graph has it."""
    left = [axis for axis in ORDER[rank] if axis not in axes]
    return left == sorted(left)


def reduction(function: Callable[..., Any]) -> Make:
    def make(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
        x, rank, keep = given[0], len(given[0].shape), bool(a.get("keepdims", 1))
        axes = axes_of(a, given, rank)
        net.laid = names[0] in net.last
        if net.laid and not keep and not keeps_order(rank, axes):
            x = net.plain(x, names[0])
        places = [net.axis(axis, rank) for axis in axes]
        net.laid = net.laid and keep
        return function(x, places, keep)

    return make


def arg(function: Callable[..., Any]) -> Make:
    def make(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
        x, axis = net.plain(given[0], names[0]), a.get("axis", 0)
        found = function(x, axis, tf.int64)
        return tf.expand_dims(found, axis) if a.get("keepdims", 1) else found

    return make


def reshape(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    """A map stays one where its rows and columns stay, or are joined; anything else is in the graph's order."""
    x, dims = given[0], ints(a, "shape", given)
    rank, last = len(x.shape), names[0] in net.last
    old = [int(x.shape[i]) for i in (BACK[rank] if last else range(rank))]
    new = dims if a.get("allowzero", 0) else [old[i] if d == 0 else d for i, d in enumerate(dims)]
    if -1 in new:
        new[new.index(-1)] = math.prod(old) // max(1, -math.prod(new))
    if last and len(new) == 2 and new[0] == old[0]:
        return flatten(net, {}, given, names)
    if last and (rank, len(new)) in ((4, 5), (5, 4)) and (new[0], new[-2:]) == (old[0], old[-2:]):
        return tf.reshape(x, [new[axis] for axis in ORDER[len(new)]])
    if last and (rank, len(new)) == (4, 3) and new[:2] == old[:2]:
        return tf.reshape(x, [new[0], new[2], new[1]])
    return tf.reshape(net.plain(x, names[0]), new)


def transpose(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    """No work where what lies there already is the result, channels last or in the graph's order."""
    x = given[0]
    rank = len(x.shape)
    perm, last = list(a.get("perm", reversed(range(rank)))), names[0] in net.last
    order = ORDER[rank] if last else tuple(range(rank))
    lies = tuple(perm.index(axis) for axis in order)
    if lies == tuple(range(rank)) or lies == ORDER.get(rank):
        net.laid = lies == ORDER.get(rank)
        return x
    net.laid = last and rank == 5  # a channel shuffle
    target = ORDER[rank] if net.laid else range(rank)
    return tf.transpose(x, [order.index(perm[axis]) for axis in target])


def flatten(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    """To two axes in the graph's order of features."""
    x, rank, axis = given[0], len(given[0].shape), a.get("axis", 1)
    axis = axis + rank if axis < 0 else axis
    if names[0] in net.last and not (axis == 1 and all(int(size) == 1 for size in x.shape[1:-1])):
        x = net.plain(x, names[0])
    net.laid = False
    sizes = [int(size) for size in x.shape]
    first = math.prod(sizes[:axis])
    return tf.reshape(x, [first, math.prod(sizes) // max(1, first)])


def squeeze(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    x, rank = given[0], len(given[0].shape)
    last = names[0] in net.last
    dims = [int(x.shape[i]) for i in (BACK[rank] if last else range(rank))]
    given_axes = "axes" in a or len(given) > 1
    axes = axes_of(a, given, rank) if given_axes else [axis for axis, size in enumerate(dims) if size == 1]
    if last and not keeps_order(rank, axes):
        x = net.plain(x, names[0])
    places = [net.axis(axis, rank) for axis in axes]
    net.laid = False
    return tf.squeeze(x, places) if places else x


def unsqueeze(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    x, axes = net.plain(given[0], names[0]), ints(a, "axes", given)
    rank = len(x.shape) + len(axes)
    new = sorted(axis % rank for axis in axes)
    old = iter(int(size) for size in x.shape)
    shape = [1 if axis in new else next(old) for axis in range(rank)]
    net.laid = (rank, new) == (4, [2, 3])  # factors of the channels of a map
    return tf.reshape(x, [shape[axis] for axis in ORDER[rank]] if net.laid else shape)


def split(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    x, axis = given[0], net.axis(a.get("axis", 0), len(given[0].shape))
    if "split" in a or len(given) > 1:
        return tf.split(x, ints(a, "split", given), axis)
    length, count = int(x.shape[axis]), a["num_outputs"]
    each = -(-length // count)
    return tf.split(x, [*[each] * (count - 1), length - each * (count - 1)], axis)


def cut(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    x, rank = given[0], len(given[0].shape)
    starts, ends = ints(a, "starts", given, 1), ints(a, "ends", given, 2)
    every = {"axes": range(len(starts)), "steps": [1] * len(starts), **a}
    index = [slice(None)] * rank
    for axis, start, end, step in zip(
        ints(every, "axes", given, 3), starts, ends, ints(every, "steps", given, 4), strict=True
    ):
        if step < 1:
            raise ValueError("steps below 1")
        place = net.axis(axis, rank)
        index[place] = slice(*slice(start, end, step).indices(int(x.shape[place])))
    return x[tuple(index)]


def pad(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    x, rank = given[0], len(given[0].shape)
    mode = a.get("mode", b"constant").decode()
    if mode not in ("constant", "reflect") or (len(given) > 3 and given[3] is not None):
        raise ValueError(f"mode {mode}, or pads of some axes")
    widths, fill = ints(a, "pads", given), constant([computed(value) for value in given], 2)
    pairs = [[0, 0] for _ in range(rank)]
    for axis in range(rank):
        pairs[net.axis(axis, rank)] = [widths[axis], widths[axis + rank]]
    if mode == "reflect":
        return tf.pad(x, pairs, "REFLECT")
    value = a.get("value", 0.0) if fill is None else np.asarray(fill).reshape(())[()]
    return tf.pad(x, pairs, constant_values=tf.cast(value, x.dtype))


def gather(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    table, rows = net.plain(given[0], names[0]), net.plain(given[1], names[1])
    axis = a.get("axis", 0)
    if isinstance(rows, np.ndarray):  # TensorFlow counts none from the end
        rows = np.where(rows < 0, rows + int(table.shape[axis]), rows)
    if isinstance(table, np.ndarray) and table.ndim > 1:
        table = net.variable(names[0], table, "table")
    return tf.gather(table, rows, axis=axis)


def matmul(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    """A product with a matrix of weights is one of matrices, whatever the axes before the last."""
    x, y = net.plain(given[0], names[0]), net.plain(given[1], names[1])
    if isinstance(y, np.ndarray) and y.ndim == 2 and len(x.shape) > 1:
        kernel = net.variable(names[1], y, "matrix 0")
        if len(x.shape) == 2:
            return tf.matmul(x, kernel)
        rows = tf.matmul(tf.reshape(x, [-1, y.shape[0]]), kernel)
        return tf.reshape(rows, [*(int(size) for size in x.shape[:-1]), y.shape[1]])
    if len(x.shape) == 1 or len(y.shape) == 1:
        return tf.tensordot(x, y, [[-1], [max(0, len(y.shape) - 2)]])
    return tf.matmul(x, y)


def layer_norm(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    x = net.plain(given[0], names[0])
    rank = len(x.shape)
    mean, variance = tf.nn.moments(x, list(range(a.get("axis", -1) % rank, rank)), keepdims=True)
    y = (x - mean) * tf.math.rsqrt(variance + a.get("epsilon", 1e-5)) * given[1]
    return y if len(given) < 3 or given[2] is None else y + given[2]


def cast(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    if a["to"] not in TYPES:
        raise ValueError(f"a cast to type {a['to']}")
    return tf.cast(given[0], TYPES[a["to"]])


def expand(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    x = net.plain(given[0], names[0])
    return tf.broadcast_to(x, np.broadcast_shapes(tuple(x.shape), tuple(ints(a, "shape", given))))


def concat(net: TfGraph, a: Attributes, given: Sequence[Any], names: Sequence[str]) -> Any:
    parts = net.alike(given, names)
    return tf.concat(parts, net.axis(a["axis"], len(parts[0].shape)))


def of_axis(function: Callable[..., Any], default: int = -1) -> Make:
    """Along one axis."""
    return lambda net, a, given, names: function(given[0], net.axis(a.get("axis", default), len(given[0].shape)))


def alike(function: Callable[..., Any]) -> Make:
    """Elementwise of several, in one layout."""
    return lambda net, a, given, names: function(*net.alike(given, names))


def folded(function: Callable[[Any, Any], Any]) -> Make:
    """Elementwise of any number, two by two."""

    def fold(*values: Any) -> Any:
        found = values[0]
        for value in values[1:]:
            found = function(found, value)
        return found

    return alike(fold)


def power(x: Any, y: Any) -> Any:
    """A square and a root have kernels of their own."""
    if isinstance(y, np.ndarray) and y.size == 1 and float(y.reshape(())) in (2.0, 0.5):
        return tf.square(x) if float(y.reshape(())) == 2.0 else tf.sqrt(x)
    return tf.pow(x, tf.cast(y, x.dtype))


def divide(x: Any, y: Any) -> Any:
    """Of integers ONNX's quotient is one."""
    return tf.truncatediv(x, y) if not tf.as_dtype(x.dtype).is_floating else tf.divide(x, y)


ONE: Mapping[str, Callable[[Any], Any]] = {
    "Sqrt": tf.sqrt,
    "Erf": tf.math.erf,
    "Exp": tf.exp,
    "Log": tf.math.log,
    "Neg": tf.negative,
    "Abs": tf.abs,
    "Sin": tf.sin,
    "Cos": tf.cos,
    "Floor": tf.floor,
    "Ceil": tf.math.ceil,
    "Round": tf.round,
    "Sign": tf.sign,
    "Reciprocal": tf.math.reciprocal,
    "Not": tf.logical_not,
    "Softplus": tf.nn.softplus,
}
SEVERAL: Mapping[str, Callable[..., Any]] = {
    "Add": tf.add,
    "Sub": tf.subtract,
    "Mul": tf.multiply,
    "Div": divide,
    "Pow": power,
    "Where": tf.where,
    "Equal": tf.equal,
    "Less": tf.less,
    "LessOrEqual": tf.less_equal,
    "Greater": tf.greater,
    "GreaterOrEqual": tf.greater_equal,
    "And": tf.logical_and,
    "Or": tf.logical_or,
    "PRelu": lambda x, slope: tf.nn.relu(x) - slope * tf.nn.relu(-x),
}
# What leaves the axes of what it takes in place.
THROUGH = frozenset(
    {*ONE, *SEVERAL, "Cast", "Pad", "Concat", "Clip", "Relu", "Sigmoid", "Tanh", "Identity", "Dropout", "LeakyRelu"}
    | {"Slice", "Split", "Max", "Min", "Sum", "HardSwish", "HardSigmoid"}
)

FORMS: Mapping[str, Make] = {
    **{name: unary(function) for name, function in ONE.items()},
    **{name: alike(function) for name, function in SEVERAL.items()},
    "Max": folded(tf.maximum),
    "Min": folded(tf.minimum),
    "Sum": folded(tf.add),
    "LeakyRelu": lambda net, a, given, names: tf.nn.leaky_relu(given[0], a.get("alpha", 0.01)),
    "Elu": lambda net, a, given, names: tf.where(
        given[0] > 0, given[0], a.get("alpha", 1.0) * (tf.exp(tf.minimum(given[0], 0.0)) - 1)
    ),
    "Gelu": lambda net, a, given, names: tf.nn.gelu(given[0], a.get("approximate", b"none") == b"tanh"),
    "Softmax": of_axis(tf.nn.softmax),
    "LogSoftmax": of_axis(tf.nn.log_softmax),
    "ReduceMean": reduction(tf.reduce_mean),
    "ReduceSum": reduction(tf.reduce_sum),
    "ReduceMax": reduction(tf.reduce_max),
    "ReduceMin": reduction(tf.reduce_min),
    "ReduceL2": reduction(lambda x, axes, keep: tf.norm(x, axis=axes, keepdims=keep)),
    "ArgMax": arg(tf.argmax),
    "ArgMin": arg(tf.argmin),
    "Concat": concat,
    "Reshape": reshape,
    "Transpose": transpose,
    "Flatten": flatten,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Split": split,
    "Slice": cut,
    "Pad": pad,
    "Gather": gather,
    "MatMul": matmul,
    "LayerNormalization": layer_norm,
    "Cast": cast,
    "Expand": expand,
    "Tile": lambda net, a, given, names: tf.tile(net.plain(given[0], names[0]), ints(a, "repeats", given)),
}
