"""Real frameworks on small networks: what they compute, what they tell of themselves, how they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from hwprof import plugins
from hwprof.errors import UnknownFramework, UnsupportedModel
from hwprof.frameworks import fidelity
from hwprof.frameworks.protocol import PrepareJob
from hwprof.networks import find
from hwprof.networks import table as networks_table
from hwprof.networks.images import synthetic_inputs
from hwprof.networks.inputs import InputSpec
from hwprof.records import Case
from tests.onnx_models import write_model
from tests.reference_outputs import write_first

BOTH = ("onnxruntime", "opencv", "caffe")


def case(framework: str, network: str = "tiny_cnn", batch: int = 1, threads: int = 1, **options: Any) -> Case:
    return Case(framework, network, "", 64, batch=batch, threads=threads, options=tuple(sorted(options.items())))


def computed(framework: str, network: str, folder: Path, batch: int = 1, **options: Any) -> Any:
    """(outputs of 4 images by the framework, the reference's, facts)."""
    resolved = find.resolve(network)
    source = folder / "network.onnx"
    resolved.write(source, 0, 64)
    single, spec = resolved.input_spec(64, 1), resolved.input_spec(64, batch)
    images = synthetic_inputs(single, 4, 0)
    reference = write_first(source, images, folder / "reference.npz")
    adapter, chosen = plugins.adapter(framework), case(framework, network, batch, **options)
    artifact = adapter.prepare(PrepareJob(source, chosen, spec, folder))
    with adapter.load(artifact, chosen, spec) as model:
        ring = [model.bind(np.concatenate(images[i : i + batch])) for i in range(0, 4, batch)]
        outputs = np.concatenate([model.outputs(model.infer(bound))[0] for bound in ring])
        return outputs, reference, dict(model.facts())


@pytest.mark.parametrize("framework", BOTH)
@pytest.mark.parametrize("batch", [1, 4])
def test_outputs_are_those_of_the_reference(framework: str, batch: int, tmp_path: Path) -> None:
    outputs, reference, _ = computed(framework, "tiny_cnn", tmp_path, batch)
    found = fidelity.compare(outputs, reference, fidelity.tolerance("fp32"))
    assert found.faithful
    assert found.top1 == 1.0


@pytest.mark.parametrize("framework", BOTH)
def test_facts_are_read_back_and_can_be_stored(framework: str, tmp_path: Path) -> None:
    _, _, facts = computed(framework, "tiny_cnn", tmp_path)
    assert facts["threads"] == 1
    assert facts["precision"] == "fp32"
    assert facts["version"]
    assert json.loads(json.dumps(facts)) == facts


def test_spinning_is_read_back(tmp_path: Path) -> None:
    assert computed("onnxruntime", "tiny_cnn", tmp_path)[2]["spin"] is True
    assert computed("onnxruntime", "tiny_cnn", tmp_path, spin=False)[2]["spin"] is False


@pytest.mark.parametrize("framework", BOTH)
def test_an_output_stays_what_it_was_after_another_inference(framework: str, tmp_path: Path) -> None:
    outputs, reference, _ = computed(framework, "tiny_cnn", tmp_path)
    assert np.abs(outputs[0] - outputs[1]).max() > 0
    assert np.abs(outputs[0] - reference[0]).max() < 1e-3


def strange(path: Path) -> Path:
    """A network with an operator that nobody has."""
    node = helper.make_node("Frobnicate", ["input"], ["y"], name="strange_node")
    return write_model(path, [node], {"input": [1, 3, 8, 8]}, {"y": [1, 3, 8, 8]})


@pytest.mark.parametrize("framework", [*BOTH, pytest.param("pytorch", marks=pytest.mark.torch)])
def test_an_operator_that_a_framework_lacks_is_named(framework: str, tmp_path: Path) -> None:
    adapter, spec = plugins.adapter(framework), InputSpec("input", (1, 3, 8, 8))
    with pytest.raises(UnsupportedModel, match="Frobnicate"):  # noqa: PT012  either step may refuse it
        artifact = adapter.prepare(PrepareJob(strange(tmp_path / "s.onnx"), case(framework), spec, tmp_path))
        with adapter.load(artifact, case(framework), spec):
            pytest.fail("a network that can't be loaded was")


def test_an_error_is_seen_whatever_its_kind() -> None:
    reference = np.array([[1.0, 2.0], [3.0, -4.0]], dtype=np.float32)
    same = fidelity.compare(reference, reference, 1e-3)
    assert (same.max_abs, same.max_rel, same.top1, same.faithful) == (0.0, 0.0, 1.0, True)
    off = fidelity.compare(reference + np.array([[0.0, 0.4], [0.0, 0.0]]), reference, 1e-3)
    assert off.max_rel == pytest.approx(0.1)
    assert not off.faithful
    swapped = fidelity.compare(reference[:, ::-1].copy(), reference, 1e-3)
    assert swapped.top1 == 0.0
    for bad in (reference * np.nan, reference[:1], reference * np.inf):
        assert not fidelity.compare(bad, reference, 1e9).faithful


def test_the_reference_itself_is_recognised() -> None:
    assert fidelity.is_reference(case("onnxruntime", graph="disabled"))
    assert not fidelity.is_reference(case("onnxruntime"))


def test_an_unknown_framework_names_the_nearest() -> None:
    with pytest.raises(UnknownFramework, match="Did you mean pytorch"):
        plugins.adapter("pytorchh")


def test_no_adapter_imports_its_framework_before_it_loads() -> None:
    import subprocess
    import sys

    program = (
        "import sys; from hwprof import plugins; [plugins.adapter(n) for n in plugins.framework_names()];"
        "sys.exit(bool({'onnxruntime', 'cv2', 'torch', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-P", "-c", program], check=False).returncode == 0


@pytest.mark.torch
@pytest.mark.parametrize("mode", ["eager", "torchscript"])
@pytest.mark.parametrize(
    "network",
    [
        "tiny_cnn",
        "mobilenet_v3_small",
        "shufflenet_v2_x1_0",
        "squeezenet1_1",
        "efficientnet_b0",
        "googlenet",
        "resnet18",
    ],
)
def test_torch_modules_compute_the_reference(mode: str, network: str, tmp_path: Path) -> None:
    outputs, reference, facts = computed("pytorch", network, tmp_path, batch=2, mode=mode)
    assert fidelity.compare(outputs, reference, fidelity.tolerance("fp32")).faithful
    assert facts["mode"] == mode
    assert facts["threads"] == 1
    assert facts["matmul_precision"] == "highest"


@pytest.mark.torch
@pytest.mark.slow
def test_inductor_computes_the_reference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    outputs, reference, facts = computed("pytorch", "tiny_cnn", tmp_path, batch=2, mode="inductor")
    assert fidelity.compare(outputs, reference, fidelity.tolerance("fp32")).faithful
    assert facts["mode"] == "inductor"


@pytest.mark.torch
def test_parameters_of_the_torch_module_are_those_of_the_graph(tmp_path: Path) -> None:
    from hwprof.frameworks.pytorch.graph import build

    network = find.resolve("mobilenet_v2")
    network.write(tmp_path / "n.onnx", 0, 64)
    module = build(tmp_path / "n.onnx")
    assert sum(p.numel() for p in module.parameters()) == networks_table.info("mobilenet_v2").params


def loaded_opencv(folder: Path) -> Any:
    """A tiny network in OpenCV, not yet entered."""
    resolved, chosen, adapter = find.resolve("tiny_cnn"), case("opencv"), plugins.adapter("opencv")
    resolved.write(folder / "network.onnx", 0, 64)
    spec = resolved.input_spec(64, 1)
    artifact = adapter.prepare(PrepareJob(folder / "network.onnx", chosen, spec, folder))
    return adapter.load(artifact, chosen, spec)


def test_an_inference_that_opencv_refuses_is_the_networks_fault(tmp_path: Path) -> None:
    refused = pytest.raises(
        UnsupportedModel, match=r"^OpenCV can't run the network: .*should be multiple of 3 but got 5"
    )
    with refused, loaded_opencv(tmp_path) as model:
        model.infer(model.bind(np.zeros((1, 5, 64, 64), np.float32)))


def test_an_inference_without_memory_is_not_the_networks_fault(tmp_path: Path) -> None:
    cv2 = pytest.importorskip("cv2")
    error = cv2.error("OpenCV: Insufficient memory")
    error.code = cv2.Error.StsNoMem
    with pytest.raises(cv2.error, match="Insufficient memory"), loaded_opencv(tmp_path):
        raise error
