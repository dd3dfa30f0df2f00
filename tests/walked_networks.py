"""Networks that adapters rebuild operator by operator: small ones of each family, as KINDS of tests/input_kinds.py."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from onnx import helper

from tests.input_kinds import BATCH, INT64, LENGTH, WORDS, model, value
from tests.output_kinds import SIDE, conv, node, weights

WIDTH, HEADS, LAYERS = 16, 2, 2
IMAGE = (BATCH, 3, SIDE, SIDE)


def normal(source: str, target: str) -> list[Any]:
    """A layer normalisation in parts, as exporters of older opsets write it."""
    n = target
    return [
        node("ReduceMean", [source], f"{n}.mean", axes=[-1]),
        node("Sub", [source, f"{n}.mean"], f"{n}.off"),
        node("Pow", [f"{n}.off", "two"], f"{n}.square"),
        node("ReduceMean", [f"{n}.square"], f"{n}.variance", axes=[-1]),
        node("Add", [f"{n}.variance", "small"], f"{n}.sum"),
        node("Sqrt", [f"{n}.sum"], f"{n}.root"),
        node("Div", [f"{n}.off", f"{n}.root"], f"{n}.unit"),
        node("Mul", [f"{n}.unit", "gain"], f"{n}.scaled"),
        node("Add", [f"{n}.scaled", "shift"], target),
    ]


def gelu(source: str, target: str) -> list[Any]:
    """By the error function."""
    return [
        node("Div", [source, "root2"], f"{target}.d"),
        node("Erf", [f"{target}.d"], f"{target}.e"),
        node("Add", [f"{target}.e", "one"], f"{target}.a"),
        node("Mul", [source, f"{target}.a"], f"{target}.m"),
        node("Mul", [f"{target}.m", "half"], target),
    ]


def block(i: int, source: str, mask: str = "") -> list[Any]:
    """Attention in heads and two products, each with what it skips; the result is `out.I`."""
    n = f"b{i}"
    nodes = []
    for part in "qkv":
        nodes += [
            node("MatMul", [source, f"{part}{i}"], f"{n}.{part}.m"),
            node("Add", [f"{n}.{part}.m", f"bias{i}"], f"{n}.{part}.b"),
            node("Reshape", [f"{n}.{part}.b", "split"], f"{n}.{part}.s"),
            node("Transpose", [f"{n}.{part}.s"], f"{n}.{part}", perm=[0, 2, 3, 1] if part == "k" else [0, 2, 1, 3]),
        ]
    nodes += [
        node("MatMul", [f"{n}.q", f"{n}.k"], f"{n}.scores"),
        node("Div", [f"{n}.scores", "scale"], f"{n}.scaled"),
        *([node("Add", [f"{n}.scaled", mask], f"{n}.masked")] if mask else []),
        node("Softmax", [f"{n}.masked" if mask else f"{n}.scaled"], f"{n}.parts", axis=-1),
        node("MatMul", [f"{n}.parts", f"{n}.v"], f"{n}.mixed"),
        node("Transpose", [f"{n}.mixed"], f"{n}.turned", perm=[0, 2, 1, 3]),
        node("Reshape", [f"{n}.turned", "join"], f"{n}.joined"),
        node("MatMul", [f"{n}.joined", f"o{i}"], f"{n}.o"),
        node("Add", [f"{n}.o", source], f"{n}.first"),
        *normal(f"{n}.first", f"{n}.n1"),
        node("MatMul", [f"{n}.n1", f"up{i}"], f"{n}.up"),
        *gelu(f"{n}.up", f"{n}.act"),
        node("MatMul", [f"{n}.act", f"down{i}"], f"{n}.down"),
        node("Add", [f"{n}.down", f"{n}.n1"], f"{n}.second"),
        *normal(f"{n}.second", f"out.{i}"),
    ]
    return nodes


def learned(length: int) -> dict[str, Any]:
    """What blocks and their normalisation take."""
    shapes: dict[str, Sequence[int]] = {}
    for i in range(LAYERS):
        shapes |= {f"{part}{i}": (WIDTH, WIDTH) for part in "qkvo"}
        shapes |= {f"bias{i}": (WIDTH,), f"up{i}": (WIDTH, 4 * WIDTH), f"down{i}": (4 * WIDTH, WIDTH)}
    numbers = {"two": 2.0, "small": 1e-5, "root2": math.sqrt(2), "one": 1.0, "half": 0.5}
    return {
        **weights(**shapes, gain=(WIDTH,), shift=(WIDTH,)),
        **{name: np.float32(number) for name, number in numbers.items()},
        "scale": np.float32(math.sqrt(WIDTH // HEADS)),
        "split": np.array([0, length, HEADS, WIDTH // HEADS]),
        "join": np.array([0, length, WIDTH]),
    }


def bert() -> Any:
    """Ids, positions from a table, an additive mask; the first word's answer."""
    nodes = [
        node("Gather", ["words", "ids"], "word"),
        node("Add", ["word", "positions"], "sum"),
        *normal("sum", "x"),
        *block(0, "x", "mask"),
        *block(1, "out.0", "mask"),
        node("Gather", ["out.1", "zero"], "first", axis=1),
        node("Gemm", ["first", "head", "headbias"], "logits"),
        node("Tanh", ["logits"], "answer"),
    ]
    more = weights(words=(WORDS, WIDTH), positions=(1, LENGTH, WIDTH), head=(WIDTH, 5), headbias=(5,))
    inputs = [value("ids", (BATCH, LENGTH), INT64), value("mask", (BATCH, 1, 1, LENGTH))]
    return model(nodes, inputs, [value("answer", (BATCH, 5))], {**learned(LENGTH), **more, "zero": np.array(0)})


def bert_as_exported() -> Any:
    """Positions counted from the shape of the ids, the mask of integers spread over the scores."""
    nodes = [
        node("Shape", ["ids"], "shape"),
        node("Gather", ["shape", "one_at"], "length"),
        node("Range", ["zero", "length", "step"], "counted"),
        node("Unsqueeze", ["counted", "axis0"], "position"),
        node("Gather", ["places", "position"], "placed"),
        node("Gather", ["words", "ids"], "word"),
        node("Add", ["word", "placed"], "x"),
        node("Unsqueeze", ["attention", "axes12"], "wide"),
        node("Cast", ["wide"], "kept", to=1),
        node("Sub", ["one", "kept"], "lost"),
        node("Cast", ["lost"], "where", to=9),
        node("Where", ["where", "low", "lost"], "mask"),
        *block(0, "x", "mask"),
        node("Shape", ["out.0"], "size", start=0, end=1),
        node("Concat", ["size", "rest"], "flat", axis=0),
        node("Reshape", ["out.0", "flat"], "y"),
    ]
    numbers = {"one_at": 1, "zero": 0, "step": 1, "axis0": [0], "axes12": [1, 2], "rest": [LENGTH * WIDTH]}
    more = {
        **learned(LENGTH),
        **weights(words=(WORDS, WIDTH), places=(2 * LENGTH, WIDTH)),
        **{name: np.array(number) for name, number in numbers.items()},
        "low": np.float32(-1e4),
    }
    inputs = [value("ids", (BATCH, LENGTH), INT64), value("attention", (BATCH, LENGTH), INT64)]
    return model(nodes, inputs, [value("y", (BATCH, LENGTH * WIDTH))], more)


def vit() -> Any:
    """Patches, a class token, blocks, the token's answer."""
    patches = (SIDE // 4) ** 2
    nodes = [
        node("Conv", ["x", "patch"], "maps", kernel_shape=[4, 4], strides=[4, 4]),
        node("Reshape", ["maps", "rows"], "flat"),
        node("Transpose", ["flat"], "tokens", perm=[0, 2, 1]),
        node("Shape", ["x"], "batch", start=0, end=1),
        node("Concat", ["batch", "one_token"], "spread", axis=0),
        node("Expand", ["token", "spread"], "tokened"),
        node("Concat", ["tokened", "tokens"], "all", axis=1),
        node("Add", ["all", "places"], "placed"),
        *block(0, "placed"),
        *block(1, "out.0"),
        node("Slice", ["out.1", "zero", "first", "one_at"], "cut"),
        node("Squeeze", ["cut", "one_at"], "squeezed"),
        node("LayerNormalization", ["squeezed", "gain", "shift"], "normed", axis=-1),
        node("MatMul", ["normed", "head"], "y"),
    ]
    more = {
        **learned(patches + 1),
        **weights(patch=(WIDTH, 3, 4, 4), token=(1, 1, WIDTH), places=(1, patches + 1, WIDTH), head=(WIDTH, 5)),
        "rows": np.array([0, WIDTH, patches]),
        "one_token": np.array([1, WIDTH]),
        **{name: np.array([number]) for name, number in (("zero", 0), ("first", 1), ("one_at", 1))},
    }
    return model(nodes, [value("x", IMAGE)], [value("y", (BATCH, 5))], more)


def unet() -> Any:
    """Down by pooling, up by a transposed convolution and by both resizings, with what is skipped beside."""
    nodes = [
        conv("x", "w", "a"),
        node("InstanceNormalization", ["a", "gain", "shift"], "n"),
        node("MaxPool", ["n"], "p", kernel_shape=[2, 2], strides=[2, 2]),
        conv("p", "v", "b"),
        node("PRelu", ["b", "slope"], "r"),
        node("ConvTranspose", ["r", "t", "tb"], "up", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1],
             output_padding=[1, 1]),
        node("Resize", ["r", "", "factors"], "near", mode="nearest"),
        node("Resize", ["r", "", "factors"], "smooth", mode="linear"),
        node("Resize", ["r", "", "", "size"], "corners", mode="linear",
             coordinate_transformation_mode="align_corners"),
        node("Concat", ["up", "near", "smooth", "corners", "a"], "joined", axis=1),
        conv("joined", "u", "y"),
    ]  # fmt: skip
    more = {
        **weights(w=(8, 3, 3, 3), v=(8, 8, 3, 3), t=(8, 4, 3, 3), tb=(4,), u=(2, 36, 3, 3), gain=(8,), shift=(8,)),
        **weights(slope=(8, 1, 1)),
        "factors": np.array([1, 1, 2, 2], np.float32),
    }
    more["size"] = np.array([0, 0, SIDE, SIDE])
    nodes[8].input[3] = "size_of"
    nodes.insert(8, node("Concat", ["two_axes", "sides"], "size_of", axis=0))
    nodes.insert(8, node("Shape", ["r"], "two_axes", start=0, end=2))
    more["sides"] = np.array([SIDE, SIDE])
    del more["size"]
    return model(nodes, [value("x", IMAGE)], [value("y", (BATCH, 2, SIDE, SIDE))], more)


def ssd() -> Any:
    """Two heads on maps of two sizes, their channels last, one list of boxes; a factor for each channel."""
    nodes = [
        conv("x", "w", "a"),
        node("GlobalAveragePool", ["a"], "g"),
        node("Flatten", ["g"], "f"),
        node("Gemm", ["f", "se"], "s"),
        node("Sigmoid", ["s"], "h"),
        node("Unsqueeze", ["h", "axes"], "factor"),
        node("Mul", ["a", "factor"], "m"),
        node("MaxPool", ["m"], "p", kernel_shape=[2, 2], strides=[2, 2]),
        conv("m", "v", "b0"),
        conv("p", "v", "b1"),
        node("Transpose", ["b0"], "t0", perm=[0, 2, 3, 1]),
        node("Transpose", ["b1"], "t1", perm=[0, 2, 3, 1]),
        node("Reshape", ["t0", "boxes"], "r0"),
        node("Reshape", ["t1", "boxes"], "r1"),
        node("Concat", ["r0", "r1"], "all", axis=1),
        node("Split", ["all", "parts"], "deltas"),
        node("Sigmoid", ["scores"], "score"),
        node("ReduceMax", ["score"], "best", axes=[2], keepdims=0),
        node("ArgMax", ["score"], "class", axis=2, keepdims=0),
    ]
    nodes[15] = helper.make_node("Split", ["all", "parts"], ["deltas", "scores"], name="split", axis=2)
    more = {
        **weights(w=(8, 3, 3, 3), v=(14, 8, 3, 3), se=(8, 8)),
        "axes": np.array([2, 3]),
        "boxes": np.array([0, -1, 7]),
        "parts": np.array([4, 3]),
    }
    count = 2 * SIDE * SIDE + 2 * SIDE * SIDE // 4
    outputs = [value("deltas", (BATCH, count, 4)), value("best", (BATCH, count)), value("class", (BATCH, count), INT64)]
    return model(nodes, [value("x", IMAGE)], outputs, more)


def speech() -> Any:
    """Convolutions along time, normalised, pooled, and a mean over time."""
    nodes = [
        node("Conv", ["x", "w", "wb"], "a", kernel_shape=[5], strides=[2], pads=[2, 2]),
        node("BatchNormalization", ["a", "gain", "shift", "mean", "var"], "n"),
        node("Relu", ["n"], "r"),
        node("MaxPool", ["r"], "p", kernel_shape=[2], strides=[2]),
        node("Conv", ["p", "v"], "d", kernel_shape=[3], pads=[1, 1], group=8),
        node("Softmax", ["d"], "s", axis=1),
        node("GlobalAveragePool", ["d"], "g"),
        node("Squeeze", ["g", "axis"], "y"),
    ]
    more = {
        **weights(w=(8, 4, 5), wb=(8,), v=(8, 1, 3), gain=(8,), shift=(8,), mean=(8,)),
        "var": np.linspace(0.5, 2, 8, dtype=np.float32),
        "axis": np.array([2]),
    }
    outputs = [value("s", (BATCH, 8, 16)), value("y", (BATCH, 8))]
    return model(nodes, [value("x", (BATCH, 4, 64))], outputs, more)


def recurrent(kind: str, direction: str) -> Any:
    """One layer with a bias; all states, and the last."""
    gates, directions = (4 if kind == "LSTM" else 3), (2 if direction == "bidirectional" else 1)
    hidden, size = 5, 6
    extra = {"linear_before_reset": 1} if kind == "GRU" else {}
    layer = helper.make_node(
        kind, ["x", "w", "r", "b"], ["all", "last"], name="layer", hidden_size=hidden, direction=direction, **extra
    )
    learned_ = weights(
        w=(directions, gates * hidden, size), r=(directions, gates * hidden, hidden), b=(directions, 2 * gates * hidden)
    )
    outputs = [value("all", (LENGTH, directions, BATCH, hidden)), value("last", (directions, BATCH, hidden))]
    return model([layer], [value("x", (LENGTH, BATCH, size))], outputs, learned_)


def sums() -> Any:
    """Two images of one shape, each convolved with weights of its own; sorted by name, they change places."""
    nodes = [conv("right", "w", "a"), conv("left", "v", "b"), node("Add", ["a", "b"], "y")]
    inputs = [value("right", IMAGE), value("left", IMAGE)]
    return model(nodes, inputs, [value("y", (BATCH, 8, SIDE, SIDE))], weights(w=(8, 3, 3, 3), v=(8, 3, 3, 3)))


def unused_input() -> Any:
    """An input that nothing takes, before one that is taken."""
    nodes = [node("Relu", ["x"], "y")]
    return model(nodes, [value("idle", (BATCH, 2)), value("x", (BATCH, 4))], [value("y", (BATCH, 4))], {})


IMAGES: Mapping[str, Callable[[], Any]] = {"vit": vit, "unet": unet, "ssd": ssd, "speech": speech}
TEXTS: Mapping[str, Callable[[], Any]] = {"bert": bert, "bert_as_exported": bert_as_exported}
RECURRENT: Mapping[str, Callable[[], Any]] = {
    f"{kind.lower()}_{direction}": partial(recurrent, kind, direction)
    for kind in ("LSTM", "GRU")
    for direction in ("forward", "reverse", "bidirectional")
}
KINDS = {**IMAGES, **TEXTS, **RECURRENT, "sums": sums, "unused_input": unused_input}
