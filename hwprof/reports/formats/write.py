"""The files that `hwprof report` writes: `write` makes those of the formats asked for, and says so in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hwprof.printable import ESCAPE
from hwprof.reports.html.gather import Material
from hwprof.reports.page import detail

if TYPE_CHECKING:
    from hwprof.reports.figures.choose import Figures

TITLE = "What goes with inference speed"


def begin(material: Material, figures: Figures) -> None:
    """Begin to draw the figures of report.md, for `write`, while something else is done."""
    from hwprof.reports.figures.choose import chosen

    figures.begin(chosen(material.report, material.variants))


def write(material: Material, folder: Path, formats: Sequence[str], figures: Figures) -> list[str]:
    """The files of each format, of html, markdown and latex; what was written, in words. Raises OSError.

    `figures`: those that `begin` began, where Markdown is among the formats.
    """
    made = {"html": html, "latex": latex}
    out = {name: made[name](material, folder) for name in formats if name in made}
    if "markdown" in formats:
        out["markdown"] = markdown(material, folder, figures)  # last: its figures take longest
    return [out[name] for name in formats]


def html(material: Material, folder: Path) -> str:
    """report.html: one file, nothing beside it."""
    from hwprof.reports.html import page, render

    path = folder / "report.html"
    path.write_text(render.render(page.build(material)), encoding="utf-8", errors=ESCAPE)
    return str(path)


def markdown(material: Material, folder: Path, figures: Figures) -> str:
    """report.md with figures, and the data of each, beside it."""
    from hwprof.reports.formats import text
    from hwprof.reports.page import topdown

    report = detail.extend(material.report)
    slots = topdown.table(material.frame)
    if slots.rows:
        report = dataclasses.replace(report, tables=(*report.tables, slots))
    made = [(f.title, f"{f.key}.svg", f.note) for f in figures.wait()]
    path = folder / "report.md"
    path.write_text(text.markdown(report, made, TITLE), encoding="utf-8", errors=ESCAPE)
    return f"{path}, {len(made)} figures beside it"


def latex(material: Material, folder: Path) -> str:
    """report.tex: every table, to be taken into a paper by \\input."""
    from hwprof.reports.formats import latex as tex

    path = folder / "report.tex"
    path.write_text(tex.tables(detail.extend(material.report)), encoding="utf-8", errors=ESCAPE)
    return f"{path} (packages array, booktabs, longtable)"
