"""Precisions: what is refused, what an artifact depends on, how quantised outputs are judged, and INT8 itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hwprof import plugins
from hwprof.errors import BadExperiment, CaseFailed, NotAvailable, UsageError
from hwprof.frameworks import fidelity, named_outputs, outputs_file, precision
from hwprof.frameworks import reference as frameworks_reference
from hwprof.frameworks.calibration import FIRST_SEEDED, Calibration, write
from hwprof.frameworks.protocol import PrepareJob
from hwprof.networks import find
from hwprof.networks.images import synthetic_inputs
from hwprof.plan.experiment import Experiment, parse
from hwprof.records import Case
from hwprof.runner import rounds

EXPERIMENT = '[matrix]\nframeworks = ["onnxruntime"]\nnetworks = ["tiny_cnn"]\nprecision = ["int8"]\n'


def machine(root: Path, flags: str) -> Path:
    (root / "proc").mkdir()
    (root / "proc/cpuinfo").write_text(f"processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu lm {flags}\n\n")
    return root


def test_a_precision_that_the_cpu_lacks_names_the_instruction_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "extensions", lambda root: ("x86", frozenset({"avx2"})))
    with pytest.raises(NotAvailable, match="computes no bf16: it lacks avx512_bf16 or amx_bf16"):
        precision.require("bf16")
    precision.require("fp32")
    precision.require("int8")
    assert precision.saturates()
    monkeypatch.setattr(precision, "extensions", lambda root: ("x86", frozenset({"avx512_bf16", "avx512_vnni"})))
    precision.require("bf16")
    assert not precision.saturates()
    assert precision.int8_key() == "int8"


def test_instruction_sets_are_read_from_the_machine(tmp_path: Path) -> None:
    assert {"avx2", "avx_vnni"} <= precision.extensions(machine(tmp_path, "avx2 avx_vnni"))[1]


def test_a_case_that_computes_in_fp32_under_another_name_is_an_error() -> None:
    with pytest.raises(CaseFailed, match="computes no convolution or matrix product in it: 7 in fp32"):
        precision.confirm("Some", "int8", {"fp32": 7})
    assert precision.confirm("Some", "int8", {"int8": 1, "fp32": 7})["int8"] == 1


def test_artifacts_depend_on_the_calibration_images(tmp_path: Path) -> None:
    assert Calibration().identity(1) != Calibration().identity(2)
    assert Calibration(count=8).identity(1) != Calibration().identity(1)
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"one")
    first = Calibration(str(folder)).identity(0)
    other = tmp_path / "others"
    other.mkdir()
    (other / "a.png").write_bytes(b"two")
    assert first == Calibration(str(folder)).identity(9) != Calibration(str(other)).identity(0)


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No image below"):
        Calibration(str(tmp_path)).validate()
    with pytest.raises(BadExperiment, match=r"quantise\.count must be a whole number from 1"):
        parse(EXPERIMENT + "[quantise]\ncount = 0\n", "x.toml")


def test_the_calibration_changes_the_plan_of_quantised_experiments_only() -> None:
    more = "[quantise]\ncount = 8\n"
    assert parse(EXPERIMENT, "x.toml").plan_hash != parse(EXPERIMENT + more, "x.toml").plan_hash
    plain = EXPERIMENT.replace("int8", "fp32")
    assert parse(plain, "x.toml").plan_hash == parse(plain + more, "x.toml").plan_hash


def test_quantised_outputs_may_err_by_twice_what_simulated_quantisation_does() -> None:
    reference = np.array([[1.0, 0.0, -1.0]], np.float32)
    simulated = reference + np.array([[0.0, 0.1, 0.0]], np.float32)
    near = fidelity.judge(reference + np.array([[0.0, 0.19, 0.0]], np.float32), reference, simulated, 0.05)
    far = fidelity.judge(reference + np.array([[0.0, 0.3, 0.0]], np.float32), reference, simulated, 0.05)
    assert near.faithful
    assert not far.faithful
    assert near.simulated_rel == pytest.approx(0.1)


def test_onnxruntime_computes_integer_kernels_close_to_their_simulation(tmp_path: Path) -> None:
    network = find.resolve("tiny_cnn")
    source, spec = tmp_path / "source.onnx", network.input_spec(32, 1)
    network.write(source, 0, 32)
    write(Calibration(count=16), spec, 0, tmp_path / "images.npy")
    assert (np.load(tmp_path / "images.npy")[0] == synthetic_inputs(spec, 1, 0, first=FIRST_SEEDED)[0][0]).all()
    images = synthetic_inputs(spec, 32, 0)
    frames = [[image] for image in images]
    frameworks_reference.write_reference(source, spec, frames, tmp_path / "outputs.npz")
    case = Case("onnxruntime", "tiny_cnn", "", 32, precision="int8")
    for name in ("artifact", "simulated"):
        (tmp_path / name).mkdir()
    job = PrepareJob(source, case, spec, tmp_path / "artifact", 0, tmp_path / "images.npy")
    adapter = plugins.adapter("onnxruntime")
    with adapter.load(adapter.prepare(job), case, spec) as model:
        outputs = np.concatenate([model.outputs(model.infer(model.bind(image)))[0] for image in images])
        facts = model.facts()
    frameworks_reference.write_simulated(PrepareJob(source, case, spec, tmp_path, 0, tmp_path / "images.npy"), frames)
    reference = outputs_file.load(tmp_path / "outputs.npz")
    simulated = outputs_file.load_simulated(tmp_path / "outputs.npz")
    named = {name: list(outputs[:, None]) for name in reference.axes}
    found = named_outputs.compare(named, reference, fidelity.tolerance("int8"), simulated)
    assert found.simulated_top1 is not None
    assert facts["computed"] == {"int8": 7, "fp32": 0}
    assert facts["kernels"]["QLinearConv"] == 6
    assert found.faithful
    assert found.max_rel is not None
    assert found.max_rel > 0


@pytest.mark.parametrize(("asked", "given"), [(5.0, 600.0), (3000.0, 3000.0)])
def test_a_conversion_may_take_as_long_as_a_run(asked: float, given: float, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def workshop(*arguments: object) -> None:
        made.append(arguments)

    monkeypatch.setattr(rounds, "Workshop", workshop)
    assert list(rounds.Runner(Experiment("none", (), timeout_s=asked, idle_baseline_s=0.0)).run()) == []
    assert made[0][2] == given
