"""Seeded weights for a graph without weights, scaled so that every layer's output is of order one.

Filters are He-normal with their mean taken out (He et al. 2015 for the variance 2 / fan-in; centred, so that a positive
mean of the inputs does not become a constant that drowns the signal), times a gain per convolution or matrix product
that is shipped beside the graph. Means and variances of BatchNormalization are what a few seeded images give, channel
by channel: a mean that is a little wrong in one layer is a larger constant in the next, and some twenty layers on the
network would no longer depend on its input.

Matrices that no ReLU stands before (of attention, of GRUs) have the variance 1 / fan-in instead. Tables have rows of
unit variance, so that a vector of them is what a normalisation would leave.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from hwprof.networks.evaluate import operators as pools
from hwprof.networks.images import synthetic_inputs
from hwprof.networks.inputs import InputSpec
from hwprof.networks.positions import formula

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# What normalisation is calibrated on: 8 images of 96 pixels, of a seed that no experiment uses by chance.
SIZE = 96
IMAGES = 8
SEED = 1_000_003
# No channel's variance is taken below this share of its layer's mean: a channel that is nearly dead on eight images
# would be blown up on the ninth.
LEAST_VARIANCE = 0.5
# x * sigmoid(x) and hard-swish grow with more than the first power of their input around 0, which in fifty layers with
# fixed means and variances is an explosion (or an extinction); shifted by one they are nearly linear.
SOFT = ("Sigmoid", "HardSigmoid", "HardSwish")
SOFT_SHIFT = 1.0


def generator(seed: int, name: str) -> np.random.Generator:
    """A generator of its own for each tensor: the order of tensors doesn't matter."""
    import numpy as np

    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "little")))


# What a learned tensor is to its node, by the node's operator and the tensor's place among the inputs.
ROLES = {
    "Conv": {1: "weight", 2: "bias"},
    "ConvTranspose": {1: "transposed", 2: "bias"},
    "Gemm": {1: "weight", 2: "bias"},
    "MatMul": {1: "matrix"},
    "BatchNormalization": {1: "scale", 2: "shift", 3: "mean", 4: "variance"},
    "LayerNormalization": {1: "scale", 2: "bias"},
    "Mul": {1: "scale"},
    "Add": {1: "offset"},
    "Gather": {0: "table"},
    "GRU": {1: "recurrent", 2: "recurrent", 3: "bias"},
}


def roles(graph: Any) -> dict[str, tuple[str, str]]:
    """Learned tensor -> (what it is to its node, the node's output)."""
    return {
        node.input[index]: (role, node.output[0])
        for node in graph.node
        for index, role in ROLES.get(node.op_type, {}).items()
        if index < len(node.input)
    }


def tensor(name: str, shape: tuple[int, ...], role: str, gain: float, seed: int, shift: float) -> NDArray[np.float64]:
    """One tensor. `gain`: of its layer; `shift`: what its BatchNormalization adds to every channel."""
    import numpy as np

    draw: NDArray[np.float64] = generator(seed, name).standard_normal(shape)
    if role == "weight":
        fan_in = int(np.prod(shape[1:]))
        axes = tuple(range(1, len(shape)))
        draw = (draw - draw.mean(axis=axes, keepdims=True)) * np.sqrt(2.0 / fan_in)
        if shape[1] == 1:  # depthwise: the same mean for every channel lets more than edges pass
            draw = draw + 1.0 / fan_in
        return np.asarray(draw * gain)
    if role == "transposed":  # (inputs, outputs, height, width), whose kernels do not overlap
        return np.asarray((draw - draw.mean(axis=0)) * (gain * np.sqrt(2.0 / shape[0])))
    if role == "matrix":  # (inputs, outputs)
        return np.asarray((draw - draw.mean(axis=0)) * (gain / np.sqrt(shape[0])))
    if role == "recurrent":  # (directions, gates x outputs, inputs)
        return np.asarray(draw * (gain / np.sqrt(shape[-1])))
    if role == "table":
        return draw
    if role == "offset" and len(shape) > 1:  # a row for each position
        return np.asarray(0.5 * draw)
    if role in ("bias", "offset"):
        return np.asarray(0.05 * draw)
    if role == "scale":
        return np.asarray((1.0 + 0.1 * np.clip(draw, -3, 3)) * gain)
    if role == "shift":
        return np.asarray(0.1 * draw + shift)
    return np.full(shape, float(role == "variance"))  # until they are settled


def weights(
    model: Any,
    gains: Mapping[str, float],
    seed: int,
    operators: Sequence[Any] = (),
    shifts: Mapping[str, float] = MappingProxyType({}),
) -> dict[str, Any]:
    """Name -> float32 values of every empty initializer of `model` (an onnx.ModelProto of a built-in network).

    `gains`: on the weights of a layer, or the scale of a normalisation, by its output; `shifts`: of normalisations.
    `operators`: further implementations of operators for the calibration pass, in double precision.
    """
    import numpy as np
    from onnx import ModelProto, numpy_helper

    known = roles(model.graph)
    added = {node.input[0]: SOFT_SHIFT for node in model.graph.node if node.op_type in SOFT} | dict(shifts)
    double = ModelProto()
    double.CopyFrom(model)
    calibrated = bool(operators) or any(node.op_type == "BatchNormalization" for node in model.graph.node)
    made: dict[str, Any] = {}
    for initializer in double.graph.initializer:
        values = None
        if is_empty(initializer):
            name, shape = initializer.name, tuple(initializer.dims)
            values = formula(name, shape)
            if values is None:
                role, layer = known[name]
                values = tensor(name, shape, role, gains.get(layer, 1.0), seed, added.get(layer, 0.0))
            made[name] = values if calibrated else np.ascontiguousarray(values, dtype=np.float32)
        elif initializer.data_type == 1:
            values = numpy_helper.to_array(initializer).astype(np.float64)
        if calibrated and values is not None:
            initializer.CopyFrom(numpy_helper.from_array(values, initializer.name))
    if calibrated:
        made.update(calibrate_normalisation(double, operators))
    return {name: np.ascontiguousarray(values, dtype=np.float32) for name, values in made.items()}


def calibrate_normalisation(model: Any, operators: Sequence[Any] = ()) -> dict[str, NDArray[np.float64]]:
    """Mean and variance for each BatchNormalization of a filled model in double precision, in one pass.

    Each layer is normalised by what it sees before the next one sees it (onnx's reference evaluator, with a
    BatchNormalization that takes its statistics from its input). Double precision: the same float32 everywhere.
    """
    import numpy as np
    from onnx.reference import ReferenceEvaluator
    from onnx.reference.op_run import OpRun

    found: dict[str, NDArray[np.float64]] = {}

    class BatchNormalization(OpRun):  # type: ignore[misc]  # onnx has no types
        op_domain = ""

        def _run(self, x: Any, scale: Any, shift: Any, *_: Any, epsilon: float = 1e-5, **__: Any) -> tuple[Any]:
            axes = (0, *range(2, x.ndim))
            mean, variance = x.mean(axis=axes), x.var(axis=axes)
            variance = np.maximum(variance, LEAST_VARIANCE * variance.mean())
            found[self.onnx_node.input[3]], found[self.onnx_node.input[4]] = mean, variance
            along = (1, -1, *[1] * (x.ndim - 2))
            factor = scale / np.sqrt(variance + epsilon)
            return (x * factor.reshape(along) + (shift - mean * factor).reshape(along),)

    sides = [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    image = synthetic_inputs(InputSpec("input", (IMAGES, *sides)), 1, SEED)[0].astype(np.float64)
    ReferenceEvaluator(model, new_ops=[BatchNormalization, *pools(), *operators]).run(None, {"input": image})
    return found


def fill_weights(model: Any, values: Mapping[str, Any]) -> None:
    """Give every empty initializer of `model` its values, in place."""
    for initializer in model.graph.initializer:
        if is_empty(initializer):
            initializer.raw_data = values[initializer.name].astype("<f4").tobytes()


def is_empty(initializer: Any) -> bool:
    """Whether a tensor has a shape but no data: a learned one of a shipped graph."""
    if initializer.data_type != 1 or initializer.raw_data:
        return False
    return not len(initializer.float_data)
