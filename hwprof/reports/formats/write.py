"""The files of `hwprof report`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from hwprof.printable import ESCAPE, encodable_data
from hwprof.reports.figures.choose import Figures, select_figures
from hwprof.reports.formats import document, latex, text
from hwprof.reports.html import page, render
from hwprof.reports.html.gather import Material
from hwprof.reports.page import detail, need, topdown

TITLE = "Inference speed, and what correlates with it"


def begin(material: Material, figures: Figures) -> None:
    """Begin to draw the figures of report.md, which `write` waits for."""
    figures.begin(select_figures(material.report, material.variants))


def write(material: Material, folder: Path, formats: Sequence[str], figures: Figures) -> list[str]:
    """Write the files of each format (html, markdown, latex, json); their paths in words. Raises OSError.

    `figures`: of `begin`, where Markdown is among the formats.
    """
    writers = {"html": write_html, "latex": write_latex, "json": write_json}
    paths = {name: writers[name](material, folder) for name in formats if name in writers}
    if "markdown" in formats:
        paths["markdown"] = write_markdown(material, folder, figures)  # last: its figures take longest
    return [paths[name] for name in formats]


def write_html(material: Material, folder: Path) -> str:
    """report.html: one file that needs no other."""
    path = folder / "report.html"
    path.write_text(render.render(page.build(material)), encoding="utf-8", errors=ESCAPE)
    return str(path)


def write_markdown(material: Material, folder: Path, figures: Figures) -> str:
    """report.md, its figures, and the data of each."""
    report = need.extend(detail.extend(material.report))
    slots = topdown.table(material.frame, material.machines)
    if slots.rows:
        report = dataclasses.replace(report, tables=(*report.tables, slots))
    drawn = [(f.title, f"{f.key}.svg", f.note) for f in figures.wait()]
    path = folder / "report.md"
    path.write_text(text.markdown(report, drawn, TITLE), encoding="utf-8", errors=ESCAPE)
    return f"{path}, {len(drawn)} figures beside it"


def write_json(material: Material, folder: Path) -> str:
    """report.json: the answer and every table, for programs."""
    path = folder / "report.json"
    found = document.document(detail.extend(material.report))
    path.write_text(json.dumps(encodable_data(found), indent=1) + "\n", encoding="utf-8", errors=ESCAPE)
    return str(path)


def write_latex(material: Material, folder: Path) -> str:
    """report.tex: every table, for \\input in a paper."""
    path = folder / "report.tex"
    path.write_text(latex.tables(need.extend(detail.extend(material.report))), encoding="utf-8", errors=ESCAPE)
    return f"{path} (packages array, booktabs, longtable)"
