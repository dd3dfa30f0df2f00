"""In which precision a user's file keeps its network: what the graph itself says. Pure; standard library at import.

A file that is not plain FP32 has a precision of its own, which is no framework's doing: a case of it is called by it,
and asks the framework for nothing (`asked`). Its names never are those of `--precision`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hwprof.errors import UsageError

STORED = "stored"
DYNAMIC = "(dynamic)"
OPERATORS, PAIRS = "(QOperator)", "(QDQ)"
WEIGHTS = "weights"
FP8_BITS = 4  # of E4M3, the finer of the two forms
# What a framework is asked for where nothing else was: to compute the file as it is.
AS_IT_IS = "fp32"

# Operators that find the scale of an activation from its values, over the whole tensor with all frames of a batch.
SCALE_FINDERS = frozenset({"DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM"})
# Those that find it and multiply in one: what they quantise is not in the graph.
FUSED_FINDERS = frozenset({"DynamicQuantizeMatMul", "DynamicQuantizeLSTM"})
# Beside all whose names begin with QLinear.
INTEGER_OPERATORS = frozenset({"QGemm", "QAttention", "QEmbedLayerNormalization", "MatMulInteger", "ConvInteger"})
# Operators that read their weights in few bits and compute in floating point; the attribute says in how many.
FEW_BITS = frozenset({"MatMulNBits", "GatherBlockQuantized", "MatMulBnb4"})
# Operators that give the values they take, so that one step of the quantisation stays one step.
KEEPERS = frozenset(
    (
        *("Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Identity", "Slice", "Split", "Gather", "Dropout"),
        *("Relu", "Clip", "MaxPool", "GlobalMaxPool", "ReduceMax", "ReduceMin", "Expand", "Tile", "Pad"),
    )
)
# Operators whose values lie between those they take: a framework may keep them in the same steps.
AVERAGES = frozenset({"AveragePool", "GlobalAveragePool", "ReduceMean", "Resize", "Upsample"})


@dataclass(frozen=True, slots=True)
class GraphFacts:
    """All nodes of a model, those of subgraphs and of its own functions too, and what depends on no input.

    `types`: tensor -> ONNX element type, of initializers, constants, inputs, outputs and inferred values.
    """

    nodes: tuple[Any, ...]
    constants: frozenset[str]
    types: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, model: Any) -> GraphFacts:
        """The facts of an onnx.ModelProto; the data of its tensors are not needed."""
        if model.functions:
            import onnx.inliner

            model = onnx.inliner.inline_local_functions(model)
        graphs = [model.graph]
        nodes: list[Any] = []
        pending = [*model.graph.node]
        while pending:
            node = pending.pop(0)
            nodes.append(node)
            for attribute in node.attribute:
                for graph in (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs):
                    graphs.append(graph)
                    pending += graph.node
        types: dict[str, int] = {}
        constants: set[str] = set()
        for graph in graphs:
            for tensor in graph.initializer:
                types[tensor.name] = tensor.data_type
                constants.add(tensor.name)
            for value in (*graph.value_info, *graph.input, *graph.output):
                if value.type.HasField("tensor_type"):
                    types.setdefault(value.name, value.type.tensor_type.elem_type)
        for node in nodes:  # in the order of the graph: what a node takes stands before it
            if node.op_type == "Constant":
                types[node.output[0]] = next((a.t.data_type for a in node.attribute if a.name == "value"), 0)
            elif node.op_type == "Cast":
                types[node.output[0]] = next((a.i for a in node.attribute if a.name == "to"), 0)
            if node.op_type == "Constant" or (any(node.input) and all(n in constants for n in node.input if n)):
                constants.update(node.output)
        return cls(tuple(nodes), frozenset(constants), types)

    def is_constant(self, name: str) -> bool:
        """Whether a tensor is the same for every input."""
        return name in self.constants

    def activations(self, operators: Iterable[str]) -> Iterator[Any]:
        """Nodes of these operators whose first input depends on the network's input."""
        wanted = frozenset(operators)
        return (n for n in self.nodes if n.op_type in wanted and n.input and not self.is_constant(n.input[0]))


def stored_precision(model: Any) -> str:
    """What an onnx.ModelProto is kept in: `int8 (QDQ)`, `int8 (QOperator)`, `int8 (dynamic)`, `int8 weights`,
    `int4 weights`, `int4 weights, fp16`, `fp16 (stored)`, `fp16 weights`, `bf16 (stored)`, `fp64 (stored)`; "" for
    plain FP32.
    """
    facts = GraphFacts.of(model)
    if any(True for _ in facts.activations(SCALE_FINDERS)) or scaled_by_values(facts):
        return f"int8 {DYNAMIC}"
    if any(is_integer_operator(n) for n in facts.nodes):
        return f"int8 {OPERATORS}"
    quantised = [type_name(quantised_type(n, facts)) for n in facts.activations({"QuantizeLinear"})]
    if quantised:
        return f"{Counter(quantised).most_common(1)[0][0]} {PAIRS}"
    floats, few = floating_point(facts), weights_in_few_bits(facts)
    if few:
        return f"{few} {WEIGHTS}" + (f", {floats.split()[0]}" if floats.endswith(f"({STORED})") else "")
    return floats


def scaled_by_values(facts: GraphFacts) -> bool:
    """Whether an activation is quantised by a scale that is computed from activations."""
    return any(len(n.input) > 1 and not facts.is_constant(n.input[1]) for n in facts.activations({"QuantizeLinear"}))


def is_integer_operator(node: Any) -> bool:
    """An operator that takes and gives integers, with their scales beside them."""
    return node.op_type.startswith("QLinear") or node.op_type in INTEGER_OPERATORS


def quantised_type(node: Any, facts: GraphFacts) -> int:
    """ONNX element type of what a QuantizeLinear gives; UINT8 where it says none, as the operator's definition does."""
    if len(node.input) > 2 and node.input[2] in facts.types:
        return facts.types[node.input[2]]
    asked = next((a.i for a in node.attribute if a.name == "output_dtype"), 0)
    return asked or facts.types.get(node.output[0], 0) or _number("UINT8")


def type_name(number: int) -> str:
    """`int8` of INT8 and UINT8, `int4`, `int16`, `fp8`, `fp16`, `bf16`, `fp64`, as people call a precision."""
    import onnx

    name = str(onnx.TensorProto.DataType.Name(number)).lower()
    if name.startswith("float8"):
        return "fp8"
    known = {"float16": "fp16", "bfloat16": "bf16", "double": "fp64", "float": "fp32"}
    return known.get(name, name.removeprefix("u"))


def _number(name: str) -> int:
    import onnx

    return int(onnx.TensorProto.DataType.Value(name))


def weights_in_few_bits(facts: GraphFacts) -> str:
    """The narrowest type of most weights that are dequantised before use: `int4`, `int8`; "" where there are none."""
    found: Counter[str] = Counter()
    for node in facts.nodes:
        if node.op_type in FEW_BITS:
            found[f"int{next((a.i for a in node.attribute if a.name == 'bits'), 4)}"] += 1
        elif node.op_type == "DequantizeLinear" and facts.is_constant(node.input[0]):
            kind = type_name(facts.types.get(node.input[0], _number("INT8")))
            found["int8" if kind == "int32" else kind] += kind != "int32"  # int32: a bias
    return found.most_common(1)[0][0] if +found else ""


def floating_point(facts: GraphFacts) -> str:
    """`fp16 (stored)` where something is computed in it by the graph, `fp16 weights` where weights alone are kept in
    it, as bf16 and fp64; "" for FP32.
    """
    narrow = {_number("FLOAT16"): "fp16", _number("BFLOAT16"): "bf16", _number("DOUBLE"): "fp64"}
    computed: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    for node in facts.nodes:
        for name in node.input:
            kind = narrow.get(facts.types.get(name, 0))
            if kind is None:
                continue
            widened = node.op_type == "Cast" and facts.is_constant(name)
            (kept if widened else computed)[kind] += 1
    if not computed:
        return f"{kept.most_common(1)[0][0]} {WEIGHTS}" if kept else ""
    main = computed.most_common(1)[0][0]
    # a double among shape computations (Resize's scales, say) makes no FP64 network: its products must be in it
    if main == "fp64" and not any(computes_in(n, _number("DOUBLE"), facts) for n in facts.nodes):
        return ""
    return f"{main} ({STORED})"


def computes_in(node: Any, number: int, facts: GraphFacts) -> bool:
    """Whether a convolution or matrix product takes this type."""
    products = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum", "LSTM", "GRU", "RNN")
    return node.op_type in products and any(facts.types.get(name) == number for name in node.input)


def batch_wide_outputs(model: Any) -> tuple[str, ...]:
    """Outputs that depend on an activation whose scale is found from all frames of a batch together."""
    facts = GraphFacts.of(model)
    wide: set[str] = set()
    for node in facts.nodes:
        taken = {name for name in node.input if name}
        # of an operator of SCALE_FINDERS the first input is the activation, of QuantizeLinear the second the scale
        activation = {"QuantizeLinear": 1, **dict.fromkeys(SCALE_FINDERS, 0)}.get(node.op_type)
        if (activation is not None and not facts.is_constant([*node.input, ""][activation])) or wide & taken:
            wide.update(node.output)
    return tuple(output.name for output in model.graph.output if output.name in wide)


def scale_of_each(facts: GraphFacts) -> dict[str, str]:
    """Tensor -> name of the scale in whose steps its values are; of dequantised activations, and what keeps them."""
    scales: dict[str, str] = {}
    for node in facts.nodes:
        if node.op_type == "DequantizeLinear" and not facts.is_constant(node.input[0]):
            scales[node.output[0]] = node.input[1]
        elif node.op_type in KEEPERS | AVERAGES and node.input and node.input[0] in scales:
            scales |= dict.fromkeys(node.output, scales[node.input[0]])
    return scales


def output_steps(model: Any) -> dict[str, float]:
    """Output -> one step of the quantisation in which its values are; those of which the graph does not tell are
    left out."""
    import numpy as np
    from onnx import numpy_helper

    scales = scale_of_each(GraphFacts.of(model))
    wanted = {scales[output.name] for output in model.graph.output if output.name in scales}
    tensors = {tensor.name: tensor for tensor in model.graph.initializer if tensor.name in wanted}
    for node in (node for node in model.graph.node if node.op_type == "Constant" and node.output[0] in wanted):
        tensors.update((node.output[0], a.t) for a in node.attribute if a.name == "value")
    held = {name: tensor for name, tensor in tensors.items() if not tensor.external_data}
    steps = {name: float(np.max(numpy_helper.to_array(tensor))) for name, tensor in held.items()}
    return {o.name: steps[scales[o.name]] for o in model.graph.output if scales.get(o.name) in steps}


def is_stored(precision: str) -> bool:
    """Whether a case's precision is that of its file, and not one that the framework was asked for."""
    return " " in precision


def is_quantised(precision: str) -> bool:
    """Whether a file's activations are integers."""
    return precision.endswith((DYNAMIC, OPERATORS, PAIRS))


def has_rounded_activations(precision: str) -> bool:
    """Whether a file's activations are rounded to fewer bits than FP32 has, or may be.

    Frameworks quantise the activations of a matrix product whose weights are integers, as ONNX Runtime does unasked.
    """
    return is_quantised(precision) or is_half(precision) or has_integer_weights(precision)


def is_half(precision: str) -> bool:
    """Whether a file's activations are in half precision."""
    return precision.endswith((f"16 ({STORED})", ", fp16", ", bf16"))


def has_integer_weights(precision: str) -> bool:
    """Whether a file's weights are integers, and its activations are not."""
    return precision.startswith("int") and f" {WEIGHTS}" in precision


def significant_bits(precision: str) -> int:
    """Bits of an integer, or of the significand, of a file's activations: 8 of int8, 11 of fp16, 8 of bf16, 24."""
    if is_quantised(precision):
        return int(precision.split()[0].removeprefix("int")) if precision.startswith("int") else FP8_BITS
    if not is_half(precision):
        return 24
    return 11 if "fp16" in precision else 8


def asked(precision: str) -> str:
    """What a framework is asked for in a case: of a file with a precision of its own nothing, as for FP32."""
    return AS_IT_IS if is_stored(precision) else precision


def case_precision(network: str, stored: str, wanted: str) -> str:
    """The precision of a case: what was asked for, or that of the file where nothing was. `stored` "": plain FP32.

    Raises UsageError where a quantised file shall be quantised, or the file is not what was asked for.
    """
    if is_stored(wanted) and wanted != stored:
        raise UsageError(f"{network} is no {wanted}: it is {stored or AS_IT_IS}", "omit --precision")
    if not stored or is_stored(wanted):
        return wanted
    if wanted == AS_IT_IS:
        return stored
    if stored.startswith(("int", "fp8")):
        raise UsageError(
            f"{network} is quantised already: it is stored as {stored}, and can't be asked for in {wanted}",
            f"omit --precision, or give the file from before it was quantised for --precision {wanted}",
        )
    return wanted


def main_precision(computed: Mapping[str, int] | None) -> str:
    """That of most products by a run's `computed` (precision -> how many); "" where it was not reported."""
    counts = {name: count for name, count in (computed or {}).items() if count}
    return max(counts, key=lambda name: counts[name]) if counts else ""


def arithmetic(precision: str, computed: Mapping[str, int] | None) -> str:
    """What a case multiplies in, for its ceilings: of a file with a precision of its own as the framework reported."""
    return main_precision(computed) if is_stored(precision) else precision
