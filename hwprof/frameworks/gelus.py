"""GELU by the error function, which exporters write as five operators, as one: for a framework without an Erf."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from hwprof.frameworks.walk import GraphNode

CLOSE = 1e-4  # relative: constants are written in single or half precision


def join_gelus(
    nodes: Sequence[GraphNode], constants: Mapping[str, Any], results: Collection[str]
) -> tuple[GraphNode, ...]:
    """The nodes with x * (1 + erf(x / sqrt 2)) / 2 as one Gelu of x, in whatever order its factors are."""
    takers: dict[str, list[GraphNode]] = defaultdict(list)
    makers = {name: node for node in nodes for name in node.outputs}
    for node in nodes:
        for name in node.inputs:
            takers[name].append(node)

    def number(name: str) -> float | None:
        value = constants.get(name)
        return float(value.reshape(-1)[0]) if value is not None and value.size == 1 else None

    def other(node: GraphNode, wanted: float) -> str | None:
        """What a node takes beside a constant."""
        for index, name in enumerate(node.inputs[:2]):
            found = number(name)
            if found is not None and math.isclose(found, wanted, rel_tol=CLOSE):
                return node.inputs[1 - index]
        return None

    def sole(name: str, op: str) -> GraphNode | None:
        """The one node that takes a tensor, where it is of this operator."""
        found = takers[name]
        return found[0] if name not in results and len(found) == 1 and found[0].op == op else None

    gone: set[int] = set()
    made: dict[int, GraphNode] = {}
    for erf in nodes:
        if erf.op != "Erf" or (before := makers.get(erf.inputs[0])) is None:
            continue
        x = other(before, math.sqrt(2) if before.op == "Div" else math.sqrt(0.5))
        if before.op not in ("Div", "Mul") or x is None or (before.op == "Div" and before.inputs[0] != x):
            continue
        one = sole(erf.outputs[0], "Add")
        if one is None or sole(before.outputs[0], "Erf") is None or other(one, 1.0) is None:
            continue
        first = sole(one.outputs[0], "Mul")
        if first is None:
            continue
        parts = {before.number, erf.number, one.number}
        factor = first.inputs[1] if first.inputs[0] == one.outputs[0] else first.inputs[0]
        half = makers.get(factor)
        if half is not None and half.op == "Mul" and other(half, 0.5) == x and sole(factor, "Mul") is first:
            last = first
            parts.add(half.number)
        elif factor == x or number(factor) is not None:
            second = sole(first.outputs[0], "Mul")
            rest = None if second is None else other(second, 0.5) if factor == x else rest_of(second, first.outputs[0])
            fits = factor == x or math.isclose(number(factor) or 0.0, 0.5, rel_tol=CLOSE)
            if second is None or not fits or rest != (first.outputs[0] if factor == x else x):
                continue
            last = second
            parts.add(first.number)
        else:
            continue
        gone |= parts
        made[last.number] = dataclasses.replace(last, op="Gelu", attributes={}, inputs=(x,))
    return tuple(made.get(node.number, node) for node in nodes if node.number not in gone)


def rest_of(node: GraphNode, name: str) -> str:
    """What a node of two takes beside `name`."""
    return node.inputs[1] if node.inputs[0] == name else node.inputs[0]
