"""An ONNX graph as a torch module: each operator with state is the torch.nn module that torchvision would use.

No maintained converter reads opset 17 graphs with BatchNormalization kept and an open batch, so this is our own. It
covers the operators of image networks, and those of plain transformers and recurrent networks; another one raises
UnsupportedModel with the operator and the node.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from hwprof.frameworks.pytorch.forms import FORMS
from hwprof.frameworks.pytorch.operators import OPERATORS
from hwprof.frameworks.pytorch.sequences import SEQUENCES
from hwprof.frameworks.walk import OnnxGraph
from hwprof.networks.inputs import TensorSpec

SEVERAL = frozenset({"Split", "LSTM", "GRU"})


class Graph(nn.Module):  # type: ignore[misc]
    """Runs its steps in order; `steps`: (function, names of its inputs, names of its outputs)."""

    def __init__(self, sources: Sequence[str], results: Sequence[str]) -> None:
        super().__init__()
        self.sources, self.results = tuple(sources), tuple(results)
        self.steps: list[tuple[Any, tuple[Any, ...], tuple[str, ...]]] = []
        self.last_use: dict[str, int] = {}

    def add(self, function: Any, inputs: tuple[Any, ...], outputs: tuple[str, ...], name: str) -> None:
        """One more step; a module is registered, so that its parameters are the graph's."""
        if isinstance(function, nn.Module):
            self.add_module(name, function)
        for used in inputs:
            if isinstance(used, str):
                self.last_use[used] = len(self.steps)
        self.steps.append((function, inputs, outputs))

    def _apply(self, fn: Callable[[Any], Any], recurse: bool = True) -> Graph:
        """Constants among the inputs of steps change their type and layout as parameters do."""
        super()._apply(fn, recurse)
        self.steps = [
            (function, tuple(fn(i) if isinstance(i, torch.Tensor) else i for i in inputs), outputs)
            for function, inputs, outputs in self.steps
        ]
        return self

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """The network's output, or all of them, of its inputs, each in the network's order."""
        values: dict[str, Any] = dict(zip(self.sources, tensors, strict=True))
        for index, (function, inputs, outputs) in enumerate(self.steps):
            found = function(*(values[i] if isinstance(i, str) else i for i in inputs))
            if len(outputs) == 1:
                values[outputs[0]] = found
            else:
                values.update(zip(outputs, found, strict=False))
            for used in inputs:  # as eager code would: an intermediate dies with its last use
                if isinstance(used, str) and self.last_use[used] == index and used not in self.results:
                    values.pop(used, None)
        found = tuple(values[name] for name in self.results)
        return found if len(found) > 1 else found[0]


def build(path: Path, inputs: Sequence[TensorSpec] = ()) -> Graph:
    """The module of an .onnx file, in evaluation mode. `inputs`: with the case's shapes. Raises UnsupportedModel."""
    onnx = OnnxGraph(path, "PyTorch", {**OPERATORS, **FORMS, **SEQUENCES}, inputs)
    constants = {name: torch.from_numpy(value.copy()) for name, value in onnx.constants.items()}
    graph = Graph(onnx.sources, onnx.results)
    for node in onnx.nodes:
        given = [constants.get(name, name) if name else None for name in node.inputs]
        function, taken = onnx.convert(node, onnx.attributes_of(node), given)
        outputs = (*node.outputs, "") if node.op in SEVERAL else node.outputs  # they give a tuple, even of one
        graph.add(function, tuple(taken), outputs, f"{node.number:03d}_{node.label.strip('/').replace('.', '_')}")
    for name in onnx.results:
        if name in constants:
            graph.add(Known(constants[name]), (), (name,), f"known_{name.strip('/').replace('.', '_')}")
    graph.eval()
    return graph


class Known(nn.Module):  # type: ignore[misc]
    """An output that no input changes."""

    def __init__(self, value: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("value", value)

    def forward(self) -> Any:
        """The value itself."""
        return self.value
