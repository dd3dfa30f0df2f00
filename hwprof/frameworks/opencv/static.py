"""A graph as OpenCV 4 reads it: every shape fixed, weights in the file itself."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hwprof.errors import UnsupportedModel
from hwprof.networks.inputs import InputSpec, TensorSpec, shape_title

# What works on the column that OpenCV 4 makes of an input of one axis.
ON_COLUMNS = frozenset({"Reshape", "Unsqueeze"})
# A protobuf message can't be longer.
LONGEST = (1 << 31) - 1


def write_static(source: Path, spec: InputSpec, path: Path) -> Path:
    """`path`, with the graph of `source` for the shapes of `spec`; `source` itself where it is so already.

    Raises UnsupportedModel where the weights lie beside the file and it would be too long with them, and for inputs
    that OpenCV 4 can't take: empty ones, and those of one axis whose network would come out wrong.
    """
    import onnx

    model = onnx.load(str(source), load_external_data=False)
    require_takeable(model.graph, spec)
    beside = sum(map(size_beside, tensors_of(model.graph)))
    if not fix_shapes(model.graph, spec) and not beside:
        return source
    if model.ByteSize() + beside > LONGEST:
        raise UnsupportedModel(
            "OpenCV 4 reads no weights that lie beside the .onnx, and with them in it the file exceeds the 2 GB limit",
            "OpenCV 5 reads them: -f opencv5",
        )
    if beside:
        onnx.load_external_data_for_model(model, str(source.parent))
    onnx.save(model, str(path))
    return path


def require_takeable(graph: Any, spec: InputSpec) -> None:
    """Raise UnsupportedModel for inputs that OpenCV 4 fails at or computes something else from.

    They are empty, or nothing reads them, or they have one axis and go into anything but a change of their shape.
    """
    pairs = list(entries_of(graph, spec))
    read = names_read(graph)
    for entry, one in pairs:
        if 0 in one.shape:
            raise UnsupportedModel(f"OpenCV 4 takes no empty input, and input {entry.name} is {shape_title(one.shape)}")
        if entry.name not in read:
            raise UnsupportedModel(
                f"OpenCV 4 fails at an input that nothing reads: {entry.name}", "export the network without it"
            )
    rows = {entry.name for entry, one in pairs if len(one.shape) == 1 and one.shape[0] > 1}
    for node in graph.node:
        for name in rows.intersection(node.input):
            if node.op_type not in ON_COLUMNS:
                raise UnsupportedModel(
                    f"OpenCV 4 makes a column of input {name}, which has one axis, and operator {node.op_type} of node "
                    f"{node.name} then computes something else",
                    "export the network with a batch axis in front of that input",
                )


def names_read(graph: Any) -> set[str]:
    """What nodes read, those of branches and loops too, and what is an output."""
    found = {output.name for output in graph.output}
    for node in graph.node:
        found.update(node.input)
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                found |= names_read(inner)
    return found


def tensors_of(graph: Any) -> Iterator[Any]:
    """The weights of a graph, those in Constant nodes too."""
    yield from graph.initializer
    for node in graph.node:
        yield from (attribute.t for attribute in node.attribute if attribute.HasField("t"))


def size_beside(tensor: Any) -> int:
    """Bytes of a tensor that lies in another file; 0 where it does not."""
    from onnx import external_data_helper, helper

    if not external_data_helper.uses_external_data(tensor):
        return 0
    each: int = helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    return int(math.prod(tensor.dims)) * each


def fix_shapes(graph: Any, spec: InputSpec) -> bool:
    """Give inputs the shapes of `spec`, and outputs what follows from the names of axes; whether any was open."""
    pairs = list(entries_of(graph, spec))
    if all([dim.dim_value for dim in dims_of(entry)] == list(one.shape) for entry, one in pairs):
        return False
    sizes: dict[str, int] = {}
    for entry, one in pairs:
        dims = dims_of(entry)
        if len(dims) != len(one.shape):  # not even their number was known
            del dims[:]
            for _ in one.shape:
                dims.add()
        for dim, value in zip(dims, one.shape, strict=True):
            if dim.dim_param:
                sizes[dim.dim_param] = value
            dim.dim_value = value
    for output in graph.output:
        for axis, dim in enumerate(dims_of(output)):
            if dim.dim_value > 0:
                continue
            if dim.dim_param in sizes:
                dim.dim_value = sizes[dim.dim_param]
            elif axis == 0 and not dim.dim_param:
                dim.dim_value = spec.batch
    del graph.value_info[:]
    return True


def entries_of(graph: Any, spec: InputSpec) -> Iterator[tuple[Any, TensorSpec]]:
    """(input of the graph, input of the case); of one whatever it is called. Raises UnsupportedModel."""
    learned = {tensor.name for tensor in graph.initializer}
    free = [entry for entry in graph.input if entry.name not in learned]
    if len(free) == len(spec.inputs) == 1:
        yield free[0], spec.inputs[0]
        return
    known = {one.name: one for one in spec.inputs}
    for entry in free:
        if entry.name not in known:
            raise UnsupportedModel(f"the network has an input that the case does not: {entry.name}")
        yield entry, known[entry.name]


def dims_of(value: Any) -> Any:
    """The axes of an input or output; none of what is no tensor."""
    return value.type.tensor_type.shape.dim
