"""A set of images whose classes are known, a network that knows them, and a framework that sees no blue.

Launched by its name in a worker ("colours:ADAPTER"): no imports of tests.* here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hwprof.frameworks.onnxruntime.adapter import OnnxRuntime, OnnxRuntimeModel

# Corners of the cube of colours: class k is the one whose red, green and blue are the bits of k.
CLASSES = 8
SIDE = 32
EACH = 6


def write_network(path: Path) -> None:
    """The nearest corner to an image's mean colour: 2 c.m - |c|^2 is largest there."""
    import numpy as np
    import onnx
    from onnx import helper, numpy_helper

    corners = np.array([[k & 1, k >> 1 & 1, k >> 2 & 1] for k in range(CLASSES)], np.float32)
    weights = [
        numpy_helper.from_array(2 * corners.reshape(CLASSES, 3, 1, 1), "w"),
        numpy_helper.from_array(-(corners**2).sum(axis=1), "b"),
    ]
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["mean"], name="mean"),
        helper.make_node("Conv", ["mean", "w", "b"], ["map"], name="nearest"),
        helper.make_node("Flatten", ["map"], ["y"], name="flat"),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "colours", [value("input", 1, ["n", 3, SIDE, SIDE])], [value("y", 1, ["n", CLASSES])], weights
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))


def draw(folder: Path) -> None:
    """EACH noisy images of every class, of differing sizes, in a folder per class that bears its number."""
    import cv2
    import numpy as np

    rng = np.random.default_rng(7)
    for k in range(CLASSES):
        (folder / str(k)).mkdir(parents=True)
        colour = np.array([k >> 2 & 1, k >> 1 & 1, k & 1]) * 200  # blue, green, red: OpenCV's order
        for i in range(EACH):
            height, width = rng.integers(40, 90, 2)
            image = np.clip(colour + rng.normal(25, 20, (height, width, 3)), 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / str(k) / f"{i}.{'png' if i % 2 else 'jpg'}"), image)


class NoBlue(OnnxRuntimeModel):
    """Takes blue for dark where it stands alone: class 4 becomes class 0, nothing else changes."""

    def bind(self, *arrays: Any) -> Any:
        (batch,) = arrays
        seen = batch.copy()
        blue = batch.mean(axis=(2, 3))
        only = (blue[:, 2] > 0.5) & (blue[:, 0] < 0.5) & (blue[:, 1] < 0.5)
        seen[only, 2] = 0.1
        return super().bind(seen)


class Framework(OnnxRuntime):
    """ONNX Runtime that sees no blue, or (`numb`) answers with nothing finite."""

    name = "noblue"
    options: Mapping[str, tuple[Any, ...]] = {**OnnxRuntime.options, "numb": (False, True)}

    @contextmanager
    def load(self, artifact: Path, case: Any, spec: Any) -> Iterator[OnnxRuntimeModel]:
        with super().load(artifact, case, spec) as model:
            changed = NoBlue.__new__(NoBlue)
            changed.__dict__.update(vars(model))  # the same session
            if case.option("numb", False):
                changed.outputs = lambda out: [  # type: ignore[method-assign]
                    out.get_outputs()[0].numpy() * float("nan")
                ]
            yield changed


ADAPTER = Framework()
