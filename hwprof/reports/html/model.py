"""The records that the template renders: a page of sections with words, figures and tables."""

from __future__ import annotations

from dataclasses import dataclass

from hwprof.analysis.answer.model import NextCommand
from hwprof.reports.tables import Table

Cell = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture with its data. `svg` is made by hwprof.reports.html.svg and escaped there."""

    key: str
    title: str
    svg: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Scatter:
    """The points of one coefficient, drawn by the page's script on demand."""

    key: str
    framework: str
    metric: str
    text: str
    names: tuple[str, ...]
    x: tuple[float, ...]
    y: tuple[float, ...]
    raw_x: tuple[float, ...]
    raw_y: tuple[float, ...]
    slope: float | None
    target: str = "FPS"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page. `absent`: one line per missing part, with the reason."""

    key: str
    title: str
    words: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    absent: tuple[str, ...] = ()
    level: int = 2
    scatter: bool = False  # the panel in which the scatter behind a cell appears
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Tile:
    """A number with what it is. `mark`: SIMULATED or EMULATED."""

    value: str
    label: str
    mark: str = ""


@dataclass(frozen=True, slots=True)
class FirstScreen:
    """The top of the page. `machine`: its name, and the rest of the line; `why_head`: what stands before the reasons.

    `contents`: key and title of the sections; `missing`: what was not measured, and the command for it.
    """

    machine: tuple[str, str]
    made: str
    title: str
    detail: str
    why: tuple[str, ...]
    why_head: str
    tiles: tuple[Tile, ...]
    chart: Figure | None
    trust: str
    reasons: str
    bounds: str
    commands: tuple[NextCommand, ...]
    contents: tuple[tuple[str, str], ...]
    missing: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Page:
    """The whole page."""

    first: FirstScreen
    sections: tuple[Section, ...]
    scatters: tuple[Scatter, ...] = ()
