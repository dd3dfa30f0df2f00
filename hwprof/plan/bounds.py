"""The range of every number that a user sets: one table for experiment files, the command line and Python."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hwprof.errors import UsageError
from hwprof.machine.cpus import MOST_CPUS

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Range:
    """An interval of numbers, ends included; `above`: without the lower end; `whole`: no fraction."""

    low: float
    high: float
    whole: bool = True
    above: bool = False

    def holds(self, value: object) -> bool:
        """Whether it is a finite number within."""
        if isinstance(value, bool) or not isinstance(value, int | float) or (self.whole and isinstance(value, float)):
            return False
        # an int may be too large for a float: compared as it is
        return (isinstance(value, int) or math.isfinite(value)) and (
            self.low < value <= self.high if self.above else self.low <= value <= self.high
        )

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        lowest = f"above {self.low:g} and at most" if self.above else f"from {self.low:.0f} to"
        return f"{kind} {lowest} {self.high:.0f}"


def seconds(high: float, zero: bool = False) -> Range:
    """A time of at most `high` seconds."""
    return Range(0, high, whole=False, above=not zero)


RANGES: Mapping[str, Range] = {
    "rounds": Range(1, 100_000),
    "seed": Range(0, 2**32 - 1),  # numpy's and the frameworks' generators take no more
    "size": Range(0, 16_384),  # pixels; 0: the network's own
    "batch": Range(1, 65_536),
    "threads": Range(1, MOST_CPUS),
    "iterations": Range(1, 10_000_000),  # each leaves a latency of 8 bytes
    "min_iterations": Range(1, 1_000_000),
    "warmup_iterations": Range(0, 1_000_000),
    "frames": Range(1, 1_000_000_000),
    "macs": Range(1, 10**15),
    "count": Range(1, 1_000_000),  # images
    "most_blocks": Range(0, 10_000),
    "limit": Range(0, 1_000_000_000),
    "repetitions": Range(1, 10_000),
    "window_s": seconds(3600),
    "alone_s": seconds(3600),
    "warmup_s": seconds(3600),
    "idle_baseline_s": seconds(3600, zero=True),
    "cooldown_s": seconds(3600, zero=True),
    "timeout_s": seconds(7 * DAY_S),
    "budget_s": seconds(7 * DAY_S, zero=True),
    "duration_s": seconds(30 * DAY_S),
    "hz": Range(0, 1000, whole=False, above=True),
}


def check(what: str, value: Any, where: str, error: type[UsageError] = UsageError) -> None:
    """Raise `error` where `value` is not what RANGES allows for `what`; `where`: the key or option it came from."""
    if not RANGES[what].holds(value):
        text = f"{value:g}" if isinstance(value, float) else repr(value)
        text = text if len(text) < 40 else f"{text[:36]} ..."
        raise error(f"{where} must be {RANGES[what]}, not {text}")


def parse_number(what: str, text: str, where: str) -> int | float:
    """The number that a word of the command line stands for. Raises UsageError."""
    value: Any = text
    for kind in (int,) if RANGES[what].whole else (int, float):
        try:
            value = kind(text)
            break
        except ValueError:  # no number, or one of thousands of digits
            continue
    check(what, value, where)
    return value if RANGES[what].whole else float(value)
