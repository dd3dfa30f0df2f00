"""A small network as files of every precision: quantised by ONNX Runtime's own tools, or written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.onnx_models import make_model

SIDE, CLASSES = 16, 10
INPUT, OUTPUT = "x", "y"


def images(count: int, seed: int = 0) -> list[np.ndarray[Any, np.dtype[np.float32]]]:
    """Inputs of batch 1, each as bright and as varied as its number says: outputs of several sizes."""
    noise = np.random.default_rng(seed)
    shape = (1, 3, SIDE, SIDE)
    return [(noise.normal(0, 1 + i % 3, shape) + i % 2).astype(np.float32) for i in range(count)]


def plain(second: bool = True) -> onnx.ModelProto:
    """The network in FP32: two convolutions (one without `second`), an average, a matrix product."""
    draw = np.random.default_rng(1)

    def values(*shape: int) -> Any:
        return draw.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32)

    weights = {"w1": values(8, 3, 3, 3), "w2": values(8, 8, 3, 3), "w3": values(CLASSES, 8).T.copy()}
    chain = [("Conv", ["x", "w1"], "a"), ("Relu", ["a"], "b")]
    chain += [("Conv", ["b", "w2"], "c"), ("Relu", ["c"], "d")] if second else [("Identity", ["b"], "d")]
    chain += [("GlobalAveragePool", ["d"], "e"), ("Flatten", ["e"], "f"), ("MatMul", ["f", "w3"], OUTPUT)]
    nodes = [
        helper.make_node(kind, inputs, [output], name=output, **({"pads": [1] * 4} if kind == "Conv" else {}))
        for kind, inputs, output in chain
    ]
    kept = {name: w for name, w in weights.items() if second or name != "w2"}
    return make_model(nodes, {INPUT: ("N", 3, SIDE, SIDE)}, {OUTPUT: ("N", CLASSES)}, kept)


def static(path: Path, form: str, model: onnx.ModelProto | None = None) -> Path:
    """Quantised with ranges of images; `form`: QDQ or QOperator."""
    from onnxruntime import quantization as quant

    class Reader(quant.CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.feeds = ({INPUT: image} for image in images(16, 9))

        def get_next(self) -> Any:
            return next(self.feeds, None)

    onnx.save(model or plain(), str(path.with_name("plain.onnx")))
    quant.quantize_static(
        str(path.with_name("plain.onnx")),
        str(path),
        Reader(),
        quant_format=getattr(quant.QuantFormat, form),
        per_channel=form == "QDQ",
        activation_type=quant.QuantType.QUInt8,
        weight_type=quant.QuantType.QInt8,
    )
    return path


def dynamic(path: Path) -> Path:
    """Its matrix product quantised while it runs, by the range of the whole batch."""
    from onnxruntime import quantization as quant

    onnx.save(plain(), str(path.with_name("plain.onnx")))
    quant.quantize_dynamic(str(path.with_name("plain.onnx")), str(path), op_types_to_quantize=["MatMul", "Conv"])
    return path


def half(path: Path, kind: int = TensorProto.FLOAT16) -> Path:
    """Weights and activations in half precision (or another float type), inputs and outputs in FP32 by Casts."""
    onnx.save(in_half(plain(), kind), str(path))
    return path


def in_half(model: onnx.ModelProto, kind: int) -> onnx.ModelProto:
    """The same of a model, which it changes."""
    graph = model.graph
    for tensor in graph.initializer:
        array = numpy_helper.to_array(tensor)
        tensor.CopyFrom(helper.make_tensor(tensor.name, kind, array.shape, array.flatten().tolist()))
    for node in graph.node:
        node.input[:] = ["x_half" if name == INPUT else name for name in node.input]
        node.output[:] = ["y_half" if name == OUTPUT else name for name in node.output]
    graph.node.insert(0, helper.make_node("Cast", [INPUT], ["x_half"], to=kind))
    graph.node.append(helper.make_node("Cast", ["y_half"], [OUTPUT], to=TensorProto.FLOAT))
    return model


def half_weights(path: Path) -> Path:
    """FP32 but for the file's weights, which are widened by Casts."""
    model = plain()
    casts = []
    for tensor in model.graph.initializer:
        array, name = numpy_helper.to_array(tensor).astype(np.float16), tensor.name
        tensor.CopyFrom(numpy_helper.from_array(array, f"{name}_half"))
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    for cast in casts:
        model.graph.node.insert(0, cast)
    onnx.save(model, str(path))
    return path


def quantised_weights(path: Path) -> Path:
    """FP32 but for weights of 8 bits, each dequantised before use."""
    model = plain()
    pairs = []
    for tensor in list(model.graph.initializer):
        array, name = numpy_helper.to_array(tensor), tensor.name
        scale = np.float32(np.abs(array).max() / 127)
        tensor.CopyFrom(numpy_helper.from_array(np.round(array / scale).astype(np.int8), f"{name}_q"))
        model.graph.initializer.append(numpy_helper.from_array(np.array(scale), f"{name}_s"))
        pairs.append(helper.make_node("DequantizeLinear", [f"{name}_q", f"{name}_s"], [name]))
    for pair in pairs:
        model.graph.node.insert(0, pair)
    onnx.save(model, str(path))
    return path


def four_bit_weights(path: Path, half: bool = False) -> Path:
    """A matrix product whose weights are kept in 4 bits, by ONNX Runtime's operator for it. `half`: in FP16."""
    rows, columns, block = 3 * SIDE * SIDE, CLASSES, 32
    draw = np.random.default_rng(2)
    packed = draw.integers(0, 256, (columns, rows // block, block // 2)).astype(np.uint8)
    scales = np.full((columns * rows // block,), 0.01, np.float32)
    sizes = {"K": rows, "N": columns, "bits": 4, "block_size": block}
    nodes = [
        helper.make_node("Flatten", [INPUT], ["f"]),
        helper.make_node("MatMulNBits", ["f", "w", "s"], [OUTPUT], domain="com.microsoft", **sizes),
    ]
    model = make_model(nodes, {INPUT: ("N", 3, SIDE, SIDE)}, {OUTPUT: ("N", CLASSES)}, {"s": scales})
    model = in_half(model, TensorProto.FLOAT16) if half else model
    model.graph.initializer.append(numpy_helper.from_array(packed, "w"))
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    onnx.save(model, str(path))
    return path
