"""Weights that lie in files beside a model: where they are, and how they are read or copied. onnx only.

The cache of huggingface_hub has symbolic links: the model and its data are links into a folder of files named by hash.
onnx refuses those, and other frameworks look beside the link's target. So hwprof finds the files itself, and what it
writes has them inside or beside it.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hwprof.errors import BadModel

# A protobuf message holds 2 GiB; what is larger keeps its weights in files of their own.
LARGEST = (1 << 31) - (1 << 20)


def external_tensors(model: Any) -> Iterator[Any]:
    """Initializers, and values of Constant nodes, that lie in another file."""
    stack = [model.graph]
    while stack:
        graph = stack.pop()
        yield from (tensor for tensor in graph.initializer if tensor.data_location)
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.HasField("t") and attribute.t.data_location:
                    yield attribute.t
                stack += [attribute.g] if attribute.HasField("g") else []


def entries(tensor: Any) -> dict[str, str]:
    """location, offset, length, ... of an external tensor."""
    return {entry.key: entry.value for entry in tensor.external_data}


def locate(path: Path, model: Any) -> dict[str, Path]:
    """Location, as the model has it -> the file. Raises BadModel where one is missing, outside, or too short.

    A location is looked up in the model's folder, then in the folder that the model's own link leads to. It may itself
    be a link to anywhere, as in the cache of huggingface_hub, but its name may not lead out of the folder.
    """
    found: dict[str, Path] = {}
    for tensor in external_tensors(model):
        place = entries(tensor)
        name = place.get("location", "")
        if not name or Path(name).is_absolute() or ".." in Path(name).parts:
            raise BadModel(
                path, f"has weights at '{name}', outside of its folder", "put model and data into one folder"
            )
        if name not in found:
            places = [path.parent / name, path.resolve().parent / name]
            file = next((one for one in places if one.is_file()), None)
            if file is None:
                raise BadModel(path, f"has weights in {name}, which does not exist", f"copy {name} beside it")
            found[name] = file
        end = int(place.get("offset", 0)) + int(place.get("length", 0))
        if found[name].stat().st_size < end:
            raise BadModel(path, f"has weights in {name}, which is too short", f"copy {name} again")
    return found


def size_of(model: Any) -> int:
    """Bytes of the model in one piece."""
    return int(model.ByteSize()) + sum(int(entries(tensor).get("length", 0)) for tensor in external_tensors(model))


def is_large(model: Any) -> bool:
    """Whether it can't be written in one piece."""
    return size_of(model) >= LARGEST


def take_in(model: Any, files: dict[str, Path]) -> None:
    """Bring all external tensors into the model, which must not be large."""
    for tensor in external_tensors(model):
        place = entries(tensor)
        with files[place["location"]].open("rb") as stream:
            stream.seek(int(place.get("offset", 0)))
            data = stream.read(int(place["length"])) if "length" in place else stream.read()
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
        tensor.raw_data = data


def copy_beside(model: Any, files: dict[str, Path], folder: Path) -> None:
    """Copy the files below `folder` under the names that the model has for them."""
    for name in sorted({entries(tensor)["location"] for tensor in external_tensors(model)}):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(files[name], folder / name)
