"""Report on results: which framework is faster, why, what correlates with FPS in each, and the factors of throughput.

The tables are printed, and files are written to a folder: report.html (one file for any browser, which needs no
network: figures, tables to sort and filter, everything downloadable), report.md with figures beside it (SVG, PNG, and
their data as CSV), report.tex (the tables, for papers), report.json (the answer and the tables, for programs).
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import gc
from collections.abc import Iterator
from pathlib import Path

from hwprof.cli import need
from hwprof.cli.options import add_file, add_results, add_unmasked, split_names, writing
from hwprof.errors import ResultsError, UsageError

FORMATS = ("html", "markdown", "latex", "json")
DEFAULT = "html,markdown"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_file(parser)
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


def main(args: argparse.Namespace) -> int:
    from hwprof import store
    from hwprof.reports import background

    wanted, against, asked = formats(args.format), targets(args.against), need.read(args)
    path = store.default_path(args.file or args.results)
    folder = Path(args.output)
    with contextlib.ExitStack() as stack, no_garbage_collection():
        with (
            store.Results.open(path, masked=not args.unmasked) as results,
            background.begin(results, against) as jobs,
        ):
            with writing(folder, "name another folder with -o"):
                folder.mkdir(parents=True, exist_ok=True)
            from hwprof.reports import tables
            from hwprof.reports.figures import choose
            from hwprof.reports.formats import write
            from hwprof.reports.html.gather import gather
            from hwprof.reports.page import detail  # imported while the jobs run

            drawn = choose.Figures(folder, stack.enter_context(choose.processes()))
            material = gather(results, against, jobs, drawn.prepare if "markdown" in wanted else lambda: None)
            material = need.answer(asked, material)
        try:
            if "markdown" in wanted:
                write.begin(material, drawn)
            print(tables.terminal(detail.extend(material.report)), flush=True)
            files = write.write(material, folder, wanted, drawn)
        except OSError as error:
            raise ResultsError(f"cannot write {folder}: {error.strerror}", "is there room, and permission?") from error
    need.show(material.report)
    print("\n" + "\n".join(f"report: {file}" for file in files))
    return need.exit_code(material.report)
