"""The operators of a LiteRT file, and which of them each event of its profiler is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

# How XNNPACK's operators begin -> the operator of the file; those without XNNPACK are called as in the file.
XNNPACK = {
    "Convolution": "CONV_2D",
    "Deconvolution": "TRANSPOSE_CONV",
    "Fully Connected": "FULLY_CONNECTED",
    "Batch Matrix Multiply": "BATCH_MATMUL",
    "Max Pooling": "MAX_POOL_2D",
    "Average Pooling": "AVERAGE_POOL_2D",
    "Mean": "MEAN",
    "Add": "ADD",
    "Subtract": "SUB",
    "Multiply": "MUL",
    "Divide": "DIV",
    "Negate": "NEG",
    "Squared Difference": "SQUARED_DIFFERENCE",
    "Reciprocal Square Root": "RSQRT",
    "Square Root": "SQRT",
    "Sigmoid": "LOGISTIC",
    "TanH": "TANH",
    "GELU": "GELU",
    "HardSwish": "HARD_SWISH",
    "Softmax": "SOFTMAX",
    "Transpose": "TRANSPOSE",
    "Slice": "STRIDED_SLICE",
    "Static Reshape": "RESHAPE",
    "Copy": "CONCATENATION",
    "Constant Pad": "PAD",
}
SAME = {"DEPTHWISE_CONV_2D": "CONV_2D", "PADV2": "PAD", "SLICE": "STRIDED_SLICE"}
# Of these the second input is the weights, where it is no activation.
PRODUCTS = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "BATCH_MATMUL"})


@dataclass(frozen=True, slots=True)
class FileOperator:
    """One operator: the numbers of its tensors, and as `Step.form` the elements of its weights and of its output."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    form: tuple[int, ...]

    @property
    def family(self) -> str:
        """Its name, one for all that XNNPACK does not tell apart."""
        return SAME.get(self.name, self.name)


def read_operators(module: Any, artifact: Path) -> list[FileOperator]:
    """The operators of the file's main graph in its order. `module`: LiteRT's Python interpreter."""
    plain = module.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = module.Interpreter(str(artifact), experimental_op_resolver_type=plain)
    shapes = {one["index"]: [int(side) for side in one["shape"]] for one in interpreter.get_tensor_details()}
    entries = [one["index"] for one in interpreter.get_input_details()]
    return operators_of(interpreter._get_ops_details(), shapes, entries)


def operators_of(
    details: Sequence[Mapping[str, Any]], shapes: Mapping[int, Sequence[int]], entries: Sequence[int]
) -> list[FileOperator]:
    """From LiteRT's details of operators, the shape of each tensor, and the inputs of the network."""
    activations = {int(tensor) for one in details for tensor in one["outputs"]} | set(entries)
    found = []
    for one in details:
        name, inputs = str(one["op_name"]), tuple(int(tensor) for tensor in one["inputs"])
        outputs = tuple(int(tensor) for tensor in one["outputs"])
        elements = math.prod(shapes.get(outputs[0], ())) if outputs else 0
        form: tuple[int, ...] = (elements,)
        if name in PRODUCTS:
            is_weights = len(inputs) > 1 and (name != "BATCH_MATMUL" or inputs[1] not in activations)
            form = (math.prod(shapes.get(inputs[1], ())) if is_weights else 0, elements)
        found.append(FileOperator(name, inputs, outputs, form))
    return found


def family_of(tag: str) -> str:
    """The operator of a file that an event computes."""
    # the longest that fits: `Square Root` is no `Squared Difference`, and `Mean` may be followed by more
    fits = [name for name in XNNPACK if tag.startswith(name)]
    return XNNPACK[max(fits, key=len)] if fits else SAME.get(tag, tag)


def locate_events(tags: Sequence[str], operators: Sequence[FileOperator]) -> list[int | None]:
    """For each event the number of its operator; None: it is none's, as a change of layout.

    Events come in the order of the file. Those that XNNPACK adds and operators that it joins with others are left out.
    """
    found: list[int | None] = [None] * len(tags)
    families = [family_of(tag) for tag in tags], [one.family for one in operators]
    for block in SequenceMatcher(None, *families, autojunk=False).get_matching_blocks():
        for offset in range(block.size):
            found[block.a + offset] = block.b + offset
    return found


def sources(places: Sequence[int | None], operators: Sequence[FileOperator]) -> list[int | None]:
    """For each event the event that gives the last of its activations; None: the network's input, or it is none's."""
    event = {place: number for number, place in enumerate(places) if place is not None}
    giver: dict[int, int] = {}  # tensor -> the event that gives it, or an operator without an event makes it of
    found: dict[int, int | None] = {}
    for place, one in enumerate(operators):
        found[place] = max((giver[tensor] for tensor in one.inputs if tensor in giver), default=None)
        number = event.get(place, found[place])
        if number is not None:
            giver |= dict.fromkeys(one.outputs, number)
    return [None if place is None else found[place] for place in places]
