"""What each operator multiplies, and which of its inputs are learned: a table of formulas.

MACs are multiply-accumulates of the products alone; what is added, activated, normalised, pooled, moved or quantised
costs none. Formulas follow from the operators' definitions (Operators.md of ONNX, ContribOperators.md of
ONNX Runtime). Masks, causality and windows of an attention are not subtracted: every query meets every key.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hwprof.networks.contrib import MICROSOFT, ONNX, attribute, named
from hwprof.networks.graph import GraphScope, Shape


class UnknownCost(Exception):
    """Why the MACs of a node are not known."""


@dataclass(frozen=True, slots=True)
class Operation:
    """A node and what it sees. `input` and `output` raise UnknownCost where a shape is not known."""

    node: Any
    scope: GraphScope

    def has(self, place: int) -> bool:
        """This input is not left out."""
        return bool(named(self.node, place))

    def input(self, place: int = 0) -> Shape:
        """The shape of an input."""
        return self._shape(named(self.node, place))

    def output(self) -> Shape:
        """The shape of the first output."""
        return self._shape(self.node.output[0])

    def attribute(self, name: str, default: Any = None) -> Any:
        """The value of an attribute."""
        return attribute(self.node, name, default)

    def _shape(self, name: str) -> Shape:
        shape = self.scope.shapes.get(name)
        if shape is None:
            raise UnknownCost(f"the shape of '{name}' is not known" if name else "an input is missing")
        return shape


def convolution(weights: int = 1) -> Callable[[Operation], int]:
    """(output elements) x (input channels / groups) x (kernel elements); weights are (M, C / groups, kernel...).

    torchvision's "ops" of a network count it so too.
    """
    return lambda op: math.prod(op.output()) * math.prod(op.input(weights)[1:])


def transposed_convolution(op: Operation) -> int:
    """(input elements) x (output channels / groups) x (kernel elements); weights are (C, M / groups, kernel...)."""
    return math.prod(op.input()) * math.prod(op.input(1)[1:])


def matrix_product(op: Operation) -> int:
    """(output elements) x (length of the axis that is summed over)."""
    first = op.input()
    if not op.attribute("transA", 0):
        return math.prod(op.output()) * first[-1]
    return math.prod(op.output()) * first[0 if op.attribute("transBatchA", 0) else -2]


def packed_product(op: Operation) -> int:
    """(output elements) x K: the weights are packed."""
    return math.prod(op.output()) * int(op.attribute("K"))


def einsum(op: Operation) -> int:
    """Two operands: the product of the sizes of all indices of the equation.

    More are computed from the left to the right, two at a time, as ONNX Runtime does: an index is summed over as soon
    as neither the result nor an operand to come has it. One operand multiplies nothing.
    """
    equation = op.attribute("equation").decode().replace(" ", "")
    terms, arrow, result = equation.partition("->")
    sizes: dict[str, int] = {}
    operands = [labels(term, op.input(place)) for place, term in enumerate(terms.split(","))]
    for place, operand in enumerate(operands):
        for label, size in zip(operand, op.input(place), strict=True):
            sizes[label] = size if sizes.get(label, 1) == 1 else sizes[label]
    every = [label for operand in operands for label in operand]
    kept = {
        label for label in every if label.startswith(".") or (label in result if arrow else every.count(label) == 1)
    }
    total, left = 0, set(operands[0])
    for place, operand in enumerate(operands[1:], 2):
        left |= set(operand)
        total += math.prod(sizes[label] for label in left)
        left &= kept.union(*operands[place:])
    return total


def labels(term: str, shape: Shape) -> list[str]:
    """A name for each axis of an operand of an Einsum; axes of its ellipsis are numbered from the right."""
    before, dots, after = term.partition("...")
    hidden = len(shape) - len(before) - len(after)
    return [*before, *(f".{hidden - i}" for i in range(hidden if dots else 0)), *after]


def recurrent(op: Operation) -> int:
    """(length of the sequence) x batch x (elements of W and R): both have an entry per gate and direction.

    Peepholes are no products of matrices; a sequence is counted at its full length.
    """
    first = op.input()
    return first[0] * first[1] * (math.prod(op.input(1)) + math.prod(op.input(2)))


def attention(op: Operation) -> int:
    """ONNX's: batch x (heads of Q) x (queries) x (keys) x (head size of Q + head size of V); Q and V are projected."""
    query, key, value = (op.input(place) for place in range(3))
    length, queries = (key[1], query[1]) if len(key) == 3 else (key[2], query[2])
    keys = length + (op.input(4)[2] if op.has(4) else 0)
    if len(query) == 3:
        number = int(op.attribute("q_num_heads"))
        width = query[2] + number * (value[2] // int(op.attribute("kv_num_heads")))
    else:
        width = query[1] * (query[3] + value[3])
    return query[0] * queries * keys * width


def attention_with_weights(past: int) -> Callable[[Operation], int]:
    """com.microsoft's: the projection of the input by all weights, and batch x queries x keys x (width of Q and of V).

    `past`: the input with the keys and values before, (2, batch, heads, length, head size).
    """

    def macs(op: Operation) -> int:
        (batch, queries, width), weights = op.input(), op.input(1)
        if op.attribute("past_present_share_buffer", 0):
            raise UnknownCost("how much of the buffer of its past is in use is not known")
        first, _, last = op.attribute("qkv_hidden_sizes") or [weights[1] // 3] * 3
        keys = queries + (op.input(past)[3] if op.has(past) else 0)
        return int(batch * queries * (width * weights[1] + keys * (first + last)))

    return macs


def multi_head_attention(op: Operation) -> int:
    """com.microsoft's: batch x queries x keys x (width of Q + width of V), in each of its layouts.

    Q (batch, queries, width), or Q, K and V in one (batch, queries, heads, 3, head size); K and V (batch, keys, width),
    (batch, heads, keys, head size), or both in one (batch, keys, heads, 2, head size).
    """
    query, key = op.input(), op.input(1 if op.has(1) else 0)
    width = math.prod(query[2:]) // (3 if len(query) == 5 else 1)
    keys, own = (key[2] if len(key) == 4 else key[1]), width
    if op.has(2):
        value = op.input(2)
        own = value[2] if len(value) == 3 else value[1] * value[3]
    if op.has(8):
        raise UnknownCost("how much of the buffer of its past is in use is not known")
    keys += op.input(6)[2] if op.has(6) else 0
    return query[0] * query[1] * keys * (width + own)


def grouped_attention(op: Operation) -> int:
    """com.microsoft's GroupQueryAttention without a past: batch x queries x keys x 2 x (width of Q)."""
    batch, queries, width = op.input()
    if op.has(3) and op.input(3)[2]:
        raise UnknownCost("how much of its past is in use depends on the data")
    number = int(op.attribute("num_heads"))
    own = width if op.has(1) else width * number // (number + 2 * int(op.attribute("kv_num_heads")))
    return batch * queries * queries * 2 * own


@dataclass(frozen=True, slots=True)
class OperatorCost:
    """`macs` None: it multiplies nothing. `learned`: the inputs that are, where they are constants; `scales`: those of
    its quantised weights. `weak`: a constant there may be no weight (an index, a mask): see `size.weights_of`."""

    macs: Callable[[Operation], int] | None
    learned: tuple[int, ...] = ()
    scales: tuple[int, ...] = ()
    weak: bool = False


def microsoft(*ops: str) -> list[str]:
    """Keys of operators of ONNX Runtime's own."""
    return [f"{MICROSOFT}.{op}" for op in ops]


def each(ops: Iterable[str], *cost: Any, **more: Any) -> dict[str, OperatorCost]:
    """One cost for several operators."""
    return dict.fromkeys(ops, OperatorCost(*cost, **more))


# By operator; those of other domains as DOMAIN.OPERATOR.
COSTS: dict[str, OperatorCost] = {
    **each(("Conv", *microsoft("FusedConv", "NhwcConv", "NhwcFusedConv")), convolution(), (1, 2)),
    **each(("CausalConvWithState", *microsoft("CausalConvWithState")), convolution(), (1, 2)),
    **each(("ConvInteger",), convolution(), (1,)),
    **each(("DeformConv",), convolution(), (1, 3)),
    **each(("QLinearConv", *microsoft("QLinearConv")), convolution(3), (3, 8), (4, 5)),
    **each(("ConvTranspose",), transposed_convolution, (1, 2)),
    **each(("Gemm", *microsoft("FusedGemm", "GemmFastGelu")), matrix_product, (0, 1, 2)),
    **each(("MatMul", "MatMulInteger"), matrix_product, (0, 1)),
    **each(microsoft("FusedMatMul", "FusedMatMulActivation", "TransposeMatMul"), matrix_product, (0, 1)),
    **each(("QLinearMatMul",), matrix_product, (0, 3), (4, 5)),
    **each(microsoft("QGemm"), matrix_product, (3, 6), (4, 5)),
    **each(microsoft("DynamicQuantizeMatMul"), matrix_product, (1, 4), (2, 3)),
    **each(microsoft("MatMulIntegerToFloat"), matrix_product, (0, 1, 6), (3, 5)),
    **each(microsoft("MatMulNBits"), packed_product, (1, 5), (2, 3, 4)),
    **each(microsoft("MatMulBnb4"), packed_product, (1,), (2,)),
    **each(("Einsum",), einsum, tuple(range(8))),
    **each(("LSTM", "GRU", "RNN"), recurrent, (1, 2, 3, 7)),
    **each(microsoft("DynamicQuantizeLSTM"), recurrent, (1, 2, 3, 7), (8, 9, 10, 11)),
    **each(("Attention",), attention),
    **each(microsoft("Attention"), attention_with_weights(4), (1, 2)),
    **each(microsoft("QAttention"), attention_with_weights(8), (1, 2), (4, 7)),
    **each(microsoft("MultiHeadAttention"), multi_head_attention, (3,)),
    **each(microsoft("GroupQueryAttention"), grouped_attention),
    # these multiply nothing: running statistics are no parameters
    **each(("BatchNormalization", "LayerNormalization", "InstanceNormalization", "GroupNormalization"), None, (1, 2)),
    **each(("PRelu", "RMSNormalization", "SimplifiedLayerNormalization"), None, (1,)),
    **each(microsoft("BiasGelu", "FastGelu", "BiasAdd", "SimplifiedLayerNormalization"), None, (1,)),
    **each(microsoft("GroupNorm", "SkipGroupNorm"), None, (1, 2)),
    **each(microsoft("SkipLayerNormalization", "SkipSimplifiedLayerNormalization"), None, (2, 3, 4)),
    **each(microsoft("EmbedLayerNormalization"), None, (2, 3, 4, 5, 6)),
    **each(("Add", "Mul"), None, (0, 1), weak=True),
    **each(("Gather",), None, (0,), weak=True),
}
MULTIPLYING = frozenset(key.rpartition(".")[2] for key, cost in COSTS.items() if cost.macs)

# The newest opset whose operators were all looked at: one of a later opset may multiply.
LAST_OPSET = 26
# Operators of ONNX that multiply and have no formula here, and newer ones that multiply nothing.
WITHOUT_FORMULA = frozenset({"DFT", "Det", "STFT"})
NEWER = frozenset({"SwiGLU"})
# Operators of other domains that multiply nothing.
FREE = frozenset(
    {
        *microsoft("BiasSoftmax", "Gelu", "QuickGelu", "RotaryEmbedding", "QuantizeLinear", "DequantizeLinear"),
        *microsoft("QLinearAdd", "QLinearMul", "QLinearWhere", "QLinearConcat", "QLinearSigmoid", "QLinearLeakyRelu"),
        *microsoft("QLinearSoftmax", "QLinearReduceMean", "QLinearAveragePool", "QLinearGlobalAveragePool"),
        *microsoft("NhwcMaxPool", "MaxpoolWithMask", "Pad", "ExpandDims", "GatherND", "GridSample", "Range", "Trilu"),
        *microsoft("Unique", "BiasSplitGelu", "CropAndResize", "ReduceSumInteger", "MulInteger", "Tokenizer"),
        *(f"ai.onnx.ml.{op}" for op in ("ArrayFeatureExtractor", "Binarizer", "CastMap", "CategoryMapper")),
        *(f"ai.onnx.ml.{op}" for op in ("DictVectorizer", "FeatureVectorizer", "Imputer", "LabelEncoder")),
        *(f"ai.onnx.ml.{op}" for op in ("Normalizer", "OneHotEncoder", "Scaler", "ZipMap")),
    }
)


def key_of(node: Any) -> str:
    """The operator as the table names it."""
    return str(node.op_type) if node.domain in ONNX else f"{node.domain}.{node.op_type}"


def is_free(node: Any) -> bool:
    """It is known to multiply nothing."""
    from onnx import defs

    key = key_of(node)
    if key in COSTS:
        return COSTS[key].macs is None
    if key in FREE or key in NEWER:
        return True
    return node.domain in ONNX and key not in WITHOUT_FORMULA and defs.has(node.op_type, LAST_OPSET, "")


def operator_macs(node: Any, scope: GraphScope) -> int:
    """MACs of a node without graphs inside. Raises UnknownCost."""
    cost = COSTS.get(key_of(node))
    if cost is not None and cost.macs is not None:
        return cost.macs(Operation(node, scope))
    if not is_free(node):
        raise UnknownCost(f"the operator {key_of(node)} is not known")
    return 0
