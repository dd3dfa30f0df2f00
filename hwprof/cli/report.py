"""Report on results: what is fastest, what goes with FPS in each framework, and what stands behind the throughput.

The tables are printed; report.md with figures (SVG, PNG, and their data as CSV) is written to a folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hwprof.cli.options import add_results
from hwprof.errors import EXIT_OK, ResultsError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `hwprof report`."""
    parser.add_argument(
        "file", nargs="?", metavar="RESULTS", help="results file (default: HWPROF_RESULTS, ./hwprof.db)"
    )
    parser.add_argument("-o", "--output", default="hwprof-report", metavar="DIR", help="default: hwprof-report")
    add_results(parser)


def main(args: argparse.Namespace) -> int:
    """Read, analyse, print, write."""
    from hwprof import store
    from hwprof.reports import content, text

    path = store.default_path(args.file or args.results)
    folder = Path(args.output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultsError(f"cannot write {folder}: {error.strerror}", "name another folder with -o") from error
    with store.Results.open(path) as results:
        report = content.build(results.frame(), results.runs())
    print(text.terminal(report))
    from hwprof.reports import figures

    try:
        made = figures.write(report.fps, report.analyses, folder)
        (folder / "report.md").write_text(text.markdown(report, made, "What goes with inference speed"))
    except OSError as error:
        raise ResultsError(f"cannot write {folder}: {error.strerror}", "is there room, and permission?") from error
    print(f"\nreport: {folder / 'report.md'}, {len(made)} figures beside it")
    return EXIT_OK
