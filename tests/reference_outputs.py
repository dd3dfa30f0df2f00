"""The first output of a network as one array (images, ...): the reference's, and onnx's evaluator's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from hwprof.frameworks import outputs_file, reference
from hwprof.networks.evaluate import evaluate_batches
from hwprof.networks.inputs import InputSpec


def write_of(source: Path, images: Sequence[Any], path: Path, axis: int | None = 0) -> None:
    """Write the reference of a network of one input, from batches of 1."""
    reference.write_reference(source, spec_of(source, images, axis), [[image] for image in images], path)


def spec_of(source: Path, images: Sequence[Any], axis: int | None = 0) -> InputSpec:
    """What a file's only input is given."""
    name = onnx.load(str(source), load_external_data=False).graph.input[0].name
    return InputSpec(name, images[0].shape, batch_axis=axis)


def write_first(source: Path, images: Sequence[Any], path: Path) -> Any:
    """Write the reference of these images; its first output."""
    write_of(source, images, path)
    return first(path)


def first(path: Path) -> Any:
    """Of a file of outputs."""
    return np.concatenate(list(next(iter(outputs_file.load(path).outputs.values()))))


def evaluate_first(source: Path, images: Sequence[Any]) -> Any:
    """In double precision."""
    found, _ = evaluate_batches(source, spec_of(source, images), [[image] for image in images])
    return np.concatenate([outputs[0] for outputs in found])[: len(images)]
