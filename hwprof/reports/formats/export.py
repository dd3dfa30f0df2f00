"""Results for other programs: the frame as CSV or Parquet, the full records as JSON.

A file appears whole or not at all: it is written beside its place and then renamed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from hwprof import __version__
from hwprof.errors import NotInstalled, ResultsError, UsageError
from hwprof.exchange import pyperf
from hwprof.printable import ESCAPE, encodable_data
from hwprof.records import FORMAT as RECORDS_FORMAT
from hwprof.records import Kind, to_json
from hwprof.store.schema import dumps

if TYPE_CHECKING:
    import pandas as pd

    from hwprof.store import Results

# Format of the JSON document. 1: first edition.
FORMAT = 1
SUFFIXES = {".csv": "csv", ".parquet": "parquet", ".pq": "parquet", ".json": "json"}
FORMATS = ("csv", "parquet", "json", "pyperf")
STDOUT = "-"


def format_of(asked: str | None, output: str) -> str:
    """The format asked for, else that of the file's suffix, else CSV. Raises UsageError for an unknown one."""
    if asked is None:
        asked = SUFFIXES.get(Path(output).suffix.lower(), "csv")
    if asked not in FORMATS:
        raise UsageError(f"unknown format '{asked}'", f"one of {', '.join(FORMATS)}")
    return asked


def export(results: Results, format_: str, output: str, kind: str | None = None, over_time: bool = False) -> int:
    """Write the results to the file `output` ("-": stdout); how many runs were written.

    `kind` None: native runs in the tables, runs of every kind in JSON; "all": every kind. Raises NotInstalled
    without pyarrow for Parquet, UsageError for Parquet on a terminal, ResultsError where the file can't be written.
    """
    format_of(format_, output)
    if over_time and format_ not in ("csv", "parquet"):
        raise UsageError("rows over time are a table", "use --format csv or parquet: JSON has the slices of every run")
    if format_ == "parquet":
        require_pyarrow()
        if output == STDOUT and sys.stdout.isatty():
            raise UsageError("Parquet is no text", "name a file with -o FILE")
    if format_ == "json":
        return _put(output, lambda file: write_json(results, file, None if kind in (None, "all") else kind))
    if format_ == "pyperf":
        return _put(output, lambda file: write_pyperf(results, file))
    read = results.over_time if over_time else results.frame
    frame = read(None if kind == "all" else kind or Kind.NATIVE)
    return _put(output, lambda file: (write_csv if format_ == "csv" else write_parquet)(frame, file))


def require_pyarrow() -> None:
    """Raise NotInstalled where Parquet can't be written."""
    if importlib.util.find_spec("pyarrow") is None:
        raise NotInstalled("pyarrow, which writes Parquet,", "`pip install pyarrow`, or use --format csv")


def write_csv(frame: pd.DataFrame, file: IO[bytes]) -> int:
    """One line per run, UTF-8; a missing value is an empty field. Numbers are written in full."""
    with _text(file) as text:
        frame.to_csv(text, index=False, lineterminator="\n")
    return len(frame)


def write_parquet(frame: pd.DataFrame, file: IO[bytes]) -> int:
    """The frame with its description (`attrs`) in the file's metadata. Columns of mixed options become text."""
    plain = frame.copy()
    plain.attrs = encodable_data(dict(frame.attrs))
    for name in plain.columns:
        if plain[name].dtype == object:
            kinds = {type(value) for value in plain[name] if value is not None}
            if len(kinds) > 1:
                plain[name] = [None if value is None else str(value) for value in plain[name]]
    buffer = io.BytesIO()  # pandas closes what it is given
    plain.to_parquet(buffer, engine="pyarrow", index=False)
    file.write(buffer.getvalue())
    return len(frame)


def write_json(results: Results, file: IO[bytes], kind: str | None = None) -> int:
    """Every run in full as one versioned JSON document, one run per line, streamed.

    `hwprof.records.from_json(Run, document["runs"][i])` gives the record back. Infinities and NaN, which JSON lacks,
    are {"$float": "inf"}. A byte that is no UTF-8 is escaped: other programs' parsers refuse a lone surrogate.
    """
    head = {
        "format": FORMAT,
        "records_format": RECORDS_FORMAT,
        "hwprof": __version__,
        "experiments": [encodable_data(dataclasses.asdict(e)) for e in results.experiments()],
    }
    count = 0
    with _text(file) as text:
        text.write(dumps(head)[:-1] + ',"runs":[')
        for run in results.runs(kind=kind):
            line = dumps(to_json(run))
            if "\\ud" in line:
                line = dumps(encodable_data(to_json(run)))
            text.write(("," if count else "") + "\n" + line)
            count += 1
        text.write("\n]}\n")
    return count


def write_pyperf(results: Results, file: IO[bytes]) -> int:
    """Latencies of native runs as pyperf's JSON; how many runs are in it."""
    document = pyperf.document(results.runs(kind=Kind.NATIVE, status="ok"))
    file.write(json.dumps(document, separators=(",", ":")).encode() + b"\n")
    return sum(len(b["runs"]) for b in document["benchmarks"])


@contextlib.contextmanager
def _text(file: IO[bytes]) -> Iterator[io.TextIOWrapper]:
    """Text over `file`, which stays open."""
    text = io.TextIOWrapper(file, encoding="utf-8", errors=ESCAPE, newline="")
    try:
        yield text
        text.flush()
    finally:
        with contextlib.suppress(OSError):  # the error that matters is on its way already
            text.detach()


def _put(output: str, write: Callable[[IO[bytes]], int]) -> int:
    if output == STDOUT:
        count = write(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return count
    path = Path(output)
    try:
        if path.exists() and not path.is_file():  # a pipe or device: nothing to rename onto
            with path.open("wb") as device:
                return write(device)
        return _atomically(path, write)
    except OSError as error:
        raise unwritable(path, error) from error


def _atomically(path: Path, write: Callable[[IO[bytes]], int]) -> int:
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("wb") as file:
            count = write(file)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return count


def unwritable(path: Path, error: OSError) -> ResultsError:
    """One line for a file that can't be written."""
    reason: Any = error.strerror or error
    return ResultsError(f"{path} can't be written: {reason}", "name another file with -o, or free some space")
