"""Crops are torchvision's, by Pillow exactly and by OpenCV's decoder within a rounding; broken files are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from hwprof.errors import UsageError
from hwprof.networks import preprocess, table
from hwprof.networks.preprocess import BadImage, Preprocess

Pillow = pytest.importorskip("PIL.Image")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """Noise with structure, wider than high, without loss."""
    rng = np.random.default_rng(5)
    image = rng.integers(0, 256, (90, 141, 3)).astype(np.uint8)
    image[20:60, 30:90] //= 3
    path = tmp_path / "picture.png"
    cv2.imwrite(str(path), image)
    return path


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("side", [24, 64, 128])
def test_both_decoders_give_the_same_crop(interpolation: str, side: int, picture: Path) -> None:
    how = Preprocess(interpolation=interpolation)
    one = preprocess.pixels(picture, how, (3, side, side), "pillow").astype(int)
    two = preprocess.pixels(picture, how, (3, side, side), "opencv").astype(int)
    assert one.shape == (3, side, side)
    assert np.abs(one - two).max() <= 1
    assert np.mean(one != two) < 0.02


def test_the_middle_is_cropped_after_the_shorter_side_is_resized(tmp_path: Path) -> None:
    image = np.zeros((64, 256, 3), np.uint8)
    image[:, 96:160] = 255  # the middle square, in white
    cv2.imwrite(str(tmp_path / "bar.png"), image)
    crop = preprocess.pixels(tmp_path / "bar.png", Preprocess(resize=64, crop=64), (3, 64, 64), "pillow")
    assert crop.min() == 255


def test_channels_are_red_green_blue_in_both(tmp_path: Path) -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    image[:, :, 2] = 200  # red, in OpenCV's order
    cv2.imwrite(str(tmp_path / "red.png"), image)
    for library in preprocess.DECODERS:
        crop = preprocess.pixels(tmp_path / "red.png", Preprocess(), (3, 32, 32), library)
        assert crop.mean(axis=(1, 2)).tolist() == [200, 0, 0]
        grey = preprocess.pixels(tmp_path / "red.png", Preprocess(), (1, 32, 32), library)
        assert 55 < grey.mean() < 65


def test_another_crop_is_resized_in_proportion() -> None:
    assert Preprocess().shorter(224, 224) == 256
    assert Preprocess().shorter(112, 112) == 128
    assert Preprocess(resize=232).shorter(224, 224) == 232
    assert Preprocess().title(112, 112) == "shorter side 128 bilinear, crop 112x112"


def test_values_are_normalised_channel_by_channel() -> None:
    crops = np.full((2, 3, 4, 4), 255, np.uint8)
    found = preprocess.normalise(crops, Preprocess(mean=(0.5, 0.0, 1.0), std=(0.5, 1.0, 0.1)))
    assert found.dtype == np.float32
    assert found[1, :, 0, 0].tolist() == [1.0, 1.0, 0.0]


@pytest.mark.parametrize("library", preprocess.DECODERS)
@pytest.mark.parametrize("kind", ["truncated", "text", "empty"])
def test_a_broken_image_is_named(library: str, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.jpg"
    rng = np.random.default_rng(1)
    whole = cv2.imencode(".jpg", rng.integers(0, 256, (64, 64, 3)).astype(np.uint8))[1].tobytes()
    path.write_bytes({"truncated": whole[: len(whole) // 2], "text": b"no image at all", "empty": b""}[kind])
    with pytest.raises(BadImage, match=r"broken\.jpg: .*(truncated|cannot identify)"):
        preprocess.pixels(path, Preprocess(), (3, 32, 32), library)


def test_a_decoder_that_nobody_knows_is_refused() -> None:
    with pytest.raises(UsageError, match="No decoder 'turbo'"):
        preprocess.decoder("turbo")
    assert preprocess.decoder("pillow")[0] == "pillow"


@pytest.mark.torch
@pytest.mark.parametrize("name", [n for n in table.names() if table.info(n).torchvision])
def test_each_network_is_preprocessed_as_torchvision_does(name: str, picture: Path) -> None:
    models: Any = pytest.importorskip("tests.networks.vision").models()
    theirs = models.get_model_weights(name).DEFAULT.transforms()
    expected = theirs(Pillow.open(picture).convert("RGB")).numpy()
    if name == "googlenet":  # what its module does to its input, and the shipped graph does not
        std, mean = np.array(theirs.std)[:, None, None], np.array(theirs.mean)[:, None, None]
        expected = expected * (std / 0.5) + (mean - 0.5) / 0.5
    how = preprocess.preprocess_of(name)
    crop = preprocess.pixels(picture, how, (3, 224, 224), "pillow")
    assert np.abs(preprocess.normalise(crop[None], how)[0] - expected).max() < 1e-5
