"""Weights in files beside a model: found behind links, taken in or copied, and named where they are not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from hwprof.errors import BadModel
from hwprof.networks import external, find
from tests.onnx_models import make_model

WEIGHT = np.arange(6, dtype=np.float32).reshape(3, 2)


def model_with_data(folder: Path, location: str = "weights.bin") -> Path:
    """y = x @ W with W in a file of its own."""
    model = make_model([helper.make_node("MatMul", ["x", "w"], ["y"])], {"x": ["N", 3]}, {"y": ["N", 2]}, {"w": WEIGHT})
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(folder / "net.onnx"), save_as_external_data=True, location=location, size_threshold=0)
    return folder / "net.onnx"


def computed(path: Path) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": np.eye(3, dtype=np.float32)})[0])


def as_in_the_hugging_face_cache(folder: Path) -> Path:
    """The model and its data are links into a folder of files named by hash."""
    path = model_with_data(folder / "blobs")
    snapshot = folder / "snapshots" / "main"
    snapshot.mkdir(parents=True)
    for name, blob in (("net.onnx", "aaaa"), ("weights.bin", "bbbb")):
        path.with_name(name).rename(folder / "blobs" / blob)
        (snapshot / name).symlink_to(Path("../../blobs") / blob)
    return snapshot / "net.onnx"


def test_weights_behind_links_are_taken_in(tmp_path: Path) -> None:
    network = find.resolve(str(as_in_the_hugging_face_cache(tmp_path)))
    network.write(tmp_path / "network.onnx", 0)
    assert not list(external.external_tensors(onnx.load(str(tmp_path / "network.onnx"), load_external_data=False)))
    np.testing.assert_array_equal(computed(tmp_path / "network.onnx"), WEIGHT)
    assert (network.macs(None, 1), network.params()) == (6, 6)


def test_a_model_that_is_no_link_may_have_data_that_is_one(tmp_path: Path) -> None:
    path = model_with_data(tmp_path / "here")
    (tmp_path / "there").mkdir()
    path.with_name("weights.bin").rename(tmp_path / "there" / "w")
    path.with_name("weights.bin").symlink_to(tmp_path / "there" / "w")
    find.resolve(str(path)).write(tmp_path / "network.onnx", 0)
    np.testing.assert_array_equal(computed(tmp_path / "network.onnx"), WEIGHT)


def test_what_is_too_large_for_one_file_keeps_its_data_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external, "LARGEST", 10)
    path = as_in_the_hugging_face_cache(tmp_path)
    (tmp_path / "out").mkdir()
    find.resolve(str(path)).write(tmp_path / "out" / "network.onnx", 0)
    assert not (tmp_path / "out" / "weights.bin").is_symlink()
    np.testing.assert_array_equal(computed(tmp_path / "out" / "network.onnx"), WEIGHT)


def test_other_data_are_another_network(tmp_path: Path) -> None:
    path = model_with_data(tmp_path)
    before = find.resolve(str(path)).recipe
    path.with_name("weights.bin").write_bytes((WEIGHT + 1).tobytes())
    assert find.resolve(str(path)).recipe != before


def test_a_large_file_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hwprof.networks import users

    monkeypatch.setenv("HWPROF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(users, "HASHED_EACH_TIME", 4)
    path = model_with_data(tmp_path)
    first = find.resolve(str(path)).recipe
    kept = {file: file.read_text() for file in (tmp_path / "cache" / "digests").iterdir()}
    assert len(kept) == 2
    for file in kept:
        file.write_text("0" * 64)
    assert find.resolve(str(path)).recipe != first, "what is kept is taken"
    path.with_name("weights.bin").write_bytes((WEIGHT + 1).tobytes())
    assert len(list((tmp_path / "cache" / "digests").iterdir())) == 2
    find.resolve(str(path))
    assert len(list((tmp_path / "cache" / "digests").iterdir())) == 3, "another time, another hash"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda data: data.unlink(), "has weights in weights.bin, which does not exist"),
        (lambda data: data.write_bytes(b"abc"), "has weights in weights.bin, which is too short"),
    ],
)
def test_data_that_are_not_there_are_named(change: object, why: str, tmp_path: Path) -> None:
    path = model_with_data(tmp_path)
    change(path.with_name("weights.bin"))  # type: ignore[operator]
    with pytest.raises(BadModel, match=why):
        find.resolve(str(path))


@pytest.mark.parametrize("location", ["../weights.bin", "/etc/hostname"])
def test_data_outside_of_the_models_folder_are_refused(location: str, tmp_path: Path) -> None:
    path = model_with_data(tmp_path / "in")
    model = onnx.load(str(path), load_external_data=False)
    next(e for e in model.graph.initializer[0].external_data if e.key == "location").value = location
    path.write_bytes(model.SerializeToString())
    with pytest.raises(BadModel, match="outside of its folder"):
        find.resolve(str(path))
