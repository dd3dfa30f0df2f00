"""ONNX Runtime as the reference: every operator as it stands in the graph, one thread."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hwprof.errors import UnsupportedModel
from hwprof.frameworks.builtin import import_of
from hwprof.frameworks.onnxruntime.adapter import load_error


def open_session(source: Path, optimised: bool = False) -> Any:
    """ONNX Runtime, one thread, with graph optimisation off or all of it. Raises NotInstalled, UnsupportedModel."""
    with import_of("onnxruntime (the reference for every framework's outputs)", "pip install 'hwprof[onnxruntime]'"):
        import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    level = ort.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimised else level.ORT_DISABLE_ALL
    options.log_severity_level = 3
    try:
        return ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exception classes differ between versions
        raise UnsupportedModel(f"ONNX Runtime {ort.__version__} can't load the network: {load_error(error)}") from error
