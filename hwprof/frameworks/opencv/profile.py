"""OpenCV's getPerfProfile: ticks of each layer of the last forward pass."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.frameworks.profiles.wrapped import Wrapped
from hwprof.frameworks.protocol import Step
from hwprof.networks.graph import InputSpec
from hwprof.records import Case

if TYPE_CHECKING:
    from hwprof.frameworks.opencv.adapter import OpenCv, OpenCvModel


class ProfiledNet(Wrapped):
    """Adds up the ticks of each forward pass, which takes a moment behind every one of them."""

    def __init__(self, model: OpenCvModel, frequency: float) -> None:
        super().__init__(model)
        self._net, self._frequency = model._net, frequency
        self._passes: list[Any] = []

    def infer(self, bound: Any) -> Any:
        """One forward pass, and its ticks."""
        out = super().infer(bound)
        self._passes.append(self._net.getPerfProfile()[1])
        return out

    def begin(self) -> None:
        """The passes so far were warm-up."""
        super().begin()
        self._passes.clear()

    def steps(self) -> Sequence[Step]:
        """Layers that took any time; what is fused into another one takes none."""
        import numpy as np

        ticks = np.mean([np.asarray(one, dtype=float).ravel() for one in self._passes], axis=0)
        found = []
        for name, mean in zip(self._net.getLayerNames(), ticks, strict=False):
            layer = self._net.getLayer(self._net.getLayerId(name))
            if mean > 0:
                plain = re.sub(r"^onnx_node(_output_\d+)?!", "", name)
                found.append(Step(name, str(layer.type), mean / self._frequency * 1e9, (plain,)))
        return found


@contextmanager
def profile(adapter: OpenCv, artifact: Path, case: Case, spec: InputSpec) -> Iterator[ProfiledNet]:
    """The adapter's net: OpenCV always counts the ticks."""
    import cv2

    with adapter.load(artifact, case, spec) as model:
        yield ProfiledNet(model, cv2.getTickFrequency())
