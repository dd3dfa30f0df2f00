"""What a network takes in a case: every input with its name, shape, type and batch axis. Standard library only."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One input. `shape` includes the batch; `batch_axis` None: every frame of a batch shares it."""

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"  # as NumPy calls it; "str": text
    batch_axis: int | None = 0
    # What seeded data have to be: "" by shape and type | ids:N, indices of a table of N rows | ones | zeros |
    # positions | constant:VALUE
    use: str = ""

    @property
    def title(self) -> str:
        """`1x128 int64`; a scalar is `scalar`."""
        shape = shape_title(self.shape)
        return shape if self.dtype == "float32" else f"{shape} {self.dtype}"


@dataclass(frozen=True, slots=True)
class InputSpec:
    """Inputs and outputs of a network in a case, in the network's order.

    The first input by `name`, `shape` (with the batch, e.g. (4, 3, 224, 224)), `dtype`, ...; `others` has the rest.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str = "float32"
    outputs: tuple[str, ...] = ()  # names of what the network gives, in its order, where that is more than one
    batch_axis: int | None = 0
    use: str = ""
    others: tuple[TensorSpec, ...] = ()

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """Every input, in the network's order."""
        return (TensorSpec(self.name, self.shape, self.dtype, self.batch_axis, self.use), *self.others)

    @property
    def batch(self) -> int:
        """Frames of one inference; 1 where no input has a batch axis."""
        sizes = [one.shape[one.batch_axis] for one in self.inputs if one.batch_axis is not None]
        return sizes[0] if sizes else 1

    @property
    def title(self) -> str:
        """`4x3x224x224`; of several `ids 1x128 int64, mask 1x128`."""
        if not self.others:
            return self.inputs[0].title
        return ", ".join(f"{one.name} {one.title}" for one in self.inputs)

    @property
    def elements(self) -> int:
        """Numbers that go in for one inference."""
        return sum(math.prod(one.shape) for one in self.inputs)


def shape_title(shape: tuple[int, ...]) -> str:
    """`1x3x224x224`; `scalar`."""
    return "x".join(map(str, shape)) or "scalar"


def side_title(size: float, shape: str, unit: str = "px") -> str:
    """What goes in for one frame, from the size and the shape of a case: `224px`, or the shape where it has one."""
    return shape or f"{int(size)}{unit}"


# The shape of a case with one input: `3x48x320`, `128 int64`. With several each has its name.
ONE_INPUT = re.compile(r"\d+(x\d+)*( (u?int|float|complex)\d+| bfloat16| bool| str)?")


def with_batch(shape: str, batch: int) -> str:
    """The shape of a case with its batch: `4x3x48x320`; of several inputs `batch 4, ids 128, mask 128`."""
    return f"{batch}x{shape}" if ONE_INPUT.fullmatch(shape) else f"batch {batch}, {shape}"
