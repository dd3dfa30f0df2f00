"""Tasks of a worker in which nothing is timed: files are written, outputs compared, images classified."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.records import to_json
from hwprof.worker.common import Stage, adapter_of, compare, facts_of, frames, load_model, outputs_of
from hwprof.worker.protocol import REFERENCE_IMAGES, SIZE, Job, Link

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOP = 5  # classes kept of each image


def write_network(job: Job, link: Link, stage: Stage) -> None:
    """Task NETWORK: write the .onnx with its weights."""
    stage("network")
    import dataclasses

    from hwprof.networks.find import resolve

    network = dataclasses.replace(resolve(job.network), choice=job.choice)
    size, path = job.case.size or None, Path(job.output)
    network.write(path, job.seed, size)
    if network.path is not None and not shapes_agree(path):
        network.write(path, job.seed, size, keep_open=True)
    link.send({"say": "result"})


def shapes_agree(path: Path) -> bool:
    """Whether a graph with branches or loops can have the shapes of the case: also those that are not taken.

    The reference's runtime tells: it refuses a graph whose branches contradict its inputs. Without it shapes are fixed.
    """
    import onnx

    from hwprof.errors import NotInstalled, UnsupportedModel
    from hwprof.frameworks.reference import open_session
    from hwprof.networks.users_file import has_branches

    if not has_branches(onnx.load(str(path), load_external_data=False)):
        return True
    try:
        open_session(path, optimised=True)
    except NotInstalled:
        return True
    except UnsupportedModel as error:
        print(f"with fixed shapes: {error.message}")
        return False
    return True


def write_inputs(job: Job, link: Link, stage: Stage) -> None:
    """Task INPUTS: the user's own samples as frames; states as they come out of the frame before."""
    stage("inputs")
    from hwprof.networks.frames import frames_of_samples, read_samples, save_frames

    made = frames(job, job.compared)
    if job.choice.samples:
        path = Path(job.choice.samples)
        made = frames_of_samples(path, job.spec, read_samples(path, job.spec.inputs), made)
    if job.spec.states:
        from hwprof.frameworks.reference import write_frames

        write_frames(Path(job.source), job.spec, made, Path(job.output))
    else:
        save_frames(Path(job.output), job.spec, made)
    link.send({"say": "result"})


def prepare(job: Job, link: Link, stage: Stage) -> None:
    """Task PREPARE: the framework's own artifact."""
    stage("prepare")
    from hwprof.frameworks import conversions
    from hwprof.frameworks.protocol import PrepareJob

    adapter = adapter_of(job)
    images = Path(job.calibration_images) if job.calibration_images else None
    task = PrepareJob(Path(job.source), job.case, job.spec, Path(job.output), job.seed, images)
    clock = conversions.start(conversions.way(adapter) or (), stage, graph=conversions.steps_of([adapter]))
    path = adapter.prepare(task)
    if path != task.source:
        clock.reached(conversions.form_of(adapter))
    link.send({"say": "result", "artifact": str(path), "steps": clock.done})


def write_reference(job: Job, link: Link, stage: Stage) -> None:
    """Task REFERENCE: outputs of ONNX Runtime FP32 without graph optimisation, on the first frames of the ring.

    For a quantised case also those of a quantised graph, whose quantisation is then simulated in floating point; of a
    file with rounded activations those of the same graph with other roundings, and of a user's in FP32, where it makes
    a difference, those with sums in another order.
    """
    stage("reference")
    from hwprof.frameworks import reference
    from hwprof.networks import stored_precision

    source, compared = Path(job.source), frames(job, job.compared)
    reference.write_reference(source, job.spec, compared, Path(job.output))
    if stored_precision.has_rounded_activations(job.stored):
        reference.write_roundings(source, job.spec, compared, Path(job.output).parent)
    elif job.other_sums:
        reference.write_sums(source, job.spec, compared, Path(job.output))
    if job.size_by_run:
        reference.write_size(source, job.spec, compared, Path(job.output).with_name(SIZE))
    if job.calibration_images:
        from hwprof.frameworks.protocol import PrepareJob

        folder = Path(job.output).parent
        task = PrepareJob(Path(job.source), job.case, job.spec, folder, job.seed, Path(job.calibration_images))
        reference.write_simulated(task, compared)
    link.send({"say": "result"})


def write_calibration(job: Job, link: Link, stage: Stage) -> None:
    """Task CALIBRATION: the images to quantise with."""
    stage("calibration")
    from hwprof.frameworks.calibration import Calibration, write

    write(job.calibration or Calibration(), job.spec, job.seed, Path(job.output))
    link.send({"say": "result"})


def check(job: Job, link: Link, stage: Stage) -> None:
    """Task CHECK: the outputs against the reference's, and the framework's own facts."""
    with load_model(job, stage, count=REFERENCE_IMAGES) as (model, ring, facts):
        stage("infer")
        if not job.reference:  # nothing to compare, but it has to run
            model.infer(ring[0])
        fidelity = compare(job, model, ring)
        facts |= facts_of(job, model)
    link.send({"say": "result", "facts": to_json(facts), "fidelity": to_json(fidelity)})


def evaluate(job: Job, link: Link, stage: Stage) -> None:
    """Task EVALUATE: the reference images through onnx's own evaluator in double precision, as the reference's."""
    stage("evaluate")
    from hwprof.frameworks import outputs_file, reference

    found = reference.evaluated_outputs(Path(job.source), job.spec, frames(job, REFERENCE_IMAGES))
    outputs_file.save(Path(job.output), found)
    link.send({"say": "result"})


def crop(job: Job, link: Link, stage: Stage) -> None:
    """Task IMAGES: files as uint8 crops (images, channels, height, width) in .npy, and which files are broken.

    `job.source`: a JSON document {"library": ..., "images": [paths]}; a broken image's place stays 0.
    """
    stage("images")
    import numpy as np

    from hwprof.networks.preprocess import BadImage, pixels

    order = json.loads(Path(job.source).read_text())
    _, channels, height, width = job.spec.shape
    folder = Path(job.output)
    shape = (len(order["images"]), channels, height, width)
    crops = np.lib.format.open_memmap(folder / "crops.npy", mode="w+", dtype=np.uint8, shape=shape)
    broken = {}
    for index, path in enumerate(order["images"]):
        try:
            crops[index] = pixels(Path(path), job.preprocess, (channels, height, width), order["library"])
        except BadImage as error:
            broken[str(index)] = error.message
    crops.flush()
    (folder / "broken.json").write_text(json.dumps(broken))
    link.send({"say": "result"})


def predict(job: Job, link: Link, stage: Stage) -> None:
    """Task PREDICT: a framework's outputs for the crops at `job.reference`, in the case's batches.

    Writes outputs.npy (images, classes) float32, the network's first output, and top.npy (images, 5): classes by
    falling output, of equal ones the first; -1 where the output is not finite or there are fewer classes. The last
    batch is filled up by its last image.
    """
    import numpy as np

    from hwprof.networks.preprocess import normalise

    crops = np.load(job.reference, mmap_mode="r")
    batch, count, folder = job.spec.shape[0], len(crops), Path(job.output)
    outputs: np.memmap[Any, np.dtype[np.float32]] | None = None
    with load_model(job, stage, count=1) as (model, _, facts):
        stage("infer")
        for start in range(0, count, batch):
            some = np.asarray(crops[start : start + batch])
            if len(some) < batch:
                some = np.concatenate([some, np.repeat(some[-1:], batch - len(some), axis=0)])
            answer = outputs_of(model, model.infer(model.bind(normalise(some, job.preprocess))))[0].reshape(batch, -1)
            if outputs is None:
                place, shape = folder / "outputs.npy", (count, answer.shape[1])
                outputs = np.lib.format.open_memmap(place, mode="w+", dtype=np.float32, shape=shape)
            outputs[start : start + batch] = answer[: count - start]
        facts |= facts_of(job, model)
    assert outputs is not None  # there is at least one image: the launcher checks that
    outputs.flush()
    np.save(folder / "top.npy", top_classes(outputs))
    (folder / "facts.json").write_text(json.dumps(to_json(facts)))
    link.send({"say": "result"})


def top_classes(outputs: NDArray[np.float32]) -> NDArray[np.int32]:
    """(images, 5) classes by falling output, of equal outputs the first; -1 where there is none."""
    import numpy as np

    found = np.full((len(outputs), TOP), -1, np.int32)
    order = np.argsort(-outputs, axis=1, kind="stable")[:, :TOP]
    found[:, : order.shape[1]] = order
    found[~np.isfinite(outputs).all(axis=1)] = -1
    return found
