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
        *("MatMulNBits", "Einsum", "LSTM", "GRU", "RNN", "Attention", "MultiHeadAttention"),
    )
)
TYPES = {"float": "fp32", "float16": "fp16", "bfloat16": "bf16", "double": "fp64"}


def read_products(ort: Any, artifact: Path, options: Any, feeds: Mapping[str, Any]) -> dict[str, int]:
    """Precision -> how many convolutions and matrix products of one inference compute in it."""
    options.enable_profiling = True
    with tempfile.TemporaryDirectory(prefix="hwprof-profile-") as folder:
        options.profile_file_prefix = f"{folder}/run"
        session = ort.InferenceSession(str(artifact), options, providers=["CPUExecutionProvider"])
        session.run(None, dict(feeds))
        return count_products(json.loads(Path(session.end_profiling()).read_text()))


def count_products(events: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """The same of the events of a profile."""
    found = list(precisions(events))
    return {name: found.count(name) for name in dict.fromkeys(sorted(found))}


def precisions(events: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The precision of each kernel that multiplies."""
    for event in events:
        if event.get("cat") != "Node" or not event["name"].endswith("_kernel_time"):
            continue
        operator, types = event["args"]["op_name"], event["args"].get("input_type_shape", ())
        if operator in INTEGER_PRODUCTS:
            yield "int8"
        elif operator in PRODUCTS and types:
            kind = next(iter(types[0]))
            yield TYPES.get(kind, kind)
