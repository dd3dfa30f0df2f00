"""Top-1 and top-5 of a network in several frameworks on the same crops of labelled images.

Images are decoded and cropped once, in a worker of hwprof's own interpreter. Every framework infers the same bytes, in
a worker of its own. The cache keeps crops and answers under a hash of all that they depend on.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.analysis import accuracy as statistics
from hwprof.environments import interpreters
from hwprof.errors import UsageError
from hwprof.frameworks import outputs_file
from hwprof.frameworks.named_outputs import arrays_of
from hwprof.networks.preprocess import Preprocess
from hwprof.plan.cases import PlannedCase
from hwprof.printable import plural, sentence
from hwprof.records import Failure
from hwprof.runner.workshop import PreparationFailed, Workshop, outputs_key
from hwprof.studies.accuracy.dataset import LabelledImages
from hwprof.worker.protocol import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Increased whenever the meaning of a cached crop or answer changes.
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Crops:
    """Images as every framework gets them. `broken`: (file, reason) of images that no count includes."""

    path: Path
    digest: str
    indices: tuple[int, ...]  # into the set's images
    broken: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Answers:
    """The classes that one framework ranked highest, per image; or its `failure`."""

    name: str
    top: NDArray[np.int32] | None = None
    classes: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class AccuracyResult:
    """One network on one set of images, in every framework."""

    network: str
    shape: tuple[int, ...]  # of one input: channels, height, width
    folder: str
    images: int
    classes: int
    preprocess: Preprocess
    decoder: str
    unused: int
    broken: tuple[tuple[str, str], ...]
    scores: tuple[statistics.Score, ...]
    pairs: tuple[statistics.McNemarPair, ...]
    failures: tuple[tuple[str, Failure], ...]


def crops(
    workshop: Workshop, planned: PlannedCase, images: Sequence[Path], how: Preprocess, library: tuple[str, str]
) -> Crops:
    """Decode and crop, once per content. Raises PreparationFailed. A broken image is no error."""
    content = hashlib.sha256()
    for path in images:
        try:
            content.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}", "every image of the set must be readable") from error
    key = {
        "what": "crops",
        "content": content.hexdigest(),
        "geometry": [how.resize, how.crop, how.interpolation],
        "shape": planned.spec.shape[1:],
        "decoder": library,
        "format": FORMAT,
    }
    handle, name = tempfile.mkstemp(prefix="hwprof-images-", suffix=".json")
    try:
        with os.fdopen(handle, "w") as stream:
            json.dump({"library": library[0], "images": [str(path.resolve()) for path in images]}, stream)
        more = {"preprocess": how, "source": name}
        folder = workshop.entry("crops", "images", key, planned, Task.IMAGES, "", **more)
    finally:
        Path(name).unlink()
    reasons = {int(i): reason for i, reason in json.loads((folder / "broken.json").read_text()).items()}
    # A reason begins with the path that the file had when the crops were made.
    broken = tuple((str(images[i]), reason.partition(": ")[2] or reason) for i, reason in sorted(reasons.items()))
    indices = tuple(i for i in range(len(images)) if i not in reasons)
    return Crops(folder / "crops.npy", folder.name, indices, broken)


def answers(workshop: Workshop, planned: PlannedCase, name: str, crops: Crops, how: Preprocess) -> Answers:
    """The answers of one framework. A failure of its conversion or its worker is returned, not raised."""
    import numpy as np

    adapter = planned.adapter
    try:
        source = workshop.network(planned)
        artifact = workshop.artifact(planned, source)
        wanted = (*adapter.environment.distributions, "numpy")
        key = {
            "what": "answers",
            "network": planned.source_key,
            "case": dataclasses.replace(planned.case, cpus=()).key,
            "adapter": planned.adapter_path,
            # an artifact's folder is named by all that it depends on
            "artifact": artifact.relative_to(workshop.cache).parts[:2],
            "crops": crops.digest,
            "normalised": [how.mean, how.std],
            "versions": interpreters.software(planned.python, wanted)["distributions"],
            "format": FORMAT,
            **outputs_key(planned),
        }
        more = {"preprocess": how, "reference": str(crops.path), "artifact": str(artifact), "cpus": planned.case.cpus}
        more["source"] = str(source)
        folder = workshop.entry(
            "answers", f"{adapter.name}-{planned.case.network}", key, planned, Task.PREDICT, "", **more
        )
    except PreparationFailed as error:
        return Answers(name, failure=error.failure)
    classes = int(np.load(folder / "outputs.npy", mmap_mode="r").shape[1])
    top = np.load(folder / "top.npy")[list(crops.indices)]
    return Answers(name, top, classes, json.loads((folder / "facts.json").read_text()))


def classes_of(reference: Path) -> int:
    """Values per image of a network's first output: its classes."""
    first = next(iter(outputs_file.load(reference).outputs.values()))
    return sum(array.size for array in arrays_of(first[0]))


def measure(
    workshop: Workshop,
    cases: Sequence[tuple[str, PlannedCase]],
    data: LabelledImages,
    how: Preprocess,
    library: tuple[str, str],
    say: Callable[[str], None] = lambda line: None,
    strict: bool = False,
) -> AccuracyResult:
    """Score every case, compare each two. Raises UsageError for a set without a whole image."""
    import numpy as np

    first = cases[0][1]
    source = workshop.network(first)
    classes = classes_of(workshop.reference(first, source))
    data.fit(classes)
    given = crops(workshop, first, data.images, how, library)
    for path, reason in given.broken:
        say(f"{path}: {reason}: left out of every count")
    if strict and given.broken:
        raise UsageError(
            f"broken: {len(given.broken)} of {plural(len(data.images), 'image')}", "--strict refuses such a set"
        )
    if not given.indices:
        raise UsageError(f"none of {plural(len(data.images), 'image')} can be read", "are they images?")
    labels = np.asarray([data.labels[i] for i in given.indices], np.int64)
    tops, scores, failures = {}, [], []
    for name, planned in cases:
        found = answers(workshop, planned, name, given, how)
        if found.failure is not None or found.top is None:
            failure = found.failure or Failure("internal", "no answers", "", "predict")
            failures.append((name, failure))
            say(f"{name}: {sentence(failure.message)}")
            continue
        tops[name] = found.top
        scores.append(statistics.score(name, found.top, labels, found.classes))
        say(f"{name}: {scores[-1].top1.right} of {len(labels)} right")
    return AccuracyResult(
        first.network.source,
        first.spec.shape[1:],
        str(data.folder),
        len(labels),
        classes,
        how,
        " ".join(library),
        data.unused,
        given.broken,
        tuple(scores),
        statistics.pairs(tops, labels),
        tuple(failures),
    )
