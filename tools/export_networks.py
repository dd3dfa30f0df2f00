"""Export the architectures of torchvision as graphs without weights, and find their gains. Run once per recipe.

    python tools/export_networks.py [NAME ...]

Needs torch, torchvision and onnx. Writes hwprof/networks/graphs/NAME.onnx.gz and NAME.json. Batch
normalisation stays in the graph (training=PRESERVE), so that parameters count as torchvision counts them and each
framework folds it by its own means.
"""

from __future__ import annotations

import gzip
import io
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference.ops import op_conv, op_gemm
from torchvision import models
from torchvision.models import shufflenetv2

from hwprof.networks import fill, network

# A CPU build of torch has no torchvision::nms; declaring it is enough for the import.
LIBRARY = torch.library.Library("torchvision", "FRAGMENT")
LIBRARY.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
LIBRARY.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

NAMES = (
    "mobilenet_v2",
    "mobilenet_v3_small",
    "resnet18",
    "resnet50",
    "squeezenet1_1",
    "googlenet",
    "densenet121",
    "efficientnet_b0",
    "alexnet",
    "shufflenet_v2_x1_0",
)
GRAPHS = Path(__file__).parents[1] / "hwprof" / "networks" / "graphs"


def shuffle(x: torch.Tensor, groups: int) -> torch.Tensor:
    """Channel shuffle with constant shapes, so that the exporter writes no Shape nodes."""
    batch, channels, height, width = (int(n) for n in x.shape)
    x = x.reshape(batch, groups, channels // groups, height, width).transpose(1, 2)
    return x.reshape(batch, channels, height, width)


def inverted_residual(self: Any, x: torch.Tensor) -> torch.Tensor:
    """ShuffleNetV2's block with Split in place of chunk."""
    if self.stride == 1:
        half = int(x.shape[1]) // 2
        first, second = torch.split(x, [half, half], dim=1)
        out = torch.cat((first, self.branch2(second)), dim=1)
    else:
        out = torch.cat((self.branch1(x), self.branch2(x)), dim=1)
    return shuffle(out, 2)


def export(name: str) -> onnx.ModelProto:
    """The architecture as ONNX, every learned tensor distinct (equal ones would be merged by the exporter)."""
    extra = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
    module = getattr(models, name)(weights=None, **extra).eval()
    for parameter in [*module.parameters(), *(b for b in module.buffers() if b.is_floating_point())]:
        torch.nn.init.normal_(parameter.data)
    shufflenetv2.InvertedResidual.forward = inverted_residual
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (torch.zeros(1, 3, 224, 224),),
            buffer,
            input_names=["input"],
            output_names=["output"],
            opset_version=17,
            dynamo=False,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=True,
        )
    return onnx.load_from_string(buffer.getvalue())


def tidy(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """Constants as initializers, reshapes free of the batch, no weights, nothing about the exporting machine."""
    graph = onnx.GraphProto(name=name)
    graph.output.add().CopyFrom(helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 1000]))
    graph.input.add().CopyFrom(helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, 224, 224]))
    graph.initializer.extend(model.graph.initializer)
    for node in model.graph.node:
        if node.op_type == "Constant":
            value = next(a.t for a in node.attribute if a.name == "value")
            graph.initializer.add().CopyFrom(value)
            graph.initializer[-1].name = node.output[0]
            continue
        node.ClearField("doc_string")
        graph.node.add().CopyFrom(node)
    shapes = {node.input[1] for node in graph.node if node.op_type == "Reshape"}
    for initializer in graph.initializer:
        initializer.ClearField("doc_string")
        if initializer.name in shapes:
            dims = numpy_helper.to_array(initializer).copy()
            dims[0] = 0  # copy the batch from the input
            initializer.CopyFrom(numpy_helper.from_array(dims, initializer.name))
        elif initializer.data_type == TensorProto.FLOAT and initializer.dims:
            initializer.ClearField("raw_data")
            initializer.ClearField("float_data")
    return finished(graph)


def finished(graph: onnx.GraphProto) -> onnx.ModelProto:
    """The model around a graph, readable by ONNX Runtime 1.20, onnx 1.17 and OpenCV 4.10."""
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)], producer_name="hwprof")


def tiny() -> onnx.ModelProto:
    """A network for tests and emulated boards: 1x3x32x32, ordinary, depthwise and pointwise convolutions."""
    nodes, tensors = [], []

    def weight(label: str, *dims: int) -> str:
        tensors.append(TensorProto(name=label, dims=dims, data_type=TensorProto.FLOAT))
        return label

    def block(source: str, label: str, cin: int, cout: int, kernel: int, stride: int, group: int) -> str:
        pad = kernel // 2
        nodes.append(
            helper.make_node(
                "Conv",
                [source, weight(f"{label}.conv.weight", cout, cin // group, kernel, kernel)],
                [f"{label}.conv"],
                name=f"{label}.conv",
                kernel_shape=[kernel, kernel],
                strides=[stride, stride],
                pads=[pad] * 4,
                group=group,
            )
        )
        statistics = [weight(f"{label}.bn.{part}", cout) for part in ("weight", "bias", "running_mean", "running_var")]
        nodes.append(
            helper.make_node("BatchNormalization", [f"{label}.conv", *statistics], [f"{label}.bn"], name=f"{label}.bn")
        )
        nodes.append(helper.make_node("Relu", [f"{label}.bn"], [f"{label}.relu"], name=f"{label}.relu"))
        return f"{label}.relu"

    x = block("input", "stem", 3, 16, 3, 2, 1)
    x = block(x, "depthwise1", 16, 16, 3, 1, 16)
    x = first = block(x, "pointwise1", 16, 48, 1, 1, 1)
    x = block(x, "depthwise2", 48, 48, 3, 1, 48)
    x = block(x, "pointwise2", 48, 48, 1, 1, 1)
    nodes.append(helper.make_node("Add", [first, x], ["add"], name="add"))
    x = block("add", "down", 48, 64, 3, 2, 1)
    nodes.append(helper.make_node("GlobalAveragePool", [x], ["pool"], name="pool"))
    nodes.append(helper.make_node("Flatten", ["pool"], ["flat"], name="flat", axis=1))
    classifier = [weight("classifier.weight", 10, 64), weight("classifier.bias", 10)]
    nodes.append(helper.make_node("Gemm", ["flat", *classifier], ["output"], name="classifier", transB=1))
    graph = helper.make_graph(
        nodes,
        "tiny_cnn",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, 32, 32])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 10])],
        tensors,
    )
    return finished(graph)


def calibrate(empty: onnx.ModelProto, name: str) -> dict[str, float]:
    """A gain for each layer that no BatchNormalization follows, in one pass: each is right before the next sees it.

    The last layer's outputs get a standard deviation of 0.7, what opens a gate one of 0.25 (a gate that follows the
    amplitude would raise the power with which the network follows it), all others 1.
    """
    nodes = empty.graph.node
    normalised = {n.input[0] for n in nodes if n.op_type == "BatchNormalization"}
    gates = {n.input[0] for n in nodes if n.op_type in ("Sigmoid", "HardSigmoid")}
    aims = {n.output[0]: 0.25 if n.output[0] in gates else 1.0 for n in nodes if n.op_type in ("Conv", "Gemm")}
    aims[nodes[-1].output[0]] = 0.7
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

    fixed = network.info(name).sizes
    recorded = network.info(name).size
    fill.weights(network.resize_graph(empty, fixed[0] if fixed else fill.SIZE, recorded), {}, 0, [Conv, Gemm])
    print(f"{name}: {len(gains)} gains", flush=True)
    return gains


def main() -> None:
    """Export all, or the named ones."""
    GRAPHS.mkdir(exist_ok=True)
    for name in sys.argv[1:] or [*NAMES, "tiny_cnn"]:
        model = tiny() if name == "tiny_cnn" else tidy(export(name), name)
        gains = calibrate(model, name)
        (GRAPHS / f"{name}.onnx.gz").write_bytes(gzip.compress(model.SerializeToString(deterministic=True), 9, mtime=0))
        (GRAPHS / f"{name}.json").write_text(json.dumps(gains, indent=0, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
