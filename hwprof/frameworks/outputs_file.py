"""The reference's outputs as a file: an .npz of all images' arrays, with names, batch axes and what is incomparable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.frameworks.fidelity import SIMULATED
from hwprof.frameworks.named_outputs import ReferenceOutputs, arrays_of

if TYPE_CHECKING:
    from hwprof.frameworks.named_outputs import Outputs

NAME = "outputs.npz"
TENSOR = -1  # in place of the number of arrays of a sequence


def save(path: Path, found: ReferenceOutputs) -> None:
    """Write an .npz."""
    import numpy as np

    arrays: dict[str, Any] = {}
    counts: dict[str, list[int]] = {}
    for number, (name, images) in enumerate(found.outputs.items()):
        counts[name] = [len(value) if isinstance(value, list | tuple) else TENSOR for value in images]
        for index, value in enumerate(images):
            for place, array in enumerate(arrays_of(value)):
                plain = np.asarray(array)
                arrays[f"{number}.{index}.{place}"] = plain.astype(str) if plain.dtype.kind == "O" else plain
    about = {
        "counts": counts,
        "axes": dict(found.axes),
        "incomparable": dict(found.incomparable),
        "batch_wide": list(found.batch_wide),
        "steps": dict(found.steps),
    }
    with path.open("wb") as stream:
        np.savez(stream, about=np.array(json.dumps(about)), **arrays)


def load(path: Path) -> ReferenceOutputs:
    """What `save` wrote."""
    import numpy as np

    with np.load(path) as data:
        about = json.loads(str(data["about"]))
        outputs: dict[str, list[Any]] = {}
        for number, (name, counts) in enumerate(about["counts"].items()):
            outputs[name] = [
                data[f"{number}.{index}.0"]
                if count == TENSOR
                else [data[f"{number}.{index}.{place}"] for place in range(count)]
                for index, count in enumerate(counts)
            ]
    wide, steps = tuple(about.get("batch_wide", ())), about.get("steps", {})  # files of an earlier version have none
    return ReferenceOutputs(outputs, about["axes"], about["incomparable"], wide, steps)


def load_simulated(reference: Path) -> Outputs | None:
    """Outputs of the simulated quantisation or of other roundings, where they lie beside those of the reference."""
    beside = reference.with_name(SIMULATED)
    return load(beside).outputs if beside.exists() else None
