"""Export the architectures of torchvision as graphs without weights, and find their gains. Run once per recipe.

    python tools/export_networks.py [NAME ...]

Needs torch, torchvision and onnx (draw_networks.py has the other networks). Writes NAME.onnx.gz and NAME.json in
hwprof/networks/graphs. Batch normalisation stays in the graph (training=PRESERVE), so that parameters count as
torchvision counts them and each framework folds it by its own means.
"""

from __future__ import annotations

import io
import sys
import warnings
from typing import Any

import onnx
import torch
from drawing import calibrate, finished, write
from onnx import TensorProto, helper, numpy_helper
from torchvision import models
from torchvision.models import shufflenetv2

from hwprof.networks import fill, network, table

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


def main() -> None:
    """Export all, or the named ones."""
    for name in sys.argv[1:] or NAMES:
        model = tidy(export(name), name)
        known = table.info(name)
        side = known.calibration_size or fill.SIZE
        write(name, model, calibrate(network.resize_graph(model, side, known.size)))


if __name__ == "__main__":
    main()
