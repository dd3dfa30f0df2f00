"""Small networks with inputs of every kind, each a file as an adapter gets it, with arrays to feed and right outputs.

KINDS: name -> the network; DYNAMIC has more. Of a kind: `write` its .onnx (the batch open, all else fixed), `spec_of`
its inputs in a case, `feeds` one array for each input in the network's order, `expected` the outputs by ONNX Runtime,
`agreement` of a framework's outputs with these. tests/adapter_runs.py runs them in a framework's own interpreter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hwprof.frameworks import named_outputs
from hwprof.frameworks.named_outputs import ReferenceOutputs
from hwprof.networks.inputs import InputSpec, TensorSpec
from hwprof.records import Fidelity
from tests.output_kinds import SIDE, Weights, conv, node, weights

BATCH = "N"
FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING
WORDS, LENGTH, WIDTH = 32, 12, 8  # rows of a table, of a sequence, and values of a row
LABELS = ("cat", "dog", "a word with ü")
TYPES = ("float16", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")
# Input -> what its values have to be, as in `TensorSpec.use`.
USES = {
    "input_ids": f"ids:{WORDS}",
    "token_type_ids": "ids:2",
    "attention_mask": "ids:2",
    "ids": f"ids:{WORDS}",
    "keep": "ids:2",
}
Shape = Sequence[int | str]


def value(name: str, shape: Shape, kind: int = FLOAT) -> Any:
    """An input or an output."""
    return helper.make_tensor_value_info(name, kind, list(shape))


def model(nodes: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any], learned: Weights) -> Any:
    """Of opset 17."""
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in learned.items()]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 2)]
    graph = helper.make_graph(nodes, "g", inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


IMAGE, MAP = (BATCH, 3, SIDE, SIDE), (BATCH, 8, SIDE, SIDE)
KERNEL = weights(w=(8, 3, 3, 3))


def one_image() -> Any:
    """What every framework takes: one image."""
    return model([conv("x", "w", "y")], [value("x", IMAGE)], [value("y", MAP)], KERNEL)


def encoder() -> Any:
    """Words, mask and segments in int64 as exporters of text encoders write them. Sorted, their names change places."""
    nodes = [
        node("Gather", ["words", "input_ids"], "word"),
        node("Gather", ["segments", "token_type_ids"], "segment"),
        node("Add", ["word", "segment"], "x"),
        node("Cast", ["attention_mask"], "there", to=FLOAT),
        node("Sub", ["one", "there"], "missing"),
        node("Mul", ["missing", "minus"], "low"),
        node("Unsqueeze", ["low", "axis"], "mask"),
        *attention("x", "mask"),
    ]
    learned = weights(words=(WORDS, WIDTH), segments=(2, WIDTH))
    learned = {**learned, "one": np.float32(1), "minus": np.float32(-1e4), "axis": np.array([1])}
    names = ("input_ids", "attention_mask", "token_type_ids")
    return model(nodes, [value(name, (BATCH, LENGTH), INT64) for name in names], ENCODED, learned)


def plain_encoder() -> Any:
    """The same with an additive float mask."""
    nodes = [node("Gather", ["words", "ids"], "x"), *attention("x", "mask")]
    inputs = [value("ids", (BATCH, LENGTH), INT64), value("mask", (BATCH, 1, LENGTH))]
    return model(nodes, inputs, ENCODED, weights(words=(WORDS, WIDTH)))


ENCODED = (value("hidden", (BATCH, LENGTH, WIDTH)), value("pooled", (BATCH, WIDTH)))


def attention(source: str, mask: str) -> list[Any]:
    """Of a sequence to itself: `hidden`, and its mean `pooled`."""
    return [
        node("Transpose", [source], "turned", perm=[0, 2, 1]),
        node("MatMul", [source, "turned"], "scores"),
        node("Add", ["scores", mask], "masked"),
        node("Softmax", ["masked"], "parts", axis=-1),
        node("MatMul", ["parts", source], "hidden"),
        node("ReduceMean", ["hidden"], "pooled", axes=[1], keepdims=0),
    ]


def decoder() -> Any:
    """One token with a past of eight; names with dots."""
    return decode(past=8)


def first_token() -> Any:
    """The same without a past: an input and a part of a concatenation that are empty."""
    return decode(past=0)


def decode(past: int) -> Any:
    """One token after so many."""
    heads = (BATCH, 2, 1, 4)
    nodes = [
        node("Gather", ["words", "ids"], "x"),
        node("MatMul", ["x", "query"], "q"),
        node("Reshape", ["q", "split"], "qs"),
        node("Transpose", ["qs"], "qh", perm=[0, 2, 1, 3]),
        node("Reshape", ["x", "split"], "ks"),
        node("Transpose", ["ks"], "kh", perm=[0, 2, 1, 3]),
        node("Concat", ["past.0.key", "kh"], "present.0.key", axis=2),
        node("Transpose", ["present.0.key"], "kt", perm=[0, 1, 3, 2]),
        node("MatMul", ["qh", "kt"], "scores"),
        node("Add", ["scores", "mask"], "masked"),
        node("Softmax", ["masked"], "parts", axis=-1),
        node("MatMul", ["parts", "present.0.key"], "mixed"),
        node("Transpose", ["mixed"], "turned", perm=[0, 2, 1, 3]),
        node("Reshape", ["turned", "join"], "joined"),
        node("MatMul", ["joined", "head"], "logits"),
    ]
    learned = weights(words=(WORDS, WIDTH), query=(WIDTH, WIDTH), head=(WIDTH, WORDS))
    learned = {**learned, "split": np.array([0, 1, 2, 4]), "join": np.array([0, 1, WIDTH])}
    inputs = [
        value("ids", (BATCH, 1), INT64),
        value("mask", (BATCH, 1, 1, past + 1)),
        value("past.0.key", (*heads[:2], past, 4)),
    ]
    outputs = [value("logits", (BATCH, 1, WORDS)), value("present.0.key", (*heads[:2], past + 1, 4))]
    return model(nodes, inputs, outputs, learned)


def swapped() -> Any:
    """Two of one shape and type; sorted by name, they change places."""
    nodes = [node("Mul", ["a", "two"], "d"), node("Sub", ["b", "d"], "y")]
    shape = (BATCH, 3, SIDE, SIDE)
    return model(nodes, [value("b", shape), value("a", shape)], [value("y", shape)], {"two": np.float32(2)})


def scalar() -> Any:
    """An image and one number without any axis."""
    nodes = [conv("x", "w", "c"), node("Mul", ["c", "scale"], "y")]
    return model(nodes, [value("x", IMAGE), value("scale", ())], [value("y", MAP)], KERNEL)


def shared_row() -> Any:
    """An image, and a row that all images of a batch share."""
    nodes = [conv("x", "w", "c"), node("Mul", ["c", "row"], "y")]
    return model(nodes, [value("x", IMAGE), value("row", (SIDE,))], [value("y", MAP)], KERNEL)


def bool_mask() -> Any:
    """An image, and where it counts."""
    nodes = [conv("x", "w", "c"), node("Where", ["keep", "c", "zero"], "y")]
    inputs = [value("x", IMAGE), value("keep", (BATCH, 1, SIDE, SIDE), TensorProto.BOOL)]
    return model(nodes, inputs, [value("y", MAP)], {**KERNEL, "zero": np.float32(0)})


def bytes_nhwc() -> Any:
    """An image as a camera gives it: bytes, channels last."""
    nodes = [
        node("Cast", ["image"], "f", to=FLOAT),
        node("Mul", ["f", "scale"], "s"),
        node("Transpose", ["s"], "t", perm=[0, 3, 1, 2]),
        conv("t", "w", "y"),
    ]
    inputs = [value("image", (BATCH, SIDE, SIDE, 3), TensorProto.UINT8)]
    return model(nodes, inputs, [value("y", MAP)], {**KERNEL, "scale": np.float32(1 / 255)})


def audio() -> Any:
    """Samples, one row for each recording."""
    nodes = [
        node("Unsqueeze", ["samples", "axis"], "x"),
        node("Conv", ["x", "v"], "c", kernel_shape=[9], pads=[4, 4], strides=[4]),
        node("Relu", ["c"], "y"),
    ]
    learned = {**weights(v=(4, 1, 9)), "axis": np.array([1])}
    return model(nodes, [value("samples", (BATCH, 256))], [value("y", (BATCH, 4, 64))], learned)


def one_axis() -> Any:
    """One recording without any batch."""
    nodes = [node("Mul", ["samples", "window"], "x"), node("Relu", ["x"], "y")]
    return model(nodes, [value("samples", (256,))], [value("y", (256,))], weights(window=(256,)))


def time_first() -> Any:
    """Time first, then the batch, in input and output."""
    nodes = [node("MatMul", ["x", "w"], "m"), node("Relu", ["m"], "y")]
    shape = (LENGTH, BATCH)
    return model(nodes, [value("x", (*shape, 6))], [value("y", (*shape, WIDTH))], weights(w=(6, WIDTH)))


def text() -> Any:
    """Labels as text, and numbers; out come their indices and a sum."""
    encode = helper.make_node(
        "LabelEncoder",
        ["label"],
        ["index"],
        name="index",
        domain="ai.onnx.ml",
        keys_strings=LABELS,
        values_int64s=range(len(LABELS)),
    )
    nodes = [encode, node("Cast", ["index"], "f", to=FLOAT), node("Add", ["f", "x"], "y")]
    shape = (BATCH, 2)
    outputs = [value("index", shape, INT64), value("y", shape)]
    return model(nodes, [value("label", shape, STRING), value("x", shape)], outputs, {})


def branch() -> Any:
    """What is done with an image depends on a number."""
    image = value("out", IMAGE)
    ways = [
        helper.make_graph([helper.make_node(op, ["x"], [name], name=name)], name, [], [value(name, IMAGE)])
        for op, name in (("Relu", "positive"), ("Neg", "negative"))
    ]
    nodes = [
        node("Greater", ["level", "zero"], "high"),
        helper.make_node("If", ["high"], ["chosen"], name="chosen", then_branch=ways[0], else_branch=ways[1]),
        node("Mul", ["chosen", "two"], "out"),
    ]
    learned = {"zero": np.float32(0), "two": np.float32(2)}
    return model(nodes, [value("x", IMAGE), value("level", ())], [image], learned)


def found_words() -> Any:
    """Where a sequence is not zero, whose number depends on it; and a second input and output."""
    nodes = [
        node("Mul", ["x", "keep"], "kept"),
        node("NonZero", ["kept"], "places"),
        node("Relu", ["kept"], "y"),
    ]
    shape = (BATCH, LENGTH)
    outputs = [value("places", (2, "found"), INT64), value("y", shape)]
    return model(nodes, [value("x", shape), value("keep", shape)], outputs, {})


def unread() -> Any:
    """An input that no node reads, in front of one that is."""
    shape = (BATCH, 4)
    return model([node("Relu", ["x"], "y")], [value("extra", shape, INT64), value("x", shape)], [value("y", shape)], {})


def typed(dtype: str) -> Any:
    """A float input and one of another type, added."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    nodes = [node("Cast", ["t"], "f", to=FLOAT), node("Add", ["x", "f"], "y")]
    shape = (BATCH, 3, 4)
    return model(nodes, [value("x", shape), value("t", shape, kind)], [value("y", shape)], {})


IMAGES = (one_image, swapped, scalar, shared_row, bool_mask, bytes_nhwc)
SEQUENCES = (encoder, plain_encoder, decoder, audio, one_axis, time_first, text)
KINDS: Mapping[str, Callable[[], Any]] = {
    **{make.__name__: make for make in (*IMAGES, *SEQUENCES)},
    **{f"typed_{dtype}": partial(typed, dtype) for dtype in TYPES},
}
# Of these, what is done or a shape depends on the data: a framework takes them by another of its interfaces, or not.
DYNAMIC: Mapping[str, Callable[[], Any]] = {make.__name__: make for make in (branch, found_words)}
# Inputs without any value, and without any use.
EMPTY: Mapping[str, Callable[[], Any]] = {"first_token": first_token, "unread": unread}
ALL = {**KINDS, **DYNAMIC, **EMPTY}


def write(kind: str, folder: Path) -> Path:
    """KIND.onnx in `folder`."""
    path = folder / f"{kind}.onnx"
    onnx.save(ALL[kind](), str(path))
    return path


def spec_of(kind: str, batch: int = 1) -> InputSpec:
    """Inputs and outputs of a kind in a case of `batch` frames."""
    graph = ALL[kind]().graph
    first, *others = (tensor_spec(entry, batch) for entry in graph.input)
    outputs = tuple(output.name for output in graph.output)
    named = outputs if len(outputs) > 1 else ()
    return InputSpec(first.name, first.shape, first.dtype, named, first.batch_axis, first.use, tuple(others))


def tensor_spec(entry: Any, batch: int) -> TensorSpec:
    """One input, its batch filled in."""
    tensor = entry.type.tensor_type
    symbols = [dim.dim_param for dim in tensor.shape.dim]
    shape = tuple(batch if dim.dim_param else dim.dim_value for dim in tensor.shape.dim)
    dtype = "str" if tensor.elem_type == STRING else str(helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    axis = symbols.index(BATCH) if BATCH in symbols else None
    return TensorSpec(entry.name, shape, dtype, axis, USES.get(entry.name, ""))


def batches(kind: str) -> tuple[int, ...]:
    """The batch sizes to try: 1, and 2 where it has a batch."""
    return (1, 2) if any(one.batch_axis is not None for one in spec_of(kind).inputs) else (1,)


def feeds(kind: str, batch: int = 1, seed: int = 0) -> list[Any]:
    """One seeded array for each input, in the network's order; a scalar has no axis, text is an array of objects."""
    random = np.random.default_rng(seed)
    return [feed(one, random) for one in spec_of(kind, batch).inputs]


def feed(one: TensorSpec, random: np.random.Generator) -> Any:
    """Values as its use and type want them."""
    if one.dtype == "str":
        return random.choice(np.array(LABELS, object), size=one.shape)
    if one.use.startswith("ids:"):
        return random.integers(int(one.use[4:]), size=one.shape).astype(one.dtype)
    if one.dtype == "bool":
        return random.integers(2, size=one.shape).astype(bool)
    if one.dtype.startswith("float"):
        return np.asarray(random.normal(size=one.shape), one.dtype)
    return random.integers(0 if one.dtype[0] == "u" else -100, 100, size=one.shape).astype(one.dtype)


def expected(source: Path, arrays: Sequence[Any]) -> list[Any]:
    """All outputs of the network for these inputs, by ONNX Runtime without optimisation."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    given = {entry.name: array for entry, array in zip(session.get_inputs(), arrays, strict=True)}
    found: list[Any] = session.run(None, given)
    return found


def agreement(outputs: Sequence[Any], right: Sequence[Any], allowed: float = 1e-3) -> Fidelity:
    """A framework's outputs of one inference beside `expected`; `faithful` and `parts` say what is wrong."""
    assert len(outputs) == len(right)
    known = ReferenceOutputs({str(i): [one] for i, one in enumerate(right)}, dict.fromkeys(map(str, range(len(right)))))
    return named_outputs.compare({str(i): [one] for i, one in enumerate(outputs)}, known, allowed)
