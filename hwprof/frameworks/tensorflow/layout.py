"""How tensors lie in TensorFlow's networks of ours: a feature map channels last, anything else as the graph has it.

Standard library only at import: adapters read what lies beside an artifact.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# Axes -> our order of the graph's. Of 3 a row of features (audio), of 5 a feature map whose channels were split, as for
# a channel shuffle.
ORDER: Mapping[int, tuple[int, ...]] = {3: (0, 2, 1), 4: (0, 2, 3, 1), 5: (0, 3, 4, 1, 2)}
# Ours -> the graph's order of axes.
BACK = {rank: tuple(order.index(i) for i in range(rank)) for rank, order in ORDER.items()}
FILE = "layouts.json"


def stored(shape: Sequence[int], last: bool) -> tuple[int, ...]:
    """A shape of the graph as it lies."""
    return tuple(shape[axis] for axis in ORDER[len(shape)]) if last else tuple(shape)


def to_ours(array: Any, last: bool) -> Any:
    """An array as it lies; a copy where its axes are turned."""
    import numpy as np

    return np.ascontiguousarray(array.transpose(ORDER[array.ndim])) if last else array


def to_graphs(array: Any, last: bool) -> Any:
    """An array as the graph has it."""
    return array.transpose(BACK[array.ndim]) if last else array


def input_keys(count: int) -> list[str]:
    """Of the inputs in the signature, in the network's order: names of the graph may be none in TensorFlow."""
    return ["input"] if count == 1 else [f"input_{number}" for number in range(count)]


def output_keys(count: int) -> list[str]:
    """Of the outputs in the signature, in the network's order, as TensorFlow calls them itself."""
    return [f"output_{number}" for number in range(count)]


def write(folder: Path, inputs: Sequence[bool], outputs: Sequence[bool]) -> None:
    """Which inputs and outputs lie channels last, in the network's order."""
    (folder / FILE).write_text(json.dumps({"inputs": list(inputs), "outputs": list(outputs)}))


def read(folder: Path) -> tuple[list[bool], list[bool]]:
    """What `write` wrote: (inputs, outputs)."""
    found = json.loads((folder / FILE).read_text())
    return found["inputs"], found["outputs"]
