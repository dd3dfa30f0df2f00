"""A report as plain text for the terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from hwprof.analysis.answer.model import Answer
from hwprof.printable import printable
from hwprof.reports.tables import Report
from hwprof.store.masking import Masker


def mask(report: Report, masker: Masker) -> Report:
    """The tables and sentences as others may see them."""

    def row(cells: Iterable[str]) -> tuple[str, ...]:
        return tuple(map(masker.text, cells))

    tables = (
        replace(t, title=masker.text(t.title), rows=tuple(map(row, t.rows)), note=masker.text(t.note))
        for t in report.tables
    )
    return replace(report, summary=row(report.summary), scope=row(report.scope), tables=tuple(tables))


def markdown(report: Report, figures: Sequence[tuple[str, str, str]], title: str, absent: Sequence[str] = ()) -> str:
    """The report in Markdown; `figures`: caption, file, note; `absent`: a line for each part that is not there."""
    lines = [f"# {title}", "", *_answer(report.answer)]
    lines += [_escape_around_code(" ".join(report.scope)), ""] if report.scope else []
    lines += [f"- {_escape(line)}" for line in report.summary]
    for caption, file, note in figures:
        alternative = _escape(caption).replace("[", "\\[").replace("]", "\\]")
        lines += ["", f"## {_escape(caption)}", "", f"![{alternative}]({file})"]
        lines += ["", _escape(note)] if note else []
    for table in report.tables:
        lines += ["", f"## {_escape(table.title)}", ""]
        if table.rows:
            lines.append("| " + " | ".join(_escape(cell) for cell in table.header) + " |")
            lines.append("|" + " --- |" * len(table.header))
            lines += ["| " + " | ".join(_escape(cell) for cell in row) + " |" for row in table.rows]
        if table.note:
            lines += ["", _escape(table.note)]
    if absent:
        lines += ["", "## Not in these results", "", *(f"- {_escape(line)}" for line in absent)]
    return "\n".join(lines) + "\n"


def _answer(answer: Answer | None) -> list[str]:
    """The answer as a paragraph, and the next commands as a list."""
    if answer is None:
        return []
    commands = [f"- `{printable(c.command)}`: {_escape(printable(c.shows))}" for c in answer.commands]
    return [_escape(printable(answer.paragraph)), "", *(["Next:", "", *commands, ""] if commands else [])]


def _escape_around_code(text: str) -> str:
    """Text in which what stands in backquotes is a command."""
    return "`".join(part if number % 2 else _escape(part) for number, part in enumerate(text.split("`")))


def _escape(text: str) -> str:
    """Text that is no Markdown: a network's name may hold a star, an event's a bar."""
    for sign in ("\\", "|", "*", "_", "<"):
        text = text.replace(sign, "\\" + sign)
    return text
