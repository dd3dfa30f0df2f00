"""A user's own samples as part of a case: a label that changes with their content, and the shapes that they have."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from hwprof.errors import UsageError
from hwprof.networks.frames import NPY, NPZ, read_samples, shapes_of_samples
from hwprof.networks.inputs import InputChoice, OpenInput


@lru_cache(maxsize=64)
def label(path: str) -> str:
    """`samples.npz@1a2b3c4d`: the name, and the hash of what is in it. Raises UsageError where it can't be read."""
    place = Path(path)
    files = sorted(p for p in place.iterdir() if p.suffix in (NPZ, NPY)) if place.is_dir() else [place]
    digest = hashlib.sha256()
    try:
        for file in files:
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
    except OSError as error:
        raise UsageError(f"--inputs {path}: {(error.strerror or str(error)).lower()}", "check the path") from error
    return f"{place.name}@{digest.hexdigest()[:8]}"


def with_shapes(choice: InputChoice, inputs: Sequence[OpenInput]) -> InputChoice:
    """The choice with the shapes that the samples have, where nobody says others.

    The batch of a sample is its number of frames, not that of the case: it is left to `--batch`.
    """
    path = Path(choice.samples).resolve()
    said = {name or inputs[0].name for name, _ in choice.shapes}
    axes = {one.name: one.batch_axis for one in inputs}
    found = []
    for name, shape in shapes_of_samples(read_samples(path, inputs)):
        axis = axes[name]
        if name not in said:
            found.append((name, shape if axis is None else (*shape[:axis], 1, *shape[axis + 1 :])))
    return dataclasses.replace(choice, samples=str(path), shapes=(*choice.shapes, *found))
