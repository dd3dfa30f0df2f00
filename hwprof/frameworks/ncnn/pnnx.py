"""What pnnx, which converts to ncnn, is told and tells: shapes of inputs, the batch's axis, and why it fails. Pure.

A .param file has a line for each layer: `lines` reads them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hwprof.errors import UnsupportedModel
from hwprof.networks.inputs import InputSpec

# As pnnx calls the types of inputs that a network in ncnn has.
TYPES = {"float32": "f32", "int64": "i64", "int32": "i32"}
NO_AXIS = 233  # how pnnx says that a tensor has no batch
# Of ncnn's layers, the one that reads integers; all others take what they are given for floats.
READS_INTEGERS = "Embed"
REASON = re.compile(
    r"not exist|not support|unsupported|unknown|fail|error|expect|invalid|cannot|can not", re.IGNORECASE
)
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
MOST_REASONS = 4


@dataclass(frozen=True, slots=True)
class Line:
    """One layer of a .param file: the blobs that go in and come out, and its parameters."""

    type: str
    name: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    parameters: Mapping[int, str]


def lines(text: str) -> list[Line]:
    """The layers of a .param file in their order."""
    found = []
    for words in (line.split() for line in text.splitlines()[2:]):
        if len(words) < 4:
            continue
        first, second = int(words[2]), int(words[2]) + int(words[3])
        blobs, rest = words[4 : 4 + second], words[4 + second :]
        pairs = (word.partition("=") for word in rest)
        parameters = {int(k): v for k, mark, v in pairs if mark and k.lstrip("-").isdigit()}
        found.append(Line(words[0], words[1], tuple(blobs[:first]), tuple(blobs[first:]), parameters))
    return found


def input_shapes(spec: InputSpec) -> str:
    """Of all inputs as pnnx takes them.

    Raises UnsupportedModel for a scalar, which it can't be told, and for one without values or of another type.
    """
    for one in spec.inputs:
        if not one.shape:
            raise UnsupportedModel(
                f"pnnx takes no scalar, and input {one.name} is one", "export the network with an axis of length 1"
            )
        if 0 in one.shape:
            raise UnsupportedModel(
                f"ncnn crashes on an input without values, and input {one.name} is {one.title}",
                "measure it with a past that is not empty",
            )
        if one.dtype not in TYPES:
            kind = "text" if one.dtype == "str" else one.dtype
            raise UnsupportedModel(f"ncnn takes no {kind}, and input {one.name} is {kind}")
    kinds = [TYPES[one.dtype] for one in spec.inputs]
    if kinds == ["f32"]:
        kinds = [""]  # its own default
    shapes = (",".join(map(str, one.shape)) for one in spec.inputs)
    return ",".join(f"[{shape}]{kind}" for shape, kind in zip(shapes, kinds, strict=True))


def batch_axes(script: str) -> dict[str, int]:
    """Blob -> the axis of its batch, of the inputs that have one, as pnnx's own script of the network has it."""
    found = re.findall(r'ex\.input\("(in\d+)", ncnn\.Mat\(.*batch_index=(\d+)\)', script)
    return {name: int(axis) for name, axis in found if int(axis) != NO_AXIS}


def reason(output: str) -> str:
    """Why pnnx failed: the lines that say so, each once, else its last one."""
    said = [line.strip() for line in COLOURS.sub("", output).splitlines() if line.strip()]
    telling = list(dict.fromkeys(line for line in said if REASON.search(line) and ":pnnx," not in line))
    if tried := re.search(r"out of data bounds, idx=(-?\d+)", output):
        return f"it tries the network with index {tried[1]}, and a table of the network has fewer rows"
    return "; ".join(line[:160] for line in telling[:MOST_REASONS]) or (said[-1][:300] if said else "no word")


def check_layers(layers: Sequence[Line]) -> None:
    """Raise UnsupportedModel for operators that pnnx has left as they were: ncnn has no such layers."""
    alien = sorted({layer.type for layer in layers if not layer.type.isidentifier()})
    if alien:
        raise UnsupportedModel(f"ncnn has no layer for {', '.join(alien)}, as pnnx calls what the network computes")


def check_integers(layers: Sequence[Line], spec: InputSpec) -> None:
    """Raise UnsupportedModel where an input of integers goes into a layer that would take it for floats."""
    for number, one in enumerate(spec.inputs):
        if one.dtype == "float32":
            continue
        blobs = {f"in{number}"}
        for layer in layers:
            if not blobs.intersection(layer.bottoms):
                continue
            if layer.type == "Split":
                blobs.update(layer.tops)
            elif layer.type != READS_INTEGERS:
                raise UnsupportedModel(
                    f"ncnn's layer {layer.type} takes floats, and input {one.name} is {one.dtype}",
                    "it reads integers as indices of a table only",
                )


def check_batch(layers: Sequence[Line], batch: int) -> None:
    """Raise UnsupportedModel where ncnn would join a batch with a constant, which ends its process."""
    constants = {top for layer in layers if layer.type == "MemoryData" for top in layer.tops}
    for layer in layers:
        if layer.type == "Split" and constants.intersection(layer.bottoms):
            constants.update(layer.tops)
        if layer.type == "Concat" and batch > 1 and constants.intersection(layer.bottoms):
            raise UnsupportedModel(
                f"ncnn crashes where a batch of {batch} is joined with a constant, as in its layer {layer.name}",
                "measure it with a batch of 1",
            )
