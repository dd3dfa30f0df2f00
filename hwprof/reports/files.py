"""The files that `hwprof report` writes, one function per format; each returns what it wrote, in words."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from hwprof.reports import detail
from hwprof.reports.html.gather import Material

TITLE = "What goes with inference speed"


def html(material: Material, folder: Path) -> str:
    """report.html: one file, nothing beside it."""
    from hwprof.reports.html import page, render

    path = folder / "report.html"
    path.write_text(render.render(page.build(material)), encoding="utf-8")
    return str(path)


def markdown(material: Material, folder: Path) -> str:
    """report.md with figures, and the data of each, beside it."""
    from hwprof.reports import figures, text, topdown

    report = detail.extend(material.report)
    slots = topdown.table(material.frame)
    if slots.rows:
        report = dataclasses.replace(report, tables=(*report.tables, slots))
    made = figures.write(report.fps, (*report.analyses, *report.energy), folder)
    path = folder / "report.md"
    path.write_text(text.markdown(report, made, TITLE), encoding="utf-8")
    return f"{path}, {len(made)} figures beside it"


def latex(material: Material, folder: Path) -> str:
    """report.tex: every table, to be taken into a paper by \\input."""
    from hwprof.reports import latex as tex

    path = folder / "report.tex"
    path.write_text(tex.tables(detail.extend(material.report)), encoding="utf-8")
    return f"{path} (packages array, booktabs, longtable)"
