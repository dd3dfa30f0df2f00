"""The JSON form of records, both ways. Standard library only: the measured process imports this before anything else.

The names are public as `hwprof.records.to_json` and `hwprof.records.from_json`.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")
PLAIN = frozenset((str, int, float, bool))


def to_json(value: Any) -> Any:
    """Plain lists, dicts and scalars of any record; a record carries no type name, `from_json` is told it."""
    if value is None or type(value) in PLAIN:  # most values: asked first
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(k): to_json(v) for k, v in value.items()}
    if isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Sequence):
        return [to_json(v) for v in value]
    raise TypeError(f"no JSON form for {type(value).__name__}")


def from_json(cls: type[T], data: Any) -> T:
    """The record of type `cls` that `to_json` made `data` from. Raises TypeError or KeyError on foreign data."""
    return typing.cast(T, _decode(cls, data))


def _decode(kind: Any, data: Any) -> Any:
    origin = typing.get_origin(kind)
    if kind is Any or kind is None:
        return data
    if origin in (types.UnionType, typing.Union):
        if data is None:
            return None
        options = [a for a in typing.get_args(kind) if a is not types.NoneType]
        return _decode(options[0], data) if len(options) == 1 else data
    if origin is tuple:
        args = typing.get_args(kind)
        if len(args) == 2 and args[1] is Ellipsis:
            # lists of plain numbers (latencies) can be long: no recursion for them
            return tuple(data) if args[0] in (int, float, str) else tuple(_decode(args[0], v) for v in data)
        return tuple(_decode(a, v) for a, v in zip(args, data, strict=True))
    if origin is not None and issubclass(origin, Mapping):
        return dict(data)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind(data)
    if dataclasses.is_dataclass(kind):
        hints = _hints(typing.cast(type, kind))
        return typing.cast(Any, kind)(**{k: _decode(hints[k], v) for k, v in data.items()})
    return data


_HINTS: dict[type, dict[str, Any]] = {}


def _hints(cls: type) -> dict[str, Any]:
    if cls not in _HINTS:
        _HINTS[cls] = typing.get_type_hints(cls)
    return _HINTS[cls]
