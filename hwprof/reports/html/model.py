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
    """A part of the page. `absent`: one line per missing part, with the reason and, in backticks, the command that
    would fill it. `terms`: words with what they mean.
    """

    key: str
    title: str
    words: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    absent: tuple[str, ...] = ()
    level: int = 2
    scatter: bool = False  # the panel in which the scatter behind a cell appears
    terms: tuple[tuple[str, str], ...] = ()
    heads: bool = False  # parts of a lower level follow

    @property
    def is_absent(self) -> bool:
        """Nothing is in it: the page shows its lines and no heading."""
        return not (self.words or self.figures or self.tables or self.terms or self.heads)


@dataclass(frozen=True, slots=True)
class Tile:
    """A number with what it is. `mark`: SIMULATED or EMULATED."""

    value: str
    label: str
    mark: str = ""


@dataclass(frozen=True, slots=True)
class FirstScreen:
    """The top of the page. `machine`: its name, and the rest of the line; `why_head`: what stands before the reasons.

    `missing`: what was not measured, and the command for it.
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
    missing: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Page:
    """The whole page."""

    first: FirstScreen
    sections: tuple[Section, ...]
    scatters: tuple[Scatter, ...] = ()

    @property
    def contents(self) -> tuple[tuple[str, str], ...]:
        """Key and title of the sections that the navigation leads to."""
        return tuple((s.key, s.title) for s in self.sections if s.level == 2 and not s.is_absent)
