"""What an inference calls of its framework, counted, and whether the outputs behind it are right."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from onnx import helper

from hwprof import plugins
from hwprof.frameworks.protocol import PrepareJob
from hwprof.networks import find
from hwprof.networks.inputs import InputSpec
from hwprof.records import Case
from tests.onnx_models import write_model

SHAPE = (1, 3, 8, 8)


def calls_of(model: Any, bound: Any) -> list[str]:
    """Names of what `infer` itself calls, in order; not what these call."""
    found: list[str] = []
    code = type(model).infer.__code__

    def watch(frame: FrameType, event: str, argument: Any) -> None:
        if event == "c_call" and frame.f_code is code:
            found.append(argument.__name__)
        elif event == "call" and frame.f_back is not None and frame.f_back.f_code is code:
            found.append(frame.f_code.co_name)

    sys.setprofile(watch)
    try:
        model.infer(bound)
    finally:
        sys.setprofile(None)
    return found


@contextmanager
def loaded(framework: str, source: Path, spec: InputSpec, folder: Path) -> Iterator[Any]:
    adapter, case = plugins.adapter(framework), Case(framework, "n", "", spec.shape[2])
    artifact = adapter.prepare(PrepareJob(source, case, spec, folder))
    with adapter.load(artifact, case, spec) as model:
        yield model


def two_outputs(path: Path) -> Path:
    """relu(x) and -x, in this order."""
    nodes = [helper.make_node("Relu", ["input"], ["first"]), helper.make_node("Neg", ["input"], ["second"])]
    shape: list[Any] = ["batch", *SHAPE[1:]]
    return write_model(path, nodes, {"input": shape}, {"first": shape, "second": shape})


def images(count: int, shape: tuple[int, ...] = SHAPE) -> list[Any]:
    return [np.random.default_rng(i).normal(size=shape).astype(np.float32) for i in range(count)]


@pytest.mark.parametrize(
    ("framework", "expected"),
    [("onnxruntime", ["run_with_iobinding"]), ("opencv", ["setInput", "forward"]), ("caffe", ["setInput", "forward"])],
)
def test_an_inference_is_the_frameworks_call_and_nothing_else(
    framework: str, expected: list[str], tmp_path: Path
) -> None:
    network = find.resolve("tiny_cnn")
    network.write(tmp_path / "network.onnx", 0, 32)
    spec = network.input_spec(32, 1)
    with loaded(framework, tmp_path / "network.onnx", spec, tmp_path) as model:
        bound = model.bind(images(1, spec.shape)[0])
        assert calls_of(model, bound) == expected
        assert calls_of(model, bound) == expected  # not only the first time


def test_outputs_of_onnxruntime_are_those_of_their_input_however_often_it_runs(tmp_path: Path) -> None:
    given = images(3)
    with loaded("onnxruntime", two_outputs(tmp_path / "two.onnx"), InputSpec("input", SHAPE), tmp_path) as model:
        ring = [model.bind(image.copy()) for image in given]  # the copies live as long as they are bound
        for _ in range(2):
            outputs = [model.infer(bound) for bound in ring]
            for image, out in zip(given, outputs, strict=True):
                assert np.array_equal(model.outputs(out)[0], np.maximum(image, 0))
                assert [
                    np.array_equal(o.numpy(), v)
                    for o, v in zip(out.get_outputs(), (np.maximum(image, 0), -image), strict=True)
                ] == [True, True]


def test_an_array_of_onnxruntime_outlives_the_next_run_of_the_same_binding(tmp_path: Path) -> None:
    batch = images(1)[0]
    first = np.maximum(batch, 0)
    with loaded("onnxruntime", two_outputs(tmp_path / "two.onnx"), InputSpec("input", SHAPE), tmp_path) as model:
        bound = model.bind(batch)
        kept = model.outputs(model.infer(bound))[0]
        batch *= -1  # the memory that is bound
        assert np.array_equal(model.outputs(model.infer(bound))[0], np.maximum(batch, 0))
        assert np.array_equal(kept, first)


def test_onnxruntime_allocates_its_outputs_once(tmp_path: Path) -> None:
    with loaded("onnxruntime", two_outputs(tmp_path / "two.onnx"), InputSpec("input", SHAPE), tmp_path) as model:
        bound = model.bind(images(1)[0])
        places = [[o.data_ptr() for o in model.infer(bound).get_outputs()] for _ in range(3)]
        assert places[0] == places[1] == places[2]
