"""OpenCV's getPerfProfile: ticks of each layer of the last forward pass."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hwprof.frameworks.profiles.proxy import ModelProxy, profile_by
from hwprof.frameworks.protocol import Step

if TYPE_CHECKING:
    from hwprof.frameworks.opencv.adapter import OpenCvModel


class ProfiledNet(ModelProxy):
    """A net whose ticks are read after each forward pass, which adds a little to each inference."""

    def __init__(self, model: OpenCvModel) -> None:
        super().__init__(model)
        self._net, self._frequency = model._net, model._cv2.getTickFrequency()
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


profile = profile_by(lambda model, artifact: ProfiledNet(model))  # OpenCV always counts the ticks
