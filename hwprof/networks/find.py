"""Which network a name or a file stands for."""

from __future__ import annotations

from pathlib import Path

from hwprof.errors import UnknownNetwork
from hwprof.networks import blocks
from hwprof.networks.network import REAL, Network
from hwprof.networks.table import RECIPE, TABLE
from hwprof.networks.users import users_network


def resolve(name_or_path: str) -> Network:
    """A built-in network, a user's .onnx or .pt2, or a block of one. Raises UnknownNetwork, BadModel, NotInstalled."""
    block = blocks.parse_name(name_or_path)
    if block is not None:
        return blocks.block_of(resolve(block.parent), block.index, block.kind)
    known = TABLE.get(name_or_path)
    if known is not None:
        return Network(known.name, f"builtin-{RECIPE}", known.size or None, outputs=known.outputs)
    name = name_or_path.removesuffix(REAL)
    if name in TABLE and TABLE[name].torchvision:
        return Network(name, "torchvision-default", TABLE[name].size, real=True)
    if name_or_path.endswith(".pt2"):
        from hwprof.networks.torch_programs import exported_network  # a worker has not all that it imports

        return exported_network(Path(name_or_path))
    if not name_or_path.endswith(".onnx") and "/" not in name_or_path:
        raise UnknownNetwork(name_or_path, TABLE)
    return users_network(Path(name_or_path))
