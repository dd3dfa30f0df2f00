"""Outputs of every kind: compared as their kind wants it, or named as not comparable, and why."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from hwprof import plugins
from hwprof.errors import UnsupportedModel
from hwprof.frameworks import named_outputs, outputs_file
from hwprof.frameworks import reference as frameworks_reference
from hwprof.frameworks.named_outputs import NEVER_REPEATS, NO_BATCH_AXIS, ReferenceOutputs
from hwprof.frameworks.protocol import PrepareJob
from hwprof.networks import find
from hwprof.networks.images import synthetic_inputs
from hwprof.records import Agreement, Case, Fidelity
from hwprof.records.agreement import agreement_text
from tests import output_kinds
from tests.reference_outputs import write_of

IMAGES = 4


def judged(framework: str, kind: str, folder: Path, batch: int = 1) -> Fidelity:
    """A kind of network in a framework, compared with the reference."""
    network = find.resolve(str(output_kinds.write(kind, folder)))
    source = folder / "network.onnx"
    network.write(source, 0)
    spec = network.input_spec(None, batch)
    images = synthetic_inputs(dataclasses.replace(spec, shape=(1, *spec.shape[1:])), IMAGES, 0)
    frameworks_reference.write_reference(source, spec, [[image] for image in images], folder / "outputs.npz")
    reference = outputs_file.load(folder / "outputs.npz")
    case, adapter = Case(framework, kind, "", 16, batch=batch), plugins.adapter(framework)
    with adapter.load(adapter.prepare(PrepareJob(source, case, spec, folder)), case, spec) as model:
        bound = [model.bind(np.concatenate(images[i : i + batch])) for i in range(0, IMAGES, batch)]
        portions = (model.outputs(model.infer(one)) for one in bound)
        outputs = named_outputs.split_by_image(reference, portions, batch, IMAGES)
    return named_outputs.compare(outputs, reference, 1e-3, batch=batch)


# Of those that OpenCV 4 computes. Its ArgMax gives values of its input (4.14.0): "classes" is unfaithful.
FEW = ("heavy_second", "two_outputs_same", "timefirst", "timefirst_unnamed", "function", "scalar_out", "nan")


@pytest.mark.parametrize("kind", [*FEW, "classes", "nonzero", "seq_out", "string_out"])
def test_onnxruntime_gives_outputs_of_every_kind(kind: str, tmp_path: Path) -> None:
    found = judged("onnxruntime", kind, tmp_path)
    assert found.faithful, agreement_text(found)


@pytest.mark.parametrize("kind", FEW)
def test_opencv_gives_what_it_has_operators_for(kind: str, tmp_path: Path) -> None:
    found = judged("opencv", kind, tmp_path)
    assert found.faithful, agreement_text(found)


@pytest.mark.parametrize("kind", ["nonzero", "seq_out", "string_out"])
def test_opencv_refuses_the_rest(kind: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match=r"NonZero|has_tensor_type|LabelEncoder"):
        judged("opencv", kind, tmp_path)


@pytest.mark.parametrize("framework", ["onnxruntime", "opencv"])
@pytest.mark.parametrize("kind", ["timefirst", "timefirst_unnamed", "two_outputs_same", "heavy_second"])
def test_images_of_a_batch_are_compared_one_by_one_wherever_they_lie(framework: str, kind: str, tmp_path: Path) -> None:
    found = judged(framework, kind, tmp_path, batch=4)
    assert found.faithful, agreement_text(found)
    assert found.inputs == IMAGES


def test_what_never_repeats_is_not_comparable(tmp_path: Path) -> None:
    found = judged("onnxruntime", "random", tmp_path)
    assert found.agreement is Agreement.INCOMPARABLE
    assert (found.why, found.max_rel) == (NEVER_REPEATS, None)
    assert agreement_text(found) == f"not comparable: {NEVER_REPEATS}"


def test_one_number_of_a_batch_is_not_that_of_its_images(tmp_path: Path) -> None:
    found = judged("onnxruntime", "scalar_out", tmp_path, batch=4)
    assert (found.agreement, found.why) == (Agreement.INCOMPARABLE, NO_BATCH_AXIS)


def test_a_shape_that_depends_on_the_data_is_not_comparable_in_a_batch(tmp_path: Path) -> None:
    found = judged("onnxruntime", "nonzero", tmp_path, batch=4)
    assert found.agreement is Agreement.INCOMPARABLE


def test_undefined_numbers_in_the_same_places_are_equal_and_said(tmp_path: Path) -> None:
    found = judged("onnxruntime", "nan", tmp_path)
    (note,) = found.parts[0].notes
    assert note.startswith("NaN in the same ")
    assert note in agreement_text(found)


def compared(outputs: list[Any], reference: list[Any], allowed: float = 1e-3, **more: Any) -> Fidelity:
    known = ReferenceOutputs({"y": reference}, {"y": 0})
    return named_outputs.compare({"y": outputs}, known, allowed, **more)


def test_an_undefined_number_in_another_place_is_never_faithful() -> None:
    right = np.array([[1.0, math.nan]])
    assert compared([right], [right]).max_rel == 0.0
    for bad in ([[math.nan, math.nan]], [[1.0, 2.0]], [[math.nan, 1.0]], [[1.0, math.inf]]):
        assert compared([np.array(bad)], [right]).max_rel == math.inf
    infinite = np.array([[1.0, -math.inf]])
    assert compared([infinite], [infinite]).faithful
    assert compared([-infinite], [infinite]).unfaithful


def test_integers_are_compared_exactly_whatever_type_a_framework_gives_them() -> None:
    right = np.array([[1, 2, 3, 400]])
    same = compared([right.astype(np.float32)], [right])
    assert (same.faithful, same.max_rel, same.tolerance) == (True, 0.0, 0.0)
    assert same.parts[0].notes == ("float32 for int64",)
    assert agreement_text(same) == "faithful, all values are equal; float32 for int64"
    off = compared([right + np.array([[0, 0, 0, 1]])], [right])
    assert (off.unfaithful, off.max_rel, off.max_abs) == (True, 0.25, 1.0)
    assert agreement_text(off) == "UNFAITHFUL, 25.00% of the values differ"
    assert compared([np.array([[1.0, 0.0]], np.float32)], [np.array([[True, False]])]).faithful
    assert compared([np.array([[1.0, 1.0]], np.float32)], [np.array([[True, False]])]).unfaithful


def test_integers_of_a_reduced_precision_may_differ_as_those_of_its_simulation_do() -> None:
    right, off = np.array([[1, 2, 3, 4]]), np.array([[1, 2, 3, 5]])
    assert compared([off], [right], 1e-1).agreement is Agreement.INCOMPARABLE
    assert compared([right], [right], 1e-1).faithful
    assert compared([off], [right], 5e-2, simulated={"y": [off]}).faithful
    assert compared([off], [right], 5e-2, simulated={"y": [right]}).unfaithful


def test_text_is_compared_exactly(tmp_path: Path) -> None:
    right = np.array(["cat", "dog"], object)
    outputs_file.save(tmp_path / "outputs.npz", ReferenceOutputs({"y": [right]}, {"y": None}))
    kept = outputs_file.load(tmp_path / "outputs.npz").outputs["y"]
    assert compared([right], list(kept)).faithful
    assert compared([np.array(["cat", "cow"], object)], list(kept)).max_rel == 0.5
    assert compared([np.array([1.0, 2.0])], list(kept)).unfaithful


def test_a_sequence_is_compared_element_by_element(tmp_path: Path) -> None:
    right = [np.ones((1, 2), np.float32), np.zeros((3,), np.float32)]
    outputs_file.save(tmp_path / "outputs.npz", ReferenceOutputs({"y": [right, right]}, {"y": None}))
    kept: Any = outputs_file.load(tmp_path / "outputs.npz").outputs["y"]
    assert [array.shape for array in kept[0]] == [(1, 2), (3,)]
    assert compared([right, right], kept).faithful
    assert compared([right, [right[0], right[1] + 1]], kept).unfaithful
    assert compared([right, right[:1]], kept).max_rel == math.inf


def test_images_whose_shape_depends_on_the_data_are_compared_where_it_agrees() -> None:
    right = [np.arange(n, dtype=np.float32)[None] for n in (3, 4, 5)]
    found = compared([right[0], right[1], right[2][:, 1:]], right)
    assert found.faithful
    assert "compared in the 2 of 3 images" in found.parts[0].notes[0]
    nowhere = compared([r[:, 1:] for r in right], right)
    assert nowhere.agreement is Agreement.INCOMPARABLE
    assert nowhere.why == "its shape depends on the data, and is 1x2 where the reference's is 1x3"


def test_one_output_that_is_not_comparable_leaves_the_verdict_to_the_others() -> None:
    values = [np.ones((1, 2), np.float32)]
    known = ReferenceOutputs({"a": values, "b": values}, {"a": 0, "b": 0}, {"b": NEVER_REPEATS})
    found = named_outputs.compare({"a": values, "b": [np.zeros((1, 2))]}, known, 1e-3)
    assert (found.faithful, found.output) == (True, "a")
    assert agreement_text(found).endswith(f"; b: not comparable: {NEVER_REPEATS}")
    wrong = named_outputs.compare({"a": [np.zeros((1, 2))], "b": values}, known, 1e-3)
    assert wrong.unfaithful
    none = dataclasses.replace(known, incomparable={"a": "is of type complex64", "b": NEVER_REPEATS})
    assert named_outputs.compare({"a": values, "b": values}, none, 1e-3).why == (
        f"a: is of type complex64; b: {NEVER_REPEATS}"
    )


def test_another_number_of_outputs_is_refused() -> None:
    known = ReferenceOutputs({"a": [np.ones(1)]}, {"a": 0})
    with pytest.raises(UnsupportedModel, match="2 outputs came, and the network has 1"):
        named_outputs.split_by_image(known, [[np.ones(1), np.ones(1)]], 1, 1)


def test_the_reason_why_the_reference_cannot_be_computed_is_whole(tmp_path: Path) -> None:
    model = output_kinds.KINDS["timefirst"]()
    model.ir_version = 99
    onnx.save(model, str(tmp_path / "n.onnx"))
    with pytest.raises(UnsupportedModel, match=r"can't load the network: Unsupported model IR version: 99"):
        write_of(tmp_path / "n.onnx", [np.zeros((1, 3, 16, 16), np.float32)], tmp_path / "o")


def test_images_that_a_framework_keeps_apart_are_found_whatever_their_axis() -> None:
    single = [np.random.default_rng(i).normal(size=(16, 1, 8)) for i in range(2)]
    for batch in (np.concatenate(single, axis=1), np.stack(single), np.stack(single)[:, :, 0]):
        found = named_outputs.images_of(batch, 1, 2, single[0])
        assert all(np.array_equal(a.reshape(-1), b.reshape(-1)) for a, b in zip(found, single, strict=True))  # type: ignore[union-attr]
