"""Tasks of a worker that make files: networks with weights, frameworks' own forms, reference outputs, images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from hwprof.jobs import Job, Link, Task
from hwprof.worker import Stage, adapter_of, images


def make_network(job: Job, link: Link, stage: Stage) -> None:
    """Task NETWORK: write the .onnx with its weights."""
    stage("network")
    from hwprof.networks.find import resolve

    resolve(job.network).write(Path(job.output), job.seed, job.case.size or None)
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
        clock.reached(conversions.given(adapter))
    link.send({"say": "result", "artifact": str(path), "steps": clock.done})


def reference(job: Job, link: Link, stage: Stage) -> None:
    """Task REFERENCE: outputs of ONNX Runtime FP32 without graph optimisation, on the first images of the ring.

    For a quantised case also those of a quantised graph, whose quantisation is then simulated in floating point.
    """
    stage("reference")
    from hwprof.frameworks import reference as fidelity

    fidelity.write_reference(Path(job.source), images(job, job.compared), Path(job.output))
    if job.calibration_images:
        from hwprof.frameworks.protocol import PrepareJob

        folder = Path(job.output).parent
        task = PrepareJob(Path(job.source), job.case, job.spec, folder, job.seed, Path(job.calibration_images))
        fidelity.write_simulated(task, images(job, job.compared))
    link.send({"say": "result"})


def calibration(job: Job, link: Link, stage: Stage) -> None:
    """Task CALIBRATION: the images to quantise with."""
    stage("calibration")
    from hwprof.frameworks.calibration import Calibration, write

    write(job.calibration or Calibration(), job.spec, job.seed, Path(job.output))
    link.send({"say": "result"})


TASKS: Mapping[Task, Callable[[Job, Link, Stage], None]] = {
    Task.NETWORK: make_network,
    Task.PREPARE: prepare,
    Task.REFERENCE: reference,
    Task.CALIBRATION: calibration,
}
