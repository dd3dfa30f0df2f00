"""The walk over a network's graph: what is a constant, and what is refused with the operator and the node."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper, numpy_helper

from hwprof import plugins
from hwprof.cli import main
from hwprof.environments import interpreters
from hwprof.errors import UnsupportedModel
from hwprof.frameworks import environments
from hwprof.frameworks.protocol import PrepareJob
from hwprof.frameworks.walk import OnnxGraph, clip_limits, integers, pads_of
from hwprof.networks.inputs import InputSpec
from hwprof.records import Case
from hwprof.store import Results
from tests.onnx_models import write_model

HOME = interpreters.home()
node = helper.make_node


def saved(path: Path, nodes: Sequence[Any], shape: Sequence[int] = (1, 3, 8, 8), **weights: Any) -> Path:
    """A network of these nodes from `input` to `y` of `shape`."""
    return write_model(path, nodes, {"input": [1, 3, 8, 8]}, {"y": shape}, weights)


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ({"value": numpy_helper.from_array(np.array([1, 2]))}, np.array([1, 2])),
        ({"value_float": 0.5}, np.float32(0.5)),
        ({"value_ints": [3, 4]}, np.array([3, 4])),
    ],
)
def test_every_kind_of_constant_has_its_value(attribute: Mapping[str, Any], expected: Any, tmp_path: Path) -> None:
    nodes = [node("Constant", [], ["c"], **attribute), node("Identity", ["c"], ["d"]), node("Relu", ["input"], ["y"])]
    graph = OnnxGraph(saved(tmp_path / "n.onnx", nodes), "F", {"Relu": dict})
    assert [(n.number, n.label) for n in graph.nodes] == [(2, "Relu_2")]
    for name in ("c", "d"):
        np.testing.assert_array_equal(graph.constants[name], expected)
        assert graph.constants[name].dtype == expected.dtype


def test_an_operator_of_another_domain_is_not_onnxs_own(tmp_path: Path) -> None:
    path = saved(tmp_path / "n.onnx", [node("Relu", ["input"], ["y"], name="r", domain="com.example")])
    with pytest.raises(UnsupportedModel, match="F: no conversion of operator Relu of node r"):
        OnnxGraph(path, "F", {"Relu": dict})


@pytest.mark.parametrize("error", [AttributeError("no shape"), TypeError(), ValueError("first\nsecond")])
def test_what_a_converter_stumbles_over_is_one_line_with_the_node(error: Exception, tmp_path: Path) -> None:
    def stumble() -> None:
        raise error

    graph = OnnxGraph(saved(tmp_path / "n.onnx", [node("Relu", ["input"], ["y"], name="r")]), "F", {"Relu": stumble})
    with pytest.raises(UnsupportedModel, match=r"^F: operator Relu of node r: (no shape|TypeError|first)\.$"):
        graph.convert(graph.nodes[0])


@pytest.mark.parametrize("framework", ["caffe", pytest.param("pytorch", marks=pytest.mark.torch)])
def test_a_weight_that_is_computed_is_refused(framework: str, tmp_path: Path) -> None:
    nodes = [node("Relu", ["w"], ["v"]), node("Conv", ["input", "v"], ["y"], name="c")]
    source = saved(tmp_path / "n.onnx", nodes, (1, 2, 8, 8), w=np.ones((2, 3, 1, 1)))
    adapter, spec, case = plugins.adapter(framework), InputSpec("input", (1, 3, 8, 8)), Case(framework, "n", "", 8)
    with pytest.raises(UnsupportedModel, match="operator Conv of node c"):  # noqa: PT012  either step may refuse it
        artifact = adapter.prepare(PrepareJob(source, case, spec, tmp_path))
        with adapter.load(artifact, case, spec):
            pytest.fail("a network that can't be loaded was")


def test_the_name_of_a_computed_tensor_is_no_number() -> None:
    assert clip_limits({}, ["x", None, np.float32(6)]) == (float("-inf"), 6.0)
    assert integers({"axes": [2, 3]}, "axes", ["x"]) == [2, 3]
    for read in (lambda: clip_limits({}, ["x", "0", "6"]), lambda: integers({}, "axes", ["x", "23"])):
        with pytest.raises(ValueError, match="is no constant"):
            read()


def test_padding_that_is_left_to_onnx_is_refused() -> None:
    assert pads_of({"pads": [0, 1, 2, 3]}) == ([0, 1], [2, 3])
    with pytest.raises(ValueError, match="auto_pad"):
        pads_of({"auto_pad": b"SAME_UPPER"})


@pytest.mark.environments
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("framework", ["tensorflow", "mxnet"])
def test_a_refusal_in_a_frameworks_own_environment_is_the_networks_fault(
    framework: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HWPROF_ENVIRONMENTS", os.fspath(HOME))
    for adapter in environments.find_missing((framework,)):
        environments.create(adapter)
    nodes = [node("Flatten", ["input"], ["f"]), node("Gemm", ["f", "w"], ["y"], name="g", alpha=2.0, transB=1)]
    source = saved(tmp_path / "n.onnx", nodes, (1, 4), w=np.ones((4, 192)))
    assert main(["run", "-f", framework, "-n", str(source), "-r", "1", "--results", str(tmp_path / "r.db")]) != 0
    with Results.open(tmp_path / "r.db") as results:
        (run,) = results.runs()  # what a network can't do is not tried again
    assert run.failure is not None
    assert "operator Gemm of node g: transA, alpha and beta are not supported" in run.failure.message
