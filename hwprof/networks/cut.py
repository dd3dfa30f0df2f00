"""Cuts a network's graph into layers with what can be fused into them, and builds small graphs of single layers.

A layer begins with a convolution, a matrix product, a pool, an addition, or a normalisation that follows none of them.
Normalisations and activations behind it belong to it, as frameworks fuse them. What only moves data (concatenations,
shuffles, slices) is no layer here.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hwprof.networks.graph import infer_shapes

POOLS = ("MaxPool", "AveragePool", "GlobalAveragePool")
ACTIVATIONS = ("Relu", "Clip", "LeakyRelu", "PRelu", "Elu", "Selu", "Sigmoid", "HardSigmoid", "HardSwish", "Tanh")
GATES = ("Sigmoid", "HardSigmoid")  # x * gate(x)
RESHAPES = ("Flatten", "Reshape", "Squeeze")
# Where the tensors of an operator stand that get seeded values; every other constant keeps its own.
SEEDED = {"Conv": (1, 2), "Gemm": (1, 2), "MatMul": (1,), "BatchNormalization": (1, 2, 3, 4)}
NORMALISATION = 5  # inputs of a BatchNormalization

# A layer is repeated until a fast core would take it FLOOR_S: a call costs 10 to 40 us, below 5 % of that. Rates of a
# fast core, so that every slower machine takes longer and a block is the same network on every machine.
FLOOR_S = 1e-3
MACS_PER_S = 5e10
BYTES_PER_S = 2e10
MOST_COPIES = 64


@dataclass(frozen=True, slots=True)
class GraphLayer:
    """One layer of a network. `index`: its place among all layers, the same at every size; `shape`: input, no batch.

    `copies` 0: it can't be repeated often enough, for the reason in `why`.
    """

    index: int
    kind: str
    nodes: tuple[Any, ...]  # onnx.NodeProto
    shape: tuple[int, ...]
    result: tuple[int, ...]
    macs: int  # of one copy
    moved: int  # elements that one copy reads and writes: input, output, weights
    copies: int
    digest: str  # of operators, attributes and shapes
    why: str = ""

    @property
    def is_chainable(self) -> bool:
        """One copy can follow another: the shape stays, and a normalisation (or no weights at all) the scale."""
        kinds = {node.op_type for node in self.nodes}
        keeps_scale = "BatchNormalization" in kinds or not kinds & set(SEEDED)
        return self.features == self.result and keeps_scale

    @property
    def features(self) -> tuple[int, ...]:
        """The input's shape as the layer itself takes it."""
        return (math.prod(self.shape),) if self.kind == "dense" else self.shape


class Cut:
    """The layers of one graph with known shapes. `model`: onnx.ModelProto of one input."""

    def __init__(self, model: Any) -> None:
        nodes = list(model.graph.node)
        self.shapes = infer_shapes(model).shapes
        self.opset, self.ir_version = list(model.opset_import), model.ir_version
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        for node in nodes:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self.constants[node.output[0]] = node.attribute[0].t
        self.ends = {value.name for value in model.graph.output}
        self.maker = {name: node for node in nodes for name in node.output if name}
        self.users: dict[str, list[Any]] = {}
        for node in nodes:
            for name in dict.fromkeys(node.input):
                self.users.setdefault(name, []).append(node)
        self.layers = tuple(self._layers(nodes))

    def _layers(self, nodes: Sequence[Any]) -> list[GraphLayer]:
        found: list[GraphLayer] = []
        fused: set[str] = set()
        index = 0
        for head in nodes:
            kind = self._kind(head)
            if not kind or head.output[0] in fused:
                continue
            members = [head, *self._followers(head)]
            fused |= {node.output[0] for node in members}
            layer = self._layer(index, kind, members)
            index += 1
            if layer is not None:
                found.append(layer)
        return found

    def _is_learned(self, node: Any, start: int = 1) -> bool:
        """All inputs from number `start` on are constants."""
        return all(name in self.constants for name in node.input[start:] if name)

    def _kind(self, node: Any) -> str:
        """depthwise, 1x1, 3x3 ..., dense, pool, add, norm; "": no layer begins here."""
        if node.op_type == "Add":
            first, second = (self.shapes.get(name) for name in node.input)
            moving = len(set(node.input)) == 2 and not any(name in self.constants for name in node.input)
            return "add" if moving and first is not None and first == second and len(first) == 4 else ""
        if not node.input or node.input[0] in self.constants or not self._is_learned(node):
            return ""
        if node.op_type in ("Gemm", "MatMul"):
            shape = self.shapes.get(node.input[0])
            plain = not any(a.name == "transA" and a.i for a in node.attribute)
            return "dense" if shape is not None and len(shape) == 2 and plain else ""
        if len(self.shapes.get(node.input[0]) or ()) != 4:
            return ""
        if node.op_type == "Conv":
            weight = self.shapes[node.input[1]]
            assert weight is not None  # a constant
            groups = next((a.i for a in node.attribute if a.name == "group"), 1)
            if groups == 1:
                return "x".join(map(str, weight[2:]))
            return "depthwise" if weight[1] == 1 else "grouped"
        if node.op_type in POOLS:
            return "pool" if len(node.output) == 1 else ""
        return "norm" if node.op_type == "BatchNormalization" else ""

    def _followers(self, node: Any) -> list[Any]:
        """Normalisations and activations that are computed from this node alone, and from all of its uses."""
        found: list[Any] = []
        while True:
            name = node.output[0]
            users = self.users.get(name, [])
            if name in self.ends or not users:
                return found
            step = users[0]
            gate = next((u for u in users if u.op_type in GATES), None)
            if len(users) == 2 and gate is not None:
                product = next(u for u in users if u is not gate)
                alone = [gate.output[0] not in self.ends, self.users.get(gate.output[0]) == [product]]
                if product.op_type != "Mul" or set(product.input) != {name, gate.output[0]} or not all(alone):
                    return found
                found += [gate, product]
                node = product
                continue
            follows = step.op_type in (*ACTIVATIONS, "BatchNormalization") and step.input[0] == name
            if len(users) != 1 or not follows or not self._is_learned(step):
                return found
            found.append(step)
            node = step

    def _layer(self, index: int, kind: str, nodes: Sequence[Any]) -> GraphLayer | None:
        """The layer of these nodes; None where a shape is not known."""
        shape, result = self.shapes.get(nodes[0].input[0]), self.shapes.get(nodes[-1].output[0])
        if shape is None or result is None:
            return None
        inside = shape[1:]
        if kind == "dense":
            inside = (shape[1], 1, 1)
            before = self.maker.get(nodes[0].input[0])
            if before is not None and before.op_type in RESHAPES:
                map_shape = self.shapes.get(before.input[0]) or ()
                if len(map_shape) == 4 and math.prod(map_shape[1:]) == shape[1]:
                    inside = map_shape[1:]
        learned = [self.shapes[name] for node in nodes for name in node.input if name in self.constants]
        weights = sum(math.prod(s) for s in learned if s is not None)
        macs = 0
        if nodes[0].op_type in ("Conv", "Gemm", "MatMul"):
            weight, out = self.shapes[nodes[0].input[1]], self.shapes.get(nodes[0].output[0])
            assert weight is not None
            if out is None:
                return None
            macs = math.prod(out[1:]) * (shape[1] if kind == "dense" else math.prod(weight[1:]))
        moved = weights + math.prod(inside) * (2 if kind == "add" else 1) + math.prod(result[1:])
        layer = GraphLayer(index, kind, tuple(nodes), inside, result[1:], macs, moved, 1, self._digest(nodes, inside))
        copies, why = copies_of(layer)
        return dataclasses.replace(layer, copies=copies, why=why)

    def _digest(self, nodes: Sequence[Any], shape: Sequence[int]) -> str:
        parts: list[Any] = [tuple(shape)]
        for node in nodes:
            attributes = sorted(a.SerializeToString(deterministic=True) for a in node.attribute)
            seeded = SEEDED.get(node.op_type, ())
            parts.append((node.op_type, attributes))
            for place, name in enumerate(node.input):
                if name in self.constants:
                    own = self.constants[name].raw_data.hex() if place not in seeded else ""
                    parts.append((place, self.shapes[name], own))
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

    def build(self, layer: GraphLayer, copies: int) -> Any:
        """The onnx.ModelProto of `copies` of a layer, without weights: one input (batch, channels, height, width).

        Copies follow one another where they can; else they stand side by side on the same input, with weights of their
        own, or a framework would compute them once. It ends with the average of each channel, so that a call returns
        few numbers.
        """
        return Builder(self, layer).model(copies)


def copies_of(layer: GraphLayer) -> tuple[int, str]:
    """How often a layer is repeated for FLOOR_S, and why not at all (then 0)."""
    least = max(layer.macs / MACS_PER_S, 4 * layer.moved / BYTES_PER_S)
    copies = max(1, math.ceil(FLOOR_S / least))
    if copies > MOST_COPIES:
        return 0, f"too small: it would take {copies:,} copies"
    learned = any(node.op_type in SEEDED for node in layer.nodes)
    if copies > 1 and not layer.is_chainable and not learned:
        return 0, "too small, and copies without weights on the same input would be computed once"
    return copies, ""


class Builder:
    """Writes the graph of one layer."""

    def __init__(self, cut: Cut, layer: GraphLayer) -> None:
        self.cut, self.layer = cut, layer
        self.nodes: list[Any] = []
        self.tensors: dict[str, Any] = {}

    def model(self, copies: int) -> Any:
        """The whole of it (see `Cut.build`)."""
        from onnx import TensorProto, helper

        start = "input"
        if self.layer.kind == "dense":
            start = self.node("Flatten", [start], "flat", axis=1)
        if self.layer.is_chainable:
            for copy in range(copies):
                start = self.copy(start, f"copy{copy}")
            ends = [self.average(start, "average")]
        else:
            ends = [self.average(self.copy(start, f"copy{copy}"), f"average{copy}") for copy in range(copies)]
        end = ends[0] if copies == 1 or len(ends) == 1 else self.node("Concat", ends, "joined", axis=1)
        if self.layer.kind != "dense":
            end = self.node("Flatten", [end], "output", axis=1)
        features = [len(ends) * self.layer.result[0]]
        inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", *self.layer.shape])]
        outputs = [helper.make_tensor_value_info(end, TensorProto.FLOAT, ["batch", *features])]
        graph = helper.make_graph(self.nodes, "block", inputs, outputs, list(self.tensors.values()))
        return helper.make_model(graph, opset_imports=self.cut.opset, ir_version=self.cut.ir_version)

    def node(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node; its output."""
        from onnx import helper

        self.nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def average(self, name: str, output: str) -> str:
        """The average of each channel of a map; what is no map stays."""
        return name if self.layer.kind == "dense" else self.node("GlobalAveragePool", [name], output)

    def copy(self, start: str, label: str) -> str:
        """Add one copy of the layer behind tensor `start`; its output."""
        from onnx import helper

        names = {self.layer.nodes[0].input[0]: start}
        if self.layer.kind == "add":  # the second path: the input, normalised
            second = self.layer.nodes[0].input[1]
            channels = [self.layer.shape[0]]
            learned = [self.seeded(f"{label}.path.{i}", channels) for i in range(1, NORMALISATION)]
            names[second] = self.node("BatchNormalization", [start, *learned], f"{label}.path")
        for place, original in enumerate(self.layer.nodes):
            step = type(original)()
            step.CopyFrom(original)
            step.name = f"{label}.{place}"
            step.input[:] = [self.input(original, i, names, step.name) for i in range(len(original.input))]
            if self.is_reversed(original):
                step.op_type = "Gemm"
                kept = [a for a in step.attribute if a.name != "transB"]
                del step.attribute[:]
                step.attribute.extend([*kept, helper.make_attribute("transB", 1)])
            names[original.output[0]] = step.name
            step.output[:] = [step.name]
            self.nodes.append(step)
        return names[self.layer.nodes[-1].output[0]]

    def input(self, node: Any, place: int, names: Mapping[str, str], label: str) -> str:
        """The name of an input in the copy `label`; its tensor is added where it is a constant."""
        name = node.input[place]
        if name not in self.cut.constants:
            return names.get(name, name)
        if place in SEEDED.get(node.op_type, ()):
            shape = self.cut.shapes[name] or ()
            return self.seeded(f"{label}.{place}", shape[::-1] if place == 1 and self.is_reversed(node) else shape)
        copy = type(self.cut.constants[name])()
        copy.CopyFrom(self.cut.constants[name])
        copy.name = f"{self.layer.index}.{name}"
        self.tensors[copy.name] = copy
        return str(copy.name)

    @staticmethod
    def is_reversed(node: Any) -> bool:
        """A matrix product whose weights are (inputs, outputs): written as a Gemm of (outputs, inputs) here."""
        transposed = any(a.name == "transB" and a.i for a in node.attribute)
        return node.op_type in ("Gemm", "MatMul") and not transposed

    def seeded(self, name: str, shape: Sequence[int]) -> str:
        """Add a tensor that has a shape but no values yet (see `fill`); its name."""
        from onnx import TensorProto

        self.tensors[name] = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=list(shape))
        return name
