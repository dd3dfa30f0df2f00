"""The verdicts on events as a table: the worst first beside its figures, and what is missing by reason."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hwprof.printable import plural, sentence
from hwprof.reports.terminal import grid
from hwprof.reports.terminal.grid import GridColumn
from hwprof.reports.terminal.style import columns, wrap

if TYPE_CHECKING:
    from hwprof.studies.validation.bench import Result

ORDER = ("right", "off by a factor", "miscounts", "dead", "unproven")
EVENTS = (
    GridColumn("verdict"),
    GridColumn("event", shortens=True, is_key=True),
    GridColumn("counted of expected (by program)", drop=1),
    GridColumn("why", flows=True),
)


def table(results: Sequence[Result], width: int | None = None) -> str:
    """A row per event, the worst program's figures beside the verdict; what is missing below, by reason.

    `width`: of the longest line; None: as wide as stdout takes.
    """
    width = columns() if width is None else width
    rows = [
        (verdict, r.assessment.metric, figures(r), r.assessment.why)
        for verdict in ORDER
        for r in results
        if r.assessment.verdict == verdict
    ]
    lines = grid.lines(EVENTS, rows, width) if rows else []
    missing: dict[tuple[str, str], list[str]] = {}
    for r in results:
        if r.assessment.verdict == "missing":
            missing.setdefault((r.assessment.why, r.assessment.remedy), []).append(r.assessment.metric)
    for (why, remedy), names in missing.items():
        lines += wrap(f"missing  {', '.join(names)}: {sentence(why, remedy)}", width, "  ", "    ")
    failed = sum(r.assessment.verdict.failed for r in results)
    opened = sum(r.assessment.verdict != "missing" for r in results)
    lines += ["", f"  {opened} of {plural(len(results), 'event')} can be opened here, {failed} of them failed"]
    return "\n".join(lines)


def figures(result: Result) -> str:
    """What the program that is furthest from its answer counted of how much."""
    known = [
        f for f in result.assessment.findings if f.expected and f.counted is not None and "beside" not in f.program
    ]
    if not known:
        return ""
    worst = max(known, key=lambda f: abs((f.ratio or 0.0) - 1.0))
    return f"{worst.counted:,.0f} of {worst.expected:,.0f} ({worst.program})"
