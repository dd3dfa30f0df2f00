"""Many small networks from few: the distinct layers of a network, each a network of its own (`block:PARENT/17-1x1`).

Few networks carry no correlation report; their layers do. A block has the shape of its layer, seeded weights, one 4-D
input and one output. Layers that a call's own cost would drown are repeated (`cut.FLOOR_S`). Two things are not as in
the network: the weights of a block are hot in caches where they fit, and its input comes from the ring of inputs.
Blocks of one network are alike, so that the number of parents bounds what can be found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hwprof.errors import UnknownNetwork, UsageError
from hwprof.networks import fill
from hwprof.networks.cut import Cut, GraphLayer
from hwprof.networks.inputs import InputSpec, with_batch
from hwprof.networks.network import Network, atomic_write

PREFIX = "block:"
BLOCKS = "blocks of layers"  # what they are as a whole
# Raised whenever the cut, the repetitions, the weights or what a block ends with change.
RECIPE = 2


@dataclass(frozen=True, slots=True)
class BlockName:
    """What the name of a block says. `kind`: depthwise, 1x1, 3x3, dense, pool, add, norm, ..."""

    parent: str
    index: int
    kind: str


@lru_cache(maxsize=8192)
def parse_name(name: str) -> BlockName | None:
    """The parts of a block's name; None: it is no block. What follows a space is not of the name."""
    if not name.startswith(PREFIX):
        return None
    parent, _, last = name.removeprefix(PREFIX).rpartition("/")
    number, _, kind = last.partition(" ")[0].partition("-")
    return BlockName(parent, int(number), kind) if parent and number.isdigit() else None


def parents_of(networks: Sequence[str]) -> tuple[str, ...]:
    """The parent of each block; empty where one of them is no block."""
    names = [parse_name(name) for name in networks]
    return tuple(name.parent for name in names if name is not None) if all(names) else ()


def input_title(network: str, size: int, batch: int, shape: str = "") -> str:
    """`4x3x224x224`, `4x3x48x320`, `batch 4, ids 128, mask 128`; of a block, whose name does not say its shape,
    `batch 4 at 224 px`. `shape`: as of a case.
    """
    if shape:
        return with_batch(shape, batch)
    if size and parse_name(network) is None:
        return f"{batch}x3x{size}x{size}"
    return f"batch {batch}" + (f" at {size} px" if size else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockNetwork(Network):
    """One layer of `parent` as a network; `size` means the side of the parent's input, as for the parent."""

    parent: Network
    index: int

    @property
    def source(self) -> str:
        """What `find.resolve` made this network from."""
        return f"{PREFIX}{self.parent.source}/{self.name.rpartition('/')[2]}"

    def layer(self, size: int | None) -> GraphLayer:
        """The layer at this size. Raises UsageError where it can't be measured at it."""
        self.parent.input_spec(size, self.parent.fixed_batch or 1)
        found = next((one for one in cut(self.parent, size).layers if one.index == self.index), None)
        if found is None or not found.copies:
            why = "its shapes are not known" if found is None else found.why
            raise UsageError(f"{self.name} can't be measured at {size or self.default_size} pixels: {why}")
        return found

    def input_spec(self, size: int | None, batch: int) -> InputSpec:
        """The input of the layer. Raises UsageError where it can't be measured at this size."""
        if batch < 1:
            raise UsageError(f"batch must be at least 1, not {batch}")
        return InputSpec("input", (batch, *self.layer(size).shape))

    def place(self, size: int | None, spec: InputSpec) -> tuple[int, str]:
        """The side of the parent's input: a block's name does not say its shape."""
        return size or self.default_size or 0, ""

    def model(self, size: int | None = None, data: bool = True) -> Any:
        """The onnx.ModelProto without weights."""
        found = self.layer(size)
        return cut(self.parent, size).build(found, found.copies)

    def _shaped(self, size: int | None, keep_open: bool = False) -> Any:
        return self.model(size)

    def write(self, path: Path, seed: int, size: int | None = None, keep_open: bool = False) -> None:
        """Write the .onnx with seeded weights; all of it or nothing."""
        import onnx

        model, calibrated = self.model(size), self.model(size)
        # normalisation is settled on smaller maps, as the parent's is
        found = self.layer(size)
        layers = cut(self.parent, self._calibration_size(size)).layers
        shape = next(one.shape for one in layers if one.index == self.index)
        for dim, side in zip(calibrated.graph.input[0].type.tensor_type.shape.dim[1:], shape, strict=True):
            dim.dim_value = side
        gains, shifts = steady(found)
        fill.fill_weights(model, fill.weights(calibrated, gains, seed, shifts=shifts))
        with atomic_write(path) as half:
            onnx.save(model, str(half))

    def _calibration_size(self, size: int | None) -> int | None:
        try:
            self.parent.input_spec(fill.SIZE, self.parent.fixed_batch or 1)
        except UsageError:
            return size
        return fill.SIZE


# What a normalisation adds before an activation in a chain: three standard deviations, so that it is nearly linear.
UPRIGHT = 3.0


def steady(layer: GraphLayer) -> tuple[dict[str, float], dict[str, float]]:
    """(gains, shifts) that keep a chain of copies at one scale, by the output of a normalisation.

    An addition of its normalised input grows by a standard deviation a copy: as much in all copies together instead. A
    normalisation with an activation stretches what is far from the mean in every copy, until one pixel is left.
    """
    if not layer.is_chainable or layer.copies < 2:
        return {}, {}
    copies = [f"copy{i}" for i in range(layer.copies)]
    if layer.kind == "add":
        return {f"{copy}.path": 1 / layer.copies for copy in copies}, {}
    if layer.kind == "norm" and len(layer.nodes) > 1:
        return {}, {f"{copy}.0": UPRIGHT for copy in copies}
    return {}, {}


@lru_cache(maxsize=64)
def cut(parent: Network, size: int | None) -> Cut:
    """The layers of a network at one size."""
    return Cut(parent._shaped(size))


def block_of(parent: Network, index: int, kind: str = "") -> BlockNetwork:
    """Layer number `index` of a network. Raises UnknownNetwork where there is none, or none of this kind."""
    if parent.real:
        raise UsageError(f"blocks of {parent.source} have seeded weights", f"name them {PREFIX}{parent.name}/...")
    require_plain(parent)
    layers = {one.index: f"{PREFIX}{parent.name}/{one.index}-{one.kind}" for one in cut(parent, None).layers}
    name = layers.get(index, "")
    if not name or (kind and parse_name(name) != BlockName(parent.name, index, kind)):
        raise UnknownNetwork(f"{PREFIX}{parent.source}/{index}{'-' * bool(kind)}{kind}", layers.values())
    recipe = f"{parent.recipe} blocks-{RECIPE}"
    return BlockNetwork(name, recipe, parent.default_size, parent=parent, index=index)


def require_plain(parent: Network) -> None:
    """Raise UsageError where a network is not in FP32, as its blocks would be."""
    if parent.stored:
        raise UsageError(
            f"blocks are in FP32, and {parent.name} is stored as {parent.stored}",
            "give the file from before it was quantised or narrowed",
        )


def distinct(parents: Sequence[Network], size: int, most: int = 0) -> list[BlockNetwork]:
    """The layers of networks that can be measured at `size` (0: each one's own), each once, in the order of the graphs.

    Layers are the same where operators, attributes and shapes are; one that several networks have belongs to the first
    of them. `most` (0: all): of each network at most so many, of all its kinds in turn, spread over its depth.
    """
    seen: set[str] = set()
    found = []
    for parent in parents:
        require_plain(parent)
        own: dict[str, GraphLayer] = {}
        for layer in cut(parent, size or parent.default_size).layers:
            if layer.copies and layer.digest not in seen:
                own.setdefault(layer.digest, layer)
        chosen = thin(list(own.values()), most) if most else list(own.values())
        seen |= {layer.digest for layer in own.values()}
        found += [block_of(parent, layer.index) for layer in chosen]
    return found


def thin(layers: Sequence[GraphLayer], most: int) -> list[GraphLayer]:
    """At most `most` layers: every kind in turn gets one more, and each kind's are spread evenly over the depth.

    Kinds without MACs come last: correlations that control for MACs leave them out.
    """
    kinds: dict[str, list[GraphLayer]] = {}
    for layer in layers:
        kinds.setdefault(layer.kind, []).append(layer)
    share = dict.fromkeys(kinds, 0)
    for _ in range(min(most, len(layers))):
        free = [kind for kind, own in kinds.items() if share[kind] < len(own)]
        share[min(free, key=lambda kind: (not kinds[kind][0].macs, share[kind], kind))] += 1
    kept = [own[(2 * i + 1) * len(own) // (2 * share[kind])] for kind, own in kinds.items() for i in range(share[kind])]
    return sorted(kept, key=lambda layer: layer.index)
