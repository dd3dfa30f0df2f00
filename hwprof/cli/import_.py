"""Take in runs from elsewhere: other results files, tables of DLI (CSV, XLSX, HTML) and files of pyperf (JSON).

Of another results file (of another board, say) experiments of the same plan become one, every run keeps its machine,
and the file itself stays as it is. DLI is the Deep Learning Inference Benchmark; its CSV and its published XLSX (needs
openpyxl) and HTML (needs lxml) are read, tables of speed and of accuracy. Runs of DLI and pyperf are marked as
imported, have no counters, and can be reported on, compared and exported. What is known already is skipped, so that
importing can be repeated.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.cli.options import add_case, add_results, print_json
from hwprof.errors import EXIT_OK, ResultsError, UsageError
from hwprof.printable import plural

if TYPE_CHECKING:
    from hwprof.exchange.imports import ImportedRuns
    from hwprof.store import Results

KINDS = ("results", "dli", "pyperf")
MOST_LINES = 10
MOST_RIVALS = 8


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """What came of a file. `left_out`: a line for each row, `rivals`: ids of runs, that were omitted."""

    path: Path
    kind: str
    added: int
    known: int
    notes: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    rivals: tuple[str, ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "files",
        nargs="+",
        metavar="FILE",
        help="results file; .csv, .xlsx or .html of DLI; .json or .json.gz of pyperf",
    )
    add("--format", choices=KINDS, help="default: by the content and name of FILE")
    add(
        "--dli-fps",
        choices=("latency", "total"),
        help="what FPS is in a table of DLI that does not show it: batch / median latency (DLI until June 2023) or "
        "images / total time (since)",
    )
    add_case(parser, "json")
    add_results(parser)


def main(args: argparse.Namespace) -> int:
    from hwprof.exchange import dli, pyperf
    from hwprof.store import Results, default_path

    kinds = [(path, args.format or kind_of(path)) for path in map(Path, args.files)]
    if args.dli_fps and all(kind != "dli" for _, kind in kinds):
        raise UsageError("--dli-fps is for tables of DLI, and no FILE is one", "Omit it, or give --format dli.")
    found: list[tuple[Path, ImportedRuns | None]] = []
    for path, kind in kinds:  # before anything is written
        if kind == "results":
            Results.open(path).close()
            found.append((path, None))
        elif not path.is_file():
            raise ResultsError(f"there is no file {path}")
        else:
            found.append((path, dli.read(path, args.dli_fps) if kind == "dli" else pyperf.read(path)))
    place = default_path(args.results)
    with Results.open(place, create=True) as results:
        results.ensure_writable()
        check_readings(results, place, found)
        done = [
            merge_file(results, path) if runs is None else import_runs(results, path, kind, runs)
            for (path, runs), (_, kind) in zip(found, kinds, strict=True)
        ]
    if args.json:
        print_json(document(done, place))
    else:
        show(done, place)
    return EXIT_OK


def kind_of(path: Path) -> str:
    """The format by the file's first bytes and its name. Raises UsageError."""
    from hwprof.store.database import MAGIC

    name = path.name.lower()
    if name.endswith((".json", ".json.gz")):
        return "pyperf"
    if name.endswith((".csv", ".xlsx", ".html", ".htm")):
        return "dli"
    if name.endswith((".db", ".sqlite")) or not path.is_file():  # opening it says what is wrong with it
        return "results"
    with path.open("rb") as file:
        if file.read(len(MAGIC)) == MAGIC:
            return "results"
    raise UsageError(
        f"{path.name} is neither a results file nor .csv, .xlsx, .html or .json", f"Give --format {'|'.join(KINDS)}."
    )


def check_readings(results: Results, place: Path, found: Sequence[tuple[Path, ImportedRuns | None]]) -> None:
    """Raise ResultsError where rows of a table are stored already that were read by other rules."""
    from hwprof.exchange.imports import count_changed_readings
    from hwprof.store import bulk

    if all(runs is None for _, runs in found):
        return
    stored = list(bulk.imported(results.database))
    for path, runs in found:
        if runs is not None and (other := count_changed_readings(stored, runs.runs)):
            raise ResultsError(
                f"{place} holds {plural(other, 'row')} of {path.name} that were read in another way "
                f"(what DLI's FPS is)",
                "Import the table into a new file: --results NEW.db.",
            )


def import_runs(results: Results, path: Path, kind: str, imported: ImportedRuns) -> ImportedFile:
    """Store the runs of a foreign file that are not known yet."""
    from hwprof.store import bulk

    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    experiment = results.begin_experiment(f"import {path.name}", "", digest, 0)
    fresh = list({run.uid: run for run in imported.runs}.values())
    added = bulk.add_reported(results.database, fresh, experiment)
    return ImportedFile(path, kind, added, len(imported.runs) - added, imported.notes, imported.left_out)


def merge_file(results: Results, path: Path) -> ImportedFile:
    """Take in another results file."""
    merged = results.merge(path)
    return ImportedFile(path, "results", merged.added, merged.known, rivals=merged.rivals)


def show(done: Sequence[ImportedFile], place: Path) -> None:
    """A line per file on stdout; what was omitted on stderr."""
    for one in done:
        print(f"{one.path}: {plural(one.added, 'run')} added, {one.known} known -> {place}")
        for note in one.notes:
            print(f"{one.path}: {note}.")
        for line in one.left_out[:MOST_LINES]:
            print(f"hwprof: omitted: {line}", file=sys.stderr)
        if len(one.left_out) > MOST_LINES:
            print(f"hwprof: and {len(one.left_out) - MOST_LINES} more", file=sys.stderr)
        if one.rivals:
            more = ", ..." if len(one.rivals) > MOST_RIVALS else ""
            print(
                f"hwprof: {plural(len(one.rivals), 'run')} omitted, because {place} has the same round of the same "
                f"case: {', '.join(one.rivals[:MOST_RIVALS])}{more}",
                file=sys.stderr,
            )


def document(done: Sequence[ImportedFile], place: Path) -> dict[str, Any]:
    """The JSON form."""
    files = [
        {
            "file": str(one.path),
            "kind": one.kind,
            "added": one.added,
            "known": one.known,
            "notes": list(one.notes),
            "omitted": [*one.left_out, *(f"run {uid}: the same round of the same case is there" for uid in one.rivals)],
        }
        for one in done
    ]
    return {"format": 1, "results": str(place), "files": files}
