"""What a page is made of: sections with words, figures and tables. The template knows nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from hwprof.reports.page.content import Table

Cell = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture with the data behind it. `svg` is made by hwprof.reports.html.svg and escaped there."""

    key: str
    title: str
    svg: str
    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Scatter:
    """Points behind one coefficient, drawn by the page when it is asked for."""

    key: str
    framework: str
    metric: str
    said: str
    names: tuple[str, ...]
    x: tuple[float, ...]
    y: tuple[float, ...]
    raw_x: tuple[float, ...]
    raw_y: tuple[float, ...]
    slope: float | None
    target: str = "FPS"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page. `absent`: in one line, why something that belongs here is not there."""

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
class Page:
    """All of it."""

    title: str
    made: str  # by what, from what
    summary: tuple[str, ...]
    sections: tuple[Section, ...]
    scatters: tuple[Scatter, ...] = ()
