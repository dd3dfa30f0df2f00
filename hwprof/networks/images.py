"""Synthetic inputs: seeded data that fit each input's type and use; images have the local statistics of photographs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from hwprof.networks.inputs import TEXT, InputSpec, TensorSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PATCH = 16
FEW = 4  # channels at most, of an image with channels last
LEVELS, MIDDLE, SPREAD = 255, 128, 48  # of a pixel of eight bits


def synthetic_inputs(spec: InputSpec, count: int, seed: int, first: int = 0) -> list[NDArray[np.float32]]:
    """`count` seeded batches of shape `spec.shape`, from number `first` on: patches of 16 pixels, detail, tint.

    The cost of a forward pass does not depend on pixel values; that outputs differ between images does. Patches have
    their size in pixels, so that filters meet the same statistics in a small and in a large image.
    """
    import numpy as np

    made = []
    for number in range(first, first + count):
        rng = np.random.Generator(np.random.PCG64([seed, number]))
        made.append(np.ascontiguousarray(image(rng, spec.shape), dtype=np.float32))
    return made


def image(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Numbers of mean 0 and deviation about 1; of images (batch, channels, height, width) with patches and tint."""
    import numpy as np

    batch, *rest = shape
    found = rng.standard_normal((batch, *rest))
    if len(rest) == 3:
        channels, height, width = rest
        coarse = rng.standard_normal((batch, channels, -(-height // PATCH), -(-width // PATCH)))
        grown = coarse.repeat(PATCH, axis=2).repeat(PATCH, axis=3)[:, :, :height, :width]
        tint = rng.standard_normal((batch, channels, 1, 1))
        contrast = np.exp(0.2 * rng.standard_normal((batch, channels, 1, 1)))
        found = contrast * (0.4 * found + 0.8 * grown) + tint
    return found


def synthetic_frames(spec: InputSpec, count: int, seed: int) -> list[list[Any]]:
    """`count` seeded frames, each an array per input with a batch of 1; what goes in as a state begins as zeros.

    Of one float32 input whose batch lies on its first axis the same as `synthetic_inputs`.
    """
    single = spec.of_batch(1)
    only = single.inputs[0]
    if not spec.others and (only.dtype, only.batch_axis, only.use) == ("float32", 0, "") and not is_channels_last(only):
        return [[batch] for batch in synthetic_inputs(single, count, seed)]
    states = {name for _, name in spec.states}
    return [
        [
            zeros(one) if one.name in states else seeded(one, seed, number, place)
            for place, one in enumerate(single.inputs)
        ]
        for number in range(count)
    ]


def zeros(spec: TensorSpec) -> Any:
    """An array of zeros."""
    import numpy as np

    return np.zeros(spec.shape, np.dtype(spec.dtype))


def seeded(spec: TensorSpec, seed: int, number: int, place: int) -> Any:
    """Frame `number` of the input at `place`: what its use asks for, else what its type and shape suggest.

    Without a known use: images of eight bits as pixels, other integers and booleans 1, floats about a standard normal.
    """
    import numpy as np

    rng = np.random.Generator(np.random.PCG64([seed, number, place]))
    kind, _, what = spec.use.partition(":")
    if spec.dtype == TEXT:
        words = what.split(" ") if kind == "words" else ["a", "b", "c"]
        picked = [words[i] for i in rng.integers(0, len(words), math.prod(spec.shape))]
        return np.array(picked, dtype=object).reshape(spec.shape)
    dtype = np.dtype(spec.dtype)
    if kind == "ids":
        return rng.integers(0, max(1, int(what)), spec.shape).astype(dtype)
    if kind == "value":
        return np.full(spec.shape, float(what) if dtype.kind == "f" else int(float(what)), dtype)
    if kind in ("ones", "zeros"):
        return np.full(spec.shape, kind == "ones", dtype)
    is_picture = len(spec.shape) == 4 and spec.batch_axis == 0
    if dtype.kind in "ib" or (dtype.kind == "u" and not is_picture):
        return np.ones(spec.shape, dtype)
    shape = spec.shape
    values = (
        image(rng, (shape[0], shape[3], shape[1], shape[2])).transpose(0, 2, 3, 1) if is_channels_last(spec) else None
    )
    if values is None:
        values = image(rng, shape) if is_picture else rng.standard_normal(shape)
    if dtype.kind == "u":
        values = np.clip(MIDDLE + SPREAD * values, 0, LEVELS)
    return np.ascontiguousarray(values, dtype=dtype).reshape(shape)


def is_channels_last(spec: TensorSpec) -> bool:
    """Whether a picture has its few channels behind height and width."""
    return len(spec.shape) == 4 and spec.batch_axis == 0 and spec.shape[3] <= FEW < spec.shape[1]
