"""Tables that fit a terminal: text flows, columns are dropped and named, names are shortened; numbers never are.

What is tried first, until the rows fit: the free text beside the row, wrapped; the free text below the row; without the
columns that may be dropped, one after the other; names without their middle; at last several tables one under another,
each with the columns that say what a row is of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwprof.printable import plural, printable
from hwprof.reports.terminal.style import columns as terminal_columns
from hwprof.reports.terminal.style import shorten, wrap

if TYPE_CHECKING:
    from hwprof.reports.tables import Report

GAP = 2
BESIDE = 24  # columns that free text needs beside a row
SHORTEST = 14  # of a shortened name


@dataclass(frozen=True, slots=True)
class GridColumn:
    """A column and what may happen to it where the terminal is narrow.

    `drop`: from 1 the columns that may be left out, the highest first; 0: stays. `flows`: free text, the last column.
    `shortens`: names, which may lose their middle. `is_key`: says what a row is of, and is repeated where a table is
    divided.
    """

    title: str
    right: bool = False
    drop: int = 0
    flows: bool = False
    shortens: bool = False
    is_key: bool = False


@dataclass(frozen=True, slots=True)
class _Layout:
    """What is shown: places of the columns with their widths; `text`: the place of free text, `room`: its width."""

    places: tuple[int, ...]
    widths: tuple[int, ...]
    text: int | None = None
    room: int = 0  # 0: below the row


def lines(
    columns: Sequence[GridColumn],
    rows: Sequence[Sequence[str]],
    width: int | None = None,
    *,
    indent: int = 2,
    rest: str = "--json has them",
    rule: bool = False,
) -> list[str]:
    """The table with its header as lines of `width` at most (None: as wide as stdout takes).

    `rest`: what has the columns that were dropped; `rule`: a line below the header. What may be dropped, and free
    text, is not shown where no row has any. Only a value that is wider than the terminal itself makes a longer line.
    """
    width = terminal_columns() if width is None else width
    cells = [tuple(map(printable, row)) for row in rows]
    shown = [i for i, one in enumerate(columns) if not (one.drop or one.flows) or any(row[i] for row in cells)]
    natural = {i: max([len(columns[i].title), *(len(row[i]) for row in cells)]) for i in shown}
    words = (word for row in cells for i in shown if columns[i].flows for word in row[i].split())
    beside = max(BESIDE, max(map(len, words), default=0))
    dropped = sorted((i for i in shown if columns[i].drop), key=lambda i: -columns[i].drop)
    for count in range(len(dropped) + 1):
        gone = dropped[:count]
        left = [i for i in shown if i not in gone]
        found = _fit(columns, left, natural, width - indent, beside)
        if found is not None:
            return [*_drawn(columns, cells, found, indent, width, rule), *_note(columns, gone, rest, width, indent)]
    left = [i for i in shown if i not in dropped]
    parts: list[str] = []
    for panel in _panels(columns, left, natural, width - indent):
        parts += [*([""] if parts else []), *_drawn(columns, cells, panel, indent, width, rule)]
    return [*parts, *_note(columns, dropped, rest, width, indent)]


def plain_columns(header: Sequence[str]) -> list[GridColumn]:
    """Columns of a table that says nothing of its own: the first is a name, the last is free text."""
    last = len(header) - 1
    return [
        GridColumn(title, shortens=i == 0, is_key=i == 0, flows=i == last and i > 0) for i, title in enumerate(header)
    ]


def _fit(
    columns: Sequence[GridColumn], left: Sequence[int], natural: dict[int, int], room: int, least: int
) -> _Layout | None:
    """The widest layout of these columns that fits; None: there is none, unless names are shortened beyond SHORTEST.

    `least`: columns that free text needs beside a row.
    """
    flowing = next((i for i in left if columns[i].flows), None)
    fixed = tuple(i for i in left if i != flowing)
    used = _total(natural[i] for i in fixed)
    if flowing is not None:
        beside = room - used - (GAP if fixed else 0)
        if natural[flowing] <= beside or beside >= least:
            return _Layout(fixed, tuple(natural[i] for i in fixed), flowing, min(beside, natural[flowing]))
    if used <= room:
        return _Layout(fixed, tuple(natural[i] for i in fixed), flowing)
    if any(columns[i].drop for i in fixed):
        return None  # names are shortened last
    widths = _shortened(columns, fixed, natural, room)
    return None if widths is None else _Layout(fixed, widths, flowing)


def _total(widths: Iterator[int] | Sequence[int]) -> int:
    found = list(widths)
    return sum(found) + GAP * max(0, len(found) - 1)


def _shortened(
    columns: Sequence[GridColumn], fixed: Sequence[int], natural: dict[int, int], room: int
) -> tuple[int, ...] | None:
    """Widths that fit, the widest names shortened first; None where the names can't give that much."""
    widths = {i: natural[i] for i in fixed}
    while _total(list(widths.values())) > room:
        names = [i for i in fixed if columns[i].shortens and widths[i] > SHORTEST]
        if not names:
            return None
        widths[max(names, key=lambda i: widths[i])] -= 1
    return tuple(widths[i] for i in fixed)


def _panels(
    columns: Sequence[GridColumn], left: Sequence[int], natural: dict[int, int], room: int
) -> Iterator[_Layout]:
    """The columns in several tables, each with the key columns."""
    flowing = next((i for i in left if columns[i].flows), None)
    keys = [i for i in left if columns[i].is_key] or list(left[:1])
    others = [i for i in left if i not in keys and i != flowing]
    widest = max((natural[i] for i in others), default=0)
    key_room = max(SHORTEST, room - widest - GAP)
    widths = dict(natural)
    short = _shortened(columns, keys, natural, key_room)
    widths.update(zip(keys, short, strict=True) if short is not None else ())
    panel: list[int] = []
    for place in others:
        if panel and _total([widths[i] for i in (*keys, *panel, place)]) > room:
            yield _Layout((*keys, *panel), tuple(widths[i] for i in (*keys, *panel)))
            panel = []
        panel.append(place)
    yield _Layout((*keys, *panel), tuple(widths[i] for i in (*keys, *panel)), flowing)


def _drawn(
    columns: Sequence[GridColumn],
    rows: Sequence[Sequence[str]],
    layout: _Layout,
    indent: int,
    width: int,
    rule: bool,
) -> Iterator[str]:
    """The header and the rows."""
    margin = " " * indent
    head = [columns[i].title for i in layout.places]
    first = _row(columns, head, layout)
    beside = layout.text is not None and layout.room > 0
    if beside and layout.text is not None:
        first = f"{first}{' ' * GAP * bool(head)}{columns[layout.text].title}"
    yield (margin + first).rstrip()
    if rule:
        widths = (*layout.widths, *([layout.room] if beside else []))
        yield margin + (" " * GAP).join("-" * one for one in widths)
    for row in rows:
        text = row[layout.text] if layout.text is not None else ""
        line = margin + _row(columns, [row[i] for i in layout.places], layout)
        if not beside:
            yield line.rstrip()
            if text:
                yield from wrap(text, width, margin + "    ")
            continue
        # not `wrap`: what stands beside numbers is as wide as there is room
        parts = _flow(text, layout.room)
        gap = " " * GAP * bool(layout.places)
        yield f"{line}{gap}{parts[0]}".rstrip()
        yield from (f"{'':{len(line)}}{gap}{part}" for part in parts[1:])


def _flow(text: str, room: int) -> list[str]:
    found = [""]
    for word in text.split(" "):
        joined = f"{found[-1]} {word}" if found[-1] else word
        if len(joined) <= room or not found[-1]:
            found[-1] = joined
        else:
            found.append(word)
    return found


def _row(columns: Sequence[GridColumn], cells: Sequence[str], layout: _Layout) -> str:
    shown = []
    for place, cell, width in zip(layout.places, cells, layout.widths, strict=True):
        text = shorten(cell, width) if columns[place].shortens else cell
        shown.append(f"{text:>{width}}" if columns[place].right else f"{text:<{width}}")
    return (" " * GAP).join(shown)


def _note(columns: Sequence[GridColumn], gone: Sequence[int], rest: str, width: int, indent: int) -> list[str]:
    """Which columns were left out, and what has them."""
    if not gone:
        return []
    names = ", ".join(columns[i].title for i in sorted(gone))
    return wrap(f"+{plural(len(gone), 'column')} ({names}): {rest}.", width, " " * indent)


def report_text(report: Report, grids: Mapping[str, Sequence[GridColumn]], width: int | None = None) -> str:
    """A report as the terminal shows it: its sentences, then its tables, those of `grids` (title -> columns) by these.

    `width` None: as wide as stdout takes.
    """
    width = terminal_columns() if width is None else width
    out = [line for sentence in report.summary for line in wrap(sentence, width, "* ", "  ")]
    for table in report.tables:
        columns = grids.get(table.title, plain_columns(table.header))
        out += ["", *wrap(table.title, width)]
        out += lines(columns, table.rows, width, rule=True) if table.rows else []
        out += wrap(table.note, width, "  ") if table.note else []
    return "\n".join(out)
