"""What ONNX's Resize and Upsample ask for, as far as frameworks have it: factors or a size of the last axes.

Where a framework's nearest neighbour (the index times in / out, rounded down) is another one than ONNX's, it is
refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hwprof.frameworks.walk import Attributes, constant

CENTRED = ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric")
LARGEST = 2  # of the factors at which rounding halves down is rounding down


@dataclass(frozen=True, slots=True)
class Resizing:
    """`size` or `factors` of `axes` axes. `corners`: the corners of both maps lie on each other."""

    mode: str  # nearest | linear | cubic
    axes: int
    size: tuple[int, ...] | None
    factors: tuple[float, ...] | None
    corners: bool
    asymmetric: bool

    def target(self, sides: Sequence[int]) -> tuple[int, ...]:
        """The sides of a map of these sides, resized."""
        if self.size is not None:
            return self.size
        assert self.factors is not None
        return tuple(int(side * factor) for side, factor in zip(sides, self.factors, strict=True))


def resizing(a: Attributes, given: Sequence[Any]) -> Resizing:
    """What a node asks for. Raises ValueError for what frameworks compute otherwise, or not at all."""
    mode = a.get("mode", b"nearest").decode()
    old = len(given) <= 2  # Upsample, and Resize of opset 10
    coordinates = "asymmetric" if old else a.get("coordinate_transformation_mode", b"half_pixel").decode()
    rounding = "floor" if old else a.get("nearest_mode", b"round_prefer_floor").decode()
    if a.get("antialias", 0) or a.get("exclude_outside", 0) or a.get("cubic_coeff_a", -0.75) != -0.75:
        raise ValueError("antialias, exclude_outside or another cubic_coeff_a")
    if a.get("keep_aspect_ratio_policy", b"stretch") != b"stretch":
        raise ValueError("keep_aspect_ratio_policy other than stretch")
    if coordinates not in (*CENTRED, "asymmetric", "align_corners"):
        raise ValueError(f"coordinates {coordinates}")
    sizes = numbers(constant(given, 3))
    factors = numbers(constant(given, 1 if old else 2)) or (() if sizes else tuple(a["scales"]))
    wanted = factors or sizes
    if "axes" in a:
        if [axis for axis in a["axes"] if axis < 0] or list(a["axes"]) != list(range(2, 2 + len(wanted))):
            raise ValueError(f"axes {list(a['axes'])}")
    elif factors and factors[:2] != (1.0, 1.0):
        raise ValueError("factors of the first two axes")
    else:
        factors, sizes = factors[2:], sizes[2:]
    if mode == "nearest":
        check_nearest(coordinates, rounding, factors)
    size = tuple(int(side) for side in sizes) if sizes and not factors else None
    return Resizing(
        mode,
        len(factors or sizes),
        size,
        factors or None,
        coordinates == "align_corners",
        coordinates == "asymmetric",
    )


def numbers(found: Any) -> tuple[float, ...]:
    """Numbers of a constant; none where there is none."""
    return () if found is None else tuple(float(value) for value in found.reshape(-1))


def check_nearest(coordinates: str, rounding: str, factors: Sequence[float]) -> None:
    """Raise ValueError where the nearest neighbour is not that of the index rounded down."""
    if coordinates == "asymmetric" and rounding == "floor":
        return
    whole = bool(factors) and all(factor >= 1 and factor == int(factor) for factor in factors)
    if whole and coordinates in CENTRED and rounding.startswith("round"):
        return
    if whole and coordinates == "asymmetric" and rounding == "round_prefer_floor" and max(factors) <= LARGEST:
        return
    raise ValueError(f"nearest neighbours of coordinates {coordinates}, {rounding}, by {list(factors) or 'size'}")
