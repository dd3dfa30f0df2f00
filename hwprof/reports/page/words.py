"""Numbers, intervals and ratios of a report in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from hwprof.analysis.correlation.strata import thread_title


def number(value: float | None, digits: int = 3) -> str:
    """A few significant digits; a dash where there is no value."""
    if value is None or value != value:
        return "-"
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(decimals, 4)}f}"


def interval(low: float | None, high: float | None, digits: int = 3) -> str:
    """`[low, high]`, or a dash."""
    if low is None or high is None or low != low:
        return "-"
    return f"[{number(low, digits)}, {number(high, digits)}]"


def coefficient(value: float | None) -> str:
    """A coefficient with its sign, or a dash."""
    return "-" if value is None else f"{value:+.2f}"


def place(values: Mapping[str, Any]) -> str:
    """Values of columns of PLACE in words."""
    return " · ".join(word(column, value) for column, value in values.items())


def word(column: str, value: Any) -> str:
    """One value of a column of PLACE in words."""
    if column == "threads":
        return thread_title(int(value))
    if column == "cpus":
        return f"CPUs {value}" if value else "not pinned"
    return str(value)
