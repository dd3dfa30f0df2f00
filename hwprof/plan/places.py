"""Which networks a matrix measures at which size: those that it names, or the blocks that they are cut into."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hwprof.errors import BadExperiment
from hwprof.networks import blocks, find


def places(matrix: Mapping[str, Any], origin: str, base: Path | None) -> list[tuple[str, int]]:
    """(network, size) of a checked [matrix]; `base`: where relative paths start.

    With `blocks = true` the networks' distinct layers. Raises BadExperiment, and what resolving a network raises.
    """
    networks = [_path(network, base) for network in matrix["networks"]]
    if not matrix["blocks"]:
        if matrix["most_blocks"]:
            raise BadExperiment(f"{origin}: [matrix] has most_blocks without blocks", "blocks = true")
        return list(itertools.product(networks, matrix["size"]))
    parents = [find.resolve(network) for network in networks]
    return [
        (block.source, size)
        for size in matrix["size"]
        for block in blocks.distinct(parents, size, matrix["most_blocks"])
    ]


def _path(network: str, base: Path | None) -> str:
    if base is None or not network.endswith((".onnx", ".pt2")):
        return network
    return str((base / network).resolve())
