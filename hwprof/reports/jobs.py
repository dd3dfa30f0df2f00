"""Figures to be drawn, as plain values: who draws them (plots.py, in processes of its own) loads no analysis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Job:
    """One figure: `draw` is a function of plots.py, `what` its argument; `data`, as CSV, goes beside it.

    `work`: how long it takes, beside others; a cell of a heat map is 2.
    """

    caption: str
    name: str
    draw: str
    what: Any
    data: str
    work: int


class Speed(NamedTuple):
    """FPS of one framework on one network; `low` and `high` NaN: one round. `macs`: per frame, NaN: unknown.

    `solid`: faithful, and a real machine's; else it is drawn hollow.
    """

    network: str
    variant: str
    batch: int
    fps: float
    low: float
    high: float
    macs: float
    solid: bool


class Coefficient(NamedTuple):
    """A cell of the heat map. `r` None: there is none; `sure`: tested, and the interval excludes 0."""

    metric: str
    framework: str
    r: float | None
    n: int
    sure: bool


class Added(NamedTuple):
    """An added-variable plot: what is left of metric (`x`) and target (`y`) of each network."""

    title: str
    target: str
    networks: tuple[str, ...]
    x: tuple[float, ...]
    y: tuple[float, ...]
    slope: float | None
