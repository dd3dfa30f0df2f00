"""Models and predictions as words and tables. Renders only."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from hwprof.analysis.models import Assessment
from hwprof.printable import plural
from hwprof.records import to_json
from hwprof.reports.tables import Report, Table
from hwprof.reports.terminal import grid
from hwprof.reports.terminal.grid import GridColumn
from hwprof.store.schema import dumps

COLUMNS = (
    GridColumn("predictor", shortens=True, is_key=True),
    GridColumn("elasticity", right=True),
    GridColumn("95 %"),
    GridColumn("VIF", right=True, drop=1),
    GridColumn("mixed model (secondary)", drop=2),
)
HEADER = tuple(column.title for column in COLUMNS)
NOTE = (
    "elasticity: {target} goes as predictor^e; interval by leaving out whole networks, t(N - 1), of a picked "
    "predictor at the level that allows for the picking; frameworks have intercepts of their own. VIF: "
    "variance inflation by the other predictors. mixed model: statsmodels' MixedLM with networks as random intercepts, "
    "whose intervals are too narrow (coverage .90): a second view only."
)


def report(found: Sequence[Assessment]) -> Report:
    """A summary line and a table for each stratum."""
    if not found:
        return Report(("There is no run in these results: hwprof sweep quick measures some.",), ())
    summary, tables = [], []
    for a in found:
        summary.append(f"{a.stratum.title}: {a.refused or sentence(a)}")
        if a.choice.why:
            summary.append(f"  {a.target} is modelled, not FPS: in the worst run {a.choice.why}")
        summary += [f"  {note}" for note in a.notes]
        if a.coefficients:
            rows = tuple(
                (
                    c.name,
                    f"{c.value:+.2f}",
                    f"[{c.low:+.2f}, {c.high:+.2f}]"
                    if math.isfinite(c.low)
                    else f"none ({'ridge' if a.penalty else 'not shown to help'})",
                    f"{c.vif:.1f}",
                    mixed_coefficient(a, c.name),
                )
                for c in a.coefficients
            )
            warned = f" MixedLM warned: {'; '.join(a.mixed.warnings)}." if a.mixed and a.mixed.warnings else ""
            note = NOTE.format(target=a.target) + warned
            tables.append(Table(f"Model of {a.target} · {a.stratum.title}", HEADER, rows, note))
    return Report(tuple(summary), tuple(tables))


def text(found: Sequence[Assessment], width: int | None = None) -> str:
    """The report of them as the terminal shows it, in lines of `width` (None: as wide as stdout takes)."""
    made = report(found)
    return grid.report_text(made, {table.title: COLUMNS for table in made.tables}, width)


def document(found: Sequence[Assessment]) -> dict[str, Any]:
    """Plain JSON; what is no number is null."""
    document: dict[str, Any] = json.loads(dumps({"format": 1, "models": to_json(found)}))
    for one, a in zip(document["models"], found, strict=True):
        one["target"] = a.target
    return document


def sentence(a: Assessment) -> str:
    """The verdict with its figures."""
    frameworks = f"{plural(a.networks, 'network')}, {plural(len(a.frameworks), 'framework')}"
    errors = (
        f"typical error on networks left out {math.exp(a.base_error):.2f}x by MACs alone, "
        f"{math.exp(a.error):.2f}x by {' + '.join(a.chosen)} (chosen anew in every fold)"
    )
    p = "" if a.p is None else f", p = {a.p:.2g} that they are equal"
    return f"{a.verdict}. {frameworks}; {errors}{p}"


def mixed_coefficient(a: Assessment, name: str) -> str:
    """The mixed model's coefficient of a predictor with its interval."""
    if a.mixed is None or name not in a.mixed.coefficients:
        return ""
    value, low, high = a.mixed.coefficients[name]
    return f"{value:+.2f} [{low:+.2f}, {high:+.2f}]"
