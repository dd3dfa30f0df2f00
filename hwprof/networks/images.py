"""Synthetic inputs: seeded images with the local statistics of normalised photographs, the same at every size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwprof.networks.inputs import InputSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PATCH = 16


def synthetic_inputs(spec: InputSpec, count: int, seed: int, first: int = 0) -> list[NDArray[np.float32]]:
    """`count` seeded batches of shape `spec.shape`, from number `first` on: patches of 16 pixels, detail, tint.

    The cost of a forward pass does not depend on pixel values; that outputs differ between images does. Patches have
    their size in pixels, so that filters meet the same statistics in a small and in a large image.
    """
    import numpy as np

    made = []
    for number in range(first, first + count):
        rng = np.random.Generator(np.random.PCG64([seed, number]))
        batch, *rest = spec.shape
        image = rng.standard_normal((batch, *rest))
        if len(rest) == 3:
            channels, height, width = rest
            coarse = rng.standard_normal((batch, channels, -(-height // PATCH), -(-width // PATCH)))
            grown = coarse.repeat(PATCH, axis=2).repeat(PATCH, axis=3)[:, :, :height, :width]
            tint = rng.standard_normal((batch, channels, 1, 1))
            contrast = np.exp(0.2 * rng.standard_normal((batch, channels, 1, 1)))
            image = contrast * (0.4 * image + 0.8 * grown) + tint
        made.append(np.ascontiguousarray(image, dtype=np.float32))
    return made
