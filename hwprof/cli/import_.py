"""Take in what other programs measured: tables of DLI (CSV, XLSX) and files of pyperf (JSON).

DLI is the Deep Learning Inference Benchmark; its CSV and its published XLSX (needs openpyxl) are read. Imported runs
say so, have no counters, and can be reported on, compared and exported. What is known already is skipped.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

from hwprof.cli.options import add_results
from hwprof.errors import EXIT_OK, ResultsError, UsageError
from hwprof.printable import plural

KINDS = ("dli", "pyperf")
MOST_LINES = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help=".csv or .xlsx of DLI, .json or .json.gz of pyperf")
    parser.add_argument("--format", choices=KINDS, help="default: by the name of FILE")
    parser.add_argument(
        "--dli-fps",
        choices=("latency", "total"),
        help="what FPS is in a table of DLI that does not show it: batch / median latency (DLI until June 2023) or "
        "images / total time (since)",
    )
    add_results(parser)


def main(args: argparse.Namespace) -> int:
    from hwprof.exchange import dli, pyperf
    from hwprof.exchange.imports import count_changed_readings
    from hwprof.store import Results, default_path

    if args.dli_fps and all((args.format or kind_of(Path(name))) != "dli" for name in args.files):
        raise UsageError("--dli-fps is for tables of DLI, and no FILE is one", "Leave it out, or say --format dli.")
    found = []
    for name in args.files:  # before anything is written
        path = Path(name)
        if not path.is_file():
            raise ResultsError(f"there is no file {path}")
        foreign = (args.format or kind_of(path)) == "dli"
        found.append((path, dli.read(path, args.dli_fps) if foreign else pyperf.read(path)))
    place = default_path(args.results)
    with Results.open(place, create=True) as results:
        results.ensure_writable()
        known, stored = set(), []
        for run in results.runs():
            known.add(run.uid)
            if "imported" in run.facts:
                stored.append(run)
        for path, imported in found:
            if other := count_changed_readings(stored, imported.runs):
                raise ResultsError(
                    f"{place} holds {plural(other, 'row')} of {path.name} that were read in another way "
                    f"(what DLI's FPS is)",
                    "Import the table into a new file: --results NEW.db.",
                )
        for path, imported in found:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            experiment = results.begin_experiment(f"import {path.name}", "", digest, 0)
            fresh = [run for run in imported.runs if run.uid not in known]
            for run in fresh:
                results.add(run, experiment)
                known.add(run.uid)
            print(f"{path}: {plural(len(fresh), 'run')} added, {len(imported.runs) - len(fresh)} known -> {place}")
            for note in imported.notes:
                print(f"{path}: {note}.")
            for line in imported.left_out[:MOST_LINES]:
                print(f"hwprof: left out: {line}", file=sys.stderr)
            if len(imported.left_out) > MOST_LINES:
                print(f"hwprof: and {len(imported.left_out) - MOST_LINES} more", file=sys.stderr)
    return EXIT_OK


def kind_of(path: Path) -> str:
    """The format by the file's name. Raises UsageError."""
    name = path.name.lower()
    if name.endswith((".json", ".json.gz")):
        return "pyperf"
    if name.endswith((".csv", ".xlsx")):
        return "dli"
    raise UsageError(f"{path.name}: neither .csv, .xlsx nor .json", f"say what it is with --format {'|'.join(KINDS)}")
