"""The log of an external power meter: a table with a column of time and one of power, or of volts and amperes."""

from __future__ import annotations

import csv
import itertools
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hwprof.collectors.meters.columns import MeterColumn, classify, is_alternating, unit_of
from hwprof.collectors.meters.times import RelativeTime, number, separator_of, wall_ns
from hwprof.errors import UsageError

REMEDY = "a CSV with a column of time and one of power, as in: time,power (W)"
DELIMITERS = (";", "\t", ",", "|")
PREAMBLE = 50  # lines that may stand before the heads
Samples = tuple[tuple[int, ...], tuple[float | None, ...]]


@dataclass(frozen=True, slots=True)
class LogHead:
    """Where the heads of a log are, and what its columns hold by their place."""

    line: int
    delimiter: str
    columns: Mapping[int, MeterColumn]

    def places(self, quantity: str) -> list[int]:
        """The places of the columns with this quantity."""
        return [place for place, column in self.columns.items() if column.quantity == quantity]


@dataclass(slots=True)
class MeterLog:
    """A log that may still be growing. It is read again where it has changed."""

    path: Path
    has_own_clock: bool = False  # then its times may count from any start
    _seen: tuple[int, int] = (-1, -1)
    _samples: Samples = field(default=((), ()))

    @property
    def source(self) -> str:
        """Where its readings come from."""
        return f"meter:{self.path.name}"

    def check(self) -> None:
        """Raise UsageError where the log as it is now can't be read. It may have no row yet."""
        self.samples()

    def samples(self) -> Samples:
        """(ns since 1970, W) of every row, in order of time; None: no value. Raises UsageError."""
        try:
            state = self.path.stat()
            seen = state.st_size, state.st_mtime_ns
            if seen != self._seen:
                self._samples = parse(decode(self.path.read_bytes()), f"meter log {self.path}", self.has_own_clock)
                self._seen = seen
        except OSError as error:
            raise UsageError(f"meter log {self.path}: {error.strerror}", REMEDY) from error
        return self._samples


def decode(data: bytes) -> str:
    """The text of a file in UTF-8, in UTF-16 with a byte order mark, or else in Latin-1."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def parse(text: str, name: str, has_own_clock: bool = False) -> Samples:
    """The samples of a log's text. A last line without its end is still being written, and is left for the next time.

    Samples of one time are averaged: a meter with coarse times has several. Raises UsageError with the line.
    """
    lines = text.splitlines(keepends=True)
    if not any(line.strip() for line in lines):
        raise UsageError(f"{name} is empty", REMEDY)
    if not lines[-1].endswith(("\n", "\r")):
        lines = lines[:-1] or [lines[-1]]
    head = find_head(lines, name)
    rows = _rows(lines, head, name)
    if not rows:
        return (), ()
    values = _watts(rows, head, name)
    times = _times(rows, head, name, has_own_clock)
    found: dict[int, list[float]] = defaultdict(list)
    for at, value in zip(times, values, strict=True):
        found[at] += [] if value is None else [value]
    ordered = sorted(found.items())
    return tuple(at for at, _ in ordered), tuple(statistics.fmean(v) if v else None for _, v in ordered)


def interval_ns(at_ns: Sequence[int]) -> int:
    """The median distance of samples; 0: fewer than two."""
    gaps = sorted(b - a for a, b in itertools.pairwise(at_ns))
    return gaps[len(gaps) // 2] if gaps else 0


def find_head(lines: Sequence[str], name: str) -> LogHead:
    """The first line that names time and power, or volts and amperes. Raises UsageError."""
    why, first = "", next(line.strip() for line in lines if line.strip())
    for index, line in enumerate(lines[:PREAMBLE]):
        for delimiter in DELIMITERS:
            cells = _cells(line.lstrip("# "), delimiter)
            if len(cells) < 2:
                continue
            try:
                columns = {place: one for place, cell in enumerate(cells) if (one := classify(cell)) is not None}
            except ValueError as error:
                why = why or str(error)
                continue
            head = LogHead(index, delimiter, columns)
            if not head.places("time") and not head.places("date"):
                continue
            powers = head.places("power")
            if len(powers) > 1:
                named = ", ".join(cells[place] for place in powers)
                raise UsageError(f"{name} has {len(powers)} columns of power: {named}", "keep one of them")
            if powers or (head.places("volts") and head.places("amperes") and not is_alternating(cells)):
                return head
    shown = ", ".join(_cells(first, ","))
    raise UsageError(f"{name} has columns {shown[:200]}" + (f": {why}" if why else ""), REMEDY)


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), [])]


def _rows(lines: Sequence[str], head: LogHead, name: str) -> list[tuple[int, list[str]]]:
    """(number of the line, cells) of each row. Raises UsageError for a row that is too short."""
    needed = max(head.columns) + 1
    rows = []
    for index, line in enumerate(lines[head.line + 1 :], head.line + 2):
        if not line.strip() or line.startswith("#"):
            continue
        cells = _cells(line, head.delimiter)
        if len(cells) < needed:
            where = f"{name}, line {index}: {len(cells)} columns where the heads have {needed}"
            raise UsageError(where, "a number with a decimal comma in a file with commas needs quotation marks")
        rows.append((index, cells))
    return rows


def _watts(rows: Sequence[tuple[int, list[str]]], head: LogHead, name: str) -> list[float | None]:
    places = head.places("power") or [head.places("volts")[0], head.places("amperes")[0]]
    try:
        separator = separator_of((cells[place] for _, cells in rows for place in places), head.delimiter)
    except ValueError as error:
        raise UsageError(f"{name}: {error}", "write decimal points") from error
    found: list[float | None] = []
    for line, cells in rows:
        product: float | None = 1.0
        for place in places:
            try:
                value, factor = _value(cells[place], head.columns[place], separator)
            except ValueError as error:
                raise UsageError(f"{name}, line {line}: {error}", "one number in each row, or nothing") from error
            product = None if value is None or product is None else product * value * factor
        found.append(product)
    return found


def _value(cell: str, column: MeterColumn, separator: str) -> tuple[float | None, float]:
    """The number of a cell, which may have its unit behind it, and the factor of the unit."""
    words = cell.split()
    if len(words) == 2 and (unit := unit_of(words[1])) is not None and unit[0] == column.quantity:
        cell, factor = words[0], unit[1]
    else:
        factor = column.factor
    value = number(cell, separator)
    return (None if value is None else float(value)), factor


def _times(rows: Sequence[tuple[int, list[str]]], head: LogHead, name: str, has_own_clock: bool) -> list[int]:
    times, dates = head.places("time"), head.places("date")
    place, date = (times or dates)[0], (dates[0] if times and dates else None)
    column = head.columns[place]
    found = []
    for line, cells in rows:
        text = cells[place]
        if date is not None and ":" in text and not any(mark in text for mark in ("-", "/", "T")):
            text = f"{cells[date]} {text}"
        try:
            found.append(wall_ns(text, column.factor, column.has_unit))
        except RelativeTime as error:
            if has_own_clock:
                found.append(error.ns)
                continue
            where = f"{name}, line {line}: the time '{text}' counts from a start that the log does not name"
            raise UsageError(
                where, "log seconds since 1970, or let a load pattern find its clock: --meter align:LOG.csv"
            ) from error
        except ValueError as error:
            raise UsageError(f"{name}, line {line}: {error}", "seconds since 1970, or ISO 8601") from error
    return found
