"""Geometry of the data caches that the riscv64 simulator models: of a CPU's table, or as the user gives it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hwprof.errors import UsageError

UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20}
LARGEST = 1 << 30


@dataclass(frozen=True, slots=True)
class DataCache:
    """One level: bytes, ways, bytes of a line. The number of sets and the line are powers of two."""

    size: int
    ways: int
    line: int

    @property
    def argument(self) -> str:
        """For the plugin: 32768/4/64."""
        return f"{self.size}/{self.ways}/{self.line}"

    @property
    def text(self) -> str:
        """For people and labels: 32k/4/64."""
        unit, letter = next((u, k) for k, u in reversed(UNITS.items()) if self.size % u == 0)
        return f"{self.size // unit}{letter}/{self.ways}/{self.line}" if unit else self.argument


@dataclass(frozen=True, slots=True)
class CacheModel:
    """What is modelled. `cpu`: the table it is from, "" for the user's own; `core`, `max_ipc`: of that table, its name
    and the instructions that can retire in a cycle.
    """

    l1d: DataCache
    l2: DataCache | None = None
    cpu: str = ""
    core: str = ""
    max_ipc: float | None = None

    @property
    def name(self) -> str:
        """spacemit-x60, or l1d32k-4-64-l2-512k-16-64."""
        if self.cpu:
            return self.cpu
        levels = [f"l1d{self.l1d.text}", *([f"l2-{self.l2.text}"] if self.l2 else [])]
        return "-".join(levels).replace("/", "-")

    @property
    def arguments(self) -> dict[str, str]:
        """The plugin's arguments."""
        return {"l1d": self.l1d.argument, **({"l2": self.l2.argument} if self.l2 else {})}

    def facts(self) -> dict[str, Any]:
        """For a run's record: the levels, and the core where it is of a table."""
        levels = {"l1d": self.l1d.text, **({"l2": self.l2.text} if self.l2 else {})}
        core = {"modelled_core": {"name": self.core, "max_ipc": self.max_ipc}} if self.core else {}
        return {"modelled_caches": levels, **core}


def parse_cache(text: str) -> DataCache:
    """`32k/8/64`: size with k or m, ways, bytes of a line. Raises UsageError."""
    match = re.fullmatch(r"(\d+)([km]?)/(\d+)/(\d+)", text.lower())
    if match:
        size, ways, line = int(match[1]) * UNITS[match[2]], int(match[3]), int(match[4])
        sets, rest = divmod(size, ways * line) if ways * line else (0, 1)
        if size <= LARGEST and rest == 0 and _is_power(sets) and _is_power(line):
            return DataCache(size, ways, line)
    raise UsageError(
        f"'{text}' is no cache", "size/ways/line as 32k/8/64; the line, and size / (ways x line), are powers of two"
    )


def _is_power(number: int) -> bool:
    return number > 0 and number & (number - 1) == 0


def parse_model(levels: Mapping[str, str]) -> CacheModel:
    """Of `l1d` and, where it is there, `l2`. Raises UsageError."""
    if "l1d" not in levels:
        raise UsageError("no caches without l1d", "l1d=32k/8/64,l2=512k/16/64")
    return CacheModel(parse_cache(levels["l1d"]), parse_cache(levels["l2"]) if "l2" in levels else None)
