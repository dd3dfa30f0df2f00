"""A user's .onnx as frameworks get it: without functions, with the shapes of a case, its weights in reach. onnx only.

Everything here works on the model without the weights that lie in other files: those may be larger than memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hwprof.errors import BadModel
from hwprof.networks import external
from hwprof.networks.inputs import InputSpec


def read_plain(path: Path) -> Any:
    """The model with functions inlined and weights not listed among its inputs; without data in other files."""
    import onnx
    import onnx.inliner

    model = onnx.load_from_string(path.read_bytes())
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    write_out_epsilons(model)
    learned = {tensor.name for tensor in model.graph.initializer}
    data = [value for value in model.graph.input if value.name not in learned]
    if len(data) != len(model.graph.input):
        del model.graph.input[:]
        model.graph.input.extend(data)
    return model


def write_out_epsilons(model: Any) -> None:
    """Give batch normalisations without an epsilon ONNX's default, in place: MNN takes another one."""
    import onnx

    for node in model.graph.node:
        if node.op_type == "BatchNormalization" and all(a.name != "epsilon" for a in node.attribute):
            node.attribute.append(onnx.helper.make_attribute("epsilon", 1e-5))


def has_branches(model: Any) -> bool:
    """Whether nodes have graphs inside: branches of an If, bodies of loops."""
    return any(attribute.HasField("g") for node in model.graph.node for attribute in node.attribute)


def fix_shapes(model: Any, spec: InputSpec, keep_open: bool = False) -> None:
    """Give the inputs their shapes, in place. An open batch stays open, under its name or as "batch".

    `keep_open`: all that is open stays so.
    """
    lengths: dict[str, int] = {}
    values = {value.name: value for value in model.graph.input}
    for one in spec.inputs:
        dims = values[one.name].type.tensor_type.shape.dim
        for axis, (dim, side) in enumerate(zip(dims, one.shape, strict=True)):
            if keep_open and not dim.dim_value > 0:
                dim.dim_param = dim.dim_param or f"{one.name}.{axis}"
            elif axis != one.batch_axis:
                if dim.dim_param:
                    lengths[dim.dim_param] = side
                dim.dim_value = side
            elif dim.dim_value < 0 or not (dim.dim_value or dim.dim_param):
                dim.dim_param = "batch"
    batch = {
        values[one.name].type.tensor_type.shape.dim[one.batch_axis].dim_param
        for one in spec.inputs
        if one.batch_axis is not None
    }
    for value in (*model.graph.output, *model.graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in lengths and dim.dim_param not in batch:
                dim.dim_value = lengths[dim.dim_param]
            elif dim.HasField("dim_value") and dim.dim_value < 0:
                dim.ClearField("dim_value")


def complete(model: Any, path: Path, folder: Path) -> None:
    """Bring weights from other files into the model; of one beyond 2 GiB copy the files into `folder`.

    Raises BadModel where a file is missing.
    """
    files = external.locate(path, model)
    if not files:
        return
    try:
        if external.is_large(model):
            external.copy_beside(model, files, folder)
        else:
            external.take_in(model, files)
    except OSError as error:
        raise BadModel(path, f"its weights can't be read: {error.strerror}", "check the files and the disk") from error
