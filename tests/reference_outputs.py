"""The first output of a network as one array (images, ...): the reference's, and onnx's evaluator's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hwprof.frameworks import outputs_file, reference
from hwprof.networks.evaluate import evaluate_batches


def write_first(source: Path, images: Sequence[Any], path: Path) -> Any:
    """Write the reference of these images; its first output."""
    reference.write_reference(source, images, path)
    return first(path)


def first(path: Path) -> Any:
    """Of a file of outputs."""
    return np.concatenate(list(next(iter(outputs_file.load(path).outputs.values()))))


def evaluate_first(source: Path, images: Sequence[Any]) -> Any:
    """In double precision."""
    return np.concatenate([outputs[0] for outputs in evaluate_batches(source, images)[0]])[: len(images)]
