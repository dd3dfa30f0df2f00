"""ONNX Runtime with a planted cause: each inference also takes page faults, as many as its network's dose says."""

from __future__ import annotations

import hashlib
import math
import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from hwprof.frameworks.onnxruntime.adapter import OnnxRuntime, OnnxRuntimeModel

PAGE = mmap.PAGESIZE
LEAST, MOST = 100, 3000  # pages per inference


def dose(network: str, what: str = "") -> int:
    """Log-uniform between LEAST and MOST, by the hash of a network's name; `what`: another draw of equal spread."""
    share = int.from_bytes(hashlib.sha256(f"{what}{network}".encode()).digest()[:8], "little") / 2**64
    return round(LEAST * math.pow(MOST / LEAST, share))


class DosedModel(OnnxRuntimeModel):
    """Touches new pages after each inference."""

    pages = 0

    def infer(self, bound: Any) -> Any:
        """The inference, then memory that was never there."""
        out = super().infer(bound)
        area = mmap.mmap(-1, self.pages * PAGE)
        touched = np.frombuffer(area, np.uint8)
        touched[::PAGE] = 1
        del touched
        area.close()
        return out


class DosedOnnxRuntime(OnnxRuntime):
    """The adapter of ONNX Runtime, with doses."""

    name = "dosed"

    @contextmanager
    def load(self, artifact: Path, case: Any, spec: Any) -> Iterator[OnnxRuntimeModel]:
        """A session whose inferences take page faults."""
        with super().load(artifact, case, spec) as model:
            model.__class__ = DosedModel
            model.pages = dose(case.network)  # type: ignore[attr-defined]
            yield model


ADAPTER = DosedOnnxRuntime()
