"""Where speeds are comparable: on one machine, with one number of threads, one affinity, one precision."""

from __future__ import annotations

from typing import Any

import pandas as pd

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
