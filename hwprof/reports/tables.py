"""Tables of text: what every report is made of, and how a terminal shows it."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pandas as pd

from hwprof.analysis.answer.model import Answer
from hwprof.analysis.configurations.judge import NeedAnswer
from hwprof.analysis.configurations.model import ConfigurationGroup
from hwprof.analysis.correlation.findings import NOT_ASKED, Analysis, count_significant
from hwprof.analysis.statistics.partial import MIN_NETWORKS, MIN_TESTED
from hwprof.printable import plural, printable, printable_cells

NARROW = 60
WIDE = 100  # running text is hard to read in longer lines
# What a row of a table is, where it is no "row".
ROWS = {"Speed": "case", "Doubts": "doubt", "Omitted": "case", "Without a result": "case", "Commands": "command"}
_TRUST = re.compile(r" (?=(?:Trust|Safe to conclude|Not safe): )")


def terminal(report: Report, width: int | None = None) -> str:
    """The answer, the summary, then tables with columns aligned; long notes wrapped to `width` (the terminal's by
    default).
    """
    columns = width or max(NARROW, shutil.get_terminal_size((110, 24)).columns)
    lines = answer_lines(report.answer, columns) if report.answer is not None else []
    lines += [*_wrap(report.scope, columns), ""] if report.scope else []
    lines += [textwrap.fill(line, columns, initial_indent="* ", subsequent_indent="  ") for line in report.summary]
    for table in report.tables:
        lines += ["", table.title, *_align(table, columns)]
        if table.note:
            lines.append(textwrap.fill(table.note, columns, initial_indent="  ", subsequent_indent="  "))
    return "\n".join(lines)


def first_screen(report: Report, full: str, width: int | None = None) -> str:
    """The answer, which runs it is of, and how much the tables hold; `full`: the command that prints them.

    Where no case has a speed, the tables are few and are all there is: they are shown.
    """
    if report.fps.empty:
        return terminal(report, width)
    columns = width or max(NARROW, min(WIDE, shutil.get_terminal_size((80, 24)).columns))
    lines = answer_lines(report.answer, columns) if report.answer is not None else []
    lines += _wrap((*report.scope, *report.summary[:1]), columns)
    found = contents(report)
    left = max(len(what) for what, _ in found)
    lines += ["", "In the report:"]
    lines += [
        textwrap.fill(f"{what:{left}}  {much}", columns, initial_indent="  ", subsequent_indent=" " * (left + 4))
        for what, much in found
    ]
    return "\n".join([*lines, f"All tables: {full}"])


def contents(report: Report) -> list[tuple[str, str]]:
    """What the tables of a report are about, and how much each holds. Correlations: metrics, and how many of them are
    significant in a framework or over all.
    """
    found = []
    analyses: dict[str, list[Analysis]] = {}
    for analysis in (*report.analyses, *report.energy):
        analyses.setdefault(analysis.target, []).append(analysis)
    for target, own in analyses.items():
        found.append((f"Correlation with {target}", _correlations(own)))
    if report.energy_why:
        found.append(("Correlation with energy per frame", f"none: {report.energy_why.split(': ', 1)[-1]}"))
    found += [
        (table.title, plural(len(table.rows), ROWS.get(table.title, "row")))
        for table in report.tables
        if table.rows and not table.title.startswith("Correlation with ")
    ]
    return sorted(found, key=lambda item: item[0] != "Speed")


def _correlations(analyses: Sequence[Analysis]) -> str:
    known = [c for a in analyses for c in a.correlations if c.partial.r is not None]
    if not known:
        few = f"no coefficient: {MIN_NETWORKS} networks are needed, and {MIN_TESTED} for a test"
        return "; ".join(dict.fromkeys(a.refusal for a in analyses if a.refusal)) or few
    found, tested = count_significant(analyses)
    if not tested:
        metrics = plural(len({c.metric.name for c in known}), "metric")
        asked = any(c.is_asked for c in known)
        return f"{metrics}, none of them tested: {f'{MIN_TESTED} networks are needed' if asked else NOT_ASKED}"
    return f"{plural(tested, 'metric')}, {found or 'none'} of them significant"


def answer_lines(answer: Answer, columns: int) -> list[str]:
    """The answer in paragraphs, with the next commands below it; an empty line at its end."""
    lines = _wrap(_TRUST.split(printable(answer.paragraph)), columns)
    lines += ["", "Next:"] if answer.commands else []
    for c in answer.commands:
        command, shows = printable(c.command), printable(c.shows)
        short = f"  {command}    {shows}"
        lines += [short] if len(short) <= columns else [f"  {command}", f"      {shows}"]
    return [*lines, ""]


def _wrap(paragraphs: Iterable[str], columns: int) -> list[str]:
    return [textwrap.fill(text, columns) for text in paragraphs]


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
    scope: tuple[str, ...] = ()  # sentences: which runs it is of, and what else their file holds
    best: tuple[ConfigurationGroup, ...] = ()
    need: NeedAnswer | None = None  # where one was asked for
