"""Outputs of the reference, ONNX Runtime in FP32, that every framework's outputs are compared with."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.errors import UnsupportedModel
from hwprof.frameworks import named_outputs, outputs_file
from hwprof.frameworks.builtin import reason_of
from hwprof.frameworks.fidelity import MARGIN, SIMULATED, tolerance
from hwprof.frameworks.named_outputs import NEVER_REPEATS, ReferenceOutputs
from hwprof.frameworks.onnxruntime.adapter import load_error, quantise
from hwprof.frameworks.onnxruntime.plain import open_session as open_session
from hwprof.frameworks.roundings import with_other_roundings, with_other_sums
from hwprof.frameworks.shapes_by_run import shapes_by_run
from hwprof.networks.batch_axes import batch_axes
from hwprof.networks.frames import dims_of, in_batches, join, save_frames, split, written_batch
from hwprof.networks.inputs import shape_title
from hwprof.networks.size import size_of
from hwprof.networks.stored_precision import batch_wide_outputs, output_steps

if TYPE_CHECKING:
    from hwprof.frameworks.protocol import PrepareJob, Value
    from hwprof.networks.frames import Frame
    from hwprof.networks.inputs import InputSpec

    Run = Callable[[Frame], Sequence[Value]]


def write_simulated(job: PrepareJob, frames: Sequence[Frame]) -> None:
    """Outputs of ONNX Runtime's quantised graph with its optimisation off, which computes in FP32 between roundings."""
    graph = quantise(job)
    write_reference(graph, job.input, frames, job.directory / SIMULATED)
    graph.unlink()


def write_roundings(source: Path, spec: InputSpec, frames: Sequence[Frame], folder: Path) -> None:
    """Outputs of a file with rounded activations where they are rounded otherwise: how far they may be apart.

    Raises UnsupportedModel where ONNX Runtime can't compute the disturbed graph.
    """
    write_disturbed(source, spec, frames, folder, with_other_roundings)


def write_sums(source: Path, spec: InputSpec, frames: Sequence[Frame], path: Path) -> None:
    """Outputs of an FP32 network with its sums in another order, beside those of its reference at `path`.

    Only where that allows a larger error than FP32 has anyway: a network that amplifies roundings.
    """
    try:
        write_disturbed(source, spec, frames, path.parent, with_other_sums)
    except UnsupportedModel as error:  # FP32's own tolerance holds
        print(f"no other order of sums: {error.message}")
        return
    simulated = outputs_file.load_simulated(path)
    assert simulated is not None
    found = named_outputs.compare(simulated, outputs_file.load(path), tolerance("fp32") / MARGIN)
    if all(named_outputs.excess(part) <= 1 for part in found.parts):
        path.with_name(SIMULATED).unlink()


def write_disturbed(
    source: Path, spec: InputSpec, frames: Sequence[Frame], folder: Path, disturb: Callable[[Any], Any]
) -> None:
    """Outputs of the graph that `disturb` gives, as SIMULATED in this folder. Raises UnsupportedModel."""
    import onnx

    graph = folder / "roundings.onnx"
    model = onnx.load(str(source), load_external_data=False)
    beside = {entry.value for t in model.graph.initializer for entry in t.external_data if entry.key == "location"}
    for name in beside:  # ONNX Runtime takes no data from outside the graph's own folder, nor by a symbolic link
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        link_or_copy((source.parent / name).resolve(), folder / name)
    onnx.save(disturb(model), str(graph))
    try:
        write_reference(graph, spec, frames, folder / SIMULATED)
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


def runner(session: Any, spec: InputSpec) -> Run:
    """A function from a batch, an array per input, to all outputs in the network's order."""
    inputs, names = [one.name for one in spec.inputs], [output.name for output in session.get_outputs()]

    def run(batch: Frame) -> Sequence[Value]:
        values: Sequence[Value] = session.run(names, dict(zip(inputs, batch, strict=True)))
        return values

    return run


def write_reference(source: Path, spec: InputSpec, frames: Sequence[Frame], path: Path) -> None:
    """All outputs of ONNX Runtime with graph optimisation off, one thread, as `outputs_file` keeps them.

    `frames`: each an array per input with a batch of 1. Raises NotInstalled; UnsupportedModel where it can't load or
    run the network.
    """
    import onnx

    session = open_session(source)
    run, names = runner(session, spec), [output.name for output in session.get_outputs()]
    batch = written_batch({entry.name: entry.shape for entry in session.get_inputs()}, spec)
    portions = in_batches(spec, frames, batch)
    try:
        results, again = [run(portion) for portion in portions], run(portions[0])
    except Exception as error:  # its exception classes differ between versions
        said = f"ONNX Runtime can't run the network on these inputs: {load_error(error)}"
        raise UnsupportedModel(said, "give data of your own: --inputs FILE.npz") from error
    model = onnx.load(str(source), load_external_data=False)
    axes = batch_axes(model, spec.inputs)
    if is_open(session, spec) and any(name not in axes for name in names):
        axes = {**axes_by_batch(names, spec, frames, results, run), **axes}
    found = kept_outputs(names, results, axes, batch, len(frames), again)
    wide = batch_wide_outputs(model) if batch == 1 else ()  # of a fixed batch, the case's is of the same frames
    outputs_file.save(path, dataclasses.replace(found, batch_wide=wide, steps=output_steps(model)))


def write_size(source: Path, spec: InputSpec, frames: Sequence[Frame], path: Path) -> None:
    """Write MACs per frame and parameters, with the shapes that one run of the reference has where inference has none.

    What stays unknown is None, with the reason.
    """
    import onnx

    model = onnx.load(str(source), load_external_data=False)
    batch = written_batch({value.name: dims_of(value) for value in model.graph.input}, spec)
    feeds = dict(zip((one.name for one in spec.inputs), in_batches(spec, frames, batch)[0], strict=True))
    size = size_of(model, inputs={n: array.shape for n, array in feeds.items()}, known=shapes_by_run(source, feeds))
    macs = None if size.macs is None else size.macs // batch
    path.write_text(json.dumps({"macs": macs, "params": size.params, "unknown": size.unknown}))


def is_open(session: Any, spec: InputSpec) -> bool:
    """Whether the graph leaves its batch open."""
    dims = {entry.name: entry.shape for entry in session.get_inputs()}
    found = [dims[one.name][one.batch_axis] for one in spec.inputs if one.batch_axis is not None]
    return bool(found) and not isinstance(found[0], int)


def write_frames(source: Path, spec: InputSpec, frames: Sequence[Frame], path: Path) -> None:
    """Write the frames with their states as they come out of the frame before, computed by the reference.

    The first frame has the states that it has. Raises as `write_reference`, and where a state comes out in another form
    than it goes in.
    """
    session = open_session(source)
    batch = written_batch({entry.name: entry.shape for entry in session.get_inputs()}, spec)
    run, names = runner(session, spec), [output.name for output in session.get_outputs()]
    places = {one.name: place for place, one in enumerate(spec.inputs)}
    if missing := [name for pair in spec.states for name in pair if name not in (*places, *names)]:
        raise UnsupportedModel(f"the network has no input or output '{missing[0]}'", "as in --state OUTPUT:INPUT")
    made = [list(frames[0])]
    for frame in frames[1:]:
        out = dict(zip(names, run(in_batches(spec, made[-1:], batch)[0]), strict=True))
        following = list(frame)
        for output, entry in spec.states:
            before, after = made[-1][places[entry]], out[output]
            after = after if batch == 1 else split(spec.inputs[places[entry]], after)[0]
            if getattr(after, "shape", None) != before.shape or after.dtype != before.dtype:
                raise UnsupportedModel(
                    f"state {entry} goes in as {before.dtype} {shape_title(before.shape)}, and {output} comes out "
                    f"as {getattr(after, 'dtype', 'a sequence')} {shape_title(getattr(after, 'shape', ()))}",
                    "a growing cache is measured at a fixed length, without --state",
                )
            following[places[entry]] = after
        made.append(following)
    save_frames(path, spec, made)


def evaluated_outputs(source: Path, spec: InputSpec, frames: Sequence[Frame]) -> ReferenceOutputs:
    """All outputs by onnx's own evaluator in double precision."""
    import onnx

    from hwprof.networks.evaluate import evaluate_batches

    graph = onnx.load(str(source), load_external_data=False)
    results, batch = evaluate_batches(source, spec, frames)
    names = [output.name for output in graph.graph.output]
    return kept_outputs(names, results, batch_axes(graph, spec.inputs), batch, len(frames))


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


def axes_by_batch(
    names: Sequence[str], spec: InputSpec, frames: Sequence[Frame], results: Sequence[Sequence[Value]], run: Run
) -> Mapping[str, int | None]:
    """The batch axis of each output by computing two frames at once: the one that is as long as both together."""
    second = 1 if len(frames) > 1 else 0
    try:
        both = run(join(spec, [frames[0], frames[second]]))
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
