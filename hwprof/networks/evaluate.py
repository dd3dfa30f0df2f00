"""A network in double precision by onnx's reference evaluator: what every framework's reference is checked against.

It shares no code with ONNX Runtime, and where that rounds to 24 bits it rounds to 53. The two must not be loaded into
one process: on riscv64 (Debian 13) that crashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hwprof.networks.inputs import InputSpec

# A reference may be off by a tenth of what it allows the frameworks that it judges (FP32: 1e-3).
TOLERANCE = 1e-4


def evaluate_batches(
    source: Path, spec: InputSpec, frames: Sequence[Sequence[NDArray[Any]]]
) -> tuple[list[list[Any]], int]:
    """(all outputs of one batch after the other, the batch) in float64; the last batch is filled up from the first.

    `frames`: each an array per input with a batch of 1.
    """
    import numpy as np
    import onnx
    from onnx.reference import ReferenceEvaluator

    from hwprof.networks.frames import dims_of, in_batches, written_batch

    model = to_double(onnx.load(str(source)))
    evaluator = ReferenceEvaluator(model, new_ops=operators())
    batch = written_batch({value.name: dims_of(value) for value in model.graph.input}, spec)
    made = []
    for portion in in_batches(spec, frames, batch):
        doubled = [array.astype(np.float64) if array.dtype == np.float32 else array for array in portion]
        feeds = dict(zip((one.name for one in spec.inputs), doubled, strict=True))
        made.append(evaluator.run(None, feeds))
    return made, batch


def to_double(model: Any) -> Any:
    """A copy of an onnx.ModelProto in which every float32 is a float64: weights, constants, casts, inputs, outputs."""
    import numpy as np
    import onnx
    from onnx import TensorProto, numpy_helper

    def cast(tensor: Any) -> None:
        if tensor.data_type == TensorProto.FLOAT:
            values = numpy_helper.to_array(tensor).astype(np.float64)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.value_info[:]
    for value in (*copy.graph.input, *copy.graph.output):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = TensorProto.DOUBLE
    for tensor in copy.graph.initializer:
        cast(tensor)
    for node in copy.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                cast(attribute.t)
            elif node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.DOUBLE
    return copy


def operators() -> list[Any]:
    """Operators of our own, where onnx's are wrong or take minutes."""
    import numpy as np
    from onnx.reference.op_run import OpRun

    class MaxPool(OpRun):  # type: ignore[misc]  # onnx has no types
        """onnx's (1.17 to 1.20) gives a wrong shape with ceil_mode, padding and stride 1."""

        op_domain = ""

        def _run(
            self, x: Any, *, kernel_shape: Any, strides: Any, pads: Any = None, ceil_mode: int = 0, **_: Any
        ) -> Any:
            before, widths = [(0, 0), (0, 0)], []
            for axis, (kernel, stride) in enumerate(zip(kernel_shape, strides, strict=True)):
                first, last = (pads[axis], pads[axis + 2]) if pads else (0, 0)
                free = x.shape[axis + 2] + first + last - kernel
                steps = -(-free // stride) if ceil_mode else free // stride
                if ceil_mode and steps * stride >= x.shape[axis + 2] + first:
                    steps -= 1  # a window must begin in the image, not in the padding behind it
                before.append((first, max(0, steps * stride + kernel - x.shape[axis + 2] - first)))
                widths.append(steps + 1)
            padded = np.pad(x, before, constant_values=-np.inf)
            seen = np.lib.stride_tricks.sliding_window_view(padded, tuple(kernel_shape), axis=(2, 3))
            return (seen[:, :, :: strides[0], :: strides[1]][:, :, : widths[0], : widths[1]].max(axis=(4, 5)),)

    class ConvTranspose(OpRun):  # type: ignore[misc]
        """onnx's loops in Python over every pixel. This one: one group, no padding, no dilation."""

        op_domain = ""

        def _run(
            self, x: Any, weight: Any, bias: Any = None, *, kernel_shape: Any = None, strides: Any = None, **rest: Any
        ) -> Any:
            kernel, steps = weight.shape[2:], strides or [1] * (x.ndim - 2)
            plain = rest.get("group") in (None, 1) and not any(rest.get("pads") or ()) and x.ndim == 4
            if not plain or any(d != 1 for d in rest.get("dilations") or ()) or any(rest.get("output_padding") or ()):
                from onnx.reference.ops.op_conv_transpose import ConvTranspose as General

                return General._run(self, x, weight, bias, kernel_shape=kernel_shape, strides=strides, **rest)
            sides = [(side - 1) * step + size for side, step, size in zip(x.shape[2:], steps, kernel, strict=True)]
            made = np.zeros((x.shape[0], weight.shape[1], *sides), dtype=x.dtype)
            for row in range(kernel[0]):
                for column in range(kernel[1]):
                    part = np.einsum("nchw,ck->nkhw", x, weight[:, :, row, column], optimize=True)
                    ends = row + (x.shape[2] - 1) * steps[0] + 1, column + (x.shape[3] - 1) * steps[1] + 1
                    made[:, :, row : ends[0] : steps[0], column : ends[1] : steps[1]] += part
            return (made if bias is None else made + bias.reshape(1, -1, 1, 1),)

    return [MaxPool, ConvTranspose]
