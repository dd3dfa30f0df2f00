"""What a case's recorded shape says of its network's inputs: the way back from `InputSpec.frame`."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from hwprof.errors import HwprofError
from hwprof.networks.inputs import InputChoice, OpenInput
from hwprof.networks.network import Network

# `ids 1x128 int64`, `past_key_0 ... past_value_3 1x2x128x32`, `3x48x320`
PART = re.compile(r"(?:(?P<first>\S+)(?: \.\.\. (?P<last>\S+))? )?(?P<dims>\d+(?:x\d+)*|scalar)(?: [a-z]+\d*)?")


def network_of_shape(network: Network, shape: str) -> Network | None:
    """The network with the inputs of a case whose `Case.shape` is `shape`; None where it can't have had it."""
    if network.path is None:
        return network if network.input_spec(None, 1).frame == shape else None
    for axis in ("", "none"):
        shapes = shapes_of(network.inputs, shape, has_batch=not axis)
        found = dataclasses.replace(network, choice=InputChoice(shapes=shapes, batch_axis=axis))
        try:
            if found.input_spec(None, network.fixed_batch or 1).frame == shape:
                return found
        except HwprofError:
            continue
    return None


def shapes_of(
    inputs: Sequence[OpenInput], shape: str, has_batch: bool = True
) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """The whole shape of each input that `shape` names, with a batch of 1 where it has one; () where it is no shape."""
    names = [one.name for one in inputs]
    found: list[tuple[str, tuple[int, ...]]] = []
    for part in shape.split(", "):
        match = PART.fullmatch(part)
        if match is None:
            return ()
        first = match["first"] or names[0]
        last = match["last"] or first
        if first not in names or last not in names[names.index(first) :]:
            return ()
        dims = [] if match["dims"] == "scalar" else [int(side) for side in match["dims"].split("x")]
        for one in inputs[names.index(first) : names.index(last) + 1]:
            at = one.batch_axis if has_batch else None
            found.append((one.name, tuple(dims if at is None else [*dims[:at], 1, *dims[at:]])))
    return tuple(found)
