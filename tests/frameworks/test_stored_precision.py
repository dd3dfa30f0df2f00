"""Files with a precision of their own: compared by their own roundings, and what was computed in read back."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from hwprof import plugins
from hwprof.errors import UnsupportedModel
from hwprof.frameworks import fidelity, named_outputs, outputs_file, reference
from hwprof.frameworks.onnxruntime.computed import count_products
from hwprof.frameworks.opencv.adapter import OpenCvModel
from hwprof.frameworks.openvino.adapter import product_precision
from hwprof.frameworks.protocol import PrepareJob
from hwprof.frameworks.roundings import with_other_roundings
from hwprof.networks import find
from hwprof.networks.stored_precision import has_rounded_activations
from hwprof.records import Agreement, Case, Fidelity
from hwprof.records.agreement import agreement_text
from tests import stored_models
from tests.onnx_models import make_model

IMAGES = 32
Files = dict[str, Callable[[Path], Path]]
ROUNDED: Files = {
    "QDQ": lambda path: stored_models.static(path, "QDQ"),
    "QOperator": lambda path: stored_models.static(path, "QOperator"),
    "dynamic": stored_models.dynamic,
    "fp16": stored_models.half,
    "four bits and fp16": lambda path: stored_models.four_bit_weights(path, half=True),
}


class Comparison:
    """A file with its reference, and with other roundings where it rounds activations."""

    def __init__(self, file: Path, folder: Path) -> None:
        network = find.resolve(str(file))
        self.stored, self.source, self.folder = network.stored, file, folder
        self.spec = network.input_spec(None, 1)
        self.frames = [[image] for image in stored_models.images(IMAGES)]
        reference.write_reference(file, self.spec, self.frames, folder / outputs_file.NAME)
        self.reference = outputs_file.load(folder / outputs_file.NAME)
        self.rounded = has_rounded_activations(self.stored)
        if self.rounded:
            reference.write_roundings(file, self.spec, self.frames, folder)
        self.other = outputs_file.load_simulated(folder / outputs_file.NAME)

    @property
    def right(self) -> Sequence[Any]:
        """The reference's only output."""
        return self.reference.outputs[stored_models.OUTPUT]

    def judge(self, outputs: Sequence[Any], batch: int = 1) -> Fidelity:
        """Of outputs image by image."""
        allowed = fidelity.tolerance(self.stored)
        named = {stored_models.OUTPUT: outputs}
        return named_outputs.compare(named, self.reference, allowed, self.other, batch, self.rounded)

    def run(self, framework: str, batch: int = 1) -> tuple[Fidelity, dict[str, int]]:
        """In a framework, and the precisions that it reports."""
        spec = dataclasses.replace(self.spec, shape=(batch, *self.spec.shape[1:]))
        case, adapter = Case(framework, "m", "", stored_models.SIDE, batch=batch), plugins.adapter(framework)
        job = PrepareJob(self.source, case, spec, self.folder)
        with adapter.load(adapter.prepare(job), case, spec) as model:
            batches = [np.concatenate([f[0] for f in self.frames[i : i + batch]]) for i in range(0, IMAGES, batch)]
            portions = [model.outputs(model.infer(model.bind(one))) for one in batches]
            computed: Any = model
            told = dict(computed.computed())
        outputs = named_outputs.split_by_image(self.reference, portions, batch, IMAGES)
        return self.judge(outputs[stored_models.OUTPUT], batch), told


@pytest.fixture(scope="module", params=ROUNDED)
def rounded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    folder = tmp_path_factory.mktemp("rounded")
    return Comparison(ROUNDED[request.param](folder / "m.onnx"), folder)


def test_onnxruntime_is_faithful_to_files_with_rounded_activations(rounded: Comparison) -> None:
    found, _ = rounded.run("onnxruntime")
    assert found.faithful, agreement_text(found)
    assert found.tolerance < 0.05  # else nothing was shown


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_outputs_of_another_scale_are_unfaithful(rounded: Comparison, factor: float) -> None:
    assert rounded.judge([factor * y for y in rounded.right]).unfaithful


def test_outputs_of_other_images_and_of_other_classes_are_unfaithful(rounded: Comparison) -> None:
    right = list(rounded.right)
    assert rounded.judge(right[1:] + right[:1]).unfaithful
    assert rounded.judge([y[:, ::-1] for y in right]).unfaithful
    assert rounded.judge([np.zeros_like(y) for y in right]).unfaithful


@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
def test_a_lost_layer_is_unfaithful(form: str, tmp_path: Path) -> None:
    for name in ("whole", "less"):
        (tmp_path / name).mkdir()
    whole = Comparison(stored_models.static(tmp_path / "whole/m.onnx", form), tmp_path / "whole")
    less = stored_models.static(tmp_path / "less/m.onnx", form, stored_models.plain(second=False))
    session = onnxruntime.InferenceSession(str(less), providers=["CPUExecutionProvider"])
    outputs = [session.run(None, {stored_models.INPUT: frame[0]})[0] for frame in whole.frames]
    assert whole.judge(outputs).unfaithful


def test_half_precision_may_be_computed_in_fp32_and_not_in_fewer_bits(tmp_path: Path) -> None:
    found = Comparison(stored_models.half(tmp_path / "m.onnx"), tmp_path)
    wide = stored_models.plain()
    for tensor in wide.graph.initializer:
        array = numpy_helper.to_array(tensor).astype(np.float16).astype(np.float32)
        tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    session = onnxruntime.InferenceSession(wide.SerializeToString(), providers=["CPUExecutionProvider"])
    outputs = [session.run(None, {stored_models.INPUT: frame[0]})[0] for frame in found.frames]
    in_fp32 = found.judge(outputs)
    assert in_fp32.faithful, agreement_text(in_fp32)
    bits = [(y.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32) for y in outputs]  # 8 bits of significand
    assert found.judge(bits).unfaithful


def test_a_file_whose_weights_alone_are_narrow_floats_is_compared_as_fp32_is(tmp_path: Path) -> None:
    comparison = Comparison(stored_models.half_weights(tmp_path / "m.onnx"), tmp_path)
    assert comparison.other is None
    found, computed = comparison.run("onnxruntime")
    assert found.faithful, agreement_text(found)
    assert found.tolerance == fidelity.TOLERANCE["fp32"]
    assert computed == {"fp32": 3}


def test_activations_of_integer_weights_may_be_quantised_as_they_come(tmp_path: Path) -> None:
    comparison = Comparison(stored_models.quantised_weights(tmp_path / "m.onnx"), tmp_path)
    found, computed = comparison.run("onnxruntime")
    assert found.faithful, agreement_text(found)
    assert found.max_rel is not None
    assert found.max_rel > fidelity.TOLERANCE["fp32"]
    assert computed == {"fp32": 2, "int8": 1}  # ONNX Runtime's own choice for the matrix product


@pytest.mark.parametrize(("level", "precision"), [(0, "fp32"), (4, "int8")])
def test_a_product_of_four_bit_weights_is_computed_in_what_the_file_asks_for(
    level: int, precision: str, tmp_path: Path
) -> None:
    model = onnx.load(str(stored_models.four_bit_weights(tmp_path / "m.onnx")))
    next(n for n in model.graph.node if n.op_type == "MatMulNBits").attribute.append(
        helper.make_attribute("accuracy_level", level)
    )
    onnx.save(model, str(tmp_path / "m.onnx"))
    found, computed = Comparison(tmp_path / "m.onnx", tmp_path).run("onnxruntime")
    assert found.faithful, agreement_text(found)
    assert computed == {precision: 1}


def test_where_quantisation_depends_on_the_whole_batch_images_are_compared_as_far_as_they_can_be(
    tmp_path: Path,
) -> None:
    comparison = Comparison(stored_models.dynamic(tmp_path / "m.onnx"), tmp_path)
    alone, _ = comparison.run("onnxruntime")
    together, _ = comparison.run("onnxruntime", batch=4)
    assert alone.faithful
    assert not alone.parts[0].notes
    assert together.faithful
    assert together.max_rel != alone.max_rel
    assert together.parts[0].notes == (named_outputs.BATCH_NOTE,)
    far = [1.5 * y for y in comparison.right]
    assert comparison.judge(far).unfaithful
    apart = comparison.judge(far, batch=4)
    assert apart.agreement is Agreement.INCOMPARABLE
    assert agreement_text(apart) == f"not comparable: {named_outputs.BATCH_WIDE}"


@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
def test_a_batch_is_compared_where_the_scales_are_fixed(form: str, tmp_path: Path) -> None:
    found, _ = Comparison(stored_models.static(tmp_path / "m.onnx", form), tmp_path).run("onnxruntime", batch=4)
    assert found.faithful, agreement_text(found)


def test_frameworks_report_in_what_they_compute_a_quantised_file(tmp_path: Path) -> None:
    comparison = Comparison(stored_models.static(tmp_path / "m.onnx", "QDQ"), tmp_path)
    in_runtime, by_runtime = comparison.run("onnxruntime")
    in_opencv, by_opencv = comparison.run("opencv")
    assert in_runtime.faithful, agreement_text(in_runtime)
    assert in_opencv.faithful, agreement_text(in_opencv)
    assert by_runtime == {"int8": 3}
    assert sum(by_opencv.values()) == 3


def coarse(path: Path, step: float) -> Path:
    """Averages of values that are quantised in `step`, as large as the averages themselves."""
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "s"], ["d"]),
        helper.make_node("Conv", ["d", "w"], ["c"], pads=[1] * 4),
        helper.make_node("QuantizeLinear", ["c", "s", "z"], ["cq"]),
        helper.make_node("DequantizeLinear", ["cq", "s", "z"], ["cd"]),
        helper.make_node("GlobalAveragePool", ["cd"], ["g"]),
        helper.make_node("Flatten", ["g"], ["y"]),
    ]
    draw = np.random.default_rng(3)
    weights = {"w": draw.normal(0.02, 0.1, (16, 3, 3, 3)), "s": np.array(step)}
    side = stored_models.SIDE
    model = make_model(nodes, {"x": ("N", 3, side, side)}, {"y": ("N", 16)}, weights)
    model.graph.initializer.append(numpy_helper.from_array(np.array(128, np.uint8), "z"))
    onnx.save(model, str(path))
    return path


def test_an_average_may_be_kept_in_the_steps_of_what_it_averages(tmp_path: Path) -> None:
    step = 0.4
    comparison = Comparison(coarse(tmp_path / "m.onnx", step), tmp_path)
    found = comparison.judge([np.round(y / step) * step for y in comparison.right])
    assert found.faithful, agreement_text(found)
    assert found.max_rel is not None
    assert found.max_rel > fidelity.tolerance("int8 (QDQ)")  # by the least that is allowed it would not be
    assert any("one step of its quantisation is" in note for note in found.parts[0].notes)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_wrong_scale_is_seen_where_steps_are_as_coarse_as_it_is(factor: float, tmp_path: Path) -> None:
    step = 0.8
    comparison = Comparison(coarse(tmp_path / "m.onnx", step), tmp_path)
    found = comparison.judge([factor * y for y in comparison.right])
    assert found.max_rel is not None
    assert found.max_rel <= found.tolerance  # by its largest error alone it would be right
    assert found.unfaithful
    assert f"its values are {factor:.3f} times the reference's" in agreement_text(found)


def test_an_output_that_is_all_rounding_is_not_comparable(tmp_path: Path) -> None:
    comparison = Comparison(coarse(tmp_path / "m.onnx", 3.0), tmp_path)
    found = comparison.judge([y + 0.5 for y in comparison.right])
    assert found.agreement is Agreement.INCOMPARABLE
    assert "right and wrong are not distinguishable" in found.why


def test_other_roundings_are_the_same_in_every_session(rounded: Comparison) -> None:
    model = with_other_roundings(onnx.load(str(rounded.source)))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    found = []
    for _ in range(2):
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        found.append(session.run(None, {stored_models.INPUT: rounded.frames[0][0]})[0])
    assert (found[0] == found[1]).all()
    assert (found[0] != rounded.right[0]).any()


def test_every_fourth_integer_is_moved_by_one() -> None:
    nodes = [helper.make_node("QuantizeLinear", ["x", "s"], ["y"])]
    model = make_model(nodes, {"x": ("N",)}, {"y": ("N",)}, {"s": np.array(1.0)})
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.UINT8
    plain, moved = (
        onnxruntime.InferenceSession(m.SerializeToString(), providers=["CPUExecutionProvider"]).run(
            None, {"x": np.linspace(-5, 260, 10_000, dtype=np.float32)}
        )[0]
        for m in (model, with_other_roundings(model))
    )
    difference = moved.astype(int) - plain.astype(int)
    assert set(difference) == {-1, 0, 1}
    assert 0.22 < (difference != 0).mean() < 0.28


def test_a_network_whose_other_roundings_can_not_be_computed_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(model: onnx.ModelProto) -> onnx.ModelProto:
        model.graph.node[0].op_type = "NoSuchOperator"
        return model

    file = stored_models.static(tmp_path / "m.onnx", "QDQ")
    monkeypatch.setattr(reference, "with_other_roundings", broken)
    with pytest.raises(UnsupportedModel, match=r"Other roundings of the network can't be computed: .*NoSuchOperator"):
        Comparison(file, tmp_path)
    assert not (tmp_path / "roundings.onnx").exists()


def test_kernels_count_as_what_they_multiply_in() -> None:
    def kernel(operator: str, kind: str) -> dict[str, Any]:
        args = {"op_name": operator, "input_type_shape": [{kind: [1, 3]}, {"float": []}]}
        return {"cat": "Node", "name": f"{operator}_kernel_time", "args": args}

    events = [
        *(kernel("QLinearConv", "uint8"), kernel("DynamicQuantizeMatMul", "float"), kernel("FusedConv", "float")),
        *(kernel("Gemm", "float16"), kernel("MatMulNBits", "float"), kernel("Relu", "float")),
        {"cat": "Session", "name": "model_run", "args": {}},
    ]
    assert count_products(events, {"MatMulNBits": "fp32"}) == {"fp16": 1, "fp32": 2, "int8": 2}
    assert count_products(events, {}) == {"fp16": 1, "fp32": 1, "int8": 3}
    assert count_products(events, None)["a precision that is not reported"] == 1


class RecordedNet:
    """Layers of a QDQ file in OpenCV 5.0.0, by their types."""

    types = ("Conv2Int8", "Conv2", "TransformLayout", "DequantizeLinear", "Pooling", "Flatten", "MatMulInt8")

    def getLayerNames(self) -> list[str]:  # noqa: N802  as OpenCV calls it
        return [str(place) for place in range(len(self.types))]

    def getLayer(self, name: str) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(type=self.types[int(name)])


def test_opencv_counts_its_layers_that_multiply() -> None:
    model = OpenCvModel(RecordedNet(), None, Case("opencv5", "m", "", 16))
    assert model.computed() == {"fp32": 1, "int8": 2}


@pytest.mark.parametrize(
    ("precision", "kernel", "name"),
    [
        ("u8", "brgconv_avx512_I8", "int8"),
        ("f32", "brgemm_avx512_f32", "fp32"),
        ("u4", "brgemm_avx512_f32", "int4 weights"),
        ("i8", "brgemm_avx512_f32", "int8 weights"),
    ],
)
def test_openvino_names_weights_where_they_alone_are_integers(precision: str, kernel: str, name: str) -> None:
    assert product_precision(precision, kernel) == name


@pytest.mark.parametrize(
    ("precision", "allowed"),
    [("int8 (QDQ)", 1 / 127), ("int4 (QDQ)", 1 / 7), ("fp16 (stored)", 2**-9), ("bf16 (stored)", 2**-6)],
)
def test_the_least_that_is_allowed_is_a_step_of_what_the_file_keeps(precision: str, allowed: float) -> None:
    assert fidelity.tolerance(precision) == allowed
