"""Columns of numbers as blobs: little-endian int64 or float64."""

from __future__ import annotations

import math
import struct
import sys
import zlib
from array import array
from collections.abc import Iterable
from typing import Any

NO_COUNT = -(1 << 63)  # could not be read


def pack_ints(values: Iterable[int]) -> bytes:
    """Little-endian int64."""
    return _little(array("q", values)).tobytes()


def unpack_ints(blob: bytes) -> tuple[int, ...]:
    """The inverse of `pack_ints`."""
    return tuple(_little(array("q", blob)))


def pack_counts(values: Iterable[int | None]) -> bytes:
    """Little-endian int64; None becomes the least one."""
    return pack_ints(NO_COUNT if v is None else v for v in values)


def unpack_counts(blob: bytes) -> tuple[int | None, ...]:
    """The inverse of `pack_counts`."""
    return tuple(None if v == NO_COUNT else v for v in unpack_ints(blob))


def pack_small(values: Iterable[int | None]) -> bytes:
    """As `pack_counts`, compressed: of counts per inference most are small or 0."""
    return zlib.compress(pack_counts(values))


def unpack_small(blob: bytes) -> tuple[int | None, ...] | None:
    """The inverse of `pack_small`; None where these are no numbers packed by it."""
    try:
        plain = zlib.decompress(blob)
    except zlib.error:
        return None
    return None if len(plain) % 8 else unpack_counts(plain)


def pack_floats(values: Iterable[float | None]) -> bytes:
    """Little-endian float64; None becomes NaN."""
    return _little(array("d", (math.nan if v is None else v for v in values))).tobytes()


def unpack_floats(blob: bytes) -> tuple[float | None, ...]:
    """The inverse of `pack_floats`: NaN becomes None, a sensor without an answer."""
    return tuple(v if v == v else None for v in _little(array("d", blob)))


def _little(values: array[Any]) -> array[Any]:
    if sys.byteorder == "big":
        values.byteswap()
    return values


assert struct.calcsize("q") == array("q").itemsize == 8
