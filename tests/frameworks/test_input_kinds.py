"""Inputs of every kind through adapters: any number, type and shape, in the network's order; or refused with reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from hwprof import plugins
from hwprof.errors import UnsupportedModel
from hwprof.frameworks import calibration
from hwprof.frameworks.mnn.outputs import outputs_of, tensor_outputs
from hwprof.frameworks.named_inputs import TYPES, as_int32, require_inputs, require_types
from hwprof.frameworks.opencv import static
from hwprof.frameworks.protocol import PrepareJob
from hwprof.networks import frames
from hwprof.networks.inputs import InputSpec, TensorSpec
from hwprof.records import Case
from tests import input_kinds, output_kinds
from tests.frameworks.test_calls import calls_of
from tests.onnx_models import write_model

AT = [(kind, batch) for kind in input_kinds.KINDS for batch in input_kinds.batches(kind)]
# What OpenCV 4 refuses, and why.
COLUMN = "OpenCV 4 makes a column of input .*, which has one axis, and operator Mul"
OPENCV: Mapping[str, str] = {
    "shared_row": COLUMN,
    "one_axis": COLUMN,
    "text": "OpenCV takes no text, and input label is text",
    "branch": "OpenCV can't read the network: operator Greater|operator If",
    "first_token": "OpenCV 4 takes no empty input, and input past.0.key is 1x2x0x4",
    "unread": "OpenCV 4 fails at an input that nothing reads: extra",
    "found_words": "OpenCV can't read the network: operator NonZero",
}


def computed(framework: str, kind: str, batch: int, folder: Path, enter: str = "load") -> tuple[Any, list[str]]:
    """(agreement with ONNX Runtime without optimisation, what an inference calls)."""
    adapter, case = plugins.adapter(framework), Case(framework, kind, "", 0, batch=batch)
    source, spec = input_kinds.write(kind, folder), input_kinds.spec_of(kind, batch)
    arrays = input_kinds.feeds(kind, batch)
    artifact = adapter.prepare(PrepareJob(source, case, spec, folder))
    with getattr(adapter, enter)(artifact, case, spec) as model:
        bound = model.bind(*arrays)
        first = model.outputs(model.infer(bound))
        other = model.bind(*input_kinds.feeds(kind, batch, seed=1))
        model.outputs(model.infer(other))  # a ring has several, each with its own inputs
        calls, again = calls_of(model, bound), model.outputs(model.infer(bound))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    return input_kinds.agreement(again, input_kinds.expected(source, arrays)), calls


@pytest.mark.parametrize(("kind", "batch"), [*AT, *((kind, 2) for kind in (*input_kinds.DYNAMIC, *input_kinds.EMPTY))])
def test_onnxruntime_takes_inputs_of_every_kind(kind: str, batch: int, tmp_path: Path) -> None:
    found, calls = computed("onnxruntime", kind, batch, tmp_path)
    assert found.faithful, found.parts
    assert calls == (["run"] if kind == "text" else ["run_with_iobinding"])


@pytest.mark.parametrize(("kind", "batch"), [at for at in AT if at[0] not in OPENCV])
def test_opencv_takes_inputs_by_name(kind: str, batch: int, tmp_path: Path) -> None:
    found, calls = computed("opencv", kind, batch, tmp_path)
    assert found.faithful, found.parts
    assert calls == ["setInput"] * len(input_kinds.spec_of(kind).inputs) + ["forward"]


@pytest.mark.parametrize("kind", OPENCV)
def test_opencv_refuses_what_would_come_out_wrong(kind: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match=OPENCV[kind]):
        computed("opencv", kind, 1, tmp_path)


@pytest.mark.parametrize("framework", ["onnxruntime", "opencv"])
def test_a_profiled_model_takes_them_too(framework: str, tmp_path: Path) -> None:
    found, _ = computed(framework, "encoder", 2, tmp_path, "profile")
    assert found.faithful


@pytest.mark.parametrize("framework", ["onnxruntime", "opencv", "opencv5", "openvino", "mnn"])
def test_they_declare_it(framework: str) -> None:
    adapter: Any = plugins.adapter(framework)
    assert adapter.every_input
    assert {"float32", "int64", "bool"} <= set(adapter.input_types)
    assert ("str" in adapter.input_types) == (framework == "onnxruntime")


def test_frames_out_of_a_file_are_bound_as_they_were(tmp_path: Path) -> None:
    spec, made = input_kinds.spec_of("scalar"), [input_kinds.feeds("scalar", seed=i) for i in range(2)]
    frames.save_frames(tmp_path / "frames.npz", spec, made)
    case, source = Case("onnxruntime", "scalar", "", 0), input_kinds.write("scalar", tmp_path)
    with plugins.adapter("onnxruntime").load(source, case, spec) as model:
        for given, kept in zip(made, frames.load_frames(tmp_path / "frames.npz", spec), strict=True):
            (found,) = model.outputs(model.infer(model.bind(*kept)))
            assert np.array_equal(found, model.outputs(model.infer(model.bind(*given)))[0])


ONE = InputSpec("x", (1, 4))
TWO = InputSpec("b", (1, 4), others=(TensorSpec("a", (1, 4), "int64"),))


def test_names_are_given_in_the_order_of_the_network_not_in_that_of_the_framework() -> None:
    assert require_inputs("F", TWO, ["a", "b"]) == ["b", "a"]
    assert require_inputs("F", ONE, ["whatever"]) == ["whatever"]


def test_an_input_that_a_framework_lost_or_added_is_named() -> None:
    with pytest.raises(UnsupportedModel, match="F takes 1 of the network's 2 inputs: a is missing"):
        require_inputs("F", TWO, ["b"])
    with pytest.raises(UnsupportedModel, match="F wants an input that the network does not have: c"):
        require_inputs("F", TWO, ["b", "a", "c"])


def test_a_type_that_a_framework_lacks_is_named_with_its_input() -> None:
    require_types("F", TWO, TYPES)
    with pytest.raises(UnsupportedModel, match="F takes no int64, and input a is int64"):
        require_types("F", TWO, ("float32",))


def test_integers_beyond_32_bits_are_refused() -> None:
    assert as_int32("F", np.array([-(1 << 31), (1 << 31) - 1])).dtype == np.int32
    with pytest.raises(UnsupportedModel, match="integers of 32 bits, and an input has 4294967296"):
        as_int32("F", np.array([1, 1 << 32]))


@pytest.mark.parametrize("kind", ["encoder", "bytes_nhwc", "time_first"])
def test_int8_is_refused_without_images_to_find_ranges_with(kind: str, tmp_path: Path) -> None:
    for framework in ("onnxruntime", "openvino"):
        case = Case(framework, kind, "", 0, precision="int8")
        job = PrepareJob(input_kinds.write(kind, tmp_path), case, input_kinds.spec_of(kind), tmp_path)
        with pytest.raises(UnsupportedModel, match="INT8 ranges are found with batches of images, one float32 input"):
            plugins.adapter(framework).prepare(job)
        with pytest.raises(UnsupportedModel, match=re.escape(input_kinds.spec_of(kind).title)):
            next(calibration.batches(job))


def shapes(values: Any) -> dict[str, list[Any]]:
    return {v.name: [dim.dim_value or dim.dim_param for dim in v.type.tensor_type.shape.dim] for v in values}


def fixed(kind: str, batch: int) -> Any:
    """The graph of a kind with its shapes fixed."""
    graph = input_kinds.KINDS[kind]().graph
    assert static.fix_shapes(graph, input_kinds.spec_of(kind, batch))
    return graph


def test_a_static_graph_has_the_shape_of_each_input_under_its_name_and_its_batch_in_every_output() -> None:
    graph = fixed("decoder", 3)
    assert shapes(graph.input) == {"ids": [3, 1], "mask": [3, 1, 1, 9], "past.0.key": [3, 2, 8, 4]}
    assert shapes(graph.output) == {"logits": [3, 1, 32], "present.0.key": [3, 2, 9, 4]}
    assert shapes(fixed("time_first", 3).output) == {"y": [12, 3, 8]}
    assert shapes(fixed("scalar", 3).input) == {"x": [3, 3, 16, 16], "scale": []}


def test_a_graph_of_static_shapes_is_left_as_it_is(tmp_path: Path) -> None:
    source = input_kinds.write("one_axis", tmp_path)
    assert not static.fix_shapes(onnx.load(str(source)).graph, input_kinds.spec_of("one_axis"))
    shape = [1, 3, 8, 8]
    plain = write_model(tmp_path / "p.onnx", [helper.make_node("Relu", ["x"], ["y"])], {"x": shape}, {"y": shape})
    spec = InputSpec("x", (1, 3, 8, 8))
    assert static.write_static(plain, spec, tmp_path / "static.onnx") == plain


def beside(folder: Path, dims: tuple[int, ...]) -> Path:
    """A network whose weight of this shape lies in another file, which is not there."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    source = write_model(folder / "n.onnx", nodes, {"x": ["N", 4]}, {"y": ["N", dims[1]]})
    model = onnx.load(str(source))
    tensor = model.graph.initializer.add(name="w", data_type=TensorProto.FLOAT, dims=dims)
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="n.data")
    onnx.save(model, str(source))
    return source


def test_opencv_4_gets_weights_in_one_file(tmp_path: Path) -> None:
    source, spec = beside(tmp_path, (4, 2)), InputSpec("x", (2, 4))
    learned = np.arange(8, dtype=np.float32).reshape(4, 2)
    (tmp_path / "n.data").write_bytes(learned.tobytes())
    path = static.write_static(source, spec, tmp_path / "static.onnx")
    tensor = onnx.load(str(path), load_external_data=False).graph.initializer[0]
    assert tensor.data_location == TensorProto.DEFAULT
    assert np.array_equal(onnx.numpy_helper.to_array(tensor), learned)
    adapter, case = plugins.adapter("opencv"), Case("opencv", "n", "", 0, batch=2)
    with adapter.load(path, case, spec) as model:
        batch = np.ones((2, 4), np.float32)
        assert np.allclose(model.outputs(model.infer(model.bind(batch)))[0], batch @ learned)


def test_weights_that_no_file_can_hold_are_refused_for_opencv_4(tmp_path: Path) -> None:
    source = beside(tmp_path, (4, 1 << 28))
    with pytest.raises(UnsupportedModel, match=r"no weights that lie beside the .onnx, .* exceeds the 2 GB limit"):
        static.write_static(source, InputSpec("x", (1, 4)), tmp_path / "static.onnx")


@pytest.mark.parametrize("kind", output_kinds.KINDS)
def test_outputs_that_are_no_tensors_are_known_before_mnn_converts(kind: str, tmp_path: Path) -> None:
    source = output_kinds.write(kind, tmp_path)
    outputs = onnx.load(str(source)).graph.output
    known = {o.name: "" if o.type.HasField("tensor_type") else "a sequence" for o in outputs}
    assert list(outputs_of(source).items()) == list(known.items())
    if any(known.values()):
        with pytest.raises(UnsupportedModel, match="Output y is a sequence, of which MNN's converter makes a single"):
            tensor_outputs(source)
    else:
        assert tensor_outputs(source) == list(known)
