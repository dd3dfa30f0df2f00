"""A network's ONNX graph, node by node, for adapters that build their framework's own network from it.

An adapter has a table: ONNX operator -> function that makes the framework's own. What is refused is refused here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.errors import UnsupportedModel
from hwprof.frameworks.builtin import reason_of
from hwprof.frameworks.folding import DOMAINS, Dims, Folding
from hwprof.networks.inputs import TensorSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.generic]

Attributes = Mapping[str, Any]
RANK = "rank of the first input"  # beside a node's attributes: its axes, where they are known
# Before opset 13 these flatten what lies behind their axis.
FLATTENS = ("Softmax", "LogSoftmax")
# Of these nothing but the first output is made.
FIRST_OUTPUT = ("Dropout", "BatchNormalization", "MaxPool", "LayerNormalization", "InstanceNormalization")


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One node: `number` counts all of the graph, `label` is its name, or made of both where it has none."""

    number: int
    op: str
    label: str
    attributes: Attributes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class OnnxGraph:
    """The graph of an .onnx file. Raises UnsupportedModel for an operator without an entry in `operators`.

    `inputs`: what goes in, with its shapes; what is known then is a constant, and `shapes` has the rest. `constants`:
    weights, what is known, and what nodes Constant and an Identity of a constant give, by name; these nodes are not
    among `nodes`. `sources` are the inputs' names, `results` the outputs', in the network's order.
    """

    def __init__(
        self,
        path: Path,
        framework: str,
        operators: Mapping[str, Callable[..., Any]],
        inputs: Sequence[TensorSpec] = (),
    ) -> None:
        import onnx
        from onnx import numpy_helper

        model = onnx.load(str(path))
        self._framework, self._operators = framework, operators
        self.constants: dict[str, Array] = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        self.sources: list[str] = [i.name for i in model.graph.input if i.name not in self.constants]
        self.results: list[str] = [output.name for output in model.graph.output]
        self.opset: int = next((one.version for one in model.opset_import if one.domain in DOMAINS), 1)
        self._used = {*self.results, *(name for proto in model.graph.node for name in proto.input)}
        nodes = [self._node(number, proto) for number, proto in enumerate(model.graph.node)]
        for node, proto in zip(nodes, model.graph.node, strict=True):
            if node.op == "Constant":
                from onnx.reference import ReferenceEvaluator

                (self.constants[node.outputs[0]],) = self._call(node, ReferenceEvaluator(proto).run, None, {})
            elif node.op == "Identity" and node.inputs[0] in self.constants:
                self.constants[node.outputs[0]] = self.constants[node.inputs[0]]
        self.shapes: Mapping[str, Dims] = Folding(path, model, self.constants, inputs).shapes
        self.nodes: list[GraphNode] = []
        for node, proto in zip(nodes, model.graph.node, strict=True):
            if all(name in self.constants for name in node.outputs):
                continue
            if node.op not in operators or proto.domain not in DOMAINS:
                raise UnsupportedModel(f"{framework}: no conversion of operator {node.op} of node {node.label}")
            self.nodes.append(node)

    def rank(self, name: str) -> int | None:
        """Axes of a tensor; None: not known."""
        if name in self.constants:
            return self.constants[name].ndim
        return len(self.shapes[name]) if name in self.shapes else None

    def _node(self, number: int, proto: Any) -> GraphNode:
        from onnx import helper

        attributes = {a.name: helper.get_attribute_value(a) for a in proto.attribute}
        if proto.op_type in FLATTENS and self.opset < 13:
            attributes.setdefault("axis", 1)
        if proto.op_type == "Split":
            attributes.setdefault("num_outputs", len(proto.output))
        label = proto.name or f"{proto.op_type}_{number}"
        outputs = tuple(proto.output)
        if proto.op_type in FIRST_OUTPUT:
            outputs = (outputs[0], *(name for name in outputs[1:] if name in self._used))
        return GraphNode(number, proto.op_type, label, attributes, tuple(proto.input), outputs)

    def convert(self, node: GraphNode, *arguments: Any) -> Any:
        """What the table's function for the node's operator makes of `arguments`. Raises UnsupportedModel."""
        return self._call(node, self._operators[node.op], *arguments)

    def attributes_of(self, node: GraphNode) -> Attributes:
        """Its attributes, and the axes of its first input."""
        return {**node.attributes, RANK: self.rank(node.inputs[0]) if node.inputs else None}

    def _call(self, node: GraphNode, function: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except (KeyError, ValueError, IndexError, TypeError, AttributeError) as error:
            message = f"{self._framework}: operator {node.op} of node {node.label}: {reason_of(error)}"
            raise UnsupportedModel(message) from error


def pads_of(attributes: Attributes, dims: int = 2) -> tuple[list[int], list[int]]:
    """Padding (before, after) in elements per dimension. Raises ValueError where it is left to ONNX."""
    if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise ValueError("auto_pad is not supported")
    found = list(attributes.get("pads", [0] * (2 * dims)))
    return found[:dims], found[dims:]


def even_pads(attributes: Attributes) -> tuple[int, ...]:
    """Padding in elements per dimension, the same on both sides. Raises ValueError where it is not."""
    before, after = pads_of(attributes)
    if before != after:
        raise ValueError("padding that differs between the sides")
    return tuple(before)


def check_product(attributes: Attributes) -> None:
    """Raise ValueError for a Gemm that is more than a product with a weight and a sum with a bias."""
    a = attributes
    if a.get("transA", 0) or a.get("alpha", 1.0) != 1.0 or a.get("beta", 1.0) != 1.0:
        raise ValueError("transA, alpha and beta are not supported")


def constant(inputs: Sequence[Any], index: int) -> Any:
    """An input that may be absent: then None. Raises ValueError for the name of a tensor that is computed."""
    found = inputs[index] if index < len(inputs) else None
    if isinstance(found, str):
        raise ValueError(f"its input {found} is no constant")
    return found


def clip_limits(attributes: Attributes, inputs: Sequence[Any]) -> tuple[float, float]:
    """Lowest and highest value of a Clip; infinite where there is none."""
    low, high = constant(inputs, 1), constant(inputs, 2)
    return (
        float(attributes.get("min", "-inf") if low is None else low),
        float(attributes.get("max", "inf") if high is None else high),
    )


def integers(attributes: Attributes, name: str, inputs: Sequence[Any], index: int = 1) -> list[int]:
    """Numbers that are an attribute in older opsets and an input in later ones, as the axes of a mean."""
    found = constant(inputs, index)
    return [int(v) for v in (attributes[name] if found is None else found)]
