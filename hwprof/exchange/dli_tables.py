"""The rows of a table of DLI, whatever file it is in: its own CSV, or the XLSX and HTML that it publishes."""

from __future__ import annotations

import csv
import datetime
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwprof.errors import NotInstalled, ResultsError
from hwprof.exchange.dli_speeds import (
    AVERAGE,
    BATCH_FPS,
    LATENCY,
    FpsMeaning,
    Row,
    day_in_name,
    meaning_of_columns,
    meaning_of_date,
)
from hwprof.printable import plural

REQUIRED = ("Topology name", "Inference Framework", "Batch size", "FPS")
REQUIRED_OF_ACCURACY = ("Topology name", "Inference Framework", "Precision", "Accuracy")
# Head rows of a published table, from above; the last one is not in the older ones
HEAD = ("Infrastructure", "Inference Framework", "Device", "Precision", "Mode", "Parameters")
BODY = ("Task type", "Topology name", "Framework", "Input blob sizes", "Batch size")
BODY_OF_ACCURACY = ("Task type", "Topology name", "Framework", "Dataset", "Accuracy type")
# How DLI's converters write what was not measured, and what failed
NOT_MEASURED, FAILED = ("", "N/A", "Undefined"), "NaN"

# Columns of numbers, and how spreadsheets of other countries write them
FIGURES = (AVERAGE, LATENCY, "FPS", BATCH_FPS, "Accuracy")
COMMA, THOUSANDS, POINT = (re.compile(f"{text} ?%?") for text in (r"\d+,\d+", r"[1-9]\d{0,2},\d{3}", r"\d+\.\d+"))


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows with their places, and what FPS means in them with the evidence (None: the table does not show it).

    `left_out`: lines that are no row, and why; `notes`: how the figures were read.
    """

    name: str
    meaning: tuple[FpsMeaning, str] | None
    rows: tuple[tuple[str, Row], ...]
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def by_name(path: Path) -> tuple[FpsMeaning, str] | None:
    """What FPS means by the day in the name of the file, and the evidence."""
    return meaning_of_date(day_in_name(path.name), "the name of the table has the day")


def csv_sheet(path: Path) -> Sheet:
    """The table in a CSV. Raises ResultsError for another table."""
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")  # as DLI's own converter reads it
    first = text.partition("\n")[0]
    delimiter = max(";,\t", key=first.count)
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    names = [_column(name) for name in reader.fieldnames or ()]
    reader.fieldnames = names
    if "Accuracy" not in names:
        _check(path, names, REQUIRED)
    else:
        _check(path, names, REQUIRED_OF_ACCURACY)
    texts: dict[str, str] = {}  # a table repeats its texts: each is kept once
    rows: list[tuple[str, dict[str, str]]] = []
    left_out = []
    for row in reader:
        place = f"line {reader.line_num}"
        count = len(names) + len(row.get(None, ())) - sum(v is None for v in row.values())
        if count != len(names):  # a comma within a number, or a file that was cut off: its figures may be others
            left_out.append(f"{place}: it has {plural(count, 'cell')}, and the head {len(names)}")
            continue
        cells = ((k, (v or "").strip()) for k, v in row.items() if k)
        rows.append((place, {k: texts.setdefault(v, v) for k, v in cells}))
    notes = ("decimal commas were read as decimal points",) if _write_points(path, rows) else ()
    return Sheet(path.name, meaning_of_columns(names), tuple(rows), tuple(left_out), notes)


def _write_points(path: Path, rows: Sequence[tuple[str, dict[str, str]]]) -> bool:
    """Turn decimal commas of the figures into points; whether there were any.

    Raises ResultsError where a comma may separate thousands.
    """
    figures = [(row, name, text) for _, row in rows for name in FIGURES if (text := row.get(name))]
    commas = [text for _, _, text in figures if COMMA.fullmatch(text)]
    if not commas:
        return False
    if all(THOUSANDS.fullmatch(text) for text in commas) or any(POINT.fullmatch(text) for _, _, text in figures):
        raise ResultsError(
            f"{path}: the comma in '{commas[0]}' is a decimal one, or separates thousands",
            "save the table with decimal points and without separators",
        )
    for row, name, text in figures:
        if COMMA.fullmatch(text):
            row[name] = text.replace(",", ".")
    return True


def _column(name: str | None) -> str:
    """DLI's accuracy checker has had two names of one column."""
    return {"Type accuracy": "Accuracy type"}.get(name or "", name or "")


def _check(path: Path, names: Sequence[str], required: Sequence[str]) -> None:
    lacking = [name for name in required if name not in names]
    if lacking:
        raise ResultsError(
            f"{path} is no table of DLI: it has no column {', '.join(lacking)}",
            "DLI's CSV, or its published XLSX or HTML",
        )


def xlsx_sheets(path: Path) -> Iterator[Sheet]:
    """The tables in an XLSX. Raises ResultsError for another one, NotInstalled without openpyxl."""
    try:
        import openpyxl
    except ImportError as error:
        raise NotInstalled("openpyxl, which reads XLSX,", "pip install 'hwprof[xlsx]', or save it as CSV") from error
    import zipfile

    try:
        book = openpyxl.load_workbook(path, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise ResultsError(f"{path} is no XLSX: {error}") from error
    created = book.properties.created
    day = created.date() if isinstance(created, datetime.datetime) else None
    for sheet in book.worksheets:
        grid = [[_text(v) for v in row] for row in sheet.iter_rows(values_only=True)]
        if not grid:
            continue
        if set(REQUIRED) <= set(grid[0]):
            rows = [
                (f"{sheet.title} row {n}", dict(zip(grid[0], cells, strict=False)))
                for n, cells in enumerate(grid[1:], 2)
            ]
            yield Sheet(path.name, meaning_of_columns(grid[0]), tuple(rows))
        else:
            shown = meaning_of_date(day, "the workbook was created on") or by_name(path)
            yield Sheet(path.name, shown, tuple(_published(sheet.title, grid, published_body(path, grid[0]))))


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def published_body(path: Path, first: Sequence[str]) -> tuple[str, ...]:
    """The names of the columns left of the figures, by the first row. Raises ResultsError for another table."""
    for body in (BODY, BODY_OF_ACCURACY):
        if tuple(first[: len(body)]) == body:
            return body
    raise ResultsError(
        f"{path} is no table of DLI: it begins with {', '.join(map(str, first[:5]))}",
        f"not {', '.join(BODY)}",
    )


def _published(title: str, grid: Sequence[Sequence[str]], body: tuple[str, ...]) -> Iterator[tuple[str, Row]]:
    """One measurement per cell. Merged cells hold their value in the first one: filled to the right and downwards."""
    width = len(body)
    depth = next((i for i, row in enumerate(grid) if i and row[width - 1]), len(grid))
    heads = [_filled(row[width:]) for row in grid[:depth]]
    names: list[str] = [""] * width
    for number, row in enumerate(grid[depth:], depth + 1):
        names = [now or before for now, before in zip(row[:width], names, strict=True)]
        for column, value in enumerate(row[width:]):
            head = {name: head[column] for name, head in zip(HEAD, heads, strict=False)}
            found = measurement(body, names, head, value)
            if found is not None:
                yield f"{title} row {number} column {column + width + 1}", found


def measurement(body: Sequence[str], names: Sequence[str], head: Row, value: str) -> Row | None:
    """The row of one figure of a published table; None: nothing was measured there."""
    if value in NOT_MEASURED:
        return None
    entries = dict(head)
    status = {"Status": "Failed" if value == FAILED else "Success"}
    if tuple(body) == BODY_OF_ACCURACY:
        return {**status, **dict(zip(body, names, strict=True)), **entries, "Accuracy": value}
    device = entries.pop("Device", "")
    entries["Parameters"] = ", ".join(filter(None, (f"Device: {device}", entries.get("Parameters", ""))))
    return {**status, **dict(zip(body, names, strict=True)), **entries, "FPS": value}


def _filled(row: Sequence[str]) -> list[str]:
    out: list[str] = []
    for value in row:
        out.append(value or (out[-1] if out else ""))
    return out
