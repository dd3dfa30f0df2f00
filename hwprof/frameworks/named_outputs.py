"""Outputs of a network, each under its name, compared with the reference's on its own scale. Pure; numpy only.

Floats are compared by their error relative to the largest value, integers, booleans and strings exactly. A sequence is
a list of arrays. Images are kept apart, because outputs may differ in shape from image to image, and not every one has
a batch axis.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hwprof.errors import UnsupportedModel
from hwprof.frameworks import fidelity
from hwprof.printable import plural
from hwprof.records import Fidelity, OutputFidelity

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hwprof.frameworks.protocol import Value

    Array = NDArray[np.generic]
    # Name -> one value per image, in the network's order.
    Outputs = Mapping[str, Sequence[Value]]

NEVER_REPEATS = "never repeats: two runs of the reference on one input differ"
NO_BATCH_AXIS = "has no batch axis: what it is does not follow from single images. Measure at batch 1 to compare it"
BATCH_WIDE = (
    "its quantisation depends on the whole batch: no frame can be compared alone. Measure at batch 1 to compare it"
)
BATCH_NOTE = "its quantisation depends on the whole batch, and is compared with single images"
BLIND = "its roundings alone change it by {share:.2g} times its largest value: right and wrong are not distinguishable"
SHAPE_BY_ROUNDINGS = "its shape depends on its roundings, and its values differ"
STEP_NOTED = 1e-2
FIGURES = ("max_abs", "max_rel", "tolerance", "simulated_rel", "gain", "gain_tolerance")
NUMBERS, TEXT = "biuf", "USO"  # kinds of NumPy's types


@dataclass(frozen=True, slots=True)
class ReferenceOutputs:
    """What the reference gives. `axes`: output -> the axis on which the images of a batch lie; None: there is none.

    `incomparable`: output -> why it can't be compared; such a one may have no values. `batch_wide`: outputs that are
    quantised by the range of all images of a batch, where the reference's are of single ones. `steps`: output -> one
    step of the quantisation in which it is given.
    """

    outputs: Outputs
    axes: Mapping[str, int | None]
    incomparable: Mapping[str, str] = dataclasses.field(default_factory=dict)
    batch_wide: tuple[str, ...] = ()
    steps: Mapping[str, float] = dataclasses.field(default_factory=dict)


def require_outputs(framework: str, wanted: Sequence[str], there: Iterable[str]) -> None:
    """Raise UnsupportedModel where a loaded network lacks one of its outputs."""
    lost = sorted(set(wanted) - set(there))
    if lost:
        raise UnsupportedModel(
            f"{framework} gives {len(wanted) - len(lost)} of the network's "
            f"{plural(len(wanted), 'output')}: {lost[0]} is missing"
        )


def split_by_image(
    reference: ReferenceOutputs, portions: Iterable[Sequence[Value]], batch: int, images: int
) -> Outputs:
    """`portions`: all outputs of one batch after the other. Of the last one, what is beyond `images` is left out.

    Raises UnsupportedModel where the number of outputs is not the network's.
    """
    found: dict[str, list[Value]] = {name: [] for name in reference.axes}
    for portion in portions:
        if len(portion) != len(found):
            raise UnsupportedModel(f"{plural(len(portion), 'output')} came, and the network has {len(found)}")
        for (name, axis), value in zip(reference.axes.items(), portion, strict=True):
            known = reference.outputs.get(name, ())
            found[name] += images_of(value, axis, batch, known[0] if known else None)
    return {name: values[:images] for name, values in found.items()}


def images_of(value: Value, axis: int | None, batch: int, like: Value | None = None) -> list[Value]:
    """An output of a batch image by image; whole for each of them where its images do not lie side by side.

    `like`: of one image. A framework's array that lacks axes of length 1, or has more of them, is brought to its shape.
    """
    if batch == 1 or axis is None or isinstance(value, list | tuple):
        return [value] * batch
    array: Any = value
    single: Any = like
    if single is not None and not isinstance(single, list | tuple) and single.ndim > axis:
        wanted = [*single.shape[:axis], batch * single.shape[axis], *single.shape[axis + 1 :]]
        if long_sides(array.shape) == long_sides(wanted):
            array = array.reshape(wanted)
        elif array.ndim and len(array) == batch and long_sides(array.shape[1:]) == long_sides(single.shape):
            return list(array)  # ncnn keeps the images of a batch apart, whatever their axis
    if array.ndim <= axis or array.shape[axis] % batch:
        return [value] * batch
    each = array.shape[axis] // batch
    before = (slice(None),) * axis
    return [array[(*before, slice(i * each, (i + 1) * each))] for i in range(batch)]


def compare(
    outputs: Outputs,
    reference: ReferenceOutputs,
    allowed: float,
    simulated: Outputs | None = None,
    batch: int = 1,
    by_roundings: bool = False,
) -> Fidelity:
    """Every output on its own scale. The figures are those of the one whose error is largest beside what it may be.

    `simulated`: of a quantisation that was only simulated; `by_roundings`: of the file itself with other roundings.
    `batch`: the images that were inferred together.
    """
    parts: list[OutputFidelity] = []
    agreements: list[TopOnes | None] = []
    for name, axis in reference.axes.items():
        if why := reference.incomparable.get(name):
            part, top = OutputFidelity(name, why=why), None
        else:
            other = None if simulated is None else simulated.get(name)
            part, top = compare_output(name, outputs[name], reference.outputs[name], allowed, other, by_roundings)
        wide = batch > 1 and name in reference.batch_wide and part.max_rel is not None
        if batch > 1 and excess(part) > 1 and (axis is None or wide):  # where it is equal, nothing is in doubt
            part = OutputFidelity(name, why=NO_BATCH_AXIS if axis is None else BATCH_WIDE)
        elif wide:
            part = dataclasses.replace(part, notes=(*part.notes, BATCH_NOTE))
        parts.append(with_step(part, reference.steps.get(name, 0.0)))
        agreements.append(top)
    count = max(map(len, reference.outputs.values()), default=0)
    compared = [part for part in parts if part.max_rel is not None]
    if not compared:
        why = parts[0].why if len(parts) == 1 else "; ".join(f"{part.name}: {part.why}" for part in parts)
        return Fidelity(None, None, None, count, allowed, why=why, parts=tuple(parts))
    worst = max(compared, key=excess)
    top1, simulated_top1 = (agreements[0] or (None, None)) if len(parts) == 1 else (None, None)
    return Fidelity(
        worst.max_abs,
        worst.max_rel,
        top1,
        count,
        worst.tolerance,
        simulated_rel=worst.simulated_rel,
        simulated_top1=simulated_top1,
        output=worst.name if len(parts) > 1 else "",
        parts=tuple(parts),
        gain=worst.gain,
        gain_tolerance=worst.gain_tolerance,
    )


def excess(found: OutputFidelity) -> float:
    """The error of a compared output as a multiple of what is allowed, or that of its gain if it is more."""
    error = found.max_rel or 0.0
    gain = abs(found.gain - 1) / found.gain_tolerance if found.gain is not None and found.gain_tolerance > 0 else 0.0
    if found.tolerance > 0:
        return max(error / found.tolerance, gain)
    return math.inf if error else 0.0


def with_step(found: OutputFidelity, step: float) -> OutputFidelity:
    """With a note of how large a step of its quantisation is, where that is more than a hundredth of its values."""
    share = step * found.max_rel / found.max_abs if found.max_rel and found.max_abs and not found.exact else 0.0
    if not STEP_NOTED <= share < math.inf:
        return found
    note = f"one step of its quantisation is {share:.1e} of its largest value"
    return dataclasses.replace(found, notes=(*found.notes, note))


# top-1 agreement with the reference, and that of the simulated quantisation; None: it has none
TopOnes = tuple[float | None, float | None]


def compare_output(
    name: str,
    images: Sequence[Value],
    reference: Sequence[Value],
    allowed: float,
    simulated: Sequence[Value] | None,
    by_roundings: bool = False,
) -> tuple[OutputFidelity, TopOnes | None]:
    """One output over all images. Another shape is never faithful, but where the shape depends on the data."""
    same = [shapes(y) == shapes(r) for y, r in zip(images, reference, strict=True)]
    notes = []
    if not all(same):
        at = same.index(False)
        other = f"{shape_text(images[at])} where the reference's is {shape_text(reference[at])}"
        if len({str(shapes(r)) for r in reference}) == 1:
            bad = OutputFidelity(name, math.inf, math.inf, allowed, notes=(f"its shape is {other}",))
            return bad, (0.0, None)
        if not any(same):
            return OutputFidelity(name, why=f"its shape depends on the data, and is {other}"), None
        some = f"the {sum(same)} of {plural(len(same), 'image')}"
        notes.append(f"its shape depends on the data: compared in {some} where it agrees")
    y, r = (flatten([v for v, ok in zip(values, same, strict=True) if ok]) for values in (images, reference))
    if simulated is None or [shapes(v) for v in simulated] != [shapes(v) for v in reference]:
        simulated = None
    s = None if simulated is None else flatten([v for v, ok in zip(simulated, same, strict=True) if ok])
    notes += differences(images, reference, same, y, r)
    if r.dtype.kind == "f" and y.dtype.kind in NUMBERS:
        part, top = compare_floats(name, y, r, s, allowed, notes, by_roundings)
        top = top if len(r) == sum(same) else None
    else:
        part, top = compare_exactly(name, y, r, s, allowed, notes), None
    if by_roundings and s is None and excess(part) > 1:
        return OutputFidelity(name, why=SHAPE_BY_ROUNDINGS), None
    return part, top


def differences(
    images: Sequence[Value], reference: Sequence[Value], same: Sequence[bool], y: Any, r: Any
) -> Iterator[str]:
    """What a framework gives otherwise than the reference without being wrong: axes of length 1, another type."""
    at = same.index(True)
    if [a.shape for a in arrays_of(images[at])] != [a.shape for a in arrays_of(reference[at])]:
        yield f"shape {shape_text(images[at])} for {shape_text(reference[at])}"
    if y.dtype.kind != r.dtype.kind and not {y.dtype.kind, r.dtype.kind} <= set(TEXT):
        yield f"{kind_of(y)} for {kind_of(r)}"


def compare_floats(
    name: str,
    y: Any,
    r: Any,
    simulated: Any | None,
    allowed: float,
    notes: Sequence[str],
    by_roundings: bool = False,
) -> tuple[OutputFidelity, TopOnes | None]:
    """By `fidelity.compare`, `judge` and `judge_roundings`; arrays of shape (images, values)."""
    import numpy as np

    if r.size == 0:  # a detector that found nothing in any image
        return OutputFidelity(name, 0.0, 0.0, allowed, notes=tuple(notes)), None
    judge = fidelity.judge_roundings if by_roundings else fidelity.judge
    found = fidelity.compare(y, r, allowed) if simulated is None else judge(y, r, simulated, allowed)
    if by_roundings and found.tolerance >= 1 and found.max_rel:  # nothing but zeros would be right too
        return OutputFidelity(name, why=BLIND.format(share=found.simulated_rel or 0.0)), None
    if undefined := int((np.isnan(y) & np.isnan(r)).sum()):
        notes = [*notes, f"NaN in the same {undefined} places"]
    figures = {name: getattr(found, name) for name in FIGURES}
    part = OutputFidelity(name, notes=tuple(notes), **figures)
    return part, (found.top1, found.simulated_top1)


def compare_exactly(
    name: str, y: Any, r: Any, simulated: Any | None, allowed: float, notes: Sequence[str]
) -> OutputFidelity:
    """Integers, booleans and strings: the share of values that differ, which must be none.

    In a reduced precision they may differ by nature: twice as many as those of a simulated quantisation.
    """
    share, error = differing(y, r)
    expected = None if simulated is None else differing(simulated, r)[0]
    if expected is None and share and allowed > fidelity.TOLERANCE["fp32"]:
        return OutputFidelity(name, why=f"{share:.2%} of its values differ, as they may in a reduced precision")
    limit = fidelity.MARGIN * (expected or 0.0)
    return OutputFidelity(name, error, share, limit, exact=True, notes=tuple(notes), simulated_rel=expected)


def differing(y: Any, r: Any) -> tuple[float, float]:
    """(share of values that differ, the largest difference; 1 for other text)."""
    import numpy as np

    if not r.size:
        return 0.0, 0.0
    if y.dtype.kind in NUMBERS and r.dtype.kind in NUMBERS:
        error = float(np.abs(y.astype(np.float64) - r.astype(np.float64)).max())
        return float((y != r).mean()), error
    if y.dtype.kind in NUMBERS or r.dtype.kind in NUMBERS:
        return 1.0, math.inf
    other = y.astype(str) != r.astype(str)
    return float(other.mean()), float(other.any())


def arrays_of(value: Value) -> list[Array]:
    """The arrays of a sequence; of a tensor itself."""
    return list(value) if isinstance(value, list | tuple) else [value]  # type: ignore[list-item]


def long_sides(shape: Iterable[int]) -> tuple[int, ...]:
    """A shape without its axes of length 1, which OpenCV adds where one was reduced, and ncnn drops."""
    return tuple(side for side in shape if side != 1)


def shapes(value: Value) -> list[tuple[int, ...]]:
    """The long sides of a value, or of each array of a sequence."""
    return [long_sides(array.shape) for array in arrays_of(value)]


def shape_text(value: Value) -> str:
    """`2x3`; of a sequence `[2x3, 4]`; `scalar`."""
    found = ["x".join(map(str, array.shape)) or "scalar" for array in arrays_of(value)]
    return f"[{', '.join(found)}]" if isinstance(value, list | tuple) else found[0]


def kind_of(array: Any) -> str:
    """float32, int64, bool, text."""
    return "text" if array.dtype.kind in TEXT else str(array.dtype)


def flatten(images: Sequence[Value]) -> Any:
    """(images, values), or (1, values) where the images differ in their number of values."""
    import numpy as np

    rows = [np.concatenate([a.reshape(-1) for a in each]) for each in map(list, map(arrays_of, images)) if each]
    if not rows:  # sequences without any element
        return np.zeros((1, 0))
    return np.stack(rows) if len({len(row) for row in rows}) == 1 else np.concatenate(rows)[None]


def reason_not_kept(values: Iterable[Value]) -> str:
    """Why an output is neither a tensor nor a sequence of tensors of numbers or text; "" where it is one."""
    for array in each_array(values):
        kind = getattr(getattr(array, "dtype", None), "kind", "")
        if not kind:
            return f"is made of {type(array).__name__}s, which are not compared"
        if kind == "O" and not all(isinstance(item, str) for item in array.reshape(-1)):
            return "is made of Python objects, which are not compared"
        if kind not in NUMBERS + TEXT:
            return f"is of type {array.dtype}, which is not compared"
    return ""


def each_array(values: Iterable[Value]) -> Iterator[Any]:
    """All arrays of all values."""
    for value in values:
        yield from arrays_of(value)


def repeats(first: Value, second: Value) -> bool:
    """Whether two values are the same to the last bit; NaN equals NaN."""
    import numpy as np

    pairs = list(zip(arrays_of(first), arrays_of(second), strict=False))
    if len(arrays_of(first)) != len(arrays_of(second)):
        return False
    return all(np.array_equal(a, b, equal_nan=getattr(a, "dtype", np.dtype(object)).kind == "f") for a, b in pairs)
