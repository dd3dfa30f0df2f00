"""From an image file to a network's input, as torchvision does it: shorter side resized, middle cropped, normalised.

Two decoders: Pillow, with its own resampling (what torchvision uses), and OpenCV, whose resampling does not smooth when
it shrinks; so its images are resampled here by the same filters as Pillow's, with the same rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.errors import NotInstalled, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Image = NDArray[np.uint8]

DECODERS = ("pillow", "opencv")
JPEG, JPEG_END = b"\xff\xd8", b"\xff\xd9"


@dataclass(frozen=True, slots=True)
class Preprocess:
    """`resize`: the shorter side in pixels, for a crop of `crop` pixels; another crop is resized in proportion.

    The network sees (pixel / 255 - mean) / std, channel by channel, in RGB order.
    """

    resize: int = 256
    crop: int = 224
    interpolation: str = "bilinear"  # or bicubic
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)

    def shorter(self, height: int, width: int) -> int:
        """The shorter side before an image is cropped to this; never below the crop."""
        wanted = max(height, width)
        return max(wanted, round(self.resize * wanted / self.crop))

    def title(self, height: int, width: int) -> str:
        """What is done for a crop of this size, for people."""
        return f"shorter side {self.shorter(height, width)} {self.interpolation}, crop {height}x{width}"


# Of torchvision's current default weights, where they differ.
PREPROCESSES: Mapping[str, Preprocess] = {
    "efficientnet_b0": Preprocess(interpolation="bicubic"),
    # torchvision's module undoes ImageNet's mean and deviation in its first step, which the shipped graph leaves out
    "googlenet": Preprocess(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    "mobilenet_v2": Preprocess(resize=232),
    "resnet50": Preprocess(resize=232),
    "tiny_cnn": Preprocess(resize=37, crop=32),
}


def preprocess_of(network: str) -> Preprocess:
    """The preprocessing of a built-in network; ImageNet's usual one for any other."""
    return PREPROCESSES.get(network, Preprocess())


class BadImage(UsageError):
    """A file that is no whole image."""


def decoder(name: str = "auto") -> tuple[str, str]:
    """(pillow or opencv, its version). Raises UsageError, NotInstalled."""
    if name not in ("auto", *DECODERS):
        raise UsageError(f"no decoder '{name}'", f"one of: auto, {', '.join(DECODERS)}")
    for one in DECODERS if name == "auto" else (name,):
        try:
            if one == "pillow":
                import PIL

                return one, PIL.__version__
            import cv2

            return one, cv2.__version__
        except ImportError:
            continue
    wanted = "Pillow or OpenCV" if name == "auto" else name
    raise NotInstalled(f"{wanted}, which decodes images,", "pip install pillow")


def pixels(path: Path, how: Preprocess, shape: tuple[int, int, int], library: str) -> Image:
    """The cropped image as uint8 of `shape` (channels, height, width). Raises BadImage with the file's name."""
    import numpy as np

    channels, height, width = shape
    if channels not in (1, 3):
        raise UsageError(f"a network of {channels} input channels takes no images", "1 or 3 can be decoded")
    read: Callable[..., Any] = {"pillow": _pillow, "opencv": _opencv}[library]
    image = read(path, how, channels, how.shorter(height, width))
    rows, columns = image.shape[:2]
    top, left = round((rows - height) / 2), round((columns - width) / 2)
    crop = image[top : top + height, left : left + width].reshape(height, width, channels)
    return np.ascontiguousarray(crop.transpose(2, 0, 1))


def target_size(rows: int, columns: int, shorter: int) -> tuple[int, int]:
    """(rows, columns) with the shorter one as wanted, the longer one in proportion and rounded down."""
    if rows <= columns:
        return shorter, int(shorter * columns / rows)
    return int(shorter * rows / columns), shorter


def _pillow(path: Path, how: Preprocess, channels: int, shorter: int) -> Any:
    import numpy as np
    from PIL import Image as Pillow

    filters = {"bilinear": Pillow.Resampling.BILINEAR, "bicubic": Pillow.Resampling.BICUBIC}
    try:
        with Pillow.open(path) as opened:
            image = opened.convert("RGB" if channels == 3 else "L")
    except (OSError, SyntaxError, ValueError, Pillow.DecompressionBombError) as error:
        raise BadImage(f"{path}: {str(error).splitlines()[0] if str(error) else type(error).__name__}") from error
    rows, columns = target_size(image.height, image.width, shorter)
    return np.asarray(image.resize((columns, rows), filters[how.interpolation]))


def _opencv(path: Path, how: Preprocess, channels: int, shorter: int) -> Any:
    import cv2
    import numpy as np

    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadImage(f"{path}: {error.strerror}") from error
    # OpenCV fills what is missing of a JPEG with grey and says nothing.
    if content[:2] == JPEG and JPEG_END not in content[-1024:]:
        raise BadImage(f"{path}: image file is truncated")
    flags = (cv2.IMREAD_COLOR if channels == 3 else cv2.IMREAD_GRAYSCALE) | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(content, np.uint8), flags) if content else None
    if image is None:
        raise BadImage(f"{path}: cannot identify image file")
    if channels == 3:
        image = image[:, :, ::-1]
    rows, columns = target_size(image.shape[0], image.shape[1], shorter)
    return resample(image, rows, columns, how.interpolation)


def resample(image: Any, rows: int, columns: int, interpolation: str) -> Any:
    """uint8 (rows, columns[, channels]) in another size: across first, then down, rounded to uint8 after each."""
    import numpy as np

    across = filter_matrix(image.shape[1], columns, interpolation)
    down = filter_matrix(image.shape[0], rows, interpolation)
    half = np.einsum("oc,rc...->ro...", across, image.astype(np.float64), optimize=True)
    half = np.clip(np.floor(half + 0.5), 0, 255)
    whole = np.einsum("or,rc...->oc...", down, half, optimize=True)
    return np.clip(np.floor(whole + 0.5), 0, 255).astype(np.uint8)


def _triangle(x: Any) -> Any:
    return (1 - abs(x)).clip(0)


def _cubic(x: Any) -> Any:
    """Keys 1981 with a = -0.5."""
    import numpy as np

    x = abs(x)
    return np.where(x < 1, (1.5 * x - 2.5) * x * x + 1, np.where(x < 2, ((-0.5 * x + 2.5) * x - 4) * x + 2, 0))


FILTERS: Mapping[str, tuple[Callable[[Any], Any], float]] = {"bilinear": (_triangle, 1.0), "bicubic": (_cubic, 2.0)}


def filter_matrix(before: int, after: int, interpolation: str) -> Any:
    """Weights (after, before), rows summing to 1; the filter is widened by the factor of shrinking."""
    import numpy as np

    kernel, support = FILTERS[interpolation]
    scale = before / after
    wide = max(scale, 1.0)
    centres = (np.arange(after) + 0.5) * scale
    weights = np.zeros((after, before))
    for row, centre in enumerate(centres):
        first = max(0, int(centre - support * wide + 0.5))
        last = min(before, int(centre + support * wide + 0.5))
        values = kernel((np.arange(first, last) + 0.5 - centre) / wide)
        weights[row, first:last] = values / values.sum()
    return weights


def normalise(images: Image, how: Preprocess) -> NDArray[np.float32]:
    """uint8 (images, channels, height, width) as the network takes them."""
    import numpy as np

    along = (1, -1, 1, 1)
    mean = np.asarray(how.mean, np.float32).reshape(along)
    std = np.asarray(how.std, np.float32).reshape(along)
    return np.ascontiguousarray((images.astype(np.float32) / np.float32(255) - mean) / std)
