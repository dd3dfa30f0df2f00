"""The images that INT8 ranges are found with: seeded ones, or some of a folder. Standard library only at import."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.errors import NotInstalled, UnsupportedModel, UsageError

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Array, PrepareJob
    from hwprof.networks.inputs import InputSpec

COUNT = 64
# Seeded images have a number; these lie far from the ones that are inferred and compared.
FIRST_SEEDED = 1 << 20
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".ppm"})
# What ImageNet's networks are trained with: the shorter side at 256 for a crop of 224, then normalised.
RESIZE, MEAN, DEVIATION = 256 / 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclasses.dataclass(frozen=True, slots=True)
class Calibration:
    """`folder` empty: seeded images. `count`: how many, spread evenly over the sorted folder where it has more."""

    folder: str = ""
    count: int = COUNT

    def validate(self) -> Calibration:
        """Itself. Raises UsageError for an impossible count and a folder without images."""
        if self.count < 1:
            raise UsageError(f"calibration needs at least 1 image, not {self.count}")
        if self.folder:
            files(self.folder, self.count)
        return self

    def identity(self, seed: int) -> Mapping[str, Any]:
        """What an artifact quantised with these images depends on."""
        if self.folder:
            return {"images": digest(self.folder, self.count)}
        return {"seed": seed, "count": self.count}

    @property
    def label(self) -> str:
        """For the case's options; empty for the default, which needs no name."""
        if self.folder:
            return (
                f"{Path(self.folder).name}/{len(files(self.folder, self.count))}-{digest(self.folder, self.count)[:8]}"
            )
        return "" if self.count == COUNT else f"seeded/{self.count}"

    def facts(self) -> Mapping[str, Any]:
        """For the run's record."""
        if self.folder:
            return {"images": self.folder, "count": len(files(self.folder, self.count))}
        return {"images": "seeded", "count": self.count}


@lru_cache(maxsize=16)
def files(folder: str, count: int) -> tuple[Path, ...]:
    """At most `count` images below `folder`, evenly spread over all by name. Raises UsageError where there is none."""
    place = Path(folder)
    if not place.is_dir():
        raise UsageError(f"no folder of calibration images {folder}", "name one with JPEG or PNG files")
    found = sorted(path for path in place.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise UsageError(f"no image below {folder}", f"it reads {', '.join(sorted(SUFFIXES))}")
    if len(found) <= count:
        return tuple(found)
    return tuple(found[i * len(found) // count] for i in range(count))


@lru_cache(maxsize=16)
def digest(folder: str, count: int) -> str:
    """Hash of the contents of the chosen images."""
    found = hashlib.sha256()
    for path in files(folder, count):
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()[:20]


def write(calibration: Calibration, spec: InputSpec, seed: int, path: Path) -> None:
    """The images as one .npy of shape (count, ...) without the batch of `spec`.

    Raises UnsupportedModel for other inputs than one of float32, UsageError, NotInstalled.
    """
    import numpy as np

    require_images(spec)
    from hwprof.networks.images import synthetic_inputs

    if calibration.folder:
        found = files(calibration.folder, calibration.count)
        images = np.stack([preprocess(file, spec.shape[1:]) for file in found])
    else:
        single = dataclasses.replace(spec, shape=(1, *spec.shape[1:]))
        images = np.concatenate(synthetic_inputs(single, calibration.count, seed, first=FIRST_SEEDED))
    with path.open("wb") as stream:
        np.save(stream, images)


def preprocess(path: Path, shape: tuple[int, ...]) -> Array:
    """An image as ImageNet's networks take it: RGB, shorter side scaled, centre cropped, normalised.

    Shape (3, h, w).
    """
    import numpy as np

    if len(shape) != 3 or shape[0] != 3:
        raise UsageError(
            f"a network of input {'x'.join(map(str, shape))} takes no images", "calibrate with seeded ones"
        )
    height, width = shape[1:]
    pixels = decode(path, round(height * RESIZE), round(width * RESIZE))
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    crop = pixels[top : top + height, left : left + width].astype(np.float32) / 255
    normal = (crop - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    return np.ascontiguousarray(normal.transpose(2, 0, 1), dtype=np.float32)


def decode(path: Path, height: int, width: int) -> Any:
    """RGB pixels (h, w, 3), the sides at least as asked for and one of them exactly, by OpenCV or Pillow."""
    import numpy as np

    try:
        import cv2
    except ImportError:
        try:
            from PIL import Image
        except ImportError as error:
            raise NotInstalled("OpenCV or Pillow, one of which reads images,", "pip install pillow") from error
        try:
            with Image.open(path) as image:
                factor = max(height / image.height, width / image.width)
                sides = (round(image.width * factor), round(image.height * factor))
                return np.asarray(image.convert("RGB").resize(sides, Image.Resampling.BILINEAR))
        except OSError as error:
            raise UsageError(f"{path} can't be read as an image") from error
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise UsageError(f"{path} can't be read as an image")
    factor = max(height / pixels.shape[0], width / pixels.shape[1])
    sides = (round(pixels.shape[1] * factor), round(pixels.shape[0] * factor))
    return cv2.resize(pixels, sides, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)[:, :, ::-1]


def require_images(spec: InputSpec) -> None:
    """Raise UnsupportedModel where a network takes anything but batches of one float32 input, the batch first."""
    if spec.others or spec.dtype != "float32" or spec.batch_axis:
        raise UnsupportedModel(
            f"INT8 ranges are found with batches of images, one float32 input, and the network takes {spec.title}",
            "measure it in fp32, or quantise it beforehand and measure the quantised file",
        )


def batches(job: PrepareJob) -> Iterator[Array]:
    """The calibration images in batches of the case's shape; the first ones again where the last is not full.

    Raises UnsupportedModel, UsageError.
    """
    import numpy as np

    require_images(job.input)
    if job.calibration is None:
        raise UsageError(f"{job.case.framework} needs calibration images for {job.case.precision}")
    images = np.load(job.calibration)
    size = job.input.shape[0]
    for start in range(0, len(images), size):
        yield np.ascontiguousarray(images[[i % len(images) for i in range(start, start + size)]])
