"""What outputs an .onnx has, read from its bytes: MNN's own environment has no onnx package.

The numbers are those of onnx.proto: a model's graph, a graph's outputs, an output's name and type, a type's kinds.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from hwprof.errors import UnsupportedModel

GRAPH, OUTPUT, NAME, TYPE = 7, 12, 1, 2
KINDS = {4: "a sequence", 5: "a map", 8: "a sparse tensor", 9: "an optional value"}
# How a field is encoded: a number of 7 bits a byte, 8 bytes, a length and that many bytes, 4 bytes.
VARINT, EIGHT, SIZED, FOUR = 0, 1, 2, 5


def tensor_outputs(source: Path) -> list[str]:
    """The names of the outputs. Raises UnsupportedModel where one is no tensor: MNN's converter makes one of it."""
    found = outputs_of(source)
    for name, kind in found.items():
        if kind:
            raise UnsupportedModel(
                f"output {name} is {kind}, of which MNN's converter makes a single tensor",
                "export the network with tensors as outputs",
            )
    return list(found)


def outputs_of(source: Path) -> dict[str, str]:
    """Output -> what it is, "" for a tensor; in the network's order. Raises UnsupportedModel for what is no ONNX."""
    found: dict[str, str] = {}
    with source.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for graph in members(data, GRAPH, (0, len(data))):
            for output in members(data, OUTPUT, graph):
                name = "".join(data[start:end].decode() for start, end in members(data, NAME, output))
                kinds = [number for place in members(data, TYPE, output) for number, _ in fields(data, place)]
                found[name] = next((KINDS[number] for number in kinds if number in KINDS), "")
    return found


def members(data: mmap.mmap, wanted: int, span: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Where the fields of this number lie within a message."""
    return (place for number, place in fields(data, span) if number == wanted)


def fields(data: mmap.mmap, span: tuple[int, int]) -> Iterator[tuple[int, tuple[int, int]]]:
    """(number, place) of each field of a message that has a length."""
    at, end = span
    while at < end:
        key, at = varint(data, at)
        number, encoding = key >> 3, key & 7
        if encoding == SIZED:
            size, at = varint(data, at)
            yield number, (at, at + size)
            at += size
        elif encoding == VARINT:
            _, at = varint(data, at)
        elif encoding in (EIGHT, FOUR):
            at += 8 if encoding == EIGHT else 4
        else:
            raise UnsupportedModel("the network's file is no ONNX file")


def varint(data: mmap.mmap, at: int) -> tuple[int, int]:
    """(number, what follows it): 7 bits of each byte, the lowest first, as long as the eighth is set."""
    value = shift = 0
    while at < len(data):
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise UnsupportedModel("the network's file ends too early")
