"""What a network must at least move through memory, counted from its ONNX graph."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from hwprof.errors import HwprofError
from hwprof.networks import find
from hwprof.networks.case_shapes import network_of_shape
from hwprof.networks.graph import infer_shapes
from hwprof.networks.network import Network
from hwprof.networks.size import is_constant, node_costs


@dataclass(frozen=True, slots=True)
class Traffic:
    """Elements per batch: `weights` read once, `activations` read and written by nodes that multiply.

    A lower bound: every such layer (a convolution, a matrix product, ...) reads its input and writes its output once,
    everything else is fused into it, and no activation stays in a cache between layers.
    """

    weights: int
    activations: int
    layers: int
    largest: int  # input and output of the layer that has most

    def footprint(self, element: int = 4) -> int:
        """Bytes that come back every frame: all weights, and the activations of the largest layer."""
        return element * (self.weights + self.largest)

    def bytes(self, element: int = 4) -> int:
        """Bytes at `element` bytes each (4: FP32)."""
        return element * (self.weights + self.activations)


def traffic(model: Any, batch: int = 1, inputs: Mapping[str, Sequence[int]] | None = None) -> Traffic | None:
    """The compulsory traffic of an ONNX model at its own input size, or at these shapes of `inputs`.

    None where a shape or an operator is not known, or a graph inside of a node (If, Loop) multiplies.
    """
    scope = infer_shapes(model, batch, inputs)
    read = moved = layers = largest = 0
    for node, cost in zip(scope.nodes, node_costs(scope), strict=True):
        is_body = any(attribute.HasField("g") for attribute in node.attribute)
        if cost.macs is None or cost.params is None or (cost.macs and is_body):
            return None
        if not cost.macs or is_body:
            continue
        layers += 1
        read += cost.params
        own = 0
        for name in (*(n for n in node.input if n and not is_constant(n, scope)), *filter(None, node.output[:1])):
            shape = scope.shapes.get(name)
            if shape is None:
                return None
            own += math.prod(shape)
        moved, largest = moved + own, max(largest, own)
    return Traffic(read, moved, layers, largest)


@lru_cache(maxsize=256)
def of_network(name: str, size: int, batch: int = 1, shape: str = "") -> Traffic | None:
    """Traffic of a built-in network or a user's .onnx at `size`, or with the inputs of `Case.shape`.

    Of a file with a fixed batch it is that of one of its frames, with all weights. None where it isn't here any more,
    or unknown.
    """
    try:
        network: Network | None = find.resolve(name)
        if shape and network is not None:
            network, size = network_of_shape(network, shape), 0
        found = None if network is None else traffic(network._shaped(size or None), batch)
    except HwprofError:
        return None
    frames = network.fixed_batch if network is not None and batch == 1 else None
    if found is None or not frames:
        return found
    return replace(found, activations=found.activations // frames, largest=found.largest // frames)


def facts(cases: Iterable[tuple[str, int, str]]) -> dict[tuple[str, int, str], dict[str, float]]:
    """(network, size, shape) of cases -> activations and layers per frame, for those whose graph is here.

    `shape`: as of `Case.shape`, "" for square images of `size` pixels.
    """
    found = {}
    for name, size, shape in sorted(set(cases)):
        one = of_network(name, size, shape=shape)
        if one is not None:
            found[name, size, shape] = {"activations": float(one.activations), "layers": float(one.layers)}
    return found
