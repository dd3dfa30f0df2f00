"""Result tables of DLI, the Deep Learning Inference Benchmark (github.com/itlab-vision/dl-benchmark).

Two forms: the benchmark's own CSV, one row per measurement (columns as its src/benchmark/output.py names them), and
the XLSX that its csv2xlsx makes of them for publication, one column per machine x framework x device x precision x
mode x parameters, FPS in the cells. What FPS is depends on DLI's version: see hwprof.exchange.dli_speeds.
"""

from __future__ import annotations

import csv
import datetime
import io
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hwprof import plugins
from hwprof.errors import NotInstalled, ResultsError
from hwprof.exchange.dli_speeds import (
    WORDS,
    FpsMeaning,
    Row,
    is_synchronous,
    meaning_of_columns,
    meaning_of_date,
    settle,
    speeds,
)
from hwprof.exchange.imports import ImportedRuns, imported_run, round_numbers
from hwprof.records import Case, Failure, Scalar

REQUIRED = ("Topology name", "Inference Framework", "Batch size", "FPS")
# "Name: value, Name: value": a comma in a value is not followed by a name and a colon
FIELDS = re.compile(r",\s*(?=[A-Z][\w ()]*:)")
# Head rows of the published table, from above; the last one is not in the older ones
HEAD = ("Infrastructure", "Inference Framework", "Device", "Precision", "Mode", "Parameters")
BODY = ("Task type", "Topology name", "Framework", "Input blob sizes", "Batch size")


@dataclass(frozen=True, slots=True)
class Sheet:
    """Rows with their places, and what FPS means in them with the evidence (None: the table does not show it)."""

    name: str
    meaning: tuple[FpsMeaning, str] | None
    rows: tuple[tuple[str, Row], ...]


def read(path: Path, fps: str | None = None) -> ImportedRuns:
    """The measurements of a CSV or XLSX. `fps`: what FPS is (a FpsMeaning), for tables that don't show it.

    Raises ResultsError for another table or where the meaning of FPS is unknown, NotInstalled without openpyxl.
    """
    kept: list[tuple[str, Row, Case, dict[str, Any]]] = []
    left_out, notes = [], []
    for sheet in _xlsx(path) if path.suffix.lower() == ".xlsx" else [_csv(path)]:
        meaning, note = _meaning(sheet, fps)
        notes += [note] if note else []
        for place, row in sheet.rows:
            try:
                case = case_of(row)
                said = {} if failure_of(row) else {"reading": note, **speeds(row, meaning)}
                kept.append((place, row, case, said))
            except ValueError as error:
                left_out.append(f"{path.name} {place}: {error}")
    if not kept and not left_out:
        raise ResultsError(f"{path} holds no measurement")
    rounds = round_numbers([case for _, _, case, _ in kept], [row.get("Infrastructure", "") for _, row, _, _ in kept])
    runs = []
    for (place, row, case, said), number in zip(kept, rounds, strict=True):
        failure = failure_of(row)
        if failure is None and not {"fps", "throughput"} & said.keys():
            left_out.append(f"{path.name} {place}: no FPS ('{row.get('FPS', '')}')")
            continue
        machine, state, software = infrastructure(row.get("Infrastructure", ""))
        facts = {"format": "DLI", "file": path.name, "row": dict(row), **said}
        runs.append(
            imported_run(
                case, facts, round=number, failure=failure, machine=machine, host_state=state, software=software
            )
        )
    if coarse := sum(is_synchronous(row) and "throughput" in said and "fps" not in said for _, row, _, said in kept):
        notes.append(
            f"{coarse} synchronous rows have a throughput only: no latency, or one that is rounded too coarsely"
        )
    return ImportedRuns(tuple(runs), tuple(left_out), tuple(dict.fromkeys(notes)))


def _meaning(sheet: Sheet, asked: str | None) -> tuple[FpsMeaning, str]:
    """What FPS is in the rows of a sheet, and that in words; no words where no row depends on it."""
    if not any(is_synchronous(row) and not failure_of(row) for _, row in sheet.rows):
        return FpsMeaning.TOTAL, ""
    meaning, evidence = settle(sheet.name, sheet.meaning, asked)
    return meaning, f"{WORDS[meaning]} ({evidence})"


def _csv(path: Path) -> Sheet:
    raw = path.read_bytes()
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")  # as DLI's own converter reads it
    first = text.partition("\n")[0]
    delimiter = max(";,\t", key=first.count)
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    names = reader.fieldnames or ()
    _check(path, names)
    rows = [(f"line {reader.line_num}", {k: (v or "").strip() for k, v in row.items() if k}) for row in reader]
    return Sheet(path.name, meaning_of_columns(names), tuple(rows))


def _check(path: Path, names: Sequence[str]) -> None:
    lacking = [name for name in REQUIRED if name not in names]
    if lacking:
        raise ResultsError(
            f"{path} is no table of DLI: it has no column {', '.join(lacking)}", "DLI's CSV or published XLSX"
        )


def _xlsx(path: Path) -> Iterator[Sheet]:
    try:
        import openpyxl
    except ImportError as error:
        raise NotInstalled("openpyxl, which reads XLSX,", "pip install 'hwprof[xlsx]', or save it as CSV") from error
    import zipfile

    try:
        book = openpyxl.load_workbook(path, data_only=True)
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
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
            _check_published(path, grid[0])
            yield Sheet(path.name, meaning_of_date(day), tuple(_published(sheet.title, grid)))


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _check_published(path: Path, first: Sequence[str]) -> None:
    if tuple(first[: len(BODY)]) != BODY:
        raise ResultsError(
            f"{path} is no table of DLI: it begins with {', '.join(first[:5])}", f"not {', '.join(BODY)}"
        )


def _published(title: str, grid: Sequence[Sequence[str]]) -> Iterator[tuple[str, Row]]:
    """One measurement per cell. Merged cells hold their value in the first one: filled to the right and downwards."""
    depth = next((i for i, row in enumerate(grid) if i and row[len(BODY) - 1]), len(grid))
    heads = [_filled(row[len(BODY) :]) for row in grid[:depth]]
    names: list[str] = [""] * len(BODY)
    for number, row in enumerate(grid[depth:], depth + 1):
        names = [now or before for now, before in zip(row[: len(BODY)], names, strict=True)]
        for column, value in enumerate(row[len(BODY) :]):
            if value in ("", "Undefined"):  # not measured
                continue
            entries = {name: head[column] for name, head in zip(HEAD, heads, strict=False)}
            device = entries.pop("Device", "")
            entries["Parameters"] = ", ".join(filter(None, (f"Device: {device}", entries.get("Parameters", ""))))
            status = "Failed" if value == "NaN" else "Success"
            yield (
                f"{title} row {number} column {column + len(BODY) + 1}",
                {"Status": status, **dict(zip(BODY, names, strict=True)), **entries, "FPS": value},
            )


def _filled(row: Sequence[str]) -> list[str]:
    out: list[str] = []
    for value in row:
        out.append(value or (out[-1] if out else ""))
    return out


def fields(text: str) -> dict[str, str]:
    """`Device: CPU, Thread count: 4` as a mapping."""
    parts = (part.partition(":") for part in FIELDS.split(text) if ":" in part)
    return {name.strip(): value.strip() for name, _, value in parts}


@lru_cache(maxsize=1)
def frameworks() -> Mapping[str, tuple[str, str]]:
    """DLI's name of a framework -> (ours, its language where it is not Python), as adapters declare it (`dli`)."""
    own = plugins.declarations("dli").items()
    return {theirs: (name, language) for name, names in own for theirs, language in names.items()}


def case_of(row: Row) -> Case:
    """The case of a row. Raises ValueError where network, framework or batch is missing.

    `threads` 0: DLI did not say (it then leaves them to the framework). What else it set becomes options.
    """
    network, framework, batch = (row.get(k, "") for k in ("Topology name", "Inference Framework", "Batch size"))
    if not network or not framework:
        raise ValueError("no network or no framework")
    if not re.fullmatch(r"[1-9]\d*(\.0)?", batch):
        raise ValueError(f"batch size '{batch}'")
    entries = fields(row.get("Parameters", ""))
    entries.pop("Iteration count", None)
    threads = entries.pop("Thread count", None) or entries.pop("Intra threads", None) or "0"
    name, language = frameworks().get(framework, (framework.lower().replace(" ", "-"), ""))
    options: dict[str, Scalar] = {k.lower().replace(" ", "_"): v for k, v in entries.items() if v not in ("", "None")}
    if options.get("device") == "CPU":
        del options["device"]
    if language:
        options["api"] = language
    if row.get("Mode", "Sync") not in ("Sync", ""):
        options["mode"] = row["Mode"].lower()
    blobs = row.get("Input blob sizes", "")
    return Case(
        framework=name,
        network=network,
        recipe=f"dli from {row.get('Framework', '') or 'unknown'}",
        size=side(blobs),
        batch=int(float(batch)),
        threads=int(threads) if threads.isdigit() else 0,
        precision=row.get("Precision", "").lower() or "unknown",
        options=tuple(sorted(options.items())),
        shape=shape_of(blobs),
    )


def side(shape: str) -> int:
    """The side of a square image in `1x3x224x224` or `[1, 224, 224, 3]`; 0: no such thing."""
    sides = [int(n) for n in re.findall(r"\d+", shape)]
    return next((a for a, b in itertools.pairwise(sides[1:]) if a == b and a > 4), 0)


def shape_of(text: str) -> str:
    """`3x48x320` of `1x3x48x320` or `[1, 3, 48, 320]`; the text itself where there are several inputs.

    "" of a square image, and where nothing is known.
    """
    sides = re.findall(r"\d+", text)
    if side(text) or len(sides) < 2:
        return ""
    is_one = re.fullmatch(r"[\[(]?\s*\d+(\s*[x,]\s*\d+)+\s*[\])]?", text.strip())
    return "x".join(sides[1:]) if is_one else text.strip()


def failure_of(row: Row) -> Failure | None:
    """The failure of a row that is not a success."""
    if row.get("Status", "Success") == "Success":
        return None
    code = row.get("Error type", "") or "not recorded"
    return Failure("internal", f"failed in DLI: {code}", stage="imported")


def infrastructure(text: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Machine, host state and software of DLI's `CPU: ..., RAM size: ... kB, OS version: ..., Python version: ...`."""
    entries = fields(text)
    memory = re.fullmatch(r"(\d+) kB", entries.get("RAM size", ""))
    machine: dict[str, Any] = {
        "model": entries.get("CPU") or "unknown CPU",
        "architecture": entries.get("CPU family"),
        "gpu": entries.get("GPU"),
        "memory_gib": round(int(memory[1]) / 2**20 * 4) / 4 if memory else None,
        "imported": "DLI",
    }
    state = {"os": entries.get("OS family"), "kernel": entries.get("OS version")}
    software = {"python": entries.get("Python version")}
    clean = ({k: v for k, v in part.items() if v not in (None, "", "Undefined")} for part in (machine, state, software))
    one, two, three = clean
    return one, two, three
