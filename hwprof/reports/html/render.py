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
from hwprof.reports.html.model import Figure, Page, Scatter
from hwprof.reports.html.svg import LINES
from hwprof.reports.page.content import Table

# More rows than this are shown a page at a time; all of them are in the file.
ROWS = 100
LONG = 70  # letters, from which on a cell is broken into lines
SIZE = re.compile(r'<svg[^>]* width="(\d+)" height="(\d+)"')
MARKS = re.compile(r"\b(EMULATED|SIMULATED|SUSPECT|UNFAITHFUL|SCALED|MISSING)\b")


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
        finalize=_shown,
    )
    environment.filters["first"] = first_rows
    environment.filters["picture"] = lambda figure: Markup(figure.svg)
    environment.filters["size"] = size
    environment.filters["data"] = data
    environment.filters["scatters"] = scatters
    # ours, from the package: no user's text in them
    style, script = Markup(_read("figure.css") + _read("report.css")), Markup(_read("report.js"))
    template = environment.get_template("report.html")
    return template.render(page=page, style=style, script=script, lines=Markup(LINES), rows=ROWS)


def _shown(value: Any) -> Any:
    """What an expression of the template puts into the page; Markup is text that was escaped where it was made."""
    return printable(value) if type(value) is str else value


def marked(text: str) -> bool:
    """Whether a cell says that its value is not to be taken as it stands."""
    return MARKS.search(text) is not None


def first_rows(table: Table) -> Markup:
    """The rows that stand in the page before its script is asked for others; every cell is escaped."""
    lines = []
    for row in table.rows[:ROWS]:
        cells = []
        for cell in row:
            kinds = [*(["mark"] if marked(cell) else []), *(["long"] if len(cell) > LONG else [])]
            of = f' class="{" ".join(kinds)}"' if kinds else ""
            cells.append(f"<td{of}>{escape(cell)}</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>\n")
    return Markup("".join(lines))


def size(figure: Figure) -> str:
    """Width and height of the picture, for a browser that has not drawn it yet."""
    found = SIZE.search(figure.svg)
    return f"{found[1]}px {found[2]}px" if found else "none"


def data(value: Figure | Table) -> dict[str, Any]:
    """What the script gets of a figure or a table, as plain JSON values."""
    return {"header": list(value.header), "rows": [[_plain(cell) for cell in row] for row in value.rows]}


def scatters(found: Sequence[Scatter]) -> dict[str, Any]:
    """All scatters as plain JSON values. What many have in common (networks, FPS) is in `shared`, and a place there."""
    shared: dict[tuple[Any, ...], int] = {}

    def place(values: Iterable[Any]) -> int:
        return shared.setdefault(tuple(values), len(shared))

    of = {
        s.key: {
            "framework": s.framework,
            "metric": s.metric,
            "said": s.said,
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
