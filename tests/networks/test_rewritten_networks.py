"""A network that ONNX Runtime fused or quantised multiplies as much as before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_dynamic, quantize_static

from hwprof.networks import find, table
from hwprof.networks.size import size_of


class OneImage(CalibrationDataReader):  # type: ignore[misc]  # it has no types
    """What ONNX Runtime calibrates with."""

    def __init__(self, shape: Sequence[int]) -> None:
        self.images = [{"input": np.random.default_rng(0).random(shape, np.float32)}]

    def get_next(self) -> Any:
        return self.images.pop() if self.images else None


def fused(source: Path) -> onnx.ModelProto:
    """The network as ONNX Runtime rewrites it for its own use, on any machine."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(source.with_name("fused.onnx"))
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    return onnx.load(options.optimized_model_filepath)


def operators(model: onnx.ModelProto) -> set[str]:
    return {node.op_type for node in model.graph.node}


@pytest.mark.parametrize(("name", "has"), [("tiny_cnn", {"FusedConv"}), ("vit_tiny", {"FusedMatMul", "BiasGelu"})])
def test_a_fused_network_has_the_same_macs(name: str, has: set[str], tmp_path: Path) -> None:
    find.resolve(name).write(tmp_path / "n.onnx", 0)
    model = fused(tmp_path / "n.onnx")
    assert has <= operators(model)
    assert size_of(model).macs == table.info(name).macs


@pytest.mark.parametrize("form", [QuantFormat.QOperator, QuantFormat.QDQ])
def test_a_network_of_integers_has_the_same_macs_and_parameters(form: QuantFormat, tmp_path: Path) -> None:
    known = table.info("tiny_cnn")
    find.resolve("tiny_cnn").write(tmp_path / "n.onnx", 0)
    reader = OneImage((1, 3, known.size, known.size))
    quantize_static(str(tmp_path / "n.onnx"), str(tmp_path / "q.onnx"), reader, quant_format=form)
    plain = onnx.load(str(tmp_path / "q.onnx"))
    assert ("QLinearConv" in operators(plain)) == (form is QuantFormat.QOperator)
    for model in (plain, fused(tmp_path / "q.onnx")):
        size = size_of(model)
        assert size.bytes is not None
        assert (size.macs, size.params) == (known.macs, known.params)
        assert known.params < size.bytes < 1.1 * known.params  # a byte each, and scales


def test_a_transformer_quantised_as_it_runs_has_the_same_macs_and_parameters(tmp_path: Path) -> None:
    known = table.info("vit_tiny")
    find.resolve("vit_tiny").write(tmp_path / "n.onnx", 0)
    quantize_dynamic(tmp_path / "n.onnx", tmp_path / "q.onnx")
    plain = onnx.load(str(tmp_path / "q.onnx"))
    rewritten = fused(tmp_path / "q.onnx")
    assert {"MatMulInteger", "ConvInteger"} <= operators(plain)
    assert {"DynamicQuantizeMatMul", "MatMulIntegerToFloat"} <= operators(rewritten)
    for model in (plain, rewritten):
        size = size_of(model)
        assert (size.macs, size.params) == (known.macs, known.params)
