"""Outputs of the reference, ONNX Runtime in FP32, that every framework's outputs are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hwprof.frameworks import named_outputs
from hwprof.frameworks.builtin import import_of
from hwprof.frameworks.fidelity import SIMULATED
from hwprof.frameworks.onnxruntime.adapter import quantise

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Array, PrepareJob


def write_simulated(job: PrepareJob, images: Sequence[Array]) -> None:
    """Outputs of ONNX Runtime's quantised graph with its optimisation off, which computes in FP32 between roundings."""
    graph = quantise(job)
    path = job.directory / SIMULATED
    write_reference(graph, images, path.with_suffix(named_outputs.ENDING) if job.input.outputs else path)
    graph.unlink()


def write_reference(source: Path, images: Sequence[Array], path: Path) -> None:
    """Outputs of ONNX Runtime FP32 with graph optimisation off, one thread. Raises NotInstalled, UnsupportedModel.

    An .npy is of the first output, of shape (images, ...); an .npz has all of them, see named_outputs.
    """
    import numpy as np

    with import_of("onnxruntime (the reference for every framework's outputs)", "pip install 'hwprof[onnxruntime]'"):
        import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    shape = session.get_inputs()[0].shape
    name, outs = session.get_inputs()[0].name, [out.name for out in session.get_outputs()]
    batch = shape[0] if isinstance(shape[0], int) else 1
    portions = list(images)
    if batch > 1:  # a user's network of a fixed batch: images in its portions
        padded = [images[i % len(images)] for i in range(-(-len(images) // batch) * batch)]
        portions = [np.concatenate(padded[i : i + batch]) for i in range(0, len(padded), batch)]
    if path.suffix == named_outputs.ENDING:
        made = (session.run(outs, {name: p}) for p in portions)
        named_outputs.save(path, named_outputs.split_by_image(outs, made, batch, len(images)))
        return
    outputs = np.concatenate([session.run(outs[:1], {name: p})[0] for p in portions])[: len(images)]
    with path.open("wb") as stream:
        np.save(stream, outputs)
