"""A pencil for graphs without weights, and the gains of their layers."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference.ops import op_conv, op_gemm

from hwprof.networks import fill

GRAPHS = Path(__file__).parents[1] / "hwprof" / "networks" / "graphs"
Shape = Sequence[int | str]
Inputs = dict[str, tuple[Shape, int]]  # name -> (shape, element type)


class Drawing:
    """A graph in the making. Every method that adds something returns the name of its tensor."""

    def __init__(self, name: str, epsilon: float | None = 1e-5) -> None:
        """`epsilon` of batch normalisations, written out because MNN's default is not ONNX's; None: not written."""
        self.name = name
        self.epsilon = {} if epsilon is None else {"epsilon": epsilon}
        self.nodes: list[onnx.NodeProto] = []
        self.tensors: dict[str, onnx.TensorProto] = {}

    def learned(self, name: str, *dims: int) -> str:
        """A tensor that has a shape and no values."""
        self.tensors[name] = TensorProto(name=name, dims=dims, data_type=TensorProto.FLOAT)
        return name

    def constant(self, name: str, value: object, kind: str = "int64") -> str:
        """A tensor whose values are part of the graph."""
        self.tensors[name] = numpy_helper.from_array(np.array(value, dtype=kind), name)
        return name

    def node(self, kind: str, inputs: Sequence[str], label: str, *, output: str = "", **attributes: Any) -> str:
        """A node of one output, which is named as the node where `output` does not say otherwise."""
        self.nodes.append(helper.make_node(kind, list(inputs), [output or label], name=label, **attributes))
        return output or label

    def conv(
        self,
        source: str,
        label: str,
        cin: int,
        cout: int,
        kernel: int,
        stride: int = 1,
        group: int = 1,
        *,
        bias: bool = True,
        output: str = "",
    ) -> str:
        """A convolution that keeps height and width, divided by the stride."""
        learned = [self.learned(f"{label}.weight", cout, cin // group, kernel, kernel)]
        if bias:
            learned.append(self.learned(f"{label}.bias", cout))
        return self.node(
            "Conv",
            [source, *learned],
            label,
            output=output,
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[kernel // 2] * 4,
            group=group,
        )

    def block(
        self,
        source: str,
        label: str,
        cin: int,
        cout: int,
        kernel: int,
        stride: int = 1,
        group: int = 1,
        *,
        activation: str = "Relu",
    ) -> str:
        """Convolution, batch normalisation, and ReLU where `activation` is not empty."""
        self.conv(source, f"{label}.conv", cin, cout, kernel, stride, group, bias=False)
        parts = ("weight", "bias", "running_mean", "running_var")
        statistics = [self.learned(f"{label}.bn.{part}", cout) for part in parts]
        x = f"{label}.bn"
        normalisation = helper.make_node("BatchNormalization", [f"{label}.conv", *statistics], [x], x, **self.epsilon)
        self.nodes.append(normalisation)
        return self.node(activation, [x], f"{label}.{activation.lower()}") if activation else x

    def linear(self, source: str, label: str, cin: int, cout: int, bias: bool = True) -> str:
        """The last axis times a matrix (inputs, outputs)."""
        weight = self.learned(f"{label}.weight", cin, cout)
        if not bias:
            return self.node("MatMul", [source, weight], label)
        product = self.node("MatMul", [source, weight], f"{label}.product")
        return self.node("Add", [product, self.learned(f"{label}.bias", cout)], label)

    def classifier(self, source: str, label: str, cin: int, cout: int, output: str = "") -> str:
        """A dense layer on (batch, features)."""
        learned = [self.learned(f"{label}.weight", cout, cin), self.learned(f"{label}.bias", cout)]
        return self.node("Gemm", [source, *learned], label, output=output, transB=1)

    def normalised(self, source: str, label: str, width: int, epsilon: float) -> str:
        """LayerNormalization over the last axis."""
        learned = [self.learned(f"{label}.weight", width), self.learned(f"{label}.bias", width)]
        return self.node("LayerNormalization", [source, *learned], label, axis=-1, epsilon=epsilon)

    def reshaped(self, source: str, label: str, *dims: int) -> str:
        """0 copies the batch."""
        shape = "shape." + ".".join(map(str, dims))
        return self.node("Reshape", [source, self.constant(shape, dims)], label)

    def finish(self, inputs: Inputs, outputs: dict[str, Shape]) -> onnx.ModelProto:
        """The model of these inputs and outputs."""
        graph = helper.make_graph(
            self.nodes,
            self.name,
            [helper.make_tensor_value_info(name, kind, list(shape)) for name, (shape, kind) in inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)) for name, shape in outputs.items()],
            list(self.tensors.values()),
        )
        return finished(graph)

    def finish_image(self, side: int, outputs: dict[str, Shape]) -> onnx.ModelProto:
        """The model of one input, an image."""
        return self.finish({"input": (["batch", 3, side, side], TensorProto.FLOAT)}, outputs)


def finished(graph: onnx.GraphProto) -> onnx.ModelProto:
    """The model around a graph, readable by ONNX Runtime 1.20, onnx 1.17 and OpenCV 4.10."""
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)], producer_name="hwprof")


def calibrate(model: onnx.ModelProto) -> dict[str, float]:
    """A gain for each layer that no BatchNormalization follows, in one pass: each is right before the next sees it.

    Outputs of the network get a standard deviation of 0.7, what opens a gate one of 0.25 (a gate that follows the
    amplitude would raise the power with which the network follows it), all others 1.
    """
    nodes = model.graph.node
    normalised = {n.input[0] for n in nodes if n.op_type == "BatchNormalization"}
    gates = {n.input[0] for n in nodes if n.op_type in ("Sigmoid", "HardSigmoid")}
    aims = {n.output[0]: 0.25 if n.output[0] in gates else 1.0 for n in nodes if n.op_type in ("Conv", "Gemm")}
    aims |= {output.name: 0.7 for output in model.graph.output}
    gains: dict[str, float] = {}

    def scaled(node: Any, out: np.ndarray) -> tuple[np.ndarray]:
        layer = node.output[0]
        if layer in normalised:
            return (out,)
        gains[layer] = float(f"{aims[layer] / out.std():.4g}")
        return (out * gains[layer],)

    class Conv(op_conv.Conv):  # type: ignore[misc]
        op_domain = ""

        def _run(self, *inputs: Any, **attributes: Any) -> tuple[np.ndarray]:
            return scaled(self.onnx_node, super()._run(*inputs, **attributes)[0])

    class Gemm(op_gemm.Gemm_7):  # type: ignore[misc]
        op_domain = ""

        def _run(self, *inputs: Any, **attributes: Any) -> tuple[np.ndarray]:
            return scaled(self.onnx_node, super()._run(*inputs, **attributes)[0])

    fill.weights(model, {}, 0, [Conv, Gemm])
    print(f"{model.graph.name}: {len(gains)} gains", flush=True)
    return gains


def write(name: str, model: onnx.ModelProto, gains: dict[str, float]) -> None:
    """NAME.onnx.gz and NAME.json, the same bytes every time."""
    GRAPHS.mkdir(exist_ok=True)
    (GRAPHS / f"{name}.onnx.gz").write_bytes(gzip.compress(serialized(model), 9, mtime=0))
    (GRAPHS / f"{name}.json").write_text(json.dumps(gains, indent=0, sort_keys=True) + "\n")


def serialized(model: onnx.ModelProto) -> bytes:
    """What lies in NAME.onnx.gz, unpacked."""
    packed: bytes = model.SerializeToString(deterministic=True)
    return packed


Draw = Callable[[], onnx.ModelProto]
