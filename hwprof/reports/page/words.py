"""Numbers in a report: a few digits, intervals, and who is faster in sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from hwprof import speed
from hwprof.analysis.correlation.strata import NETWORK, VARIANT


def counted(count: int, one: str, several: str) -> str:
    """`1 case has`, `2 cases have`."""
    return f"{count} {one if count == 1 else several}"


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
    """`[low ... high]`, or a dash."""
    if low is None or high is None or low != low:
        return "-"
    return f"[{number(low, digits)} ... {number(high, digits)}]"


def fastest(fps: pd.DataFrame, variants: Sequence[str]) -> list[str]:
    """Each pair of frameworks over the cases both have: geometric mean ratio with a t interval over networks."""
    lines = []
    keys = ["machine", "threads", "cpus", "precision", "size", "batch", NETWORK]
    wide = fps.pivot_table(index=keys, columns=VARIANT, values="fps")
    compared = [v for v in variants if v in wide.columns]
    for index, a in enumerate(compared):
        for b in compared[index + 1 :]:
            both = wide[[a, b]].dropna()
            if both.empty:
                continue
            logs: pd.Series = (both[a] / both[b]).astype(float).transform(np.log)
            per_network = logs.groupby(level=NETWORK).mean().transform(np.exp)
            mean, low, high = speed.between_rounds([float(v) for v in per_network])
            fast, slow = (a, b) if mean >= 1 else (b, a)
            if mean < 1:
                mean, low, high = 1 / mean, None if high is None else 1 / high, None if low is None else 1 / low
            wins = int((per_network > 1).sum()) if fast == a else int((per_network < 1).sum())
            bounds = f", 95 % over networks {interval(low, high)}" if low is not None else ""
            sure = "" if low is not None and low > 1 else " (the interval includes 1)" if low is not None else ""
            lines.append(
                f"{fast} is x{mean:.2f} as fast as {slow} (geometric mean{bounds}){sure}; "
                f"faster on {wins} of {len(per_network)} networks."
            )
    return lines


# What makes rows of the speed table comparable: one chart for each combination.
PLACE = ("machine", "threads", "cpus", "precision")


def places(fps: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The speeds of each machine, number of threads, affinity and precision; what differs between them in words."""
    differing = [c for c in PLACE if fps[c].astype(str).nunique() > 1]
    if not differing:
        return [("", fps)]
    out = []
    for key, group in fps.groupby(differing, sort=True, dropna=False):
        words = [word(c, v) for c, v in zip(differing, key, strict=True)]
        out.append((" · ".join(words), group))
    return out


def fullest(fps: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Of each machine and precision the one place with most speeds, that with most threads of several as full."""
    best: dict[tuple[str, str], tuple[tuple[int, int], str, pd.DataFrame]] = {}
    for words, group in places(fps):
        first = group.iloc[0]
        key, rank = (str(first["machine"]), str(first["precision"])), (len(group), int(first["threads"]))
        if key not in best or rank > best[key][0]:
            best[key] = rank, words, group
    return [(words, group) for _, words, group in best.values()]


def word(column: str, value: Any) -> str:
    """One value of a column of PLACE in words."""
    if column == "threads":
        return f"{value} thread{'' if str(value) == '1' else 's'}"
    if column == "cpus":
        return f"CPUs {value}" if value else "not pinned"
    return str(value)
