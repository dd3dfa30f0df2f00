"""Whose work each step of a framework's profile is, and frameworks side by side, node by node.

Frameworks name a step by the first node it was made of (OpenCV), by the last tensor that it gives (ONNX Runtime), or
list all of them (OpenVINO). Names are trusted. A node that no step names was fused: a light one
(BatchNormalization, an activation, an addition) into the step that gives its last input, a heavy one into the step that
its output goes to. Steps of frameworks that name nothing of the network (TVM, ncnn, LiteRT, ExecuTorch) take names in
`name_steps`.
"""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hwprof.frameworks.protocol import Step
from hwprof.networks.costs import MULTIPLYING
from hwprof.printable import plural
from hwprof.records import Layer

UNATTRIBUTED = "layers_unattributed"  # among the facts of a run: why its steps are no node's (`mismatch`)


@dataclass(frozen=True, slots=True)
class NetworkNode:
    """One node of the network: its name (made up where it has none), operator, tensors, and MACs per batch.

    `form`: elements of its weights (of convolutions and matrix products) and of its output, where known.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    macs: int | None = 0
    form: tuple[int, ...] | None = None


def owners(nodes: Sequence[NetworkNode], steps: Sequence[Step]) -> list[tuple[str, ...]]:
    """For each step the nodes whose work it is, in the graph's order; () where it is nobody's (a change of layout).

    A node belongs to one step at most: the first that names it. A step that goes on with another one's work has the
    same nodes as that.
    """
    steps = name_steps(nodes, steps)
    by_name = {flat_name(node.name): node for node in nodes} | {node.name: node for node in nodes}
    by_name |= {out: node for node in nodes for out in node.outputs}
    owner: dict[str, int] = {}
    for number, step in enumerate(steps):
        for tell in step.tells:
            known = by_name.get(tell)
            if known is not None:
                owner.setdefault(known.name, number)
    assign_preparation(nodes, steps, owner)
    consumers: dict[str, list[NetworkNode]] = defaultdict(list)
    producer = {out: node for node in nodes for out in node.outputs}
    for node in nodes:
        for tensor in node.inputs:
            consumers[tensor].append(node)
    for node in reversed(nodes):  # heavy ones, by what their output goes to
        if (
            node.name not in owner
            and node.op in HEAVY
            and (index := _consumer_step(node, consumers, owner)) is not None
        ):
            owner[node.name] = index
    for node in nodes:  # light ones, by what gives their input
        if node.name in owner or node.op in HEAVY:
            continue
        made = (producer[tensor].name for tensor in node.inputs if tensor in producer)
        if numbers := [owner[name] for name in made if name in owner]:
            owner[node.name] = max(numbers)  # before the last of its inputs is there it can't be computed
    found: list[list[str]] = [[] for _ in steps]
    for node in nodes:
        if node.name in owner:
            found[owner[node.name]].append(node.name)
    for number, step in enumerate(steps):
        if not found[number] and step.into is not None and step.into < number:
            found[number] = found[step.into]
    return [tuple(names) for names in found]


def flat_name(name: str) -> str:
    """A node's name as frameworks without folders in names have it."""
    return name.strip("/").replace("/", "_")


def _consumer_step(
    node: NetworkNode, consumers: Mapping[str, list[NetworkNode]], owner: Mapping[str, int]
) -> int | None:
    """The step of the first named node after this one, through light nodes with one consumer each."""
    while True:
        users = [user for out in node.outputs for user in consumers[out]]
        if len(users) != 1:
            return None
        (node,) = users
        if node.name in owner:
            return owner[node.name]
        if node.op in HEAVY:
            return None


def locate_steps(nodes: Sequence[NetworkNode], steps: Sequence[Step]) -> list[Layer]:
    """The steps as layers: whose work they are, and its MACs (None where a node's are not known)."""
    macs = {node.name: node.macs for node in nodes}
    counted: set[str] = set()
    layers = []
    for step, origins in zip(steps, owners(nodes, steps), strict=True):
        known = [macs[name] if name not in counted else 0 for name in origins]
        counted.update(origins)
        total = None if not origins or None in known else sum(m for m in known if m is not None)
        layers.append(Layer(step.name, step.op, step.ns, origins, total))
    return layers


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One part of the network: nodes that no framework took apart. `ns` by framework, None: no time was reported."""

    nodes: tuple[str, ...]
    macs: int | None
    ns: Mapping[str, float | None]


def align_layers(nodes: Sequence[NetworkNode], profiles: Mapping[str, Sequence[Layer]]) -> list[LayerRow]:
    """Parts of the network in its order, with every framework's time for each.

    Steps are joined until no framework's step reaches over the edge of a part: only so can they be compared. The last
    rows, without nodes, hold the sum of what each framework does in addition to the network's work.
    """
    parent = {node.name: node.name for node in nodes}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    for layers in profiles.values():
        for layer in layers:
            for name in layer.origins[1:]:
                parent[root(name)] = root(layer.origins[0])
    parts: dict[str, list[NetworkNode]] = defaultdict(list)
    for node in nodes:
        parts[root(node.name)].append(node)
    rows = []
    for members in parts.values():
        names = {node.name for node in members}
        ns = {
            framework: _sum(layer.ns for layer in layers if layer.origins and layer.origins[0] in names)
            for framework, layers in profiles.items()
        }
        if all(value is None for value in ns.values()):
            continue
        macs = [node.macs for node in members]
        total = None if None in macs else sum(m for m in macs if m is not None)
        rows.append(LayerRow(tuple(node.name for node in members), total, ns))
    extra = {
        framework: _sum(layer.ns for layer in layers if not layer.origins) for framework, layers in profiles.items()
    }
    if any(value is not None for value in extra.values()):
        rows.append(LayerRow((), None, extra))
    return rows


def _sum(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


HEAVY = MULTIPLYING
RECURRENT = ("LSTM", "GRU", "RNN", "DynamicQuantizeLSTM")
# Those of them that are more than one product.
MANY_PRODUCTS = frozenset(op for op in MULTIPLYING if "Attention" in op or op in RECURRENT)
# Work that only moves values.
MOVES = frozenset({"Concat", "Reshape", "Flatten", "Transpose", "Slice", "Split", "Pad", "Squeeze", "Unsqueeze"})
PRODUCT = "product"  # the family of those that are one
SAME = {
    "GlobalAveragePool": "mean",
    "ReduceMean": "mean",
    "Reshape": "shape",
    "Flatten": "shape",
    "Squeeze": "shape",
    "Unsqueeze": "shape",
}


def family(op: str) -> str:
    """Operators that frameworks put in each other's place have one family."""
    return PRODUCT if op in HEAVY - MANY_PRODUCTS else SAME.get(op, op)


def name_steps(nodes: Sequence[NetworkNode], steps: Sequence[Step]) -> list[Step]:
    """The steps, those with a `kind` and without a name take the name of their node, those with `parts` of each."""
    if mismatch(nodes, steps):
        return list(steps)
    sized, waiting, wanted = _counts(nodes, steps)
    certain = {key: iter(waiting[key]) for key in wanted if len(waiting.get(key, ())) == wanted[key]}
    found = []
    for step in steps:
        matches = [next(certain.get(_key(*work, sized), iter(())), None) for work in _works(step)]
        names = tuple(node.name for node in matches if node is not None)
        found.append(dataclasses.replace(step, tells=names) if names else step)
    return found


def mismatch(nodes: Sequence[NetworkNode], steps: Sequence[Step]) -> str:
    """Why steps that name nothing are not attributed to nodes; "" where they are, or every step names its own.

    All products (convolutions, matrix products, ...) must be there on both sides, of the same sizes where known.
    """
    if not any(map(_works, steps)):
        return ""
    _, waiting, wanted = _counts(nodes, steps)
    in_network = {key: len(found) for key, found in waiting.items() if key[0] == PRODUCT}
    in_profile = {key: count for key, count in wanted.items() if key[0] == PRODUCT}
    if in_network == in_profile:
        return ""
    counts = [sum(one.values()) for one in (in_profile, in_network)]
    if counts[0] == counts[1]:
        return f"the {plural(counts[0], 'product')} in its profile and those of the network have different sizes"
    return f"its profile has {plural(counts[0], 'product')} (convolution, matrix product), the network {counts[1]}"


def _works(step: Step) -> tuple[tuple[str, tuple[int, ...] | None], ...]:
    """(kind, form) of what a step that names nothing computes."""
    if step.tells:
        return ()
    return step.parts or (((step.kind, step.form),) if step.kind else ())


def _counts(
    nodes: Sequence[NetworkNode], steps: Sequence[Step]
) -> tuple[bool, dict[tuple[str, ...], list[NetworkNode]], dict[tuple[str, ...], int]]:
    """Whether all steps that name nothing have a size; then by what must agree the nodes, and how many steps."""
    works = [work for step in steps for work in _works(step)]
    sized = all(form is not None for _, form in works)
    waiting: dict[tuple[str, ...], list[NetworkNode]] = defaultdict(list)
    for node in nodes:
        waiting[_key(node.op, node.form, sized)].append(node)
    return sized, waiting, Counter(_key(*work, sized) for work in works)


def _key(op: str, form: tuple[int, ...] | None, sized: bool) -> tuple[str, ...]:
    return family(op), *(map(str, form or ("?",)) if sized else ())


def assign_preparation(nodes: Sequence[NetworkNode], steps: Sequence[Step], owner: dict[str, int]) -> None:
    """Give steps that only prepare a node's input what of the network does that and is nobody's yet."""
    by_name = {node.name: node for node in nodes} | {out: node for node in nodes for out in node.outputs}
    for number, step in enumerate(steps):
        node = by_name.get(step.feeds)
        if node is None:
            continue
        sources = [node] if node.op in MOVES else [by_name[name] for name in node.inputs if name in by_name]
        while sources:
            one = sources.pop()
            if one.op in MOVES and one.name not in owner:
                owner[one.name] = number
                sources += [by_name[name] for name in one.inputs if name in by_name]
