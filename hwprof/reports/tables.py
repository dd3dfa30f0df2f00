"""Tables of text: what every report is made of, and how a terminal shows it."""

from __future__ import annotations

import shutil
import textwrap
from dataclasses import dataclass, field

import pandas as pd

from hwprof.analysis.answer.model import Answer
from hwprof.analysis.configurations.judge import NeedAnswer
from hwprof.analysis.configurations.model import ConfigurationGroup
from hwprof.analysis.correlation.findings import Analysis
from hwprof.printable import printable, printable_cells

NARROW = 60


def terminal(report: Report, width: int | None = None) -> str:
    """The answer, the summary, then tables with columns aligned; long notes wrapped to `width` (the terminal's by
    default).
    """
    columns = width or max(NARROW, shutil.get_terminal_size((110, 24)).columns)
    lines = answer_lines(report.answer, columns) if report.answer is not None else []
    lines += [textwrap.fill(line, columns, initial_indent="* ", subsequent_indent="  ") for line in report.summary]
    for table in report.tables:
        lines += ["", table.title, *_align(table, columns)]
        if table.note:
            lines.append(textwrap.fill(table.note, columns, initial_indent="  ", subsequent_indent="  "))
    return "\n".join(lines)


def answer_lines(answer: Answer, columns: int) -> list[str]:
    """The answer as a paragraph, with the next commands below it; an empty line at its end."""
    lines = [textwrap.fill(printable(answer.paragraph), columns)]
    lines += [f"  {printable(c.command)}    {printable(c.shows)}" for c in answer.commands]
    return [*lines, ""]


def _align(table: Table, columns: int) -> list[str]:
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


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a title; `note` below it."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        for name in ("title", "header", "rows", "note"):  # names and messages come from outside
            object.__setattr__(self, name, printable_cells(getattr(self, name)))


@dataclass(frozen=True, slots=True)
class Report:
    """All of it, in the order in which it is read. `answer`: None where nobody asked for one."""

    summary: tuple[str, ...]
    tables: tuple[Table, ...]
    analyses: tuple[Analysis, ...] = ()
    fps: pd.DataFrame = field(default_factory=pd.DataFrame)
    energy: tuple[Analysis, ...] = ()  # against energy per frame
    energy_why: str = ""  # why there are none of these, where they were asked for
    answer: Answer | None = None
    best: tuple[ConfigurationGroup, ...] = ()
    need: NeedAnswer | None = None  # where one was asked for
