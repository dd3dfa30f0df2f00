"""A report as plain text for the terminal, and as Markdown."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import replace

from hwprof.reports.page.content import Report, Table
from hwprof.store.masking import Masker

NARROW = 60


def terminal(report: Report, width: int | None = None) -> str:
    """Summary, then tables with columns aligned; long notes wrapped to `width` (the terminal's by default)."""
    columns = width or max(NARROW, shutil.get_terminal_size((110, 24)).columns)
    lines = [textwrap.fill(line, columns, initial_indent="* ", subsequent_indent="  ") for line in report.summary]
    for table in report.tables:
        lines += ["", table.title, *_aligned(table, columns)]
        if table.note:
            lines.append(textwrap.fill(table.note, columns, initial_indent="  ", subsequent_indent="  "))
    return "\n".join(lines)


def _aligned(table: Table, columns: int) -> list[str]:
    if not table.rows:
        return []
    grid = [table.header, *table.rows]
    widths = [max(len(row[i]) for row in grid) for i in range(len(table.header))]
    lines = []
    for number, row in enumerate(grid):
        # the last column is free text: it is not padded, and goes on below itself
        fixed = "  ".join(cell.ljust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True))
        room = columns - len(fixed) - 4
        if room >= 20 and len(row[-1]) > room:
            first, *rest = textwrap.wrap(row[-1], room)
            lines.append(f"  {fixed}  {first}".rstrip())
            lines += [f"  {'':{len(fixed)}}  {part}" for part in rest]
        else:
            lines.append(f"  {fixed}  {row[-1]}".rstrip())
        if number == 0:
            lines.append("  " + "  ".join("-" * width for width in (*widths[:-1], min(widths[-1], max(4, room)))))
    return lines


def masked(report: Report, masker: Masker) -> Report:
    """The tables and sentences as others may see them."""

    def row(cells: Iterable[str]) -> tuple[str, ...]:
        return tuple(map(masker.text, cells))

    tables = (
        replace(t, title=masker.text(t.title), rows=tuple(map(row, t.rows)), note=masker.text(t.note))
        for t in report.tables
    )
    return replace(report, summary=row(report.summary), tables=tuple(tables))


def markdown(report: Report, figures: Sequence[tuple[str, str, str]], title: str) -> str:
    """The same in Markdown; `figures`: caption, file beside it, note below it."""
    lines = [f"# {title}", "", *(f"- {_escape(line)}" for line in report.summary)]
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
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    """Text that is no Markdown: a network's name may hold a star, an event's a bar."""
    for sign in ("\\", "|", "*", "_", "<"):
        text = text.replace(sign, "\\" + sign)
    return text
