"""Figures of the Markdown report: those of the page that fit into a document, as files of its folder."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hwprof.analysis.speeds import fullest_places
from hwprof.printable import ESCAPE
from hwprof.reports.background import Processes, cores
from hwprof.reports.figures import drawing
from hwprof.reports.html import association, configurations, speed
from hwprof.reports.html.model import Figure
from hwprof.reports.page import words
from hwprof.reports.tables import Report

SCATTERS = 4
MOST = 4  # processes; each takes some 150 MiB
WORTH = 2000  # elements of pictures from which on processes save more time than their start takes


def select_figures(report: Report, variants: Sequence[str]) -> list[Figure]:
    """Every figure that the results have data for, in reading order; `key`: its file name. `variants`: see Material."""
    out: list[Figure] = []
    several = fullest_places(report.fps) if len(report.fps) else []
    data = report.fps.drop(columns="runs", errors="ignore")
    every = tuple(tuple(row) for row in data.itertuples(index=False, name=None))
    for number, (values, part) in enumerate(several, 1):
        suffix = "" if len(several) == 1 else f"-{number}"
        where = f"{words.place(values)} EMULATED".strip() if part["emulated"].any() else words.place(values)
        found = (
            speed.dot_plot(part, variants, f"fps{suffix}", where),
            speed.size_chart(part, variants, f"fps-macs{suffix}", where),
        )
        # the data of all places: a figure shows one
        out += [dataclasses.replace(f, header=tuple(data.columns), rows=every) for f in found if f]
    out += configurations.figures_of(report.best)
    for stratum, analysis in enumerate((*report.analyses, *report.energy)):
        alike = [a for a in (*report.analyses, *report.energy) if a.target == analysis.target]
        number = next(i for i, a in enumerate(alike, 1) if a is analysis)
        suffix = "" if len(alike) == 1 else f"-{number}"
        suffix += "" if analysis.target == "FPS" else f"-{analysis.target.replace(' ', '-')}"
        where = "" if len(alike) == 1 else f" · {analysis.stratum.title}"
        shown = association.heat_map(analysis, stratum, where)
        out += [dataclasses.replace(shown, key=f"correlations{suffix}")] if shown else []
        for i, c in enumerate(association.select(analysis.correlations, SCATTERS), 1):
            figure = association.added_variable(c, f"scatter{suffix}-{i}")
            out.append(dataclasses.replace(figure, title=f"{figure.title}, {analysis.target}{where}"))
    return out


class Figures:
    """Figures on their way into a folder as SVG, PNG, and CSV of their data."""

    def __init__(self, folder: Path, processes: Processes) -> None:
        """`processes` draw the PNGs where there are many."""
        self._folder = folder
        self._processes = processes
        self._pending: list[Callable[[], None]] = []
        self.all: list[Figure] = []

    def prepare(self) -> None:
        """Let the processes import what they need: to be called while this one waits."""
        for _ in range(self._processes.number):
            self._processes.begin(_load)

    def begin(self, figures: Sequence[Figure]) -> None:
        """Write SVG and CSV, and draw the PNGs: in processes where there are many, else in `wait`."""
        self.all = list(figures)
        pool = self._processes if self._processes.children or _work(figures) >= WORTH else Processes(0, "")
        for figure in figures:
            path = self._folder / f"{figure.key}.svg"
            drawing.write(figure.svg, path)
            with path.with_suffix(".csv").open("w", encoding="utf-8", errors=ESCAPE, newline="") as file:
                csv.writer(file, lineterminator="\n").writerows((figure.header, *map(_plain, figure.rows)))
            self._pending.append(pool.begin(drawing.write, figure.svg, path.with_suffix(".png").absolute()))

    def wait(self) -> list[Figure]:
        """All figures, after the last is drawn. Raises OSError where a file can't be written, and ResultsError."""
        for wait in self._pending:
            wait()
        return self.all


def processes() -> Processes:
    """At most MOST, one per core; none on one core."""
    return Processes(min(cores(), MOST) if cores() > 1 else 0, "the figures")


def _work(figures: Sequence[Figure]) -> int:
    return sum(figure.svg.count("<") for figure in figures)


def _plain(row: Sequence[Any]) -> tuple[Any, ...]:
    """NaN as nothing."""
    return tuple("" if cell is None or cell != cell else cell for cell in row)


def _load() -> None:
    """Import matplotlib's parts that `drawing.write` uses."""
    from matplotlib import figure, patches, patheffects  # noqa: F401
    from matplotlib.backends import backend_agg  # noqa: F401
