"""Frames: what goes in for one inference of a batch of 1, an array per input; joined into batches, kept in files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.errors import UsageError
from hwprof.networks.inputs import TEXT, InputSpec, OpenInput, TensorSpec, shape_title

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]
    Frame = Sequence[Array]

NPZ, NPY = ".npz", ".npy"


def dims_of(value: Any) -> list[Any]:
    """The dimensions of an onnx value: numbers, or names."""
    return [dim.dim_value or dim.dim_param for dim in value.type.tensor_type.shape.dim]


def written_batch(dims: Mapping[str, Sequence[Any]], spec: InputSpec) -> int:
    """The batch that a graph has written in, by the dimensions of its inputs; 1 where it is open, or there is none."""
    found = [dims[one.name][one.batch_axis] for one in spec.inputs if one.batch_axis is not None]
    return found[0] if found and isinstance(found[0], int) and found[0] > 0 else 1


def in_batches(spec: InputSpec, frames: Sequence[Frame], batch: int) -> list[list[Array]]:
    """Frames in batches, an array per input; the last batch is filled up from the first. What has no axis is shared."""
    padded = [frames[i % len(frames)] for i in range(-(-len(frames) // batch) * batch)]
    return [join(spec, padded[i : i + batch]) for i in range(0, len(padded), batch)]


def join(spec: InputSpec, frames: Sequence[Frame]) -> list[Array]:
    """One batch of some frames."""
    import numpy as np

    if len(frames) == 1:
        return list(frames[0])
    return [
        np.ascontiguousarray(np.concatenate([frame[place] for frame in frames], axis=one.batch_axis))
        if one.batch_axis is not None
        else frames[0][place]
        for place, one in enumerate(spec.inputs)
    ]


def split(spec: TensorSpec, array: Array) -> list[Array]:
    """An array of the input's rank as frames along its batch axis; itself where it has none."""
    if spec.batch_axis is None:
        return [array]
    before = (slice(None),) * spec.batch_axis
    return [array[(*before, slice(i, i + 1))] for i in range(array.shape[spec.batch_axis])]


def save_frames(path: Path, spec: InputSpec, frames: Sequence[Frame]) -> None:
    """Write frames as .npz: input number -> (frames, ...)."""
    import numpy as np

    arrays: dict[str, Any] = {}
    for place, one in enumerate(spec.inputs):
        array = np.stack([frame[place] for frame in frames])
        arrays[f"input{place}"] = array.astype(str) if one.dtype == TEXT else array
    np.savez(path, **arrays)


def load_frames(path: Path, spec: InputSpec) -> list[list[Array]]:
    """What `save_frames` wrote."""
    import numpy as np

    with np.load(path, allow_pickle=False) as kept:
        arrays = [kept[f"input{place}"] for place in range(len(spec.inputs))]
    arrays = [
        array.astype(object) if one.dtype == TEXT else array for one, array in zip(spec.inputs, arrays, strict=True)
    ]
    # with the dots a scalar stays an array
    return [[array[number, ...] for array in arrays] for number in range(len(arrays[0]))]


def read_samples(path: Path, inputs: Sequence[OpenInput | TensorSpec]) -> dict[str, list[Array]]:
    """A user's own data: input -> samples of its rank; of an .npz (arrays by input name), an .npy, or a folder of them.

    An array of one rank more holds one sample after the other. Raises UsageError with the file and what is wrong.
    """
    files = sorted(p for p in path.iterdir() if p.suffix in (NPZ, NPY)) if path.is_dir() else [path]
    if not files:
        raise UsageError(f"{path} has no .npz or .npy", "--inputs FILE.npz with an array for each input by its name")
    ranks = {one.name: len(one.dims if isinstance(one, OpenInput) else one.shape) for one in inputs}
    found: dict[str, list[Array]] = {}
    for file in files:
        for name, array in read_arrays(file, inputs).items():
            if name not in ranks:
                raise UsageError(f"{file}: the network has no input '{name}'", f"its inputs: {', '.join(ranks)}")
            if array.ndim not in (ranks[name], ranks[name] + 1):
                what = f"{shape_title(array.shape)} for {name}, which has {ranks[name]} dimensions"
                raise UsageError(f"{file}: {what}", "give one sample, or samples along a first dimension")
            found.setdefault(name, []).extend([array] if array.ndim == ranks[name] else array)
    if empty := [
        name
        for name, arrays in found.items()
        if not arrays or not all(array.size or not array.ndim for array in arrays)
    ]:
        raise UsageError(f"{path} has no data for {empty[0]}", "each input needs at least one sample")
    return found


def read_arrays(file: Path, inputs: Sequence[OpenInput | TensorSpec]) -> Mapping[str, Array]:
    """Arrays by input name. An .npy is that of the only input. Raises UsageError."""
    import numpy as np

    try:
        loaded = np.load(file, allow_pickle=False)
        if file.suffix == NPY or not hasattr(loaded, "files"):
            if len(inputs) > 1:
                raise UsageError(f"{file} holds one array, and the network has {len(inputs)} inputs", "give an .npz")
            return {inputs[0].name: loaded}
        with loaded:
            return {name: loaded[name] for name in loaded.files}
    except FileNotFoundError:
        raise UsageError(f"{file}: no such file", "check --inputs") from None
    except (OSError, ValueError, EOFError, KeyError) as error:
        said = str(error).splitlines()[0][:160] if str(error) else type(error).__name__
        raise UsageError(f"{file} can't be read as NumPy data: {said}", "write it by numpy.savez") from error


def shapes_of_samples(samples: Mapping[str, Sequence[Array]]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Input -> the shape of its first sample."""
    return tuple((name, tuple(arrays[0].shape)) for name, arrays in samples.items())


def frames_of_samples(
    path: Path, spec: InputSpec, samples: Mapping[str, Sequence[Array]], seeded: Sequence[Frame]
) -> list[list[Array]]:
    """The samples as frames, each input in its own type; an input without samples has the seeded ones.

    As many frames as the input with the most samples has; the others repeat theirs. Raises UsageError where a sample
    has another shape than the case, or values that its type can't hold.
    """
    single = spec.of_batch(1)
    columns: list[list[Array]] = []
    for place, one in enumerate(single.inputs):
        if one.name not in samples:
            columns.append([frame[place] for frame in seeded])
            continue
        pieces = [piece for array in samples[one.name] for piece in split(one, in_type(path, one, array))]
        for piece in pieces:
            if tuple(piece.shape) != one.shape:
                raise UsageError(
                    f"{path}: a sample of {one.name} is {shape_title(piece.shape)}, not {shape_title(one.shape)}",
                    "all samples need one shape; --shape says which",
                )
        columns.append(pieces)
    own = [len(column) for one, column in zip(single.inputs, columns, strict=True) if one.name in samples]
    return [[column[i % len(column)] for column in columns] for i in range(max(own, default=len(seeded)))]


def in_type(path: Path, spec: TensorSpec, array: Array) -> Array:
    """The array in the input's type. Raises UsageError where values would change."""
    import numpy as np

    if spec.dtype == TEXT:
        if array.dtype.kind not in "UO":
            raise UsageError(f"{path}: {spec.name} takes text, not {array.dtype}", "give an array of strings")
        return array.astype(object)
    wanted = np.dtype(spec.dtype)
    if array.dtype == wanted:
        return array
    if array.dtype.kind not in "biuf":
        raise UsageError(f"{path}: {spec.name} takes {spec.dtype}, not {array.dtype}", f"astype('{spec.dtype}')")
    cast = array.astype(wanted)
    if wanted.kind != "f" and not np.array_equal(cast, array):
        raise UsageError(f"{path}: {spec.name} takes {spec.dtype}, and values would change", f"astype('{spec.dtype}')")
    return cast
