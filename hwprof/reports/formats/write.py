"""The files of `hwprof report`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from hwprof.printable import ESCAPE, encodable_data, plural
from hwprof.reports.figures.choose import Figures, select_figures
from hwprof.reports.formats import document, latex, text
from hwprof.reports.html import factors, page, render
from hwprof.reports.html.gather import Material
from hwprof.reports.html.model import Page
from hwprof.reports.page import accuracies, bottlenecks, configurations, content, detail, need, speeds, topdown
from hwprof.reports.tables import Report, Table

TITLE = "Inference speed, and what correlates with it"
PAIRS = 200  # rows of the table of pairs that Markdown has; the page has all


def begin(material: Material, figures: Figures) -> None:
    """Begin to draw the figures of report.md, which `write` waits for."""
    figures.begin(select_figures(material.report, material.variants))


def write(material: Material, folder: Path, formats: Sequence[str], figures: Figures) -> list[str]:
    """Write the files of each format (html, markdown, latex, json); their paths in words. Raises OSError.

    `figures`: of `begin`, where Markdown is among the formats.
    """
    paths: dict[str, str] = {}
    made = page.build(material) if {"html", "markdown"}.intersection(formats) else None
    if made is not None and "html" in formats:
        paths["html"] = write_html(made, folder)
    writers = {"latex": write_latex, "json": write_json}
    paths |= {name: writers[name](material, folder) for name in formats if name in writers}
    if made is not None and "markdown" in formats:
        paths["markdown"] = write_markdown(material, made, folder, figures)  # last: its figures take longest
    return [paths[name] for name in formats]


def write_html(made: Page, folder: Path) -> str:
    """report.html: one file that needs no other."""
    path = folder / "report.html"
    path.write_text(render.render(made), encoding="utf-8", errors=ESCAPE)
    return str(path)


def write_markdown(material: Material, made: Page, folder: Path, figures: Figures) -> str:
    """report.md in the order of the page, its figures, and the data of each."""
    drawn = [(f.title, f"{f.key}.svg", f.note) for f in figures.wait()]
    absent = [f"{s.title}: {line}" for s in made.sections if s.is_absent for line in s.absent]
    if len(material.pairs) > PAIRS:
        absent.append(f"Why, pair by pair: {plural(len(material.pairs), 'pair')} of cases, which report.html has.")
    path = folder / "report.md"
    path.write_text(text.markdown(in_order(material), drawn, TITLE, absent), encoding="utf-8", errors=ESCAPE)
    return f"{path}, {len(drawn)} figures beside it"


def in_order(material: Material) -> Report:
    """The report with its tables in the order of the page: speed, why, counters, bottlenecks, the rest."""
    report = need.extend(detail.extend(material.report))
    groups: dict[str, list[Table]] = {"speed": [], "why": [], "counters": [], "rest": []}
    for table in report.tables:
        groups[_part(table.title)].append(table)
    if 0 < len(material.pairs) <= PAIRS:
        groups["why"].insert(0, factors.table(material.pairs))
    bounds = [bottlenecks.table(material.diagnoses)] if material.diagnoses else []
    slots = topdown.table(material.frame, material.machines)
    bounds += [slots] if slots.rows else []
    tables = (*groups["speed"], *groups["why"], *groups["counters"], *bounds, *groups["rest"])
    return dataclasses.replace(report, tables=tables)


def _part(title: str) -> str:
    if title in (speeds.TITLE, accuracies.TITLE, configurations.TITLE, configurations.EVERY) or title.startswith(
        need.TITLE
    ):
        return "speed"
    if title == content.FACTORS:
        return "why"
    return "rest" if title in content.LAST else "counters"


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
