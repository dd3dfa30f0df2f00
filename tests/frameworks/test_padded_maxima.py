"""A maximum with pads, which .tflite doesn't have: exact for any sign, and no range of its own for integers."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from hwprof.cli import main
from hwprof.environments import interpreters
from hwprof.frameworks import environments
from hwprof.store import Results
from tests.onnx_models import write_model

pytestmark = [pytest.mark.environments, pytest.mark.timeout(3600)]
HOME = interpreters.home()


def network(path: Path) -> None:
    """Convolutions, a maximum over numbers of any sign, one over those of a Relu that reaches beyond the map."""
    rng = np.random.default_rng(0)
    shapes = {"w1": (16, 3, 3, 3), "w2": (16, 16, 3, 3), "w3": (16, 10)}
    weights = {name: rng.standard_normal(shape) * np.prod(shape[1:]) ** -0.5 for name, shape in shapes.items()}
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
    write_model(path, nodes, {"input": [1, 3, 32, 32]}, {"output": [1, 10]}, weights)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_padded_maxima_are_exact_and_leave_integers_their_range(
    precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HWPROF_ENVIRONMENTS", os.fspath(HOME))
    for adapter in environments.find_missing(("litert",)):
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
    assert run.fidelity.max_rel is not None
    assert run.fidelity.max_rel < (1e-5 if precision == "fp32" else 0.2)
