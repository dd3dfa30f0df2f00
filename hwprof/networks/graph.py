"""Shapes of all tensors of an ONNX graph at given shapes of its inputs. Works on graphs without their weights' data."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hwprof.networks import arithmetic, contrib

Shape = tuple[int, ...]
# Constants of more elements lose their data before shapes are inferred: none of them decides a shape.
MOST_ELEMENTS = 1024
RANDOM = ("RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial")
DATA = ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")


@dataclass(frozen=True, slots=True, eq=False)
class StoredTensor:
    """A constant of a graph. `elements`: stored values (fewer than the shape has, where it is sparse).

    `is_filled`: one number everywhere, made when the network runs (ConstantOfShape); `bytes` are those it has then.
    """

    shape: Shape
    elements: int
    bytes: int
    kind: int  # onnx.TensorProto.DataType
    is_filled: bool = False


class GraphScope:
    """What the nodes of a graph see; those of a body (of If, Loop, ...) see the graph around it too.

    `shapes`: None where it is not known; `kinds`: element types as onnx.TensorProto.DataType; `fixed`: tensors that
    depend on constants alone; `problem`: why inference stopped, mostly empty.
    `known`: shapes that go before the graph's.
    """

    def __init__(
        self,
        graph: Any,
        outer: GraphScope | None = None,
        problem: str = "",
        known: Mapping[str, Shape | None] | None = None,
    ) -> None:
        self.nodes: list[Any] = list(graph.node)
        self.problem = problem
        self.shapes: dict[str, Shape | None] = dict(outer.shapes) if outer else {}
        self.kinds: dict[str, int] = dict(outer.kinds) if outer else {}
        self.constants: dict[str, StoredTensor] = dict(outer.constants) if outer else {}
        self.makers: dict[str, Any] = dict(outer.makers) if outer else {}
        self.users: dict[str, list[Any]] = {}
        self.fixed: set[str] = set(outer.fixed) if outer else set()
        for value in (*graph.value_info, *graph.output, *graph.input):
            self.shapes[value.name], self.kinds[value.name] = shape_of(value.type), value.type.tensor_type.elem_type
        self.shapes |= known or {}
        for tensor in (*graph.initializer, *graph.sparse_initializer):
            self._add(tensor.values.name if hasattr(tensor, "values") else tensor.name, tensor)
        for node in self.nodes:
            self.makers |= {name: node for name in node.output if name}
            if node.op_type == "Constant":
                self._add(node.output[0], constant_of(node))
            for name in dict.fromkeys(filter(None, node.input)):
                self.users.setdefault(name, []).append(node)
        self.fixed |= self.constants.keys()
        for node in self.nodes:
            is_plain = node.op_type not in RANDOM and not any(a.HasField("g") for a in node.attribute)
            if is_plain and node.input and all(name in self.fixed for name in node.input if name):
                self.fixed |= set(node.output)
                if node.op_type == "ConstantOfShape":
                    self._fill(node)

    def _fill(self, node: Any) -> None:
        value, shape = contrib.attribute(node, "value"), self.shapes.get(node.output[0])
        if shape is not None:
            size = store(value).bytes if value is not None else 4
            elements, kind = math.prod(shape), value.data_type if value is not None else 1  # float32
            self.constants[node.output[0]] = StoredTensor(shape, elements, size * elements, kind, is_filled=True)

    def _add(self, name: str, tensor: Any) -> None:
        stored = store(tensor)
        self.constants[name], self.shapes[name], self.kinds[name] = stored, stored.shape, stored.kind

    def body(self, graph: Any) -> GraphScope:
        """The scope of a graph that is an attribute of one of the nodes."""
        return GraphScope(graph, self, self.problem)


def constant_of(node: Any) -> Any:
    """The tensor of a Constant node, whichever attribute has it."""
    import numpy as np
    from onnx import helper, numpy_helper

    value = helper.get_attribute_value(node.attribute[0])
    if node.attribute[0].name in ("value", "sparse_value"):
        return value
    kind = {"value_float": "float32", "value_floats": "float32", "value_int": "int64", "value_ints": "int64"}
    return numpy_helper.from_array(np.array(value, kind.get(node.attribute[0].name, "object")))


def store(tensor: Any) -> StoredTensor:
    """Shape and storage of a TensorProto or SparseTensorProto, by its dimensions and type alone."""
    from onnx import TensorProto, helper

    if hasattr(tensor, "values"):
        values, indices = store(tensor.values), store(tensor.indices)
        return StoredTensor(tuple(tensor.dims), values.elements, values.bytes + indices.bytes, values.kind)
    elements, kind = math.prod(tensor.dims), tensor.data_type
    name = TensorProto.DataType.Name(kind)
    bits = int(name[-1]) if name in ("INT4", "UINT4", "INT2", "UINT2") else 4 if name == "FLOAT4E2M1" else 0
    bits = bits or 8 * helper.tensor_dtype_to_np_dtype(kind).itemsize
    return StoredTensor(tuple(tensor.dims), elements, -(-elements * bits // 8), kind)


def shape_of(kind: Any) -> Shape | None:
    """The shape of a TypeProto; None where a dimension is not known, or it is no tensor."""
    if not kind.HasField("tensor_type") or not kind.tensor_type.HasField("shape"):
        return None
    dims = kind.tensor_type.shape.dim
    return tuple(d.dim_value for d in dims) if all(d.HasField("dim_value") and d.dim_value >= 0 for d in dims) else None


def infer_shapes(
    model: Any,
    batch: int = 1,
    inputs: Mapping[str, Sequence[int]] | None = None,
    known: Mapping[str, Sequence[int]] | None = None,
) -> GraphScope:
    """The graph with its shapes, its own functions inlined; the model stays as it is.

    `inputs`: input -> its whole shape. What is open without one is `batch` on the first axis, and on every axis that
    has the same symbol. `known`: shapes from elsewhere (`shapes_by_run`). Shapes are onnx's inference with data
    propagation; operators of ONNX Runtime's own stand in their plain form for it (`contrib`).
    """
    import onnx.inliner

    copy = light_copy(model)
    if copy.functions:
        copy = onnx.inliner.inline_local_functions(copy)
    fix_inputs(copy.graph, batch, inputs or {})
    plain = onnx.ModelProto()
    plain.CopyFrom(copy)
    for sparse in plain.graph.sparse_initializer:
        plain.graph.initializer.add(name=sparse.values.name, data_type=sparse.values.data_type, dims=sparse.dims)
    del plain.graph.sparse_initializer[:]
    for graph in reversed((plain.graph, *bodies(plain.graph))):  # a body before its node is copied
        del graph.value_info[:]
        for output in graph.output:
            output.ClearField("type")
        contrib.replace_nodes(graph)
    shapes: dict[str, Shape | None] = {name: tuple(shape) for name, shape in (known or {}).items()}
    inferred, problem = propagate(plain, shapes)
    for own, other in zip((copy.graph, *bodies(copy.graph)), (inferred.graph, *bodies(inferred.graph)), strict=True):
        del own.value_info[:], own.output[:]
        own.value_info.extend(other.value_info)
        own.output.extend(other.output)
    return GraphScope(copy.graph, problem=problem, known=shapes)


def propagate(plain: Any, known: Mapping[str, Shape | None]) -> tuple[Any, str]:
    """(the model with inferred shapes, why inference stopped).

    As long as shapes are missing and further values follow from those found (`arithmetic`), these values replace the
    nodes that compute them, in place, and shapes are inferred again.
    """
    import onnx
    from onnx import helper, numpy_helper

    infos: list[Any] = []
    problem = ""
    while True:
        try:
            inferred = onnx.shape_inference.infer_shapes(plain, data_prop=True)
        except (onnx.shape_inference.InferenceError, RuntimeError, ValueError) as error:
            text = str(error).strip().partition("\n")[0]
            inferred, problem = plain, f"shape inference fails: {text[:160]}"
        inferred.graph.value_info.extend(infos)
        shapes = GraphScope(inferred.graph, known=known).shapes
        made = {name for node in plain.graph.node for name in node.output if name}
        is_whole = bool(problem) or all(shapes.get(name) is not None for name in made)
        values = {} if is_whole else arithmetic.values_of(plain.graph, shapes)
        new = [numpy_helper.from_array(value, name) for name, value in values.items() if name in made]
        if not new:
            return inferred, problem
        kept = [node for node in plain.graph.node if not any(name in values for name in node.output)]
        copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in kept]
        del plain.graph.node[:]
        plain.graph.node.extend(copies)
        plain.graph.initializer.extend(new)
        infos += [helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims) for tensor in new]


def bodies(graph: Any) -> Iterator[Any]:
    """The graphs inside of a graph's nodes, in their order."""
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield attribute.g
                yield from bodies(attribute.g)


def light_copy(model: Any) -> Any:
    """A copy of an onnx.ModelProto whose large constants have no data: far below the 2 GB that a proto may have."""
    import onnx

    copy = onnx.ModelProto(ir_version=max(model.ir_version, 4))  # from 4 on, weights need not be inputs
    copy.opset_import.extend(model.opset_import)
    if not any(one.domain in contrib.ONNX for one in copy.opset_import):
        copy.opset_import.add(domain="", version=17)  # for the plain forms
    copy.functions.extend(model.functions)
    for field in ("node", "input", "output", "sparse_initializer"):
        getattr(copy.graph, field).extend(getattr(model.graph, field))
    copy.graph.name = model.graph.name
    for tensor in model.graph.initializer:
        light = copy.graph.initializer.add(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
        if math.prod(tensor.dims) <= MOST_ELEMENTS:
            light.CopyFrom(tensor)
    own = (copy.graph, *copy.functions)
    for graph in (*own, *(body for one in own for body in bodies(one))):
        attributes = [attribute.t for node in graph.node for attribute in node.attribute if attribute.HasField("t")]
        for tensor in (*getattr(graph, "initializer", ()), *attributes):
            if math.prod(tensor.dims) > MOST_ELEMENTS:
                for field in (*DATA, "external_data", "data_location"):
                    tensor.ClearField(field)
    return copy


def fix_inputs(graph: Any, batch: int, inputs: Mapping[str, Sequence[int]]) -> None:
    """Set the dimensions of a graph's inputs in place (see `infer_shapes`). Exporters write an open one as 0 or -1."""
    learned = {tensor.name for tensor in graph.initializer}
    tensors = [v.type.tensor_type for v in graph.input if v.name not in learned and v.type.HasField("tensor_type")]
    names = [v.name for v in graph.input if v.name not in learned and v.type.HasField("tensor_type")]
    symbols: dict[str, int] = {}
    for name, tensor in zip(names, tensors, strict=True):
        asked = inputs.get(name)
        if asked is not None and (len(asked) != len(tensor.shape.dim) or not tensor.HasField("shape")):
            tensor.ClearField("shape")
            tensor.shape.SetInParent()
            for _ in asked:
                tensor.shape.dim.add()
        for axis, dim in enumerate(tensor.shape.dim):
            is_open = dim.dim_value < 1
            size = asked[axis] if asked is not None else batch if is_open and axis == 0 else None
            if size is not None and dim.dim_param:
                symbols.setdefault(dim.dim_param, size)
            if size is not None:
                dim.dim_value = size
            elif is_open and not dim.dim_param:
                dim.Clear()
    for tensor in tensors:
        for dim in tensor.shape.dim:
            if dim.dim_param in symbols:
                dim.dim_value = symbols[dim.dim_param]


def side_after(size: int, halvings: int) -> int:
    """Side of a feature map after some 3x3 layers of stride 2 with padding 1: rounded up each time."""
    for _ in range(halvings):
        size = -(-size // 2)
    return size


def reshape_for(dims: Sequence[int], size: int, default: int) -> list[int]:
    """Shape constant of a Reshape recorded at side `default`, for side `size`: the last two entries are the map's."""
    side = side_for(dims[-1], size, default)
    return [*dims[:-2], side, side]


def side_for(side: int, size: int, default: int) -> int:
    """Side, for an image of side `size`, of a map that has `side` for one of side `default`."""
    for halvings in range(7):
        if side_after(default, halvings) == side:
            return side_after(size, halvings)
    raise ValueError(f"no stride turns {default} into {side}")
