"""A maximum with pads, which .tflite doesn't have: exact for any sign, and no range of its own for integers."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from hwprof.cli import main
from hwprof.environments import interpreters
from hwprof.frameworks import environments
from hwprof.store import Results

pytestmark = [pytest.mark.environments, pytest.mark.timeout(3600)]
HOME = interpreters.home()


def network(path: Path) -> None:
    """Convolutions, a maximum over numbers of any sign, one over those of a Relu that reaches beyond the map."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)

    def weight(name: str, *shape: int) -> onnx.TensorProto:
        scale = np.prod(shape[1:]) ** -0.5
        return numpy_helper.from_array((rng.standard_normal(shape) * scale).astype(np.float32), name)

    node = helper.make_node
    nodes = [
        node("Conv", ["input", "w1"], ["c1"], pads=[1, 1, 1, 1]),
        node("MaxPool", ["c1"], ["p1"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Conv", ["p1", "w2"], ["c2"], pads=[1, 1, 1, 1]),
        node("Relu", ["c2"], ["r2"]),
        node("MaxPool", ["r2"], ["p2"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1),
        node("GlobalAveragePool", ["p2"], ["g"]),
        node("Flatten", ["g"], ["f"]),
        node("Gemm", ["f", "w3"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "padded",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 32, 32])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 10])],
        [weight("w1", 16, 3, 3, 3), weight("w2", 16, 16, 3, 3), weight("w3", 16, 10)],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_padded_maxima_are_exact_and_leave_integers_their_range(
    precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HWPROF_ENVIRONMENTS", os.fspath(HOME))
    for adapter in environments.absent(("litert",)):
        environments.create(adapter)
    network(tmp_path / "padded.onnx")
    words = ("-f", "litert", "-n", str(tmp_path / "padded.onnx"), "--precision", precision, "-r", "1")
    counts = ("--iterations", "3", "-w", "1", "--results", str(tmp_path / "r.db"))
    assert main(["run", *words, *counts]) == 0
    with Results.open(tmp_path / "r.db") as results:
        (run,) = results.runs()
    assert run.fidelity is not None
    assert run.fidelity.faithful
    # with the lowest float among the pads, integers would be all alike
    assert run.fidelity.max_rel < (1e-5 if precision == "fp32" else 0.2)
