"""A page as one HTML file that needs nothing else: no network, no other file."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup, escape

from hwprof.printable import printable
from hwprof.reports.html import columns, glossary
from hwprof.reports.html.model import Figure, Page, Scatter
from hwprof.reports.html.svg import LINES
from hwprof.reports.tables import Table

# Rows of a table per page; all of them are in the file.
ROWS = 100
FOLDED = 15  # of these that are shown before someone asks for more
LONG = 70  # letters, from which on a cell is broken into lines
MARKS = re.compile(r"\b(EMULATED|SIMULATED|SUSPECT|UNFAITHFUL|SCALED|MISSING|not comparable)\b")
SIZE = re.compile(r'<svg[^>]* width="(\d+)" height="(\d+)"')
TALL, SMALL = 620, 450  # pixels of height and of width
ALSO = re.compile(r"(.*?)( \(also .*\))", re.DOTALL)  # the other names of a metric: hwprof.reports.page.groups
CODE = re.compile(r"`([^`]+)`")


def _read(name: str) -> str:
    return resources.files("hwprof.reports").joinpath("templates", name).read_text(encoding="utf-8")


def render(page: Page) -> str:
    """The page as text. Everything but the pictures (escaped where they are made) passes through autoescape."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_read),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_printable,
    )
    environment.filters["first"] = first_rows
    environment.filters["picture"] = lambda figure: Markup(figure.svg)
    environment.filters["heads"] = heads
    environment.filters["widest"] = widest
    environment.filters["share"] = share_of_sheet
    environment.filters["coded"] = coded
    environment.filters["glossed"] = glossary.link_terms
    environment.filters["anchor"] = glossary.anchor
    environment.filters["tagged"] = tagged
    environment.filters["data"] = data
    environment.filters["scatters"] = scatters
    # files of the package: no user's text in them
    style, script = Markup(_read("figure.css") + _read("report.css")), Markup(_read("report.js"))
    template = environment.get_template("report.html")
    return template.render(page=page, style=style, script=script, lines=Markup(LINES), rows=ROWS, folded=FOLDED)


def _printable(value: Any) -> Any:
    """The value of a template's expression as it enters the page; Markup is escaped already."""
    return printable(value) if type(value) is str else value


def has_mark(text: str) -> bool:
    """Whether a cell carries a mark on its quality."""
    return MARKS.search(text) is not None


def tagged(text: str) -> Markup:
    """Text with its marks of quality as tags; all of it is escaped."""
    parts = MARKS.split(printable(text))
    tag = Markup('<span class="tag">{}</span>')
    return Markup("").join(tag.format(part) if place % 2 else escape(part) for place, part in enumerate(parts))


def first_rows(table: Table) -> Markup:
    """The rows of a table's first page, for browsers without the script too; every cell is escaped."""
    lines = []
    for row in table.rows[:ROWS]:
        cells = []
        for cell in row:
            kinds = [*(["mark"] if has_mark(cell) else []), *(["long"] if len(cell) > LONG else [])]
            of = f' class="{" ".join(kinds)}"' if kinds else ""
            cells.append(f"<td{of}>{_small(cell)}</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>\n")
    return Markup("".join(lines))


def _small(cell: str) -> Markup:
    """A cell, the other names of a metric in small print; all of it is escaped."""
    found = ALSO.fullmatch(cell)
    return Markup("{}<small>{}</small>").format(found[1], found[2]) if found else escape(cell)


def heads(table: Table) -> list[tuple[str, int, str]]:
    """The columns of a table: name, rank (0: always shown), and meaning where the glossary has it."""
    ranks = columns.ranks(table.header)
    return [(name, rank, glossary.meaning(name)) for name, rank in zip(table.header, ranks, strict=True)]


def widest(page: Page) -> int:
    """Columns of the table that has most."""
    return max((len(table.header) for section in page.sections for table in section.tables), default=1)


def share_of_sheet(figure: Figure) -> str:
    """How much of a sheet of paper a picture needs: "tall": the whole; "": half of its width; "small": a third."""
    found = SIZE.search(figure.svg)
    width, height = map(int, found.groups()) if found is not None else (0, 0)
    return "tall" if height > TALL else "small" if 0 < width <= SMALL else ""


def coded(text: str) -> Markup:
    """Text with what stands in backticks as code; all of it is escaped."""
    parts = CODE.split(printable(text))
    code = Markup("<code>{}</code>")
    return Markup("").join(code.format(part) if place % 2 else escape(part) for place, part in enumerate(parts))


def data(value: Figure | Table) -> dict[str, Any]:
    """The data of a figure or a table for the script, as plain JSON values."""
    return {"header": list(value.header), "rows": [[_plain(cell) for cell in row] for row in value.rows]}


def scatters(found: Sequence[Scatter]) -> dict[str, Any]:
    """All scatters as plain JSON values. Lists that several have (networks, FPS) are stored once, in `shared`."""
    shared: dict[tuple[Any, ...], int] = {}

    def place(values: Iterable[Any]) -> int:
        return shared.setdefault(tuple(values), len(shared))

    of = {
        s.key: {
            "framework": s.framework,
            "metric": s.metric,
            "said": s.text,
            "target": s.target,
            "names": place(s.names),
            "x": [_round(v) for v in s.x],
            "y": place(_round(v) for v in s.y),
            "raw_x": [_round(v) for v in s.raw_x],
            "raw_y": place(_round(v) for v in s.raw_y),
            "slope": _plain(s.slope),
        }
        for s in found
    }
    return {"shared": [list(values) for values in shared], "of": of}


def _round(value: float) -> float:
    return float(f"{value:.5g}")


def _plain(cell: Any) -> Any:
    if isinstance(cell, float):
        return cell if math.isfinite(cell) else None
    if isinstance(cell, str):
        return printable(cell)
    return cell.item() if hasattr(cell, "item") else cell
