"""Users' own .onnx files as networks, identified by the hash of their content."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hwprof.cache import default_cache, write_error
from hwprof.errors import BadModel
from hwprof.networks import external, uses
from hwprof.networks.inputs import TEXT, OpenInput, image_axes
from hwprof.networks.network import Network
from hwprof.networks.stored_precision import stored_precision
from hwprof.printable import encodable

# What an open dimension behind the first axis is called where it is the batch.
BATCH = re.compile(r"^[nb]$|batch", re.IGNORECASE)
# Files larger than this are hashed once, and known again by their place, size, time and inode.
HASHED_EACH_TIME = 64 << 20


def users_network(path: Path) -> Network:
    """A user's .onnx as a network. Raises BadModel where it is no model, or an input is no tensor that NumPy knows."""
    model = read_model(path)
    files = external.locate(path, model)
    check(path, model)
    inputs = find_batch_axis(open_inputs(path, model), [dims_of(output.type) for output in model.graph.output])
    outputs = tuple(output.name for output in model.graph.output)
    sides = image_axes(inputs[0]) if len(inputs) == 1 else ()
    square = {inputs[0].dims[axis] for axis in sides}
    side = square.pop() if len(square) == 1 else None
    shapes = {o.name: dims_of(o.type) for o in model.graph.output}
    return Network(
        name=path.stem,
        recipe=f"sha256:{digest_of([path, *(files[name] for name in sorted(files))])}",
        default_size=side if isinstance(side, int) else None,
        path=path.absolute(),
        inputs=tuple(inputs),
        outputs=outputs if len(outputs) > 1 else (),
        stored=stored_precision(model),
        states=uses.paired_states(shapes, {i.name: i.dims for i in inputs}) if len(inputs) > 1 else (),
    )


def read_model(path: Path) -> Any:
    """The model without the weights that lie in other files. Raises BadModel."""
    import onnx
    from google.protobuf.message import DecodeError

    if not path.is_file():
        raise BadModel(path, "no such file", "check the path")
    try:
        model = onnx.load_from_string(path.read_bytes())
    except (DecodeError, ValueError, OSError) as error:
        raise invalid(path, error) from error
    if not model.graph.node:
        raise BadModel(path, "is no ONNX model", "hwprof reads .onnx files with a graph and weights.")
    return model


def check(path: Path, model: Any) -> None:
    """onnx's own check. Weights in other files stand in as inputs: it refuses links. Raises BadModel."""
    import onnx

    try:
        if not any(external.external_tensors(model)):
            # the checker takes no path with a byte that is no UTF-8
            onnx.checker.check_model(str(path) if encodable(str(path)) == str(path) else model)
            return
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        for tensor in [tensor for tensor in copy.graph.initializer if tensor.data_location]:
            listed = {value.name for value in copy.graph.input}
            if tensor.name not in listed:
                value = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
                copy.graph.input.add().CopyFrom(value)
            copy.graph.initializer.remove(tensor)
        if not any(external.external_tensors(copy)):
            onnx.checker.check_model(copy)
    except (ValueError, OSError, onnx.checker.ValidationError) as error:
        raise invalid(path, error) from error


def invalid(path: Path, error: Exception) -> BadModel:
    """The error of a file that is no valid model."""
    said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return BadModel(path, f"is no valid ONNX model ({said[:160]})", "hwprof reads .onnx files.")


def open_inputs(path: Path, model: Any) -> list[OpenInput]:
    """Every input that is no weight. Raises BadModel where one is no tensor, or of a type that NumPy lacks."""
    from onnx import TensorProto, helper

    learned = {tensor.name for tensor in model.graph.initializer}
    found, used = [], uses.Uses(model.graph)
    for value in model.graph.input:
        if value.name in learned:
            continue
        kind = value.type.WhichOneof("value")
        if kind != "tensor_type":
            what = str(kind or "value of an unknown type").removesuffix("_type").replace("_", " ")
            raise BadModel(path, f"has an input that is a {what}: {value.name}", "hwprof feeds tensors.")
        code = value.type.tensor_type.elem_type
        if code in (TensorProto.BFLOAT16, TensorProto.UNDEFINED) or code > TensorProto.BFLOAT16:
            name = TensorProto.DataType.Name(code).lower()
            raise BadModel(path, f"has an input of type {name}: {value.name}", "export it with float32 inputs")
        dims = dims_of(value.type)
        dtype = TEXT if code == TensorProto.STRING else helper.tensor_dtype_to_np_dtype(code).name
        found.append(OpenInput(value.name, dims, dtype, used.of(value.name, dtype)))
    if not found:
        raise BadModel(path, "has no input", "hwprof measures networks that are fed.")
    return found


def dims_of(kind: Any) -> tuple[int | str, ...]:
    """Numbers, names of open dimensions, "" for those without a name (also -1, as some exporters write it)."""
    return tuple(
        dim.dim_param or (dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else "")
        for dim in kind.tensor_type.shape.dim
    )


def find_batch_axis(inputs: Sequence[OpenInput], outputs: Sequence[tuple[int | str, ...]]) -> list[OpenInput]:
    """The inputs with the axis on which the frames of a batch lie; None where frames share the input, or are none.

    The open dimension at the first axis of most inputs is the batch, wherever it stands, else one that is called so.
    Where the first axis is fixed: 1 at the first axis of any input of two dimensions and more; another number if images
    (four dimensions) have it, or if every output begins with it.
    """
    first = [one.dims[0] for one in inputs if one.dims and isinstance(one.dims[0], str)]
    first = first or [dim for one in inputs for dim in one.dims if isinstance(dim, str) and BATCH.search(dim)]
    if first:
        symbol = Counter(first).most_common(1)[0][0]
        return [replace(one, batch_axis=place_of(one.dims, symbol)) for one in inputs]
    numbers = Counter(one.dims[0] for one in inputs if len(one.dims) > 1)
    if not numbers:
        return [replace(one, batch_axis=None) for one in inputs]
    batch = 1 if 1 in numbers else numbers.most_common(1)[0][0]
    image = any(len(one.dims) == 4 and one.dims[0] == batch for one in inputs)
    follows = bool(outputs) and all(dims and dims[0] == batch for dims in outputs)
    if batch != 1 and not image and not follows:
        return [replace(one, batch_axis=None) for one in inputs]
    return [replace(one, batch_axis=0 if len(one.dims) > 1 and one.dims[0] == batch else None) for one in inputs]


def place_of(dims: Sequence[int | str], symbol: int | str) -> int | None:
    """Where a symbol stands; one without a name is the batch at the first axis only."""
    if symbol == "":
        return 0 if dims and dims[0] == "" else None
    return list(dims).index(symbol) if symbol in dims else None


def digest_of(files: Sequence[Path]) -> str:
    """Hash of the content of files, one after the other; of their hashes where one of several is large."""
    if len(files) == 1 or any(file.stat().st_size > HASHED_EACH_TIME for file in files):
        digests = [digest_of_one(file) for file in files]
        return (digests[0] if len(files) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest())[:24]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:24]


def digest_of_one(file: Path) -> str:
    """Hash of one file; of a large one kept in the cache under its place, size, time and inode."""
    found = file.stat()
    text = json.dumps([str(file.absolute()), found.st_size, found.st_mtime_ns, found.st_ino])
    kept = default_cache() / "digests" / hashlib.sha256(text.encode()).hexdigest()[:24]
    large = found.st_size > HASHED_EACH_TIME
    if large and kept.is_file() and len(known := kept.read_text()) == 64:
        return known
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if large:
        try:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(digest)
        except OSError as error:
            raise write_error(kept.parent, error) from error
    return digest
