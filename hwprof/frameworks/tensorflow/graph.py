"""An ONNX graph as TensorFlow operators, feature maps channels last, as TensorFlow's own networks are written.

A feature map lies as (batch, height, width, channels); the graph's axes are translated. A tensor that no convolution or
pooling makes or takes, as in a transformer, lies as the graph has it. Padding is explicit (TensorFlow's "SAME" pads
elsewhere when a stride is above 1). An operator that isn't known raises UnsupportedModel.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from hwprof.errors import UnsupportedModel
from hwprof.frameworks.builtin import reason_of
from hwprof.frameworks.gelus import join_gelus
from hwprof.frameworks.tensorflow.forms import FORMS, THROUGH
from hwprof.frameworks.tensorflow.layout import BACK, ORDER, input_keys, stored
from hwprof.frameworks.tensorflow.maps import MAPS, OPERATORS
from hwprof.frameworks.tensorflow.recurrent import RECURRENT
from hwprof.frameworks.walk import OnnxGraph
from hwprof.networks.inputs import TensorSpec

# Operators whose output is never below 0, and those of which it isn't where no input is.
NON_NEGATIVE = ("Relu", "Sigmoid", "HardSigmoid")
KEEPS_SIGN = ("MaxPool", "AveragePool", "GlobalAveragePool", "Concat", "Identity")


class TfGraph(tf.Module):  # type: ignore[misc]
    """The network as a callable of its inputs, in the network's order.

    `inputs_last`, `outputs_last`: which of them lie channels last.
    """

    def __init__(self, path: Path, inputs: Sequence[TensorSpec], lite: bool = False) -> None:
        super().__init__()
        # .tflite has no maximum with pads of its own: they become an operator before it; it has GELU, and no Erf
        self.pads_apart = lite
        self._graph = OnnxGraph(path, "TensorFlow", {**OPERATORS, **FORMS, **RECURRENT}, inputs)
        nodes = self._graph.nodes
        self._nodes = join_gelus(nodes, self._graph.constants, self._graph.results) if lite else nodes
        self.inputs_last = [takes_map(self._graph, one) for one in inputs]
        self.signature = [
            tf.TensorSpec(stored(one.shape, last), tf.as_dtype(one.dtype), name=name)
            for one, last, name in zip(inputs, self.inputs_last, input_keys(len(inputs)), strict=True)
        ]
        self.weights: dict[str, Any] = {}
        self.non_negative: set[str] = set()  # feature maps, as far as walked
        self.last: set[str] = set()  # tensors that lie channels last, as far as walked
        self.laid = False  # whether what the operator at hand makes does
        # Makes the variables. Autograph would turn an UnsupportedModel into an error of its own.
        tf.function(self.walk, input_signature=self.signature, autograph=False).get_concrete_function()
        self.outputs_last = [name in self.last for name in self._graph.results]

    def variable(self, name: str, value: np.ndarray, form: str = "") -> Any:
        """A weight, made once: a constant of this size inside of the graph would be copied by each optimiser pass.

        `form`: what of the weight it is, where operators share one.
        """
        key = f"{name} {form}"
        if key not in self.weights:
            with tf.init_scope():
                self.weights[key] = tf.Variable(value, trainable=False, name=name.replace("/", "_").strip("_"))
        return self.weights[key]

    def walk(self, *tensors: Any) -> Any:
        """The graph's output, or all of them in its order."""
        sources = self._graph.sources
        values: dict[str, Any] = {**self._graph.constants, **dict(zip(sources, tensors, strict=True))}
        self.non_negative = set()
        self.last = {name for name, last in zip(sources, self.inputs_last, strict=True) if last}
        for node in self._nodes:
            given = [values[name] if name else None for name in node.inputs]
            self.laid = any(name in self.last for name in node.inputs)
            try:
                made = self._graph.convert(node, self, node.attributes, given, node.inputs)
            except tf.errors.OpError as error:
                message = f"TensorFlow: operator {node.op} of node {node.label}: {reason_of(error)}"
                raise UnsupportedModel(message) from error
            if node.op in NON_NEGATIVE or (node.op in KEEPS_SIGN and self.non_negative.issuperset(node.inputs)):
                self.non_negative.add(node.outputs[0])
            if isinstance(made, (list, tuple)):
                values.update(zip(node.outputs, made, strict=node.op not in RECURRENT))
            else:
                values[node.outputs[0]] = made
            if self.laid:
                self.last.update(node.outputs)
        found = tuple(tf.identity(values[name], name="output") for name in self._graph.results)
        return found if len(found) > 1 else found[0]

    def axis(self, axis: int, rank: int) -> int:
        """Where axis `axis` of the graph's tensor lies in what the operator at hand works on."""
        axis %= rank
        return ORDER[rank].index(axis) if self.laid and rank in ORDER else axis

    def channels_last(self, value: Any, name: str) -> Any:
        """A tensor as a feature map lies; what the operator makes does too. Raises ValueError where it is none."""
        rank = len(value.shape)
        if rank not in ORDER:
            raise ValueError(f"a feature map of {rank} axes")
        self.laid = True
        return value if name in self.last else tf.transpose(value, ORDER[rank])

    def plain(self, value: Any, name: str) -> Any:
        """A tensor as the graph has it; what the operator makes lies so too."""
        self.laid = False
        return tf.transpose(value, BACK[len(value.shape)]) if name in self.last else value

    def alike(self, given: Sequence[Any], names: Iterable[str]) -> list[Any]:
        """Operands in one order of axes: channels last where one of them is a feature map, else the graph's."""
        pairs = list(zip(given, names, strict=True))
        rank = max(len(value.shape) for value in given)
        if not any(name in self.last and len(value.shape) == rank for value, name in pairs):
            return [self.plain(value, name) for value, name in pairs]
        found = [self._as_map(value, name, rank) for value, name in pairs]
        self.laid = True
        return found

    def _as_map(self, value: Any, name: str, rank: int) -> Any:
        if name in self.last and len(value.shape) == rank:
            return value
        value = self.plain(value, name)
        own = tuple(value.shape)
        if np.prod(own) == 1 and isinstance(value, np.ndarray):
            return value
        if not own:
            return value
        wide = (1,) * (rank - len(own)) + own
        if isinstance(value, np.ndarray):
            return value.reshape(wide).transpose(ORDER[rank])
        return tf.transpose(tf.reshape(value, wide), ORDER[rank])


def takes_map(graph: OnnxGraph, one: TensorSpec) -> bool:
    """Whether an input comes to an operator of feature maps with its axes in place."""
    if len(one.shape) not in ORDER:
        return False
    reached = {one.name}
    for node in graph.nodes:
        if node.op in MAPS and node.inputs[0] in reached:
            return True
        if node.op in THROUGH and not reached.isdisjoint(node.inputs):
            reached.update(node.outputs)
    return False
