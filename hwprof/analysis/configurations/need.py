"""Conditions on a configuration in words: `fps>=25, power<=5W, top1>=70`. Pure.

A condition is QUANTITY OPERATOR NUMBER[UNIT]; conditions are separated by commas, and all of them must hold.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from hwprof.errors import UsageError

OPERATORS = (">=", "<=", ">", "<", "=")
EQUAL = 0.01  # `=` holds within this share of the limit
ROUNDING = 1e-9  # a mean of logarithms is off by so much
TIMES: Mapping[str, float] = {"us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3}
SIZES: Mapping[str, float] = {
    "KiB": 2.0**-10,
    "MiB": 1.0,
    "GiB": 2.0**10,
    "kB": 1e3 / 2**20,
    "MB": 1e6 / 2**20,
    "GB": 1e9 / 2**20,
}


@dataclass(frozen=True, slots=True)
class NeedQuantity:
    """What a condition may be about.

    `words`: how it is written. `units`: unit -> factor to `unit`, in which values are kept; "" among them: it may be
    omitted. `is_timed`: whether another process on its CPUs changes it. `least`: inferences that a round must have.
    """

    name: str
    unit: str
    units: Mapping[str, float]
    words: tuple[str, ...]
    is_timed: bool = True
    least: int = 1


RATE: Mapping[str, float] = {"": 1.0, "FPS": 1.0, "fps": 1.0, "frames/s": 1.0}
SHARE: Mapping[str, float] = {"": 1.0, "%": 1.0}
QUANTITIES = (
    NeedQuantity("fps", "FPS", RATE, ("fps",)),
    NeedQuantity("throughput", "frames/s", RATE, ("throughput",)),
    NeedQuantity("latency", "ms", TIMES, ("latency", "latency p50", "p50")),
    NeedQuantity("latency p90", "ms", TIMES, ("latency p90", "p90"), least=10),
    NeedQuantity("latency p99", "ms", TIMES, ("latency p99", "p99"), least=100),
    NeedQuantity("cpu time", "ms", TIMES, ("cpu time",), is_timed=False),
    NeedQuantity("power", "W", {"": 1.0, "W": 1.0, "mW": 1e-3}, ("power",), is_timed=False),
    NeedQuantity("energy", "J", {"J": 1.0, "mJ": 1e-3, "J/frame": 1.0, "mJ/frame": 1e-3}, ("energy",), is_timed=False),
    NeedQuantity("memory", "MiB", SIZES, ("memory",), is_timed=False),
    NeedQuantity("top1", "%", SHARE, ("top1", "top 1"), is_timed=False),
    NeedQuantity("top5", "%", SHARE, ("top5", "top 5"), is_timed=False),
)
BY_WORD: Mapping[str, NeedQuantity] = {word: quantity for quantity in QUANTITIES for word in quantity.words}
KNOWN = (
    "Known are fps and throughput (FPS, frames/s); latency, p50, p90, p99 and cpu time (us, ms, s); power (mW, W); "
    "energy per frame (mJ, J); memory (KiB, MiB, GiB, kB, MB, GB); top1 and top5 (%); with >= <= > < ="
)
FORM = re.compile(
    r"(?P<name>[a-z][a-z0-9 _-]*?)\s*(?P<operator>[<>=]+)\s*"
    r"(?P<number>\d+\.?\d*(?:e[+-]?\d+)?|\.\d+)\s*(?P<unit>\S.*)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class NeedCondition:
    """A limit on a quantity. `limit`: in the quantity's own unit; `number` and `unit`: as they were written."""

    quantity: NeedQuantity
    operator: str
    limit: float
    number: str
    unit: str

    @property
    def text(self) -> str:
        """`latency p99 <= 40 ms`."""
        unit = self.unit or (self.quantity.unit if self.quantity.units is not RATE else "")
        return f"{self.quantity.name} {self.operator} {self.number} {unit}".rstrip()

    @property
    def shown_unit(self) -> str:
        """The unit in which values are shown beside it."""
        return self.unit or self.quantity.unit

    def shown(self, value: float) -> float:
        """A value of the quantity in `shown_unit`."""
        return value / self.quantity.units.get(self.unit, 1.0)

    def holds(self, value: float) -> bool:
        """Whether a value in the quantity's unit meets it."""
        off = value / self.limit - 1
        if self.operator == "=":
            return abs(off) <= EQUAL
        if self.operator == ">":
            return off > ROUNDING
        if self.operator == "<":
            return off < -ROUNDING
        return off >= -ROUNDING if self.operator == ">=" else off <= ROUNDING

    def miss(self, value: float) -> float:
        """By which share of the limit a value misses it; 0: it meets it."""
        return 0.0 if self.holds(value) else abs(value / self.limit - 1)


def parse(text: str) -> tuple[NeedCondition, ...]:
    """The conditions in `text`. Raises UsageError, in one line with the known quantities and units."""
    parts = [part.strip() for part in text.split(",")]
    if not any(parts):
        raise UsageError("--need names no condition", f"for example 'fps>=25, power<=5W'. {KNOWN}")
    return tuple(_condition(part) for part in parts if part)


def _condition(part: str) -> NeedCondition:
    found = FORM.fullmatch(part)
    if found is None or found["operator"] not in OPERATORS:
        raise UsageError(f"--need: '{part}' is no condition", f"write it as fps>=25 or latency<=40ms. {KNOWN}")
    name = " ".join(re.split(r"[\s_-]+", found["name"].lower())).strip()
    quantity = BY_WORD.get(name)
    if quantity is None:
        raise UsageError(f"--need: unknown quantity '{found['name']}' in '{part}'", KNOWN)
    unit = (found["unit"] or "").strip()
    if unit not in quantity.units:
        units = ", ".join(name for name in quantity.units if name)
        what = f"'{unit}' is no unit of {quantity.name}" if unit else f"{quantity.name} needs a unit"
        raise UsageError(f"--need: {what} in '{part}'", f"one of {units}")
    limit = float(found["number"]) * quantity.units[unit]
    if not limit > 0 or math.isinf(limit):
        raise UsageError(f"--need: the limit in '{part}' must be a finite number above 0", KNOWN)
    return NeedCondition(quantity, found["operator"], limit, found["number"], unit)
