"""A network whose activations are rounded otherwise: what other, equally right roundings do to its outputs.

A file with rounded activations (quantised, FP16) leaves open how its sums are rounded: in which order, in how many
bits, from integers or from FP32. Two right implementations then differ by a unit in the last place here and there, and
what that does to outputs depends on the network. It is measured, as Monte Carlo arithmetic does (Parker, 1997): the
same graph is computed with a random disturbance where it rounds. Pure functions over the graph; onnx only.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from hwprof.networks.stored_precision import (
    AVERAGES,
    FEW_BITS,
    FUSED_FINDERS,
    KEEPERS,
    SCALE_FINDERS,
    GraphFacts,
    is_integer_operator,
    quantised_type,
    scale_of_each,
)

# Uniform noise of this many steps moves every fourth value to a neighbour. So many change where a value that is off by
# up to half a step is rounded again.
STEPS = 2 / 3
# A value between others (an average) may be rounded to their steps, or not: half a step at most.
HALF = 1 / 2
# Unit in the last place of a number near 1, by ONNX element type: FLOAT16 has 11 bits of significand, BFLOAT16 8.
LAST_PLACE = {10: 2.0**-10, 16: 2.0**-7}
FLOAT, INT8_TYPES = 1, frozenset({2, 3, 4, 5, 21, 22})  # UINT8, INT8, UINT16, INT16, UINT4, INT4
WIDE_TYPES = frozenset({4, 5, 21, 22})  # whose QuantizeLinear needs opset 21, or ONNX Runtime's own domain
MICROSOFT = "com.microsoft"
# Products whose activations frameworks quantise as they run, where their weights are integers.
PRODUCTS = frozenset({"MatMul", "Gemm"}) | FEW_BITS
# Sums of products in FP32, which each framework adds up in an order of its own.
SUMS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum"})
TERMS = 1024  # of a sum whose weights are not in the file
# Operators that round nothing, beside KEEPERS.
MOVERS = frozenset({"Concat", "Where", "Constant", "Shape", "ScatterND", "ScatterElements", "GatherND", "If", "Loop"})


class Disturber:
    """Nodes that disturb tensors, each with a seed of its own."""

    def __init__(self) -> None:
        self.initializers: list[Any] = []
        self.domains: set[str] = set()
        self._count = 0

    def integers(self, source: str, target: str, kind: int) -> Iterator[Any]:
        """`target`: the integers of `source`, of which every fourth is one more or less; none leaves the type."""
        from onnx import helper

        name = self._name()
        self._tensor(f"{name}_one", FLOAT, 1.0)
        self._tensor(f"{name}_zero", kind, 0)
        domain = MICROSOFT if kind in WIDE_TYPES else ""
        self.domains.add(domain)
        exact = [f"{name}_one", f"{name}_zero"]
        yield helper.make_node("DequantizeLinear", [source, *exact], [f"{name}_read"], domain=domain)
        yield self._noise(f"{name}_read", name, -STEPS, STEPS)
        yield helper.make_node("Add", [f"{name}_read", name], [f"{name}_moved"])
        yield helper.make_node("QuantizeLinear", [f"{name}_moved", *exact], [target], domain=domain)

    def steps(self, source: str, target: str, scale: str, kind: int) -> Iterator[Any]:
        """`target`: `source`, each value off by up to half a step of `scale`, the largest where there are several."""
        from onnx import helper

        name = self._name()
        yield helper.make_node("Cast", [scale], [f"{name}_scale"], to=FLOAT)
        yield helper.make_node("ReduceMax", [f"{name}_scale"], [f"{name}_step"], keepdims=0)
        yield self._noise(source, name, -HALF, HALF)
        yield from self._add_scaled(name, source, target, kind)

    def range_of(self, source: str, target: str, kind: int, symmetric: bool = False) -> Iterator[Any]:
        """`target`: `source` with noise in steps of 1/255 of its whole range, as an operator that finds it will.

        `symmetric`: in steps of 1/127 of its largest absolute value, as integers with a sign have them.
        """
        from onnx import helper

        name = self._name()
        self._tensor(f"{name}_zero", FLOAT, 0.0)
        self._tensor(f"{name}_levels", FLOAT, 127.0 if symmetric else 255.0)
        yield helper.make_node("Cast", [source], [f"{name}_read"], to=FLOAT)
        for operator, limit, end in (("ReduceMax", "Max", "high"), ("ReduceMin", "Min", "low")):
            yield helper.make_node(operator, [f"{name}_read"], [f"{name}_{end}_own"], keepdims=0)
            yield helper.make_node(limit, [f"{name}_{end}_own", f"{name}_zero"], [f"{name}_{end}"])
        yield helper.make_node("Neg", [f"{name}_low"], [f"{name}_below"])
        joined = "Max" if symmetric else "Add"
        yield helper.make_node(joined, [f"{name}_high", f"{name}_below"], [f"{name}_range"])
        yield helper.make_node("Div", [f"{name}_range", f"{name}_levels"], [f"{name}_step"])
        yield self._noise(source, name, -STEPS, STEPS)
        yield from self._add_scaled(name, source, target, kind)

    def last_place(self, source: str, target: str, kind: int) -> Iterator[Any]:
        """`target`: the half-precision values of `source`, of which every fourth and more is one unit off."""
        yield from self.share(source, target, kind, STEPS * LAST_PLACE[kind])

    def share(self, source: str, target: str, kind: int, share: float) -> Iterator[Any]:
        """`target`: the values of `source`, each off by up to this share of itself."""
        from onnx import helper

        name = self._name()
        yield helper.make_node("Cast", [source], [f"{name}_read"], to=FLOAT)
        yield self._noise(f"{name}_read", name, 1 - share, 1 + share)
        yield helper.make_node("Mul", [f"{name}_read", name], [f"{name}_moved"])
        yield helper.make_node("Cast", [f"{name}_moved"], [target], to=kind)

    def _add_scaled(self, name: str, source: str, target: str, kind: int) -> Iterator[Any]:
        from onnx import helper

        yield helper.make_node("Mul", [name, f"{name}_step"], [f"{name}_noise"])
        yield helper.make_node("Cast", [f"{name}_noise"], [f"{name}_alike"], to=kind)
        yield helper.make_node("Add", [source, f"{name}_alike"], [target])

    def _noise(self, like: str, name: str, low: float, high: float) -> Any:
        """Uniform numbers of the shape of `like`, in FP32; the same in every session."""
        from onnx import helper

        fields = {"low": low, "high": high, "seed": float(self._count), "dtype": FLOAT}
        return helper.make_node("RandomUniformLike", [like], [name], **fields)

    def _name(self) -> str:
        self._count += 1
        return f"hwprof_noise_{self._count}"

    def _tensor(self, name: str, kind: int, value: float) -> None:
        from onnx import helper

        self.initializers.append(helper.make_tensor(name, kind, [], [value]))


def with_other_roundings(model: Any) -> Any:
    """A copy of an onnx.ModelProto that disturbs every rounded activation. Its outputs keep their names.

    Disturbed are: integers that an operator gives (`integers`), what an operator quantises inside itself, or may where
    its weights are integers (`range_of`), averages of dequantised values that are not quantised again (`steps`), and
    results in half precision (`last_place`). Nodes of the bodies of If, Loop and Scan are nodes as any other.
    """
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    inferred = onnx.shape_inference.infer_shapes(copy)
    facts = GraphFacts.of(inferred)
    scales, disturber = scale_of_each(facts), Disturber()
    quantised_again, weights = quantised_next(list(graphs_within(copy.graph))), dequantised_weights(facts)

    def disturbed(node: Any) -> Iterator[Any]:
        """The node with what disturbs its input before and its output behind it."""
        finds = node.op_type in FUSED_FINDERS and not facts.is_constant(node.input[0])
        if finds or may_quantise(node, facts, weights, scales):
            source, node.input[0] = node.input[0], f"{node.output[0]}_disturbed_input"
            kind = facts.types.get(source) or FLOAT
            yield from disturber.range_of(source, node.input[0], kind, symmetric=not finds)
        integer = integer_output(node, facts)
        scale = scales.get(node.output[0]) if node.op_type in AVERAGES else None
        kind = 0 if node.op_type in KEEPERS | MOVERS else facts.types.get(node.output[0], 0)
        target, exact = node.output[0], f"{node.output[0]}_exact"
        after: list[Any] = []
        if facts.is_constant(target):
            pass
        elif integer:
            after += disturber.integers(exact, target, integer)
        elif scale is not None and target not in quantised_again:
            after += disturber.steps(exact, target, scale, facts.types.get(target) or FLOAT)
        elif kind in LAST_PLACE:
            after += disturber.last_place(exact, target, kind)
        if after:
            node.output[0] = exact
        yield from (node, *after)

    _replace_nodes(copy, disturbed, disturber)
    if MICROSOFT in disturber.domains and not any(entry.domain == MICROSOFT for entry in copy.opset_import):
        copy.opset_import.append(onnx.helper.make_opsetid(MICROSOFT, 1))
    return copy


def with_other_sums(model: Any) -> Any:
    """A copy of an onnx.ModelProto that disturbs every sum of products in FP32. Its outputs keep their names.

    A sum of k products in another order differs by about sqrt(k) roundings of 2^-24 (Higham, 2002: errors of random
    sign), of its value where its terms have one sign. Sums in the bodies of If, Loop and Scan are sums as any other.
    """
    import onnx

    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    facts = GraphFacts.of(onnx.shape_inference.infer_shapes(copy))
    shapes = {tensor.name: tuple(tensor.dims) for graph in graphs_within(copy.graph) for tensor in graph.initializer}
    disturber = Disturber()

    def disturbed(node: Any) -> Iterator[Any]:
        """The node, and behind a sum what disturbs it."""
        yield node
        kind = facts.types.get(node.output[0], FLOAT)
        if node.op_type in SUMS and kind == FLOAT and not facts.is_constant(node.output[0]):
            target, exact = node.output[0], f"{node.output[0]}_exact"
            node.output[0] = exact
            yield from disturber.share(exact, target, FLOAT, math.sqrt(terms(node, shapes)) * 2.0**-24)

    _replace_nodes(copy, disturbed, disturber)
    return copy


def graphs_within(graph: Any) -> Iterator[Any]:
    """A graph, and the bodies of its nodes (If, Loop, Scan) with theirs."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for body in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
                yield from graphs_within(body)


def terms(node: Any, shapes: Mapping[str, tuple[int, ...]]) -> int:
    """How many products each value of a sum adds up; TERMS where its weights are not in the file."""
    dims = next((shapes[name] for name in node.input[1:2] if name in shapes), ())
    if len(dims) < 2 or node.op_type == "Einsum":
        return TERMS
    if node.op_type == "Conv":
        return math.prod(dims[1:])
    if node.op_type == "ConvTranspose":
        return dims[0] * math.prod(dims[2:])
    is_transposed = node.op_type == "Gemm" and any(a.name == "transB" and a.i for a in node.attribute)
    return dims[-1] if is_transposed else dims[-2]


def _replace_nodes(model: Any, disturbed: Callable[[Any], Iterator[Any]], disturber: Disturber) -> None:
    """Each node of a model and its bodies by what `disturbed` makes of it, without what was known of its values.

    The constants that disturb lie in the main graph: bodies see them there.
    """
    for graph in reversed(list(graphs_within(model.graph))):  # a body before the node that holds it is copied
        nodes = [new for node in graph.node for new in disturbed(node)]
        del graph.node[:]
        graph.node.extend(nodes)
        del graph.value_info[:]
    model.graph.initializer.extend(disturber.initializers)


def dequantised_weights(facts: GraphFacts) -> frozenset[str]:
    """Constants that are made of integers by a DequantizeLinear."""
    found: set[str] = set()
    for node in facts.nodes:
        if all(facts.is_constant(name) for name in node.output) and (
            node.op_type == "DequantizeLinear" or found & set(node.input)
        ):
            found.update(node.output)
    return frozenset(found)


def may_quantise(node: Any, facts: GraphFacts, weights: frozenset[str], scales: Mapping[str, str]) -> bool:
    """Whether a framework may quantise the first input of a product as it runs: its weights are integers, and it is
    in floating point.
    """
    if node.op_type not in PRODUCTS or node.input[0] in scales or facts.is_constant(node.input[0]):
        return False
    return node.op_type in FEW_BITS or bool(weights & set(node.input[1:]))


def quantised_next(graphs: Sequence[Any]) -> frozenset[str]:
    """Tensors that are taken by a QuantizeLinear and by nothing else."""
    takers: dict[str, Counter[str]] = {}
    for node in (node for graph in graphs for node in graph.node):
        for name in node.input:
            takers.setdefault(name, Counter())[node.op_type] += 1
    outputs = {value.name for graph in graphs for value in graph.output}
    return frozenset(name for name, found in takers.items() if set(found) == {"QuantizeLinear"} and name not in outputs)


def integer_output(node: Any, facts: GraphFacts) -> int:
    """The ONNX element type of an activation that an operator gives as rounded integers; 0: it does not."""
    if node.op_type == "QuantizeLinear":
        return 0 if facts.is_constant(node.input[0]) else quantised_type(node, facts)
    if node.op_type in SCALE_FINDERS - FUSED_FINDERS:
        return 2  # UINT8 by definition
    if not is_integer_operator(node) or node.op_type in ("MatMulInteger", "ConvInteger", "QAttention"):
        return 0  # sums in 32 bits, or FP32
    if node.op_type == "QGemm" and not any(node.input[7:]):
        return 0  # without a scale of its output it gives FP32
    known = facts.types.get(node.output[0], 0)
    # an operator of ONNX Runtime's own domain, whose types onnx does not infer: as the zero point of its output
    places = [1] if node.op_type == "QLinearConcat" else range(len(node.input) - 1, -1, -1)
    points = (facts.types.get(node.input[place], 0) for place in places)
    return known or next((kind for kind in points if kind in INT8_TYPES), 0)
