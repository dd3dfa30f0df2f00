"""Frames: batches of several inputs, a user's own samples, files of frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hwprof.errors import UsageError
from hwprof.networks.frames import (
    frames_of_samples,
    in_batches,
    load_frames,
    read_samples,
    save_frames,
    shapes_of_samples,
    written_batch,
)
from hwprof.networks.inputs import InputSpec, OpenInput, TensorSpec

IDS, STATE, RATE = (
    TensorSpec("ids", (2, 4), "int64"),
    TensorSpec("h", (3, 2, 5), batch_axis=1),
    TensorSpec("sr", (), "int64", None),
)
SPEC = InputSpec.of([IDS, STATE, RATE])


def frame(number: int) -> list[np.ndarray]:
    return [np.full((1, 4), number, np.int64), np.full((3, 1, 5), number, np.float32), np.array(number, np.int64)]


def test_frames_are_joined_along_each_inputs_own_axis() -> None:
    ids, state, rate = in_batches(SPEC, [frame(1), frame(2), frame(3)], 2)[0]
    assert ids.tolist() == [[1] * 4, [2] * 4]
    assert state.shape == (3, 2, 5)
    assert state[0, :, 0].tolist() == [1, 2]
    assert rate.shape == (), "what has no batch axis is shared"


def test_the_last_batch_is_filled_up_from_the_first() -> None:
    last = in_batches(SPEC, [frame(1), frame(2), frame(3)], 2)[-1]
    assert last[0][:, 0].tolist() == [3, 1]


def test_a_written_batch_is_a_number_at_the_batch_axis() -> None:
    assert written_batch({"ids": [4, 4], "h": [3, 4, 5], "sr": []}, SPEC) == 4
    assert written_batch({"ids": ["N", 4], "h": [3, "N", 5], "sr": []}, SPEC) == 1
    assert written_batch({"sr": []}, InputSpec.of([RATE])) == 1


def test_frames_survive_their_file(tmp_path: Path) -> None:
    words = TensorSpec("words", (2,), "str", None)
    spec = InputSpec.of([IDS, RATE, words])
    made = [[*frame(i)[::2], np.array(["a", "bcd"], object)] for i in range(3)]
    save_frames(tmp_path / "f.npz", spec, made)
    for found, expected in zip(load_frames(tmp_path / "f.npz", spec), made, strict=True):
        for array, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(array, other)
            assert array.dtype == other.dtype
            assert array.shape == other.shape


OPEN = (OpenInput("ids", ("N", "seq"), "int64"), OpenInput("sr", (), "int64", batch_axis=None))


def test_samples_are_split_into_frames_and_what_is_not_given_is_seeded(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", ids=np.arange(24).reshape(3, 2, 4))  # three samples, two frames each
    samples = read_samples(tmp_path / "s.npz", OPEN)
    assert shapes_of_samples(samples) == (("ids", (2, 4)),)
    spec = InputSpec.of([TensorSpec("ids", (2, 4), "int64"), RATE])
    found = frames_of_samples(tmp_path / "s.npz", spec, samples, [[np.zeros((1, 4), np.int64), np.array(7)]])
    assert [f[0][0, 0] for f in found] == [0, 4, 8, 12, 16, 20]
    assert {int(f[1]) for f in found} == {7}


def test_a_folder_of_samples_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    only = OPEN[:1]
    for number in (2, 1):
        np.save(tmp_path / f"{number}.npy", np.full((1, 4), number))
    assert [a[0, 0] for a in read_samples(tmp_path, only)["ids"]] == [1, 2]


def test_samples_take_the_type_of_their_input_where_no_value_changes(tmp_path: Path) -> None:
    spec = InputSpec.of([TensorSpec("ids", (1, 2), "int64")])
    for values, fits in (([[1.0, 2.0]], True), ([[1.5, 2.0]], False)):
        np.savez(tmp_path / "s.npz", ids=np.array(values))
        samples = read_samples(tmp_path / "s.npz", OPEN)
        if fits:
            assert frames_of_samples(tmp_path, spec, samples, [])[0][0].dtype == np.int64
        else:
            with pytest.raises(UsageError, match="values would change"):
                frames_of_samples(tmp_path, spec, samples, [])


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ({"other": np.zeros((1, 4))}, "no input 'other'"),
        ({"ids": np.zeros(4)}, "4 for ids, which has 2 dimensions"),
        ({"ids": np.zeros((0, 1, 4))}, "no data for ids"),
    ],
)
def test_samples_that_do_not_fit_are_named(arrays: dict[str, np.ndarray], why: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=why):
        read_samples(tmp_path / "s.npz", OPEN)


def test_files_that_can_not_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("no array")
    np.save(tmp_path / "one.npy", np.zeros((1, 4)))
    np.save(tmp_path / "object.npy", np.array([{}]), allow_pickle=True)
    for name, why in (
        ("text.npz", "can't be read as NumPy data"),
        ("absent.npz", "no such file"),
        ("one.npy", "holds one array, and the network has 2 inputs"),
        ("object.npy", "can't be read as NumPy data"),
    ):
        with pytest.raises(UsageError, match=why):
            read_samples(tmp_path / name, OPEN)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"has no \.npz or \.npy"):
        read_samples(tmp_path / "empty", OPEN)
