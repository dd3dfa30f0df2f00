"""Figures of the Markdown report: those of the page that fit into a document, as files beside it."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hwprof.printable import ESCAPE
from hwprof.reports.background import Processes, cores
from hwprof.reports.figures import drawing
from hwprof.reports.html import association, speed
from hwprof.reports.html.model import Figure
from hwprof.reports.page import words
from hwprof.reports.page.content import Report

SCATTERS = 4
MOST = 4  # processes; each takes some 150 MiB
WORTH = 2000  # elements of pictures from which on processes are worth their start


def chosen(report: Report, variants: Sequence[str]) -> list[Figure]:
    """Every figure that the results allow, in reading order; `key`: its file name. `variants`: see Material."""
    out: list[Figure] = []
    several = words.fullest(report.fps) if len(report.fps) else []
    every = tuple(tuple(row) for row in report.fps.itertuples(index=False, name=None))
    for number, (where, part) in enumerate(several, 1):
        suffix = "" if len(several) == 1 else f"-{number}"
        where = f"{where} EMULATED".strip() if part["emulated"].any() else where
        found = (
            speed.dots(part, variants, f"fps{suffix}", where),
            speed.against_macs(part, variants, f"fps-macs{suffix}", where),
        )
        # the data of all places: a figure shows one
        out += [dataclasses.replace(f, header=tuple(report.fps.columns), rows=every) for f in found if f]
    for stratum, analysis in enumerate((*report.analyses, *report.energy)):
        alike = [a for a in (*report.analyses, *report.energy) if a.target == analysis.target]
        number = next(i for i, a in enumerate(alike, 1) if a is analysis)
        suffix = "" if len(alike) == 1 else f"-{number}"
        suffix += "" if analysis.target == "FPS" else f"-{analysis.target.replace(' ', '-')}"
        where = "" if len(alike) == 1 else f" · {analysis.stratum.title}"
        shown = association.heat_map(analysis, stratum, where)
        out += [dataclasses.replace(shown, key=f"correlations{suffix}")] if shown else []
        for i, c in enumerate(association.chosen(analysis.correlations, SCATTERS), 1):
            figure = association.added_variable(c, f"scatter{suffix}-{i}")
            out.append(dataclasses.replace(figure, title=f"{figure.title}, {analysis.target}{where}"))
    return out


class Figures:
    """Figures on their way into a folder as SVG, PNG, and CSV of their data."""

    def __init__(self, folder: Path, processes: Processes) -> None:
        """`processes`: which draw the PNGs, where there are many."""
        self._folder = folder
        self._processes = processes
        self._drawn: list[Callable[[], None]] = []
        self.all: list[Figure] = []

    def prepare(self) -> None:
        """Let processes load what they need: for when there is nothing else to do here."""
        for _ in range(self._processes.number):
            self._processes.begin(_load)

    def begin(self, figures: Sequence[Figure]) -> None:
        """Write SVG and CSV, and draw the PNGs, in processes where so many are worth it, else at the end."""
        self.all = list(figures)
        apart = self._processes if self._processes.started or _work(figures) >= WORTH else Processes(0, "")
        for figure in figures:
            path = self._folder / f"{figure.key}.svg"
            drawing.write(figure.svg, path)
            with path.with_suffix(".csv").open("w", encoding="utf-8", errors=ESCAPE, newline="") as file:
                csv.writer(file, lineterminator="\n").writerows((figure.header, *map(_plain, figure.rows)))
            self._drawn.append(apart.begin(drawing.write, figure.svg, path.with_suffix(".png").absolute()))

    def wait(self) -> list[Figure]:
        """All of them, once they are drawn. Raises OSError where a file can't be written, ResultsError."""
        for drawn in self._drawn:
            drawn()
        return self.all


def processes() -> Processes:
    """As many as this machine has use for, none on one core."""
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
