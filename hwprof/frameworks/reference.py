"""Outputs of the reference, ONNX Runtime in FP32, that every framework's outputs are compared with."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.errors import UnsupportedModel
from hwprof.frameworks import named_outputs, outputs_file
from hwprof.frameworks.builtin import import_of, reason_of
from hwprof.frameworks.fidelity import SIMULATED
from hwprof.frameworks.named_outputs import NEVER_REPEATS, ReferenceOutputs
from hwprof.frameworks.onnxruntime.adapter import load_error, quantise
from hwprof.frameworks.roundings import with_other_roundings
from hwprof.networks.batch_axes import batch_axes
from hwprof.networks.stored_precision import batch_wide_outputs, output_steps

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import Array, PrepareJob, Value

    Run = Callable[[Array], Sequence[Value]]


def write_simulated(job: PrepareJob, images: Sequence[Array]) -> None:
    """Outputs of ONNX Runtime's quantised graph with its optimisation off, which computes in FP32 between roundings."""
    graph = quantise(job)
    write_reference(graph, images, job.directory / SIMULATED)
    graph.unlink()


def write_roundings(source: Path, images: Sequence[Array], folder: Path) -> None:
    """Outputs of a file with rounded activations where they are rounded otherwise: how far they may be apart.

    Raises UnsupportedModel where ONNX Runtime can't compute the disturbed graph.
    """
    import onnx

    graph = folder / "roundings.onnx"
    model = onnx.load(str(source), load_external_data=False)
    beside = {entry.value for t in model.graph.initializer for entry in t.external_data if entry.key == "location"}
    for name in beside:  # ONNX Runtime takes no data from outside the graph's own folder, nor by a symbolic link
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        link_or_copy((source.parent / name).resolve(), folder / name)
    onnx.save(with_other_roundings(model), str(graph))
    try:
        write_reference(graph, images, folder / SIMULATED)
    except UnsupportedModel as error:
        raise UnsupportedModel(f"other roundings of the network can't be computed: {error.message}") from error
    finally:
        for name in (graph.name, *beside):
            (folder / name).unlink()


def link_or_copy(source: Path, target: Path) -> None:
    """The file under another name: a hard link, or a copy where it is on another file system."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def write_reference(source: Path, images: Sequence[Array], path: Path) -> None:
    """All outputs of ONNX Runtime FP32 with graph optimisation off, one thread, as `outputs_file` keeps them.

    Raises NotInstalled; UnsupportedModel where it can't load or run the network.
    """
    import onnx

    with import_of("onnxruntime (the reference for every framework's outputs)", "pip install 'hwprof[onnxruntime]'"):
        import onnxruntime as ort
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exception classes differ between versions
        raise UnsupportedModel(f"ONNX Runtime {ort.__version__} can't load the network: {load_error(error)}") from error
    entry, names = session.get_inputs()[0], [output.name for output in session.get_outputs()]

    def run(batch: Array) -> Sequence[Value]:
        values: Sequence[Value] = session.run(names, {entry.name: batch})
        return values

    batch = entry.shape[0] if isinstance(entry.shape[0], int) else 1
    portions = in_portions(images, batch)
    results, again = [run(portion) for portion in portions], run(portions[0])
    model = onnx.load(str(source), load_external_data=False)
    axes = batch_axes(model)
    if entry.shape[0] != batch and any(name not in axes for name in names):
        axes = {**axes_by_batch(names, images, results, run), **axes}
    found = kept_outputs(names, results, axes, batch, len(images), again)
    wide = batch_wide_outputs(model) if batch == 1 else ()  # of a fixed batch, the case's is of the same images
    outputs_file.save(path, dataclasses.replace(found, batch_wide=wide, steps=output_steps(model)))


def evaluated_outputs(source: Path, images: Sequence[Array]) -> ReferenceOutputs:
    """All outputs by onnx's own evaluator in double precision."""
    import onnx

    from hwprof.networks.evaluate import evaluate_batches

    graph = onnx.load(str(source), load_external_data=False)
    results, batch = evaluate_batches(source, images)
    return kept_outputs([o.name for o in graph.graph.output], results, batch_axes(graph), batch, len(images))


def kept_outputs(
    names: Sequence[str],
    results: Sequence[Sequence[Value]],
    axes: Mapping[str, int | None],
    batch: int,
    images: int,
    again: Sequence[Value] | None = None,
) -> ReferenceOutputs:
    """All outputs of one batch after the other, image by image.

    `again`: those of the first batch, computed once more. An output that differs from it is incomparable.
    """
    incomparable: dict[str, str] = {}
    outputs: dict[str, list[Value]] = {}
    places: dict[str, int | None] = {}
    for number, name in enumerate(names):
        values = [result[number] for result in results]
        places[name] = axes[name] if name in axes else first_axis(values[0], batch)
        outputs[name] = []
        if why := named_outputs.reason_not_kept(values):
            incomparable[name] = why
            continue
        if again is not None and not named_outputs.repeats(values[0], again[number]):
            incomparable[name] = NEVER_REPEATS
        for value in values:
            outputs[name] += named_outputs.images_of(value, places[name], batch)
    return ReferenceOutputs({name: v[:images] for name, v in outputs.items()}, places, incomparable)


def in_portions(images: Sequence[Array], batch: int) -> list[Array]:
    """The images in batches; the last one is filled up from the first."""
    import numpy as np

    if batch == 1:
        return list(images)
    padded = [images[i % len(images)] for i in range(-(-len(images) // batch) * batch)]
    return [np.concatenate(padded[i : i + batch]) for i in range(0, len(padded), batch)]


def axes_by_batch(
    names: Sequence[str], images: Sequence[Array], results: Sequence[Sequence[Value]], run: Run
) -> Mapping[str, int | None]:
    """The batch axis of each output by computing two images at once: the one that is as long as both together."""
    import numpy as np

    second = 1 if len(images) > 1 else 0
    try:
        both = run(np.concatenate([images[0], images[second]]))
    except Exception as error:  # noqa: BLE001  a batch of 1 may be written into the graph
        print(f"no batch of 2: {reason_of(error)}")
        return {}
    parts = zip(results[0], results[second], both, strict=True)
    return {name: joined_axis(*values) for name, values in zip(names, parts, strict=True)}


def joined_axis(first: Any, second: Any, both: Any) -> int | None:
    """The axis on which an array is two others one after the other, by its shape; None: there is none."""
    if not all(hasattr(array, "shape") and array.ndim == both.ndim for array in (first, second, both)):
        return None
    found = []
    for axis in range(both.ndim):
        sides = [first.shape, second.shape, both.shape]
        rest = {shape[:axis] + shape[axis + 1 :] for shape in sides}
        if len(rest) == 1 and both.shape[axis] == first.shape[axis] + second.shape[axis] and both.shape[axis]:
            found.append(axis)
    return found[0] if found else None


def first_axis(value: Any, batch: int) -> int | None:
    """The first axis, where a batch may lie on it."""
    return 0 if getattr(value, "ndim", 0) and len(value) % batch == 0 else None
