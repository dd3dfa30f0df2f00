"""Seeded weights for a graph without weights, scaled so that every layer's output is of order one.

The graph knows each tensor's shape; `scales` (shipped beside it, found once by calibration on seeded inputs) holds one
gain per convolution or matrix product and one mean and variance per BatchNormalization. Filters are He-normal with
their mean taken out (He et al. 2015 for the variance 2 / fan-in; centred, so that a positive mean of the inputs does
not become a constant that drowns the signal).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Scales = Mapping[str, Any]


def generator(seed: int, name: str) -> np.random.Generator:
    """A generator of its own for each tensor: the order of tensors doesn't matter."""
    import numpy as np

    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "little")))


def roles(graph: Any) -> dict[str, tuple[str, str]]:
    """Learned tensor -> (what it is to its node, the node's output): weight, bias, scale, shift, mean, variance."""
    positions = {
        "Conv": {1: "weight", 2: "bias"},
        "Gemm": {1: "weight", 2: "bias"},
        "BatchNormalization": {1: "scale", 2: "shift", 3: "mean", 4: "variance"},
    }
    return {
        node.input[index]: (role, node.output[0])
        for node in graph.node
        for index, role in positions.get(node.op_type, {}).items()
        if index < len(node.input)
    }


def tensor(name: str, shape: tuple[int, ...], role: str, scale: Any, seed: int) -> NDArray[np.float32]:
    """One tensor. `scale`: the gain of its layer, or (mean, variance) of its BatchNormalization's input."""
    import numpy as np

    draw = generator(seed, name).standard_normal(shape)
    if role == "weight":
        fan_in = int(np.prod(shape[1:]))
        axes = tuple(range(1, len(shape)))
        draw = (draw - draw.mean(axis=axes, keepdims=True)) * np.sqrt(2.0 / fan_in)
        if shape[1] == 1:  # depthwise: the same mean for every channel lets more than edges pass
            draw = draw + 1.0 / fan_in
        draw = draw * scale
    elif role == "bias":
        draw = 0.05 * draw
    elif role == "scale":
        draw = 1.0 + 0.1 * np.clip(draw, -3, 3)
    elif role == "shift":
        draw = 0.1 * draw
    elif role == "mean":
        mean, variance = scale
        draw = mean + 0.1 * np.sqrt(variance) * draw
    elif role == "variance":
        draw = scale[1] * np.exp(0.1 * np.clip(draw, -3, 3))
    else:
        raise ValueError(f"{name}: no rule for '{role}'")
    return np.ascontiguousarray(draw, dtype=np.float32)


def fill(model: Any, scales: Scales, seed: int) -> None:
    """Give every empty initializer of `model` (an onnx.ModelProto) its data, in place."""
    known = roles(model.graph)
    for initializer in model.graph.initializer:
        if not is_empty(initializer):
            continue
        role, layer = known[initializer.name]
        data = tensor(initializer.name, tuple(initializer.dims), role, scales.get(layer, 1.0), seed)
        initializer.raw_data = data.astype("<f4").tobytes()


def is_empty(initializer: Any) -> bool:
    """Whether a tensor has a shape but no data: a learned one of a shipped graph."""
    if initializer.data_type != 1 or initializer.raw_data:
        return False
    return not len(initializer.float_data)
