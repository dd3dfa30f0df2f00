"""Which of ONNX's resizings frameworks have: where the nearest neighbour is another one, it is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hwprof.frameworks.resizing import resizing

TWICE = np.array([1, 1, 2, 2], np.float32)


def asked(*given: Any, **attributes: Any) -> Any:
    return resizing({k: v.encode() if isinstance(v, str) else v for k, v in attributes.items()}, ["x", *given])


def test_factors_and_sizes_are_those_of_the_last_axes() -> None:
    assert asked(None, TWICE).target((3, 4)) == (6, 8)
    assert asked(None, None, np.array([1, 8, 5, 7]), mode="linear").target((3, 4)) == (5, 7)
    assert asked(TWICE).factors == (2.0, 2.0)  # Upsample, and Resize of opset 10
    assert asked(scales=[1.0, 1.0, 3.0, 3.0]).target((2, 2)) == (6, 6)  # Upsample of opset 7
    assert asked(None, np.array([2.5, 2.5], np.float32), mode="linear", axes=[2, 3]).target((2, 2)) == (5, 5)


def test_coordinates_are_named() -> None:
    linear = asked(None, TWICE, mode="linear", coordinate_transformation_mode="align_corners")
    assert (linear.mode, linear.corners, linear.asymmetric) == ("linear", True, False)
    assert asked(None, TWICE, mode="linear", coordinate_transformation_mode="asymmetric").asymmetric


@pytest.mark.parametrize(
    ("given", "attributes"),
    [
        ([None, np.array([1, 1, 1.5, 1.5], np.float32)], {}),
        ([None, np.array([1, 1, 3, 3], np.float32)], {"coordinate_transformation_mode": "asymmetric"}),
        ([None, None, np.array([1, 8, 5, 7])], {}),
        ([None, TWICE], {"nearest_mode": "ceil"}),
        ([None, TWICE], {"coordinate_transformation_mode": "tf_crop_and_resize"}),
        ([None, np.array([1, 2, 2, 2], np.float32)], {}),
        ([None, TWICE], {"antialias": 1, "mode": "linear"}),
        ([None, "computed"], {}),
    ],
)
def test_the_rest_is_refused(given: list[Any], attributes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"nearest|coordinates|factors|antialias|no constant"):
        asked(*given, **attributes)
