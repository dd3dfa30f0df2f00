"""A page as one HTML file that needs nothing else: no network, no other file."""

from __future__ import annotations

import math
import re
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from hwprof.reports.content import Table
from hwprof.reports.html.model import Figure, Page, Scatter

# More rows than this are shown a page at a time; all of them are in the file.
ROWS = 100
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
    )
    environment.filters["marked"] = marked
    environment.filters["picture"] = lambda figure: Markup(figure.svg)
    environment.filters["data"] = data
    # ours, from the package: no user's text in them
    style, script = Markup(_read("report.css")), Markup(_read("report.js"))
    template = environment.get_template("report.html")
    return template.render(page=page, style=style, script=script, rows=ROWS)


def marked(text: str) -> bool:
    """Whether a cell says that its value is not to be taken as it stands."""
    return MARKS.search(text) is not None


def data(value: Figure | Table | Scatter) -> dict[str, Any]:
    """What the script gets of a figure, a table or a scatter, as plain JSON values."""
    if isinstance(value, Scatter):
        numbers = {k: [_round(v) for v in getattr(value, k)] for k in ("x", "y", "raw_x", "raw_y")}
        said = {k: getattr(value, k) for k in ("framework", "metric", "said", "names")}
        return {**said, **numbers, "slope": _plain(value.slope)}
    return {"header": list(value.header), "rows": [[_plain(cell) for cell in row] for row in value.rows]}


def _round(value: float) -> float:
    return float(f"{value:.5g}")


def _plain(cell: Any) -> Any:
    if isinstance(cell, float):
        return cell if math.isfinite(cell) else None
    return cell.item() if hasattr(cell, "item") else cell
