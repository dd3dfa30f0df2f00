"""ONNX Runtime's own operators (com.microsoft) as ONNX operators whose output has the same shape.

onnx's shape inference stops at operators of other domains, and at everything behind them. Here a node is replaced by
nodes of the ONNX domain that compute something of the same shape, in a copy that nobody runs. What an operator takes
and gives: ContribOperators.md of ONNX Runtime.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

ONNX = ("", "ai.onnx")
MICROSOFT = "com.microsoft"
Rule = Callable[[Any, Any], list[Any]]


def replace_nodes(graph: Any) -> None:
    """Put the plain form of every node in its place that has one; graphs inside of nodes stay as they are."""
    nodes = []
    for node in graph.node:
        is_own = node.domain == MICROSOFT or node.op_type == "SimplifiedLayerNormalization"
        rule = RULES.get(node.op_type) if is_own else None
        nodes += rule(node, graph) if rule else [node]
    if len(nodes) != len(graph.node) or any(new is not old for new, old in zip(nodes, graph.node, strict=True)):
        copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
        del graph.node[:]
        graph.node.extend(copies)


def attribute(node: Any, name: str, default: Any = None) -> Any:
    """The value of a node's attribute."""
    from onnx import helper

    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), default)


def named(node: Any, place: int) -> str:
    """The name of an input; "" where it is left out."""
    return str(node.input[place]) if place < len(node.input) else ""


def make(op: str, inputs: Sequence[str], outputs: Sequence[str], attributes: Sequence[Any] = (), **more: Any) -> Any:
    """A node of the ONNX domain."""
    from onnx import helper

    node = helper.make_node(op, list(inputs), list(outputs), **more)
    node.attribute.extend(attributes)
    return node


def same(*outputs: int, source: int = 0) -> Rule:
    """Outputs of the shape of an input."""

    def rule(node: Any, _: Any) -> list[Any]:
        names = [node.output[i] for i in outputs or (0,) if i < len(node.output) and node.output[i]]
        return [make("Identity", [named(node, source)], [name]) for name in names]

    return rule


def plain(op: str, *places: int, outputs: int = 1) -> Rule:
    """Another operator with the same attributes, some of the inputs and the first outputs."""

    def rule(node: Any, _: Any) -> list[Any]:
        return [make(op, [named(node, place) for place in places], node.output[:outputs], node.attribute)]

    return rule


def by_layout(op: str, *places: int, last: bool = False) -> Rule:
    """The same for images whose channels may come last (`last`: always), of four dimensions."""

    def rule(node: Any, _: Any) -> list[Any]:
        inputs, output = [named(node, place) for place in places], node.output[0]
        if not last and not attribute(node, "channels_last", 0):
            return [make(op, inputs, [output], node.attribute)]
        first, result = f"{output}/first", f"{output}/result"
        return [
            make("Transpose", inputs[:1], [first], perm=[0, 3, 1, 2]),
            make(op, [first, *inputs[1:]], [result], node.attribute),
            make("Transpose", [result], [output], perm=[0, 2, 3, 1]),
        ]

    return rule


def matrix_product(node: Any, graph: Any) -> list[Any]:
    """FusedMatMul: each operand's matrices may be transposed, and may begin at its first axis (transBatch)."""
    if not any(attribute(node, f"trans{kind}{operand}", 0) for kind in ("", "Batch") for operand in "AB"):
        return [make("MatMul", node.input[:2], node.output[:1])]
    matrices = {tensor.name for tensor in graph.initializer if len(tensor.dims) == 2}
    terms = []
    for operand, rows, columns, name in (("A", "i", "k", node.input[0]), ("B", "k", "j", node.input[1])):
        first, second = (columns, rows) if attribute(node, f"trans{operand}", 0) else (rows, columns)
        batch = "" if name in matrices else "..."
        terms.append(
            f"{first}{batch}{second}" if attribute(node, f"transBatch{operand}", 0) else f"{batch}{first}{second}"
        )
    equation = f"{terms[0]},{terms[1]}->...ij"
    return [make("Einsum", node.input[:2], node.output[:1], equation=equation)]


def with_weights(node: Any, graph: Any, rows: int, columns: int) -> list[Any]:
    """The product of the first input and a matrix of this size, which has no values."""
    from onnx import TensorProto

    weights = graph.initializer.add(name=f"{node.output[0]}/weights", data_type=TensorProto.FLOAT, dims=[rows, columns])
    return [make("MatMul", [named(node, 0), weights.name], node.output[:1])]


def quantised_product(node: Any, graph: Any) -> list[Any]:
    """MatMulNBits: the weights are packed; their size (K, N) is in the attributes."""
    return with_weights(node, graph, attribute(node, "K"), attribute(node, "N"))


def attention(node: Any, graph: Any) -> list[Any]:
    """Attention with weights of its own: (batch, sequence, width of V). Stays where the weights are computed."""
    dims = next((list(t.dims) for t in graph.initializer if t.name == named(node, 1)), None)
    if dims is None:
        return [node]
    return with_weights(node, graph, dims[0], (attribute(node, "qkv_hidden_sizes") or [dims[1] // 3])[-1])


def heads(node: Any, _: Any) -> list[Any]:
    """MultiHeadAttention of query and value with three dimensions; other layouts stay."""
    if not named(node, 2):
        return [node]
    inputs = [named(node, 0), named(node, 2)]
    return [make("Einsum", inputs, node.output[:1], equation="bsh,blv->bsv")]


def grouped(node: Any, _: Any) -> list[Any]:
    """GroupQueryAttention: the shape of Q; stays where Q, K and V come in one."""
    return [make("Identity", [node.input[0]], node.output[:1])] if named(node, 1) else [node]


def concat(node: Any, _: Any) -> list[Any]:
    """QLinearConcat: scale and zero point, then tensor, scale and zero point of each operand."""
    return [make("Concat", node.input[2::3], node.output, node.attribute)]


RULES: dict[str, Rule] = {
    "FusedConv": plain("Conv", 0, 1),
    "NhwcConv": by_layout("Conv", 0, 1, last=True),
    "NhwcFusedConv": by_layout("Conv", 0, 1, last=True),
    "NhwcMaxPool": by_layout("MaxPool", 0, last=True),
    "QLinearConv": by_layout("Conv", 0, 3),
    "QLinearAveragePool": by_layout("AveragePool", 0),
    "QLinearGlobalAveragePool": by_layout("GlobalAveragePool", 0),
    "FusedGemm": plain("Gemm", 0, 1),
    "QGemm": plain("Gemm", 0, 3),
    "DynamicQuantizeMatMul": plain("MatMul", 0, 1),
    "MatMulIntegerToFloat": plain("MatMul", 0, 1),
    "FusedMatMul": matrix_product,
    "FusedMatMulActivation": matrix_product,
    "TransposeMatMul": matrix_product,
    "MatMulNBits": quantised_product,
    "MatMulBnb4": quantised_product,
    "Attention": attention,
    "QAttention": attention,
    "MultiHeadAttention": heads,
    "GroupQueryAttention": grouped,
    "DynamicQuantizeLSTM": plain("LSTM", 0, 1, 2, outputs=3),
    "EmbedLayerNormalization": plain("Gather", 2, 0),
    "QuantizeLinear": plain("QuantizeLinear", 0, 1, 2),
    "DequantizeLinear": plain("DequantizeLinear", 0, 1, 2),
    "QLinearAdd": plain("Add", 0, 3),
    "QLinearMul": plain("Mul", 0, 3),
    "QLinearWhere": plain("Where", 0, 1, 4),
    "QLinearConcat": concat,
    "Pad": plain("Pad", 0, 1, 2),
    "SkipLayerNormalization": same(0, 3),
    "SkipSimplifiedLayerNormalization": same(0, 3),
    **dict.fromkeys(
        (
            *("BiasAdd", "BiasGelu", "BiasSoftmax", "FastGelu", "Gelu", "QuickGelu", "RotaryEmbedding", "GroupNorm"),
            *("SkipGroupNorm", "SimplifiedLayerNormalization", "QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax"),
        ),
        same(),
    ),
}
