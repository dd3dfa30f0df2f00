"""Promises on planted data: a rate or a figure, its bounds, and the Monte-Carlo error of the simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Row:
    """One promise: `value` must lie within `low` and `high`; `se`: Monte-Carlo standard error, in its favour."""

    what: str
    value: float
    low: float
    high: float
    se: float = 0.0

    @property
    def kept(self) -> bool:
        """Within bounds, give or take two standard errors of the simulation."""
        return self.low - 2 * self.se <= self.value <= self.high + 2 * self.se


def share(hits: Sequence[bool]) -> tuple[float, float]:
    """(share of hits, its standard error)."""
    value = float(np.mean(hits))
    return value, float(np.sqrt(max(value * (1 - value), 0.25 / len(hits)) / len(hits)))


def rate(what: str, hits: Sequence[bool], low: float, high: float) -> Row:
    """A share of hits as a promise; of nothing at all it is broken. The error is that of the bound that is nearest."""
    if not hits:
        return Row(f"{what} (of none)", float("nan"), low, high)
    value, _ = share(hits)
    bound = min(max(value, low), high)
    return Row(what, value, low, high, float(np.sqrt(max(bound * (1 - bound), 0.25 / len(hits)) / len(hits))))
