"""What a network takes: each input as its file has it, and with the shape of a case. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from hwprof.errors import UsageError

TEXT = "str"  # the type of text, beside NumPy's names
COLOURS = 3


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input. `shape` includes the batch; `batch_axis` None: every frame of a batch shares it."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"  # as NumPy calls it; TEXT: text
    batch_axis: int | None = 0
    # What seeded data are: "" by shape and type | ids:N, rows of a table of N | ones | zeros | value:X | words:A B
    use: str = ""

    @property
    def title(self) -> str:
        """`1x128 int64`; a scalar is `scalar`."""
        shape = shape_title(self.shape)
        return shape if self.dtype == "float32" else f"{shape} {self.dtype}"

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Without the batch."""
        at = self.batch_axis
        return self.shape if at is None else self.shape[:at] + self.shape[at + 1 :]

    def of_batch(self, batch: int) -> TensorSpec:
        """The same for so many frames."""
        if self.batch_axis is None:
            return self
        return replace(self, shape=(*self.shape[: self.batch_axis], batch, *self.shape[self.batch_axis + 1 :]))


@dataclass(frozen=True, slots=True)
class InputSpec:
    """Inputs and outputs of a network in a case, in the network's order.

    The first input by `name`, `shape` (with the batch, e.g. (4, 3, 224, 224)), `dtype`, ...; `others` has the rest.
    `states`: (output, input) where an output goes in again with the next frame.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    outputs: tuple[str, ...] = ()  # names of what the network gives, in its order, where that is more than one
    batch_axis: int | None = 0
    use: str = ""
    others: tuple[TensorSpec, ...] = ()
    states: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(
        cls, inputs: Sequence[TensorSpec], outputs: tuple[str, ...] = (), states: tuple[tuple[str, str], ...] = ()
    ) -> InputSpec:
        """Of all inputs, at least one."""
        first = inputs[0]
        return cls(
            first.name, first.shape, first.dtype, outputs, first.batch_axis, first.use, tuple(inputs[1:]), states
        )

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Every input, in the network's order."""
        return (TensorSpec(self.name, self.shape, self.dtype, self.batch_axis, self.use), *self.others)

    @property
    def batch(self) -> int:
        """Frames of one inference; 1 where no input has a batch axis."""
        sizes = [one.shape[one.batch_axis] for one in self.inputs if one.batch_axis is not None]
        return sizes[0] if sizes else 1

    def of_batch(self, batch: int) -> InputSpec:
        """The same for so many frames."""
        return InputSpec.of([one.of_batch(batch) for one in self.inputs], self.outputs, self.states)

    @property
    def is_image(self) -> bool:
        """A batch of float32 images of three channels is all that goes in."""
        one = self.inputs[0]
        return (
            not self.others and one.dtype == "float32" and one.batch_axis == 0 and len(one.shape) == 4 and not one.use
        )

    @property
    def frame(self) -> str:
        """What goes in for one frame: "" for a square image of three channels, `3x48x320`, `ids 128, mask 128`."""
        first = self.inputs[0]
        if self.is_image and first.shape[1] == COLOURS and first.shape[2] == first.shape[3]:
            return ""
        if not self.others:
            return replace(first, shape=first.frame_shape).title
        return inputs_title([replace(one, shape=one.frame_shape) for one in self.inputs])

    @property
    def title(self) -> str:
        """`4x3x224x224`; of several `ids 1x128 int64, mask 1x128`."""
        if not self.others:
            return self.inputs[0].title
        return inputs_title(self.inputs)


def inputs_title(inputs: Sequence[TensorSpec]) -> str:
    """`ids 1x128 int64, mask 1x128`; more than two of one shape in a row: `past_key_0 ... past_value_3 1x2x128x32`."""
    parts = []
    for title, group in groupby(inputs, key=lambda one: one.title):
        names = [one.name for one in group]
        shown = [f"{names[0]} ... {names[-1]}"] if len(names) > 2 else names
        parts += [f"{name} {title}" for name in shown]
    return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class OpenInput:
    """An input as a network's file has it: a number for each fixed dimension, the name of each open one ("": none)."""

    name: str
    dims: tuple[int | str, ...]
    dtype: str = "float32"
    use: str = ""
    batch_axis: int | None = 0

    @property
    def title(self) -> str:
        """`[N, 3, 48, W]`; an open dimension without a name is `?`."""
        return f"[{', '.join(str(dim) if dim != '' else '?' for dim in self.dims)}]"


@dataclass(frozen=True, slots=True)
class InputChoice:
    """What a user says of a network's inputs, beside size and batch.

    `shapes`: input ("": the only one) -> its whole shape; `dims`: name of an open dimension -> its length; `samples`:
    path of an .npz, an .npy or a folder of them with data of the user's own; `batch_axis`: "" found | none | a number;
    `states`: (output, input) that goes in again.
    """

    shapes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    dims: tuple[tuple[str, int], ...] = ()
    samples: str = ""
    batch_axis: str = ""
    states: tuple[tuple[str, str], ...] = ()


UNSAID = InputChoice()


def shape_title(shape: Sequence[int]) -> str:
    """`1x3x224x224`; `scalar`."""
    return "x".join(map(str, shape)) or "scalar"


def give_shapes(
    network: str, inputs: Sequence[OpenInput], size: int | None, batch: int, choice: InputChoice
) -> list[TensorSpec]:
    """Every input with a shape: what is fixed, what the choice says, a square of `size` pixels, the batch.

    Raises UsageError that names what is open, unknown or contradicts.
    """
    inputs = with_batch_axis(network, inputs, choice.batch_axis)
    whole = shapes_by_input(network, inputs, choice)
    lengths = dict(choice.dims)
    known = {str(dim) for one in inputs for dim in one.dims if isinstance(dim, str) and dim}
    if unknown := sorted(set(lengths) - known):
        raise UsageError(
            f"{network} has no open dimension '{unknown[0]}'",
            f"open: {', '.join(sorted(known)) or 'none'}; its inputs: {listing(inputs)}",
        )
    frames = batch_of(network, inputs, batch, whole, lengths)
    found = []
    for one in inputs:
        dims = fixed_dims(network, one, whole.get(one.name), lengths, size if len(inputs) == 1 else None)
        if one.batch_axis is not None:
            dims[one.batch_axis] = frames
        found.append(TensorSpec(one.name, tuple(dims), one.dtype, one.batch_axis, one.use))
    return found


def with_batch_axis(network: str, inputs: Sequence[OpenInput], wanted: str) -> list[OpenInput]:
    """The inputs with the batch axis that a user names; as they are where none is named. Raises UsageError."""
    if not wanted:
        return list(inputs)
    if wanted == "none":
        return [replace(one, batch_axis=None) for one in inputs]
    if not wanted.isdecimal():
        raise UsageError(f"--batch-axis {wanted} is neither a number nor 'none'", "as in --batch-axis 1")
    axis = int(wanted)
    found = [replace(one, batch_axis=axis if axis < len(one.dims) else None) for one in inputs]
    if all(one.batch_axis is None for one in found):
        raise UsageError(f"no input of {network} has an axis {axis}", f"its inputs: {listing(inputs)}")
    return found


def shapes_by_input(network: str, inputs: Sequence[OpenInput], choice: InputChoice) -> Mapping[str, tuple[int, ...]]:
    """Input -> the whole shape that was said. Raises UsageError."""
    known = {one.name: one for one in inputs}
    found: dict[str, tuple[int, ...]] = {}
    for name, shape in choice.shapes:
        if not name and len(inputs) > 1:
            raise UsageError(
                f"{network} has {len(inputs)} inputs: say whose shape it is", f"--shape {inputs[0].name}=1,..."
            )
        one = known.get(name) if name else inputs[0]
        if one is None:
            raise UsageError(f"{network} has no input '{name}'", f"its inputs: {listing(inputs)}")
        fits = len(shape) == len(one.dims) and all(
            isinstance(dim, str) or dim == side or axis == one.batch_axis
            for axis, (dim, side) in enumerate(zip(one.dims, shape, strict=True))
        )
        if not fits or min(shape, default=0) < 0:
            said = ",".join(map(str, shape)) or "(a scalar)"
            raise UsageError(f"input {one.name} of {network} takes {one.title}, not {said}", "give every dimension")
        found[one.name] = shape
    return found


def batch_of(
    network: str,
    inputs: Sequence[OpenInput],
    batch: int,
    whole: Mapping[str, tuple[int, ...]],
    lengths: Mapping[str, int],
) -> int:
    """Frames of one inference. Raises UsageError where they can't be so many, or two figures contradict."""
    if batch < 1:
        raise UsageError(f"batch must be at least 1, not {batch}")
    with_axis = [one for one in inputs if one.batch_axis is not None]
    if not with_axis:
        if batch != 1:
            raise UsageError(f"{network} has no batch axis: one input is one frame", "omit --batch, or --batch-axis N")
        return 1
    said = {whole[one.name][one.batch_axis] for one in with_axis if one.name in whole and one.batch_axis is not None}
    named = {str(one.dims[one.batch_axis]) for one in with_axis if one.batch_axis is not None}
    said |= {length for name, length in lengths.items() if name in named}
    said -= {1, batch}
    if len(said) > 1 or (said and batch != 1):
        raise UsageError(f"{network}: --shape, --dim and --batch name different batches", "say the batch once")
    frames = said.pop() if said else batch
    fixed = {one.dims[one.batch_axis] for one in with_axis if one.batch_axis is not None} - {frames}
    if wrong := [dim for dim in fixed if isinstance(dim, int)]:
        raise UsageError(
            f"{network} was exported with a fixed batch of {wrong[0]}, not {frames}",
            f"--batch {wrong[0]}, or export it with a dynamic batch",
        )
    return frames


def fixed_dims(
    network: str, one: OpenInput, whole: tuple[int, ...] | None, lengths: Mapping[str, int], size: int | None
) -> list[int]:
    """Lengths of all dimensions; that of an open batch is 1. Raises UsageError."""
    dims = [one_dim(dim, lengths) for dim in one.dims] if whole is None else list(whole)
    if one.batch_axis is not None and dims[one.batch_axis] is None:
        dims[one.batch_axis] = 1
    sides = image_axes(one)
    if size and sides:
        fixed = [one.dims[axis] for axis in sides if isinstance(one.dims[axis], int)]
        if fixed and size not in fixed:
            shape = (
                shape_title([d for d in one.dims[1:] if isinstance(d, int)]) if len(fixed) == len(sides) else one.title
            )
            raise UsageError(f"{network} takes {shape} only, not {size} pixels", "omit --size, or export it for it")
        for axis in sides:
            if dims[axis] is None:
                dims[axis] = size
    elif size and all(isinstance(dim, int) for dim in one.dims[1:]) and size not in one.dims[1:]:
        shape = shape_title([int(d) for d in one.dims[1:]])
        raise UsageError(f"{network} takes {shape} only, not {size} pixels", "omit --size")
    missing = [axis for axis, dim in enumerate(dims) if dim is None]
    if missing and sides and set(missing) == set(sides) and not lengths and whole is None:
        raise UsageError(f"{network} takes any size: say which", "as in --size 224, or --shape for what is no square")
    if missing:
        named = [str(one.dims[axis]) for axis in missing if one.dims[axis]]
        way = " ".join(f"--dim {name}=N" for name in dict.fromkeys(named)) if len(named) == len(missing) else ""
        shape = ",".join("N" if dim is None else str(dim) for dim in dims)
        way = (f"{way}, or " if way else "") + f"--shape {one.name}={shape}"
        raise UsageError(f"input {one.name} of {network} is open: {one.title}", f"say its dimensions: {way}")
    return [int(dim) for dim in dims if dim is not None]


def one_dim(dim: int | str, lengths: Mapping[str, int]) -> int | None:
    """The length of a dimension; None: nobody says."""
    return dim if isinstance(dim, int) else lengths.get(dim)


def image_axes(one: OpenInput) -> tuple[int, ...]:
    """Height and width of an image, channels first or last; empty: it is none."""
    if len(one.dims) != 4 or one.batch_axis != 0 or not one.dtype.startswith(("float", "uint8")):
        return ()
    few = (1, 3, 4)
    return (1, 2) if one.dims[3] in few and one.dims[1] not in few else (2, 3)


def listing(inputs: Sequence[OpenInput]) -> str:
    """All inputs for an error's remedy."""
    return ", ".join(f"{one.name} {one.title} {one.dtype}" for one in inputs)


def side_title(size: float, shape: str, unit: str = "px") -> str:
    """What goes in for one frame, from the size and the shape of a case: `224px`, or the shape where it has one."""
    return shape or f"{int(size)}{unit}"


# The shape of a case with one input: `3x48x320`, `128 int64`. With several each has its name.
ONE_INPUT = re.compile(r"\d+(x\d+)*( (u?int|float|complex)\d+| bfloat16| bool| str)?")


def with_batch(shape: str, batch: int) -> str:
    """The shape of a case with its batch: `4x3x48x320`; of several inputs `batch 4, ids 128, mask 128`."""
    return f"{batch}x{shape}" if ONE_INPUT.fullmatch(shape) else f"batch {batch}, {shape}"
