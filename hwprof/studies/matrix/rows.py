"""Rows of the matrix: the networks, each with the side and the inputs that it is tried with."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from hwprof.errors import UsageError
from hwprof.networks import find
from hwprof.networks import table as networks_table
from hwprof.networks.inputs import UNSAID, InputChoice
from hwprof.networks.network import Network
from hwprof.plan.cases import network_with


def choices(
    names: Sequence[str], size: int, inputs: Mapping[str, InputChoice] | None = None
) -> tuple[tuple[str, int], ...]:
    """(network, side): `size` where the network admits it, else its own. Raises UnknownNetwork, UsageError.

    `inputs`: what is said of a network's inputs (`inputs_by_network`).
    """
    found = []
    for name in names or networks_table.names():
        network = network_with(name, (inputs or {}).get(name, UNSAID))
        batch = network.own_batch
        try:
            network.input_spec(size or None, batch)
            found.append((name, size or network.default_size or 0))
        except UsageError:
            network.input_spec(None, batch)
            found.append((name, network.default_size or 0))
    return tuple(found)


def inputs_by_network(names: Sequence[str], said: InputChoice) -> dict[str, InputChoice]:
    """Of what is said, to each network what it takes: dimensions, shapes and states of its own names.

    A shape without a name goes to networks of one input, samples and the batch's axis to every file. Raises UsageError
    where no network takes a part of it.
    """
    if said == UNSAID:
        return {}
    networks = {name: find.resolve(name) for name in names or networks_table.names()}
    files = {name: network for name, network in networks.items() if network.path is not None}
    found = {name: own_part(network, said) for name, network in files.items()}
    for field, option in (("shapes", "--shape"), ("dims", "--dim"), ("states", "--state")):
        taken = {entry for choice in found.values() for entry in getattr(choice, field)}
        if stray := [entry for entry in getattr(said, field) if entry not in taken]:
            raise UsageError(f"no network here takes {option} {title(option, stray[0])}", known_names(files))
    if not files:
        raise UsageError("the built-in networks have their own inputs", "name .onnx files: -n mine.onnx")
    return {name: choice for name, choice in found.items() if choice != UNSAID}


def own_part(network: Network, said: InputChoice) -> InputChoice:
    """What of a choice names this network's own inputs, dimensions and outputs."""
    inputs = {one.name for one in network.inputs}
    dims = {str(dim) for one in network.inputs for dim in one.dims if isinstance(dim, str) and dim}
    return dataclasses.replace(
        said,
        shapes=tuple((name, shape) for name, shape in said.shapes if name in inputs or (not name and len(inputs) == 1)),
        dims=tuple((name, length) for name, length in said.dims if name in dims),
        states=tuple((output, entry) for output, entry in said.states if entry in inputs),
    )


def title(option: str, entry: tuple[str, object]) -> str:
    """An entry as it was written behind its option."""
    name, value = entry
    if option == "--state":
        return f"{name}:{value}"
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"{name}={text}" if name else text


def known_names(files: Mapping[str, Network]) -> str:
    """The inputs of the files, as a remedy."""
    listed = [
        f"{network.name}: {', '.join(f'{i.name} {i.title}' for i in network.inputs)}" for network in files.values()
    ]
    return (
        f"their inputs: {'; '.join(listed)}" if listed else "built-in networks have their own inputs: name .onnx files"
    )
