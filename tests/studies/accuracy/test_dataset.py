"""The formats of labelled folders, and what is wrong with a set that does not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from hwprof.errors import UsageError
from hwprof.studies.accuracy import dataset

NAMES = ("n02119789", "n02100735", "n01440764")  # as ILSVRC numbers them: not the order of names


def flat(folder: Path, count: int = 3) -> Path:
    """Empty files with the names of the ILSVRC validation set."""
    folder.mkdir()
    for i in range(1, count + 1):
        (folder / f"ILSVRC2012_val_{i:08}.JPEG").touch()
    return folder


def classes(folder: Path, *names: str) -> Path:
    """A folder per class with two images each."""
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "a.jpg").touch()
        (folder / name / "b.PNG").touch()
        (folder / name / "notes.txt").touch()
    return folder


def test_class_folders_are_classes_in_the_order_of_their_names(tmp_path: Path) -> None:
    found = dataset.read(classes(tmp_path / "val", "cat", "ant"))
    assert [(p.parent.name, c) for p, c in zip(found.images, found.labels, strict=True)] == [
        *[("ant", 0)] * 2,
        *[("cat", 1)] * 2,
    ]
    found.fit(2)
    with pytest.raises(UsageError, match=r"2 class folders, but the network has 1000 outputs.*--synsets"):
        found.fit(1000)


def test_folders_that_are_numbers_are_those_classes(tmp_path: Path) -> None:
    found = dataset.read(classes(tmp_path / "val", "10", "9"))
    assert set(found.labels) == {9, 10}
    found.fit(1000)


def test_a_list_of_synsets_says_which_class_a_folder_is(tmp_path: Path) -> None:
    listing = tmp_path / "LOC_synset_mapping.txt"
    listing.write_text("n01440764 tench, Tinca tinca\nn02100735 setter\nn02119789 kit fox\n")
    found = dataset.read(classes(tmp_path / "val", "n02119789"), synsets=listing)
    assert found.labels == (2, 2)
    with pytest.raises(UsageError, match="'n00000001' is not among"):
        dataset.read(classes(tmp_path / "other", "n00000001"), synsets=listing)


def test_names_with_classes(tmp_path: Path) -> None:
    folder, labels = flat(tmp_path / "val"), tmp_path / "val.txt"
    labels.write_text(
        "# Caffe's form\nILSVRC2012_val_00000003.JPEG 7\nILSVRC2012_val_00000001.JPEG 65\n"
        "ILSVRC2012_val_00000002.JPEG 970\nILSVRC2012_val_00000004.JPEG 1\n"
    )
    found = dataset.read(folder, labels)
    assert found.labels == (65, 970, 7)
    assert found.unused == 1


def test_classes_that_begin_with_one(tmp_path: Path) -> None:
    folder, labels = flat(tmp_path / "val"), tmp_path / "labels"
    labels.write_text("1\n2\n8\n")
    assert dataset.read(folder, labels, first=1).labels == (0, 1, 7)
    with pytest.raises(UsageError, match=r"Label 8, but the network's 8 classes are 0 to 7.*--first-class 1"):
        dataset.read(folder, labels).fit(8)


@pytest.mark.parametrize("kind", ["meta.mat", "map_clsloc.txt"])
def test_ilsvrcs_ground_truth_is_numbered_as_ilsvrc_numbers(kind: str, tmp_path: Path) -> None:
    folder, labels, synsets = flat(tmp_path / "val"), tmp_path / "ground_truth.txt", tmp_path / kind
    labels.write_text("1\n2\n3\n")
    if kind == "meta.mat":
        fields = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("num_children", "O")]
        rows = [(i, name, 0) for i, name in enumerate(NAMES, 1)] + [(1001, "n00001740", 5)]
        savemat(synsets, {"synsets": np.array(rows, dtype=fields)})
    else:
        synsets.write_text("".join(f"{name} {i} a_name\n" for i, name in enumerate(NAMES, 1)))
    # networks number by the sorted names: n01440764 is 0
    assert dataset.read(folder, labels, synsets).labels == (2, 1, 0)


def test_kaggles_solution_names_synsets_and_boxes(tmp_path: Path) -> None:
    folder, labels, synsets = flat(tmp_path / "val", 2), tmp_path / "LOC_val_solution.csv", tmp_path / "synsets.txt"
    synsets.write_text("\n".join(sorted(NAMES)))
    labels.write_text(
        "ImageId,PredictionString\nILSVRC2012_val_00000002,n02119789 85 1 499 272 n02119789 1 2 3 4\n"
        "ILSVRC2012_val_00000001,n01440764 1 1 2 2\n"
    )
    assert dataset.read(folder, labels, synsets).labels == (0, 2)
    with pytest.raises(UsageError, match=r"solution.csv:2: which class is n02119789\?"):
        dataset.read(folder, labels)


def test_a_limit_is_spread_over_all_classes(tmp_path: Path) -> None:
    found = dataset.read(classes(tmp_path / "val", "a", "b", "c")).spread(3)
    assert found.labels == (0, 1, 2)
    assert len(dataset.read(tmp_path / "val").spread(0).labels) == 6


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1\n2\n", "has 2 labels for 3 images"),
        ("1\n2\nthree\n", "labels:3: 'three' is no class"),
        ("ILSVRC2012_val_00000001.JPEG 1\n", "no label for 2 images, as ILSVRC2012_val_00000002.JPEG"),
        ("", "nothing in it"),
        ("ILSVRC2012_val_00000001.JPEG 1\nILSVRC2012_val_00000001.JPEG 2\n", "labels:2: .* has another label already"),
        ("ILSVRC2012_val_00000001.JPEG one\n", "labels:1: 'one' is no class"),
    ],
)
def test_wrong_labels_are_named_by_file_and_line(text: str, said: str, tmp_path: Path) -> None:
    labels = tmp_path / "labels"
    labels.write_text(text)
    with pytest.raises(UsageError, match=said):
        dataset.read(flat(tmp_path / "val"), labels)


def test_wrong_folders_are_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        dataset.read(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="has no class folders"):
        dataset.read(flat(tmp_path / "val"))
    (tmp_path / "empty" / "cat").mkdir(parents=True)
    with pytest.raises(UsageError, match="No images below"):
        dataset.read(tmp_path / "empty")
