"""In which types ONNX Runtime's kernels multiply, by its own profile of one inference."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

# Kernels that multiply in integers, whatever the types of their inputs are.
INTEGER_PRODUCTS = frozenset(
    (
        *("QLinearConv", "QGemm", "QLinearMatMul", "MatMulInteger", "ConvInteger", "MatMulIntegerToFloat"),
        *("DynamicQuantizeMatMul", "DynamicQuantizeLSTM", "QAttention"),
    )
)
# Kernels that multiply in the type of their first input.
PRODUCTS = frozenset(
    (
        *("Conv", "FusedConv", "NhwcFusedConv", "ConvTranspose", "Gemm", "FusedGemm", "MatMul", "FusedMatMul"),
        *("Einsum", "LSTM", "GRU", "RNN", "Attention", "MultiHeadAttention"),
    )
)
FEW_BITS = "MatMulNBits"
# What its attribute accuracy_level means; one that ONNX Runtime made of a dequantised weight has level 4.
LEVELS = {0: "fp32", 1: "fp32", 2: "fp16", 3: "bf16", 4: "int8"}
UNKNOWN = "a precision that is not reported"
TYPES = {"float": "fp32", "float16": "fp16", "bfloat16": "bf16", "double": "fp64"}


def read_products(ort: Any, artifact: Path, options: Any, feeds: Mapping[str, Any]) -> dict[str, int]:
    """Precision -> how many convolutions and matrix products of one inference compute in it."""
    options.enable_profiling = True
    with tempfile.TemporaryDirectory(prefix="hwprof-profile-") as folder:
        options.profile_file_prefix = f"{folder}/run"
        session = ort.InferenceSession(str(artifact), options, providers=["CPUExecutionProvider"])
        session.run(None, dict(feeds))
        events = json.loads(Path(session.end_profiling()).read_text())
    uses = any(event.get("args", {}).get("op_name") == FEW_BITS for event in events)
    return count_products(events, levels_of(artifact) if uses else {})


def levels_of(artifact: Path) -> dict[str, str] | None:
    """Node of the file itself that reads weights in few bits -> what it multiplies in; None: onnx is not here."""
    try:
        import onnx
    except ImportError:
        return None
    nodes = enumerate(onnx.load(str(artifact), load_external_data=False).graph.node)
    return {
        node.name or f"{FEW_BITS}_{place}": LEVELS.get(
            next((a.i for a in node.attribute if a.name == "accuracy_level"), 0), UNKNOWN
        )
        for place, node in nodes
        if node.op_type == FEW_BITS
    }


def count_products(events: Iterable[Mapping[str, Any]], levels: Mapping[str, str] | None) -> dict[str, int]:
    """The same of the events of a profile. `levels`: of `levels_of`."""
    found = list(precisions(events, levels))
    return {name: found.count(name) for name in dict.fromkeys(sorted(found))}


def precisions(events: Iterable[Mapping[str, Any]], levels: Mapping[str, str] | None) -> Iterator[str]:
    """The precision of each kernel that multiplies."""
    for event in events:
        if event.get("cat") != "Node" or not event["name"].endswith("_kernel_time"):
            continue
        operator, types = event["args"]["op_name"], event["args"].get("input_type_shape", ())
        if operator in INTEGER_PRODUCTS:
            yield "int8"
        elif operator == FEW_BITS:
            name = event["name"].removesuffix("_kernel_time")
            yield UNKNOWN if levels is None else levels.get(name, LEVELS[4])
        elif operator in PRODUCTS and types:
            kind = next(iter(types[0]))
            yield TYPES.get(kind, kind)
