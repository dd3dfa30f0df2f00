"""Outputs of a network with several: every one under its name, compared with the reference's on its own scale.

Images are kept apart, because outputs may differ in shape from image to image, and not every one has a batch axis.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.errors import UnsupportedModel
from hwprof.frameworks import fidelity
from hwprof.records import Fidelity

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Array

    # Name -> one array per image, in the network's order.
    Outputs = Mapping[str, Sequence[Array]]

# Of the files that they are kept in; the one output of other networks is an .npy.
ENDING = ".npz"


def require_outputs(framework: str, wanted: Sequence[str], there: Iterable[str]) -> None:
    """Raise UnsupportedModel where a loaded network lacks one of its outputs."""
    lost = sorted(set(wanted) - set(there))
    if lost:
        raise UnsupportedModel(
            f"{framework} gives {len(wanted) - len(lost)} of the network's {len(wanted)} outputs: {lost[0]} is missing"
        )


def split_by_image(names: Sequence[str], portions: Iterable[Sequence[Array]], batch: int, images: int) -> Outputs:
    """`portions`: all outputs of one batch after the other. Of the last one, what is beyond `images` is left out.

    An array that has no axis of `batch` images in front is given whole to each of them.
    """
    found: dict[str, list[Array]] = {name: [] for name in names}
    for portion in portions:
        for name, array in zip(names, portion, strict=True):
            cut = batch > 1 and getattr(array, "ndim", 0) > 0 and len(array) == batch  # a list is a sequence
            found[name] += [array[i : i + 1] if cut else array for i in range(batch)]
    return {name: arrays[:images] for name, arrays in found.items()}


def save(path: Path, outputs: Outputs) -> None:
    """Write an .npz. Raises UnsupportedModel for an output that is no tensor of numbers."""
    import numpy as np

    arrays: dict[str, Any] = {}
    for number, (name, images) in enumerate(outputs.items()):
        if any(getattr(array, "dtype", np.dtype(object)).kind not in "biuf" for array in images):
            raise UnsupportedModel(
                f"output {name} of the network is no tensor of numbers, and can't be compared",
                "export the network without it",
            )
        arrays |= {f"{number}.{index}": array for index, array in enumerate(images)}
    with path.open("wb") as stream:
        np.savez(stream, names=np.array(list(outputs)), **arrays)


def load(path: Path) -> Outputs:
    """What `save` wrote."""
    import numpy as np

    with np.load(path) as data:
        names = [str(name) for name in data["names"]]
        images = (len(data.files) - 1) // len(names)
        return {name: [data[f"{number}.{i}"] for i in range(images)] for number, name in enumerate(names)}


def compare_file(path: Path, outputs: Outputs, allowed: float) -> Fidelity:
    """The worst of `outputs` compared with the reference in `path`; its name is `Fidelity.output`."""
    simulated = path.with_name(fidelity.SIMULATED).with_suffix(ENDING)
    return compare(outputs, load(path), allowed, load(simulated) if simulated.exists() else None)


def compare(outputs: Outputs, reference: Outputs, allowed: float, simulated: Outputs | None = None) -> Fidelity:
    """Every output on its own scale; of them the one whose error is largest beside what it is allowed."""
    found = []
    for name, wanted in reference.items():
        one = compare_one(outputs[name], wanted, allowed, None if simulated is None else simulated[name])
        found.append(dataclasses.replace(one, inputs=len(wanted), top1=None, simulated_top1=None, output=name))
    return max(found, key=excess)


def compare_one(
    images: Sequence[Array], reference: Sequence[Array], allowed: float, simulated: Sequence[Array] | None
) -> Fidelity:
    """One output, image by image, as `fidelity.compare` and `fidelity.judge`. Another shape is never faithful."""
    if shapes(images) != shapes(reference):
        return Fidelity(float("inf"), float("inf"), None, len(reference), allowed)
    y, r = flatten(images), flatten(reference)
    if r.size == 0:  # a detector that found nothing in any image
        return Fidelity(0.0, 0.0, None, len(reference), allowed)
    if simulated is None or shapes(simulated) != shapes(reference):
        return fidelity.compare(y, r, allowed)
    return fidelity.judge(y, r, flatten(simulated), allowed)


def excess(found: Fidelity) -> float:
    """The error as a multiple of what is allowed."""
    return found.max_rel / found.tolerance if found.tolerance > 0 else found.max_rel


def shapes(images: Sequence[Array]) -> list[tuple[int, ...]]:
    """The shape of each without its axes of length 1, which OpenCV adds where one was reduced, and ncnn drops."""
    return [tuple(side for side in array.shape if side != 1) for array in images]


def flatten(images: Sequence[Array]) -> Array:
    """All values of all images in one row, of shape (1, values)."""
    import numpy as np

    return np.concatenate([array.reshape(-1) for array in images])[None]
