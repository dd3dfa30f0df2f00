"""Report on results: which framework is faster, why, what correlates with FPS in each, and the factors of throughput.

The report is of the latest experiment, or of what RESULTS selects. The answer is printed (--full: every table), and
files are written to a folder: report.html (one file for any browser, which needs no network: figures, tables to sort
and filter, everything downloadable), report.md with figures beside it (SVG, PNG, and their data as CSV), report.tex
(the tables, for papers), report.json (the answer and the tables, for programs).
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import gc
import os
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from hwprof.cli import need
from hwprof.cli.options import (
    add_results,
    add_unmasked,
    split_names,
    writing,
)
from hwprof.cli.selection import (
    add_selection,
    all_of,
    open_selection,
)
from hwprof.errors import ResultsError, UsageError
from hwprof.printable import advice, capital, sentence

if TYPE_CHECKING:
    from hwprof.reports.tables import Report
    from hwprof.store.scope import Scope

THREADS = "OPENBLAS_NUM_THREADS"
FORMATS = ("html", "markdown", "latex", "json")
DEFAULT = "html,markdown"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_selection(parser)
    says = "print every table (default: the answer, and how much there is)"
    parser.add_argument("--full", action="store_true", help=says)
    parser.add_argument("-o", "--output", default="hwprof-report", metavar="DIR", help="default: hwprof-report")
    parser.add_argument(
        "--format",
        default=DEFAULT,
        metavar="FORMATS",
        help=f"files to write, of {', '.join(FORMATS)}, or all (default: {DEFAULT})",
    )
    parser.add_argument(
        "--against",
        default="fps,energy",
        metavar="TARGETS",
        help="what metrics are correlated with: fps, energy (J per frame, where a sensor gave it), or both (default)",
    )
    need.add_arguments(parser)
    add_unmasked(parser)
    add_results(parser)


def formats(asked: str) -> list[str]:
    """The formats named in `asked`, in the order of FORMATS. Raises UsageError for an unknown one."""
    words = split_names(asked)
    unknown = [word for word in words if word not in (*FORMATS, "all")]
    if unknown or not words:
        raise UsageError(f"unknown format '{', '.join(unknown)}'", f"some of {', '.join(FORMATS)}, or all")
    return [name for name in FORMATS if name in words or "all" in words]


def targets(asked: str) -> list[str]:
    """The targets named in `asked`. Raises UsageError for an unknown one."""
    from hwprof.analysis.correlation.analyse import TARGETS

    words = split_names(asked.lower())
    unknown = [word for word in words if word not in TARGETS]
    if unknown or not words:
        raise UsageError(f"unknown target '{', '.join(unknown)}'", f"some of {', '.join(TARGETS)}")
    return list(words)


@contextlib.contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Without garbage collection: everything read of ten thousand runs is needed to the end, and Python would look at
    each of these objects again and again, and twice more when it ends."""
    before = gc.isenabled()
    gc.disable()
    atexit.register(gc.freeze)
    try:
        yield
    finally:
        if before:
            gc.enable()


@contextlib.contextmanager
def one_thread_each() -> Iterator[None]:
    """The matrices of a report are small, and threads of BLAS would only wait for each other. It reads this as numpy is
    loaded, here and in the processes that a report starts."""
    before = os.environ.get(THREADS)
    os.environ.setdefault(THREADS, "1")
    try:
        yield
    finally:
        if before is None:
            del os.environ[THREADS]


def main(args: argparse.Namespace) -> int:
    with one_thread_each():
        return report(args)


def report(args: argparse.Namespace) -> int:
    """Write it and print its first screen; the exit code."""
    from hwprof.reports import background

    wanted, against, asked = formats(args.format), targets(args.against), need.read(args)
    folder = Path(args.output)
    with contextlib.ExitStack() as stack, no_garbage_collection():
        with (
            open_selection(args, masked=not args.unmasked) as (results, scope),
            background.begin(results, against) as jobs,
        ):
            with writing(folder, "name another folder with -o"):
                folder.mkdir(parents=True, exist_ok=True)
            from hwprof.reports.figures import choose  # imported while the jobs run
            from hwprof.reports.formats import write
            from hwprof.reports.html.gather import gather

            drawn = choose.Figures(folder, stack.enter_context(choose.processes()))
            material = gather(results, against, jobs, drawn.prepare if "markdown" in wanted else lambda: None)
            sentences = scope_sentences(scope, all_of("report", results))
            material = replace(material, report=replace(material.report, scope=sentences))
            material = need.answer(asked, material)
        try:
            if "markdown" in wanted:
                write.begin(material, drawn)
            print(screen(args, material.report), flush=True)
            files = write.write(material, folder, wanted, drawn)
        except OSError as error:
            raise ResultsError(f"cannot write {folder}: {error.strerror}", "is there room, and permission?") from error
    need.show(material.report)
    print("\n" + "\n".join(f"report: {file}" for file in files))
    return need.exit_code(material.report)


def scope_sentences(scope: Scope, command: str) -> tuple[str, ...]:
    """Which runs a report is of, and what else their file holds; `command`: the one that takes all of it."""
    return tuple(filter(None, (sentence(capital(scope.title)), advice(scope.rest(command)))))


def screen(args: argparse.Namespace, report: Report) -> str:
    """What is printed of a report."""
    from hwprof.reports import tables
    from hwprof.reports.page import detail

    if args.full:
        return tables.terminal(detail.extend(report))
    file = ["--results", args.results] if args.results else []
    return tables.first_screen(report, shlex.join(["hwprof", "report", *args.selection, *file, "--full"]))
