"""What each input of a graph is used for, so that seeded data fit: indices of a table, masks, a value to compare with.

Found by following an input through operators that only bring it into shape. Pure; onnx and numpy only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

# Operators that pass values on.
CARRIERS = frozenset(
    ("Cast", "Identity", "Unsqueeze", "Squeeze", "Reshape", "Flatten", "Transpose", "Expand", "Concat", "Slice", "Tile")
)
WORDS = 16  # of a table of texts that are taken
# What names of a state have beside what they share: in and out, past and present.
STATE_MARKS = re.compile(
    r"(?<![a-z])(input|output|in|out|initial|init|past|present|prev|previous|last|next|new|old|updated|key_values?|i|o|n)"
    r"(?![a-z])|(?<=[hc])[0n](?![a-z0-9])|[._/-]+"
)


class Uses:
    """The uses of the inputs of one graph."""

    def __init__(self, graph: Any) -> None:
        self._consumers: dict[str, list[tuple[Any, int]]] = {}
        self._producers = {name: node for node in graph.node for name in node.output}
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}
        for node in graph.node:
            for index, name in enumerate(node.input):
                self._consumers.setdefault(name, []).append((node, index))

    def of(self, name: str, dtype: str) -> str:
        """A `TensorSpec.use`; "" where nothing tells."""
        ends = list(self._ends(name))
        for node, index in ends:
            if (rows := self._rows(node, index)) is not None:
                return f"ids:{rows}"
        if dtype == "str":
            words = [word for node, _ in ends for word in self._words(node)]
            return f"words:{' '.join(words[:WORDS])}" if words else ""
        if "mask" in name.lower():
            first = ends[0][0].op_type if ends else ""
            return "zeros" if dtype.startswith("float") and first == "Add" else "ones"
        if not dtype.startswith("float"):
            for node, index in ends:
                value = self._constant(node.input[1 - index]) if node.op_type == "Equal" else None
                if value is not None and value.size:
                    return f"value:{value.reshape(-1)[0].item()}"
        return ""

    def _ends(self, name: str, depth: int = 8) -> Iterator[tuple[Any, int]]:
        """The nodes, and which of their inputs, that the values come to."""
        for node, index in self._consumers.get(name, ()):
            if node.op_type in CARRIERS and index == 0 and depth:
                yield from self._ends(node.output[0], depth - 1)
            else:
                yield node, index

    def _rows(self, node: Any, index: int) -> int | None:
        """Rows of the table that a node takes indices of."""
        if node.op_type == "Gather" and index == 1 and not axis_of(node):
            return self._length(node.input[0])
        if node.op_type == "EmbedLayerNormalization" and index in (0, 1) and len(node.input) > 2 + 2 * index:
            return self._length(node.input[2 + 2 * index])
        return None

    def _length(self, name: str, depth: int = 4) -> int | None:
        if name in self._tensors:
            dims = self._tensors[name].dims
            return int(dims[0]) if dims else None
        node = self._producers.get(name)
        if node is None or not depth:
            return None
        if node.op_type == "Constant":
            value = self._constant(name)
            return len(value) if value is not None and value.ndim else None
        return (
            self._length(node.input[0], depth - 1) if node.op_type in ("DequantizeLinear", "Cast", "Identity") else None
        )

    def _constant(self, name: str) -> Any:
        """The array of a constant; None: it is none, or lies in a file of its own."""
        from onnx import numpy_helper

        tensor = self._tensors.get(name)
        if tensor is None and name in self._producers and self._producers[name].op_type == "Constant":
            tensor = next((a.t for a in self._producers[name].attribute if a.name == "value"), None)
        if tensor is None or tensor.data_location:
            return None
        return numpy_helper.to_array(tensor)

    def _words(self, node: Any) -> list[str]:
        return [
            word.decode(errors="replace")
            for a in node.attribute
            if a.name in ("keys_strings", "cats_strings", "string_vocabulary")
            for word in a.strings
            if b" " not in word
        ]


def axis_of(node: Any) -> int:
    """The attribute `axis`, 0 where there is none."""
    return next((int(a.i) for a in node.attribute if a.name == "axis"), 0)


def paired_states(
    outputs: Mapping[str, Sequence[int | str]], inputs: Mapping[str, Sequence[int | str]]
) -> tuple[tuple[str, str], ...]:
    """(output, input) that are one state, by their names: `hn` and `h0`, `state_out` and `state_in`.

    Names and dimensions (of both: numbers and symbols) must leave one output for one input. Growing ones (a cache
    whose output is longer than its input) are none: what is measured is one step at a fixed length.
    """
    found = []
    for name, dims in inputs.items():
        fitting = [o for o, shape in outputs.items() if o != name and core(o) == core(name) and fits(shape, dims)]
        twins = [i for i in inputs if core(i) == core(name)]
        if core(name) and len(fitting) == 1 and len(twins) == 1 and marked(name, fitting[0]):
            found.append((fitting[0], name))
    return tuple(found)


def core(name: str) -> str:
    """What a state's name has in common going in and coming out."""
    return STATE_MARKS.sub("", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower())


def marked(first: str, second: str) -> bool:
    """Whether one of the names says that it goes in or comes out."""
    plain = {re.sub(r"[^a-z0-9]", "", name.lower()) for name in (first, second)}
    return any(STATE_MARKS.sub("", name.lower()) != name for name in (first, second)) and len(plain) == 2


def fits(first: Sequence[int | str], second: Sequence[int | str]) -> bool:
    """Whether two shapes may be the same: as many dimensions, and the same numbers and symbols where both are known."""
    return len(first) == len(second) and all(
        a == b or a == "" or b == "" or (isinstance(a, str) != isinstance(b, str))
        for a, b in zip(first, second, strict=True)
    )
