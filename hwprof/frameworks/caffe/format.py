"""An ONNX graph as Caffe's two files: .prototxt (layers as text) and .caffemodel (weights, protocol buffers).

The fields are those of caffe.proto: NetParameter.layer = 100; LayerParameter.name = 1, type = 2, blobs = 7;
BlobProto.data = 5, shape = 7; BlobShape.dim = 1. An operator that Caffe has no layer for raises UnsupportedModel.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.frameworks.walk import Attributes, OnnxGraph, check_product, clip_limits, even_pads
from hwprof.networks.inputs import TensorSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float32]


@dataclass(slots=True)
class CaffeLayer:
    """One layer: `parameters` is text below its name; `blobs` its weights."""

    kind: str
    parameters: str = ""
    blobs: Sequence[Array] = field(default_factory=list)


OUTPUTS = "outputs.json"
Make = Callable[[Attributes, Sequence[Any]], list[CaffeLayer]]


def convert(source: Path, inputs: Sequence[TensorSpec], folder: Path) -> Path:
    """Write network.prototxt and network.caffemodel for these inputs; the former's path.

    outputs.json beside them: the layer that makes each output. Raises UnsupportedModel.
    """
    graph = OnnxGraph(source, "Caffe", LAYERS, inputs)
    text = ['name: "network"']
    for one in inputs:
        dims = " ".join(f"dim: {d}" for d in one.shape)
        text.append(f'layer {{ name: "{one.name}" type: "Input" top: "{one.name}"')
        text.append(f"  input_param {{ shape: {{ {dims} }} }} }}")
    binary = [_bytes(1, b"network")]
    makers: dict[str, str] = {}
    for node in graph.nodes:
        given = [graph.constants.get(name) for name in node.inputs]
        bottoms = [name for name, value in zip(node.inputs, given, strict=True) if value is None and name]
        layers = graph.convert(node, node.attributes, given)
        for index, layer in enumerate(layers):
            last = index == len(layers) - 1
            top = node.outputs[0] if last else f"{node.outputs[0]}/{index}"
            name = f"{node.label}/{layer.kind}"
            lines = [f'layer {{ name: "{name}" type: "{layer.kind}"', *(f'  bottom: "{b}"' for b in bottoms)]
            text += [*lines, f'  top: "{top}"', f"  {layer.parameters} }}"]
            blobs = b"".join(_bytes(7, _blob(value)) for value in layer.blobs)
            binary.append(_bytes(100, _bytes(1, name.encode()) + _bytes(2, layer.kind.encode()) + blobs))
            bottoms = [top]
            makers[top] = name
    (folder / OUTPUTS).write_text(json.dumps({name: makers[name] for name in graph.results if name in makers}))
    path = folder / "network.prototxt"
    path.write_text("\n".join(text) + "\n")
    path.with_suffix(".caffemodel").write_bytes(b"".join(binary))
    return path


def _varint(value: int) -> bytes:
    out = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def _bytes(number: int, payload: bytes) -> bytes:
    """A length-delimited field of the wire format."""
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def _blob(value: Array) -> bytes:
    dims = b"".join(_varint(d) for d in value.shape)
    data = value.astype("<f4", copy=False).tobytes()
    return _bytes(7, _bytes(1, dims)) + _bytes(5, data)


def _conv(a: Attributes, given: Sequence[Any]) -> list[CaffeLayer]:
    weight = given[1]
    kernel, strides = weight.shape[2:], list(a.get("strides", [1, 1]))
    dilations, pads = set(a.get("dilations", [1, 1])), even_pads(a)
    if len(dilations) > 1:
        raise ValueError("dilations that differ")
    words = f"num_output: {weight.shape[0]} kernel_h: {kernel[0]} kernel_w: {kernel[1]} group: {a.get('group', 1)}"
    words += f" stride_h: {strides[0]} stride_w: {strides[1]} pad_h: {pads[0]} pad_w: {pads[1]}"
    words += f" dilation: {dilations.pop()} bias_term: {'true' if len(given) > 2 else 'false'}"
    return [CaffeLayer("Convolution", f"convolution_param {{ {words} }}", [v for v in given[1:] if v is not None])]


def _batch_norm(a: Attributes, given: Sequence[Any]) -> list[CaffeLayer]:
    """Caffe's BatchNorm normalises only; what follows is a Scale. Its third blob divides the others."""
    import numpy as np

    scale, shift, mean, variance = given[1:5]
    epsilon = f"{a.get('epsilon', 1e-5):g}"
    one = np.ones(1, np.float32)
    return [
        CaffeLayer("BatchNorm", f"batch_norm_param {{ use_global_stats: true eps: {epsilon} }}", [mean, variance, one]),
        CaffeLayer("Scale", "scale_param { bias_term: true }", [scale, shift]),
    ]


def _gemm(a: Attributes, given: Sequence[Any]) -> list[CaffeLayer]:
    check_product(a)
    weight = given[1] if a.get("transB", 0) else given[1].T
    bias = "true" if len(given) > 2 else "false"
    words = f"inner_product_param {{ num_output: {weight.shape[0]} bias_term: {bias} }}"
    return [CaffeLayer("InnerProduct", words, [weight, *(v.reshape(-1) for v in given[2:] if v is not None)])]


def _pool(kind: str) -> Make:
    def make(a: Attributes, given: Sequence[Any]) -> list[CaffeLayer]:
        kernel, strides, pads = list(a["kernel_shape"]), list(a.get("strides", [1, 1])), even_pads(a)
        if kind == "AVE" and any(pads):
            raise ValueError("averages with padding")
        words = (
            f"pool: {kind} kernel_h: {kernel[0]} kernel_w: {kernel[1]} stride_h: {strides[0]} stride_w: {strides[1]}"
        )
        words += f" pad_h: {pads[0]} pad_w: {pads[1]} ceil_mode: {'true' if a.get('ceil_mode', 0) else 'false'}"
        return [CaffeLayer("Pooling", f"pooling_param {{ {words} }}")]

    return make


def _clip(a: Attributes, given: Sequence[Any]) -> list[CaffeLayer]:
    low, high = clip_limits(a, given)
    if (low, high) != (0.0, 6.0):
        raise ValueError(f"limits {low:g} and {high:g}: only 0 and 6 are a layer")
    return [CaffeLayer("ReLU6")]


def _plain(kind: str, parameters: str = "") -> Make:
    return lambda a, given: [CaffeLayer(kind, parameters)]


def _eltwise(operation: str) -> Make:
    def make(a: Attributes, given: Sequence[Any]) -> list[CaffeLayer]:
        if any(value is not None for value in given):
            raise ValueError("a constant operand")
        return [CaffeLayer("Eltwise", f"eltwise_param {{ operation: {operation} }}")]

    return make


def _axis(kind: str, name: str, default: int) -> Make:
    return lambda a, given: [CaffeLayer(kind, f"{name} {{ axis: {a.get('axis', default)} }}")]


LAYERS: Mapping[str, Make] = {
    "Conv": _conv,
    "BatchNormalization": _batch_norm,
    "Gemm": _gemm,
    "MaxPool": _pool("MAX"),
    "AveragePool": _pool("AVE"),
    "GlobalAveragePool": _plain("Pooling", "pooling_param { pool: AVE global_pooling: true }"),
    "Clip": _clip,
    "Relu": _plain("ReLU"),
    "Sigmoid": _plain("Sigmoid"),
    "Tanh": _plain("TanH"),
    "Dropout": _plain("Dropout"),
    "Add": _eltwise("SUM"),
    "Concat": _axis("Concat", "concat_param", 1),
    "Flatten": _axis("Flatten", "flatten_param", 1),
    "Softmax": _axis("Softmax", "softmax_param", -1),
}
