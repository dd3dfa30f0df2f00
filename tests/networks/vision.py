"""torchvision on a CPU build of torch."""

from __future__ import annotations

import contextlib
from typing import Any

import torch


def models() -> Any:
    """torchvision.models; two operators are declared first that such a build lacks."""
    library = torch.library.Library("torchvision", "FRAGMENT")
    for signature in (
        "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
        "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    ):
        with contextlib.suppress(RuntimeError):
            library.define(signature)
    from torchvision import models as found

    return found
