"""What of a graph is known once its inputs have their shapes: the shapes of its tensors, and constants made of them.

Exporters write `Shape`, and arithmetic on what it gives, where a network's own program has plain numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.networks.inputs import TensorSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.generic]

DOMAINS = ("", "ai.onnx")  # ONNX's own operators
# Operators that a shape goes in by, and those whose result is never the same.
SHAPES = frozenset({"Shape", "Size"})
RANDOM = frozenset({"RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial"})
LARGE = 4096  # elements: weights above it are no shapes
# Each round learns shapes that follow from constants of the one before.
ROUNDS = 12

Dims = tuple[int | None, ...]


class Folding:
    """Constants and shapes by name. `constants` grows by what is folded.

    A node is folded where all that it takes is known, and is a shape, made of one, or an integer. Weights that are
    computed from other weights stay nodes.
    """

    def __init__(self, path: Path, model: Any, constants: dict[str, Array], inputs: Sequence[TensorSpec]) -> None:
        self.constants = constants
        self.shapes: dict[str, Dims] = {}
        self._model = model
        self._made: set[str] = set()
        self._fold()
        asks = any(node.op_type in SHAPES and not self._known(node) for node in model.graph.node)
        if not inputs or not (asks or len(inputs) > 1 or len(inputs[0].shape) != 4):
            return
        for _ in range(ROUNDS):
            self.shapes = known_shapes(path, inputs, {name: constants[name] for name in self._made})
            if not self._fold():
                break

    def _known(self, node: Any) -> bool:
        return all(name in self.constants for name in node.output)

    def _fold(self) -> bool:
        """Fold what can be; whether there was anything."""
        import numpy as np

        before = len(self._made)
        found: list[Array]
        for node in self._model.graph.node:
            if self._known(node) or node.domain not in DOMAINS or node.op_type in RANDOM:
                continue
            given = [name for name in node.input if name]
            if node.op_type in SHAPES:
                dims = self._dims(given[0])
                if dims is None:
                    continue
                attributes = {a.name: a.i for a in node.attribute}
                part = dims[attributes.get("start", 0) : attributes.get("end", len(dims))]
                found = [np.array(part if node.op_type == "Shape" else math.prod(dims), np.int64)]
            elif given and all(name in self.constants for name in given) and self._plain(given):
                if any(attribute.HasField("g") for attribute in node.attribute):
                    continue
                try:
                    found = evaluate(node, self._model.opset_import, {name: self.constants[name] for name in given})
                except Exception:  # noqa: BLE001  the evaluator raises what it likes; the framework may know the operator
                    continue
            else:
                continue
            self.constants.update(zip(node.output, found, strict=False))
            self._made.update(node.output)
        return len(self._made) > before

    def _plain(self, names: Sequence[str]) -> bool:
        """Whether these constants are shapes, or integers."""
        return any(n in self._made for n in names) or all(self.constants[n].dtype.kind in "iub" for n in names)

    def _dims(self, name: str) -> tuple[int, ...] | None:
        if name in self.constants:
            return tuple(self.constants[name].shape)
        dims = self.shapes.get(name)
        return None if dims is None or None in dims else tuple(d for d in dims if d is not None)


def evaluate(node: Any, opsets: Any, given: Mapping[str, Array]) -> list[Array]:
    """What a node makes of constants, by onnx's own evaluator."""
    import numpy as np
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    kinds = {name: helper.np_dtype_to_tensor_dtype(value.dtype) for name, value in given.items()}
    inputs = [helper.make_tensor_value_info(name, kinds[name], value.shape) for name, value in given.items()]
    outputs = [helper.make_tensor_value_info(n, TensorProto.UNDEFINED, None) for n in node.output if n]
    graph = helper.make_graph([node], "folding", inputs, outputs)
    found = ReferenceEvaluator(helper.make_model(graph, opset_imports=opsets)).run(None, dict(given))
    return [np.asarray(value) for value in found]


def known_shapes(path: Path, inputs: Sequence[TensorSpec], made: Mapping[str, Array]) -> dict[str, Dims]:
    """The shape of each tensor as far as it follows from those of `inputs` and from the constants `made`."""
    import onnx
    from onnx import helper, numpy_helper

    model = onnx.load(str(path), load_external_data=False)
    graph = model.graph
    wanted = {one.name: one.shape for one in inputs}
    for value in graph.input:
        if value.name in wanted:
            kind = value.type.tensor_type.elem_type
            value.CopyFrom(helper.make_tensor_value_info(value.name, kind, wanted[value.name]))
    listed = {value.name for value in graph.input}
    large = [t for t in graph.initializer if math.prod(t.dims) > LARGE]
    small = [t for t in graph.initializer if math.prod(t.dims) <= LARGE]
    graph.input.extend(
        helper.make_tensor_value_info(t.name, t.data_type, list(t.dims)) for t in large if t.name not in listed
    )
    nodes = [node for node in graph.node if not all(name in made for name in node.output)]
    for field, values in (
        (graph.node, nodes),
        (graph.initializer, [*small, *(numpy_helper.from_array(value, name) for name, value in made.items())]),
        (graph.value_info, ()),
    ):
        kept = list(values)
        del field[:]
        field.extend(kept)
    outputs = [o.name for o in graph.output if o.name not in made]
    kinds = {o.name: o.type.tensor_type.elem_type for o in graph.output}
    del graph.output[:]
    graph.output.extend(helper.make_tensor_value_info(name, kinds[name], None) for name in outputs)
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    found: dict[str, Dims] = {}
    for value in (*inferred.input, *inferred.value_info, *inferred.output):
        tensor = value.type.tensor_type
        if tensor.HasField("shape"):
            found[value.name] = tuple(d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim)
    return found
