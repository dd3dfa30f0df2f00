"""Users' own .onnx files as networks, identified by the hash of their content."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from hwprof.errors import BadModel
from hwprof.networks.network import Network
from hwprof.networks.stored_precision import stored_precision
from hwprof.printable import encodable


def users_network(path: Path) -> Network:
    """A user's .onnx as a network. Raises BadModel where it is no model, or not of one float32 input."""
    import onnx
    from google.protobuf.message import DecodeError

    if not path.is_file():
        raise BadModel(path, "no such file", "check the path")
    try:
        light = onnx.load(str(path), load_external_data=False)
        tensors = list(light.graph.initializer)
        onnx.load(str(path)) if any(t.external_data for t in tensors) else None
        if not light.graph.node:
            raise BadModel(path, "is no ONNX model", "hwprof reads .onnx files with a graph and weights")
        # the checker takes no path with a byte that is no UTF-8
        onnx.checker.check_model(str(path) if encodable(str(path)) == str(path) else onnx.load(str(path)))
    except (DecodeError, ValueError, OSError, onnx.checker.ValidationError) as error:
        said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise BadModel(path, f"is no valid ONNX model ({said[:160]})", "hwprof reads .onnx files") from error
    learned = {t.name for t in tensors}
    inputs = [i for i in light.graph.input if i.name not in learned]
    if len(inputs) != 1 or inputs[0].type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
        raise BadModel(path, "needs exactly one float32 input", "export the network without its pre-processing")
    dims = [d.dim_value for d in inputs[0].type.tensor_type.shape.dim]
    if len(dims) < 2:
        raise BadModel(path, "has no batch dimension", "export it with shape (batch, ...)")
    rest = tuple(dims[1:])
    outputs = tuple(o.name for o in light.graph.output)
    if not all(rest) and (len(rest) != 3 or not rest[0]):
        raise BadModel(path, f"has an input of unknown shape {dims}", "only height and width may be open")
    return Network(
        name=path.stem,
        recipe=f"sha256:{_digest(path, tensors)}",
        default_size=rest[-1] if len(rest) == 3 and all(rest) else None,
        path=path.resolve(),
        channels=rest[0],
        input_name=inputs[0].name,
        fixed_batch=dims[0] or None,
        fixed_shape=rest if all(rest) else None,
        outputs=outputs if len(outputs) > 1 else (),
        functions=bool(light.functions),
        stored=stored_precision(light),
    )


def _digest(path: Path, tensors: list[Any]) -> str:
    """Hash of the file and of the files that its tensors lie in."""
    beside = {entry.value for t in tensors for entry in t.external_data if entry.key == "location"}
    digest = hashlib.sha256()
    for file in [path, *(path.parent / name for name in sorted(beside))]:
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()[:24]
