"""A report as plain JSON values: the answer, the sentences, and every table."""

from __future__ import annotations

from typing import Any

from hwprof.analysis.answer import model
from hwprof.reports.page import configurations, need
from hwprof.reports.tables import Report

FORMAT = 1


def document(report: Report) -> dict[str, Any]:
    """`answer` as `hwprof explain --json` has it (null where there is none), `need` (null where none was asked for),
    `configurations` with their ranks, `scope` and `summary` in sentences, and tables with their rows.
    """
    return {
        "format": FORMAT,
        "answer": None if report.answer is None else model.document(report.answer),
        "need": None if report.need is None else need.document(report.need),
        "configurations": [configurations.group_document(group) for group in report.best],
        "scope": list(report.scope),
        "summary": list(report.summary),
        "tables": [
            {"title": t.title, "header": list(t.header), "rows": [list(row) for row in t.rows], "note": t.note}
            for t in report.tables
        ],
    }
