"""The size of a network: multiply-accumulates, parameters and bytes of its weights, counted from its ONNX graph.

What is not understood makes a total None, never 0 or a part of it, and the reason goes along.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hwprof.networks.contrib import attribute, named
from hwprof.networks.costs import COSTS, UnknownCost, key_of, operator_macs
from hwprof.networks.graph import GraphScope, Shape, StoredTensor, infer_shapes

Shapes = Mapping[str, Sequence[int]]
PACKED = ("MatMulNBits", "MatMulBnb4")  # their weights' size is in attributes K and N
# These move values only.
MOVES = (
    *("Cast", "Concat", "Expand", "Flatten", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Tile", "Transpose"),
    "Unsqueeze",
)
INDICES = ("INT64", "INT32", "UINT64", "UINT32", "BOOL", "STRING")  # types of indices, masks and text


@dataclass(frozen=True, slots=True)
class LearnedTensor:
    """A learned tensor, or the scales of one (then without `params`)."""

    tensor: StoredTensor
    params: int


@dataclass(frozen=True, slots=True)
class NodeCost:
    """One node. `macs` of one inference; None: `why` says the reason. `shape`: of its first output.

    `weights` None: an operator that is not known, so that what it learned is not either.
    """

    name: str
    op: str
    macs: int | None
    shape: Shape | None
    weights: frozenset[LearnedTensor] | None
    why: str = ""
    notes: tuple[str, ...] = ()

    @property
    def params(self) -> int | None:
        """Learned parameters."""
        return None if self.weights is None else sum(weight.params for weight in self.weights)


@dataclass(frozen=True, slots=True)
class SizeOfNetwork:
    """Of one inference at the shapes that were asked for. None: not known, and `unknown` names the first such node.

    `bytes`: of the weights as they are stored, scales of quantised ones included. Weights that several nodes share
    count once.
    """

    macs: int | None
    params: int | None
    bytes: int | None
    notes: tuple[str, ...] = ()
    unknown: str = ""


def size_of(
    model: Any, batch: int = 1, inputs: Shapes | None = None, known: Mapping[str, Sequence[int]] | None = None
) -> SizeOfNetwork:
    """The size of an onnx.ModelProto, with or without the data of its weights (arguments: `graph.infer_shapes`)."""
    scope = infer_shapes(model, batch, inputs, known)
    size = total(node_costs(scope))
    if scope.problem and size.unknown:
        return dataclasses.replace(size, unknown=f"{size.unknown}; {scope.problem}")
    return size


def layers(model: Any, batch: int = 1, inputs: Shapes | None = None) -> tuple[NodeCost, ...]:
    """The cost of every node in the graph's order, its own functions inlined; MACs of one inference."""
    return node_costs(infer_shapes(model, batch, inputs))


def missing_shapes(model: Any, batch: int = 1, inputs: Shapes | None = None) -> tuple[str, ...]:
    """Tensors of the graph that multiplying nodes need and whose shapes inference can't tell."""
    scope = infer_shapes(model, batch, inputs)
    needed = (
        name
        for node, cost in zip(scope.nodes, node_costs(scope), strict=True)
        if cost.macs is None and key_of(node) in COSTS
        for name in (*node.input, node.output[0])
    )
    return tuple(dict.fromkeys(name for name in needed if name in scope.makers and scope.shapes.get(name) is None))


def node_costs(scope: GraphScope) -> tuple[NodeCost, ...]:
    """The cost of every node of a graph."""
    return tuple(node_cost(node, scope) for node in scope.nodes)


def total(costs: Iterable[NodeCost]) -> SizeOfNetwork:
    """All nodes together."""
    costs = tuple(costs)
    unknown = next((f"node '{cost.name}' ({cost.op}): {cost.why}" for cost in costs if cost.macs is None), "")
    macs = None if unknown else sum(cost.macs or 0 for cost in costs)
    notes = tuple(dict.fromkeys(note for cost in costs for note in cost.notes))
    if any(cost.weights is None for cost in costs):
        return SizeOfNetwork(macs, None, None, notes, unknown)
    weights = frozenset[LearnedTensor]().union(*(cost.weights or () for cost in costs))
    stored = sum(tensor.bytes for tensor in {weight.tensor for weight in weights})
    return SizeOfNetwork(macs, sum(weight.params for weight in weights), stored, notes, unknown)


def node_cost(node: Any, scope: GraphScope) -> NodeCost:
    """The cost of one node; of one with graphs inside, what they cost together."""
    output = next((name for name in node.output if name), "")
    cost = NodeCost(node.name or output, node.op_type, 0, scope.shapes.get(output), weights_of(node, scope))
    graphs = {attribute.name: attribute.g for attribute in node.attribute if attribute.HasField("g")}
    try:
        if graphs:
            return control_flow(node, scope, cost, {name: node_costs(scope.body(g)) for name, g in graphs.items()})
        return dataclasses.replace(cost, macs=operator_macs(node, scope))
    except UnknownCost as error:
        is_known = key_of(node) in COSTS or graphs or not may_have_learned(node, scope)
        return dataclasses.replace(cost, macs=None, why=str(error), weights=cost.weights if is_known else None)


def may_have_learned(node: Any, scope: GraphScope) -> bool:
    """Whether an operator that is not known has constants, or numbers among its attributes, that may be weights."""
    constants = (tensor for name in node.input for tensor in origins(name, scope)[0])
    numbers = any(len(one.floats) > 1 or one.HasField("t") for one in node.attribute)
    return numbers or any(one.elements > 1 and not is_index(one.kind) for one in constants)


def control_flow(node: Any, scope: GraphScope, cost: NodeCost, graphs: Mapping[str, Sequence[NodeCost]]) -> NodeCost:
    """The cost of If, Loop, Scan, ...: `graphs` has that of the nodes of each graph inside.

    If: that of its branches where both cost the same. Scan: as often as its sequence is long. Loop: of one pass, with a
    note. What either branch learned is stored.
    """
    totals = {name: total(costs) for name, costs in graphs.items()}
    every = [one.weights for costs in graphs.values() for one in costs]
    weights = None if None in every else frozenset[LearnedTensor]().union(*(one or () for one in every))
    notes = tuple(note for one in totals.values() for note in one.notes)
    cost = dataclasses.replace(cost, weights=weights, notes=notes)
    unknown = next((one.unknown for one in totals.values() if one.macs is None), "")
    known = [one.macs for one in totals.values() if one.macs is not None]
    why = ""
    if len(set(known)) > 1:
        parts = (f"{one.macs:,} in {name}" for name, one in totals.items() if one.macs is not None)
        why = f"its MACs depend on the data: {', '.join(parts)}"
    if unknown or why:
        return dataclasses.replace(cost, macs=None, why=why or f"inside of it {unknown}")
    if node.op_type == "If" or not any(known):
        return dataclasses.replace(cost, macs=known[0])
    if node.op_type == "Scan":
        return dataclasses.replace(cost, macs=known[0] * scan_length(node, scope))
    if node.op_type != "Loop":
        return dataclasses.replace(cost, macs=None, why="how often it computes the graph inside is not known")
    note = f"of the Loop '{cost.name}' one pass is counted, {known[0]:,} MACs"
    return dataclasses.replace(cost, macs=known[0], notes=(*notes, note))


def scan_length(node: Any, scope: GraphScope) -> int:
    """How long the sequence is that a Scan goes through. Raises UnknownCost."""
    first = len(node.input) - int(attribute(node, "num_scan_inputs"))
    shape = scope.shapes.get(node.input[first])
    if shape is None:
        raise UnknownCost(f"the length of '{node.input[first]}' is not known")
    return int(shape[(attribute(node, "scan_input_axes") or [0])[0]])


def weights_of(node: Any, scope: GraphScope) -> frozenset[LearnedTensor]:
    """What a node learned: constants at the places that its operator learns, and the scales of quantised ones.

    Constants that are added, or multiplied along one axis, count as biases, positions and scales of a normalisation,
    unless they are single numbers, masks or angles of rotary positions. Tables that rows are gathered from count as
    embeddings, unless the rows are such angles. A graph does not say which constants of those were learned.
    """
    cost = COSTS.get(key_of(node))
    found: set[LearnedTensor] = set()
    for place in cost.learned if cost else ():
        learned, scales = origins(named(node, place), scope)
        if cost is not None and cost.weak and not (learned and is_weight(node, place, scope, learned)):
            continue
        packed = attribute(node, "K") * attribute(node, "N") if node.op_type in PACKED and place == 1 else 0
        found |= {LearnedTensor(tensor, packed or tensor.elements) for tensor in learned}
        found |= {LearnedTensor(tensor, 0) for tensor in scales}
    names = [named(node, place) for place in (cost.scales if cost else ())]
    return frozenset(found | {LearnedTensor(scope.constants[name], 0) for name in names if name in scope.constants})


def origins(name: str, scope: GraphScope) -> tuple[list[StoredTensor], list[StoredTensor]]:
    """(constants that a tensor is computed from; scales and zero points of those that are quantised).

    Nothing where it depends on anything else. Shapes, axes and other operands of a few values are no origin.
    """
    learned: list[StoredTensor] = []
    scales: list[StoredTensor] = []
    waiting = [(name, True)] if name in scope.fixed else []
    while waiting:
        name, is_data = waiting.pop()
        stored, maker = scope.constants.get(name), scope.makers.get(name)
        if stored is not None:
            learned += [stored] if is_data or (stored.elements > 1 and not is_index(stored.kind)) else []
        elif maker is not None and maker.op_type == "DequantizeLinear":
            waiting.append((maker.input[0], True))
            scales += [scope.constants[other] for other in maker.input[1:] if other in scope.constants]
        elif maker is not None and maker.op_type not in ("Shape", "Size"):
            waiting += [(other, is_data and place == 0) for place, other in enumerate(maker.input)]
    return learned, scales


def is_constant(name: str, scope: GraphScope) -> bool:
    """Whether a tensor is a constant, or computed from constants."""
    return name in scope.fixed


def is_index(kind: int) -> bool:
    """Whether tensors of this type are indices, masks or text."""
    from onnx import TensorProto

    return TensorProto.DataType.Name(kind) in INDICES


def is_weight(node: Any, place: int, scope: GraphScope, learned: Sequence[StoredTensor]) -> bool:
    """Whether a constant operand of an Add, Mul or Gather may be a learned one (see `weights_of`)."""
    shape = scope.shapes.get(named(node, place))
    if shape is None or is_index(scope.kinds.get(named(node, place), 0)) or any(one.is_filled for one in learned):
        return False
    long = sum(side > 1 for side in shape)
    if node.op_type == "Gather":
        return len(shape) > 1 and not leads_to(node, scope, MOVES, is_use_of_angles)
    if node.op_type == "Add":
        return long == 1 or (long > 1 and not leads_to(node, scope, (*MOVES, "Add"), is_softmax))
    return long == 1 and not leads_to(node, scope, (), is_rotation)


def leads_to(
    node: Any, scope: GraphScope, through: Sequence[str], is_end: Callable[[Any, str, GraphScope], bool]
) -> bool:
    """Everything that is done with a node's output, `through` such operators, is of one kind."""
    names, seen, ends = [node.output[0]], set(), 0
    while names:
        name = names.pop()
        if name in seen:
            continue
        seen.add(name)
        for user in scope.users.get(name, ()):
            if is_end(user, name, scope):
                ends += 1
            elif user.op_type in through:
                names.append(user.output[0])
            else:
                return False
    return ends > 0


def is_softmax(user: Any, _: str, __: GraphScope) -> bool:
    """What a mask is added for."""
    return bool(user.op_type == "Softmax")


def is_use_of_angles(user: Any, name: str, scope: GraphScope) -> bool:
    """Rows of rotary angles multiply activations, or their sine is taken first."""
    others = [other for other in user.input if other != name]
    is_product = user.op_type == "Mul" and any(other not in scope.fixed for other in others)
    return is_product or user.op_type in ("Sin", "Cos")


def is_rotation(user: Any, _: str, scope: GraphScope) -> bool:
    """The sum of two products with constants: the cosines and sines of rotary positions."""
    makers = [scope.makers.get(name) for name in user.input]
    products = [one for one in makers if one is not None and one.op_type == "Mul"]
    constant = [one for one in products if any(name in scope.fixed for name in one.input)]
    return bool(user.op_type == "Add" and len(constant) == 2)
