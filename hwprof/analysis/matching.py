"""Whose work steps are that name no node: the k-th step of a form is the k-th node of that form.

A form is what a step and a node have in common whatever they are called: for a convolution or matrix product the
elements of its weights and of its output, for others the operator and the elements of its output. Frameworks that tell
no sizes are matched by operator alone. Where the numbers of steps and nodes of a form differ nothing is guessed; where
that happens to a convolution or matrix product, none of the steps is named.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hwprof.analysis.layers import Node
    from hwprof.frameworks.protocol import Step

HEAVY = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
# Work that only moves values.
MOVES = frozenset({"Concat", "Reshape", "Flatten", "Transpose", "Slice", "Split", "Pad", "Squeeze", "Unsqueeze"})
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
    return "product" if op in HEAVY else SAME.get(op, op)


def named(nodes: Sequence[Node], steps: Sequence[Step]) -> list[Step]:
    """The steps, those with a `kind` and without a name given that of their node."""
    unnamed = [step for step in steps if step.kind and not step.tells]
    sized = all(step.form is not None for step in unnamed)
    waiting: dict[tuple[str, ...], list[Node]] = defaultdict(list)
    for node in nodes:
        waiting[_key(node.op, node.form, sized)].append(node)
    wanted: dict[tuple[str, ...], int] = defaultdict(int)
    for step in unnamed:
        wanted[_key(step.kind, step.form, sized)] += 1
    keys = wanted.keys() | waiting.keys()
    if any(len(waiting.get(key, ())) != wanted.get(key, 0) for key in keys if key[0] == "product"):
        return list(steps)
    certain = {key: iter(waiting[key]) for key in keys if len(waiting.get(key, ())) == wanted.get(key, 0)}
    found = []
    for step in steps:
        match: Node | None = None
        if step.kind and not step.tells:
            match = next(certain.get(_key(step.kind, step.form, sized), iter(())), None)
        found.append(step if match is None else dataclasses.replace(step, tells=(match.name,)))
    return found


def _key(op: str, form: tuple[int, ...] | None, sized: bool) -> tuple[str, ...]:
    return family(op), *(map(str, form or ("?",)) if sized else ())


def fed(nodes: Sequence[Node], steps: Sequence[Step], owner: dict[str, int]) -> None:
    """Give steps that only prepare a node's input what of the network does that and is nobody's yet."""
    by_name = {node.name: node for node in nodes} | {out: node for node in nodes for out in node.outputs}
    for number, step in enumerate(steps):
        node = by_name.get(step.feeds)
        if node is None:
            continue
        behind = [node] if node.op in MOVES else [by_name[name] for name in node.inputs if name in by_name]
        while behind:
            one = behind.pop()
            if one.op in MOVES and one.name not in owner:
                owner[one.name] = number
                behind += [by_name[name] for name in one.inputs if name in by_name]
