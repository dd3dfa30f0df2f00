"""Networks with several outputs: all of them computed, each compared under its name, or the case refused at once."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from hwprof import plugins
from hwprof.cli import main
from hwprof.errors import UnsupportedModel
from hwprof.frameworks import fidelity, named_outputs, outputs_file
from hwprof.frameworks import reference as frameworks_reference
from hwprof.frameworks.caffe.adapter import Caffe
from hwprof.frameworks.named_outputs import ReferenceOutputs
from hwprof.frameworks.ncnn.adapter import NcnnModel, outputs_of
from hwprof.frameworks.opencv.adapter import OpenCv
from hwprof.frameworks.protocol import PrepareJob
from hwprof.networks import find
from hwprof.networks.images import synthetic_inputs
from hwprof.plan.cases import plan
from hwprof.plan.experiment import Choice, Experiment, parse
from hwprof.records import Case, Fidelity, from_json, to_json
from hwprof.records.agreement import agreement_text
from hwprof.runner.launcher import Launcher
from hwprof.runner.rounds import Runner
from hwprof.runner.workshop import PreparationFailed, Workshop, gives_every_output
from hwprof.studies.matrix.culprit import Parts
from tests import output_kinds
from tests.onnx_models import write_model
from tests.reference_outputs import write_first

FLOAT = TensorProto.FLOAT
SIDE = 16
ABLE = ("onnxruntime", "opencv", pytest.param("pytorch", marks=pytest.mark.torch))


def conv(source: str, weight: str, target: str) -> Any:
    return helper.make_node("Conv", [source, weight], [target], name=target, kernel_shape=[3, 3], pads=[1, 1, 1, 1])


def network(path: Path, outputs: Sequence[str], batch: str | int = "N") -> Path:
    """x -> Conv a -> Relu b/1 -> Conv c, 8 maps each of one shape, and the mean m of c; weights are seeded."""
    random = np.random.default_rng(0)
    shapes = {"w": (8, 3, 3, 3), "v": (8, 8, 3, 3)}
    weights = {name: random.normal(size=shape).astype(np.float32) / 5 for name, shape in shapes.items()}
    nodes = [
        conv("x", "w", "a"),
        helper.make_node("Relu", ["a"], ["b/1"], name="r"),
        conv("b/1", "v", "c"),
        helper.make_node("ReduceMean", ["c"], ["m"], name="m", axes=[2, 3], keepdims=0),
    ]
    values = {name: [batch, 8] if name == "m" else [batch, 8, SIDE, SIDE] for name in outputs}
    return write_model(path, nodes, {"x": [batch, 3, SIDE, SIDE]}, values, weights)


def computed(framework: str, source: Path, folder: Path, batch: int) -> tuple[Any, ReferenceOutputs]:
    """Four images' outputs by the framework, and the reference's, both by name."""
    resolved = find.resolve(str(source))
    spec = resolved.input_spec(None, batch)
    images = synthetic_inputs(dataclasses.replace(spec, shape=(1, *spec.shape[1:])), 4, 0)
    frameworks_reference.write_reference(source, spec, [[image] for image in images], folder / "reference.npz")
    reference = outputs_file.load(folder / "reference.npz")
    case = Case(framework, "n", "", SIDE, batch=batch)
    adapter = plugins.adapter(framework)
    with adapter.load(adapter.prepare(PrepareJob(source, case, spec, folder)), case, spec) as model:
        made = map(model.infer, [model.bind(np.concatenate(images[i : i + batch])) for i in range(0, 4, batch)])
        portions = (model.outputs(out) for out in made)
        return named_outputs.split_by_image(reference, portions, batch, 4), reference


def known(outputs: Any) -> ReferenceOutputs:
    """These outputs as the reference's."""
    return ReferenceOutputs(outputs, dict.fromkeys(outputs, 0))


@pytest.mark.parametrize("framework", ABLE)
@pytest.mark.parametrize("batch", [1, 4])
def test_every_output_is_that_of_the_reference_under_its_name(framework: str, batch: int, tmp_path: Path) -> None:
    source = network(tmp_path / "n.onnx", ["m", "c", "a", "b/1"])  # another order than that of the nodes
    outputs, reference = computed(framework, source, tmp_path, batch)
    assert list(outputs) == list(reference.outputs) == ["m", "c", "a", "b/1"]
    assert [array.shape for array in outputs["c"]] == [(1, 8, SIDE, SIDE)] * 4
    found = named_outputs.compare(outputs, reference, fidelity.tolerance("fp32"))
    assert found.faithful
    assert found.output in reference.outputs
    assert [part.name for part in found.parts] == ["m", "c", "a", "b/1"]
    assert found.inputs == 4
    swapped = {**outputs, "a": outputs["c"], "c": outputs["a"]}  # of one shape: only the names tell them apart
    assert not named_outputs.compare(swapped, reference, fidelity.tolerance("fp32")).faithful


def test_a_fixed_batch_gives_the_reference_image_by_image(tmp_path: Path) -> None:
    outputs, reference = computed("onnxruntime", network(tmp_path / "n.onnx", ["c", "m"], 4), tmp_path, 4)
    assert [value.shape for value in reference.outputs["m"]] == [(1, 8)] * 4  # type: ignore[union-attr]
    assert named_outputs.compare(outputs, reference, 1e-3).faithful


def outputs_named(**values: float) -> dict[str, list[Any]]:
    return {name: [np.array([[value, value / 2]], np.float32)] * 3 for name, value in values.items()}


def test_each_output_has_a_scale_of_its_own_and_the_worst_is_named() -> None:
    reference, off = outputs_named(large=1e6, small=1.0), outputs_named(large=1e6, small=1.1)
    found = named_outputs.compare(off, known(reference), 1e-3)
    assert (found.output, found.faithful, found.top1, found.inputs) == ("small", False, None, 3)
    assert found.max_rel == pytest.approx(0.1)
    assert found.max_abs == pytest.approx(0.1)
    assert named_outputs.compare(reference, known(reference), 1e-3).faithful


def test_an_output_of_another_shape_is_never_faithful_but_axes_of_one_are_no_difference() -> None:
    reference: Any = {"a": [np.ones((1, 4, 2))], "label": [np.array([3])]}
    kept: Any = {"a": [np.ones((4, 2))], "label": [np.array([[3.0]], np.float32)]}
    assert named_outputs.compare(kept, known(reference), 1e-3).faithful
    strange: list[Any] = [np.ones((1, 2, 4)), np.ones((1, 4)), np.full((1, 4, 2), np.nan)]
    for bad in strange:
        found = named_outputs.compare({**kept, "a": [bad]}, known(reference), 1e9)
        assert (found.output, found.max_rel, found.faithful) == ("a", float("inf"), False)


def test_what_a_detector_does_not_find_is_no_error() -> None:
    empty: Any = {"boxes": [np.zeros((0, 4), np.float32)] * 2, "counts": [np.zeros(1, np.int64)] * 2}
    assert named_outputs.compare(empty, known(empty), 1e-3).max_rel == 0.0


def test_a_quantised_output_may_err_by_its_own_simulation(tmp_path: Path) -> None:
    outputs_file.save(tmp_path / "outputs.npz", known(outputs_named(a=1.0, b=1.0)))
    outputs_file.save(tmp_path / fidelity.SIMULATED, known(outputs_named(a=1.2, b=1.0)))
    reference = outputs_file.load(tmp_path / "outputs.npz")
    simulated = outputs_file.load_simulated(tmp_path / "outputs.npz")
    near = named_outputs.compare(outputs_named(a=1.3, b=1.01), reference, 0.05, simulated)
    assert (near.output, near.faithful, near.simulated_top1) == ("a", True, None)
    assert near.simulated_rel == pytest.approx(0.2)
    far = named_outputs.compare(outputs_named(a=1.3, b=1.06), reference, 0.05, simulated)
    assert (far.output, far.faithful) == ("b", False)


class ThirdParty(OpenCv):
    """As one that was written before networks had several outputs."""

    every_output = False


def planned(source: Path, framework: str) -> Any:
    return plan(Experiment("e", (Choice(framework, str(source), 0, 1, 1, "fp32", ()),)))[0]


def test_a_framework_that_gives_one_output_is_refused_before_any_worker_starts(tmp_path: Path) -> None:
    source = network(tmp_path / "n.onnx", ["c", "m"])
    one = dataclasses.replace(planned(source, "opencv"), adapter=ThirdParty())
    workshop = Workshop(Launcher(), 0, cache=tmp_path / "cache")
    with pytest.raises(
        PreparationFailed, match="n has 2 outputs, and hwprof's adapter of opencv handles only one"
    ) as e:
        workshop.get(one)
    assert e.value.failure.code == "model"
    assert "onnxruntime" in e.value.failure.remedy
    with pytest.raises(PreparationFailed, match="2 outputs"):
        workshop.artifact(one, source)
    assert not (tmp_path / "cache").exists()


def test_an_adapter_that_says_nothing_is_taken_to_give_one_output() -> None:
    assert not gives_every_output(object())  # type: ignore[arg-type]
    assert gives_every_output(plugins.adapter("onnxruntime"))


def test_every_built_in_adapter_gives_all_outputs() -> None:
    import importlib
    import inspect

    for name in plugins.BUILT_IN["hwprof.frameworks"]:
        adapter = plugins.adapter(name)
        assert gives_every_output(adapter), name
        modules = [importlib.import_module(kind.__module__) for kind in type(adapter).__mro__]
        models = [m for where in modules for n, m in inspect.getmembers(where, inspect.isclass) if n.endswith("Model")]
        assert all(hasattr(model, "outputs") for model in models if hasattr(model, "infer")), name


SWEEP = """
name = "several"
rounds = 1
[matrix]
frameworks = ["caffe", "onnxruntime", "opencv"]
networks = ["{}"]
[measure]
iterations = 2
warmup_iterations = 1
[counters]
events = ["page-faults"]
[gauges]
idle_baseline_s = 0
[simulate]
when = "never"
"""


def test_every_framework_of_a_sweep_gives_all_outputs(tmp_path: Path, cache: Path) -> None:
    source = output_kinds.write("two_outputs_same", tmp_path)  # the early one is taken by another layer
    runs = {s.run.case.framework: s.run for s in Runner(parse(SWEEP.format(source), "s.toml")).run()}
    assert set(runs) == {"caffe", "onnxruntime", "opencv"}
    for run in runs.values():
        assert run.failure is None
        assert run.fidelity is not None
        assert run.fidelity.faithful
        assert run.fidelity.output in ("late", "early")
        assert [part.name for part in run.fidelity.parts] == ["late", "early"]
        assert from_json(Fidelity, json.loads(json.dumps(to_json(run.fidelity)))) == run.fidelity


def test_the_matrix_marks_a_refused_network_and_blames_no_node(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Caffe, "every_output", False)
    source = network(tmp_path / "n.onnx", ["a", "m"])
    words = ["list", "frameworks", "--matrix", "-f", "caffe,onnxruntime", "-n", str(source), "--json"]
    assert main(words) == 4
    cells = {cell["column"]: cell for cell in json.loads(capsys.readouterr().out)["cells"]}
    assert cells["onnxruntime"]["faithful"]
    assert cells["caffe"]["converts"] is None
    assert cells["caffe"]["failure"]["message"].endswith("handles only one")


def test_the_reference_itself_is_checked_by_name(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = network(tmp_path / "n.onnx", ["m", "b/1"])
    assert main(["list", "networks", "--check", str(source)]) == 0
    assert "value of output" in capsys.readouterr().out


def test_one_output_is_compared_kept_and_recorded_as_it_always_was(tmp_path: Path) -> None:
    source = network(tmp_path / "n.onnx", ["m"])
    spec = find.resolve(str(source)).input_spec(None, 1)
    assert spec.outputs == ()
    images = synthetic_inputs(spec, 4, 0)
    assert write_first(source, images, tmp_path / "r.npz").shape == (4, 8)
    old = {"max_abs": 1.0, "max_rel": 0.5, "top1": 1.0, "inputs": 8, "tolerance": 1e-3, "is_reference": False}
    found = from_json(Fidelity, {**old, "simulated_rel": None, "simulated_top1": None})
    assert (found.output, found.top1) == ("", 1.0)
    assert agreement_text(found) == "UNFAITHFUL, max error 5.0e-01 of the largest output, top-1 100%"


def test_a_fault_behind_a_second_output_is_found(tmp_path: Path) -> None:
    parts = Parts(onnx.load(str(network(tmp_path / "n.onnx", ["a", "m"]))))
    assert parts.culprit(lambda index: 2 in parts.ancestors(index)) == 2
    assert parts.culprit(lambda index: False) is None


class Extractor:
    """Computes nothing but remembers what it was asked for."""

    def __init__(self, asked: list[str]) -> None:
        self.asked = asked

    def input(self, name: str, matrix: Any) -> None:
        pass

    def extract(self, name: str) -> tuple[int, Any]:
        self.asked.append(name)
        return 0, type("Matrix", (), {"n": 1, "__array__": lambda self, *_, **__: np.array([len(name)])})()


class Net:
    """What ncnn says of a net: its outputs in the order of its layers."""

    def __init__(self, *outputs: str) -> None:
        self.names, self.asked = list(outputs), []  # type: ignore[var-annotated]

    def input_names(self) -> list[str]:
        return ["in0"]

    def output_names(self) -> list[str]:
        return self.names

    def create_extractor(self) -> Extractor:
        return Extractor(self.asked)


def test_ncnn_is_asked_for_every_output_in_the_order_of_the_network() -> None:
    net = Net("out1", "out2", "out0")
    model = NcnnModel(net, None, Case("ncnn", "n", "", SIDE), outputs_of(net, ["a", "b", "c"]))
    found = model.outputs(model.infer((None, np.zeros(1, np.float32))))
    assert net.asked == ["out0", "out1", "out2"]
    assert [array.shape for array in found] == [(1, 1)] * 3
    assert outputs_of(net, ()) == ["out1"]  # of one output whatever it is called
    with pytest.raises(UnsupportedModel, match="ncnn gives 1 of the network's 2 outputs: out1 is missing"):
        outputs_of(Net("out0"), ["a", "b"])
