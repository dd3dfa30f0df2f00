"""Tensors of built-in networks that follow from a formula: they are in no file, and not learned.

Their names say what they are: `rotary.cos.fromP` and `rotary.sin.fromP` have the angles of positions from P on,
`causal.G` keeps a token from those behind it, with G rows for each token.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BASE = 10_000.0  # of the wavelengths (Su et al. 2021)
HIDDEN = -1e4  # added to a score: its share becomes 0 in FP32 and FP16


def formula(name: str, shape: Sequence[int]) -> NDArray[np.float64] | None:
    """The values of such a tensor; None for any other name."""
    kind, _, rest = name.partition(".")
    if kind == "causal":
        return causal(shape, int(rest))
    if kind == "rotary":
        wave, _, first = rest.partition(".from")
        return rotary(shape, math.cos if wave == "cos" else math.sin, int(first))
    return None


def rotary(shape: Sequence[int], wave: Callable[[float], float], first: int) -> NDArray[np.float64]:
    """(1, positions, 1, channels): the wave of position / BASE^(2 i / channels), for both halves of the channels."""
    import numpy as np

    _, positions, _, channels = shape
    half = channels // 2
    rows = [[wave((first + p) / BASE ** (i / half)) for i in range(half)] * 2 for p in range(positions)]
    return np.array(rows).reshape(shape)


def causal(shape: Sequence[int], group: int) -> NDArray[np.float64]:
    """(1, 1, tokens x group, positions): HIDDEN where a position lies behind the token; the last token sees all."""
    import numpy as np

    _, _, rows, positions = shape
    token = np.arange(rows)[:, None] // group + positions - rows // group
    return np.asarray(np.where(np.arange(positions)[None] > token, HIDDEN, 0.0).reshape(shape))
