"""Names and types of a loaded network's inputs. Standard library only at import: the measured worker loads this."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hwprof.errors import UnsupportedModel
from hwprof.networks.inputs import InputSpec
from hwprof.printable import plural

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Of numbers and truth values that a network's inputs may have, as NumPy calls them.
TYPES = ("float32", "float16", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")


def require_inputs(framework: str, spec: InputSpec, there: Sequence[str]) -> list[str]:
    """The names of a loaded network's inputs in the order of `spec`. Raises UnsupportedModel where one is missing.

    Of one input whatever it is called.
    """
    names = [one.name for one in spec.inputs]
    if len(names) == len(there) == 1:
        return list(there)
    lost = sorted(set(names) - set(there))
    if lost:
        raise UnsupportedModel(
            f"{framework} takes {len(names) - len(lost)} of the network's {plural(len(names), 'input')}: "
            f"{lost[0]} is missing",
            "export the network without inputs that it does not use",
        )
    more = sorted(set(there) - set(names))
    if more:
        raise UnsupportedModel(f"{framework} wants an input that the network does not have: {more[0]}")
    return names


def require_types(framework: str, spec: InputSpec, types: Sequence[str]) -> None:
    """Raise UnsupportedModel where an input is of another type than those."""
    for one in spec.inputs:
        if one.dtype not in types:
            kind = "text" if one.dtype == "str" else one.dtype
            raise UnsupportedModel(f"{framework} takes no {kind}, and input {one.name} is {kind}")


def as_int32(framework: str, array: NDArray[Any]) -> NDArray[np.int32]:
    """Integers for a framework that has 32 bits of them. Raises UnsupportedModel where one is beyond."""
    import numpy as np

    found = array.astype(np.int32)
    if not np.array_equal(found, array):
        raise UnsupportedModel(f"{framework} takes integers of 32 bits, and an input has {array.max()}")
    return found
