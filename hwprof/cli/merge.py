"""Take the runs of other results files (of another board, say) into this one.

Runs that are here already, known by their id, are skipped, so that merging can be repeated. The other files stay as
they are. Experiments of the same plan become one; every run keeps its machine.
"""

from __future__ import annotations

import argparse
import sys

from hwprof.errors import EXIT_OK
from hwprof.printable import plural


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("others", nargs="+", metavar="OTHER", help="results files to take in")
    parser.add_argument("--results", metavar="FILE", help="into this one (default: HWPROF_RESULTS or ./hwprof.db)")


def main(args: argparse.Namespace) -> int:
    from hwprof.store import Results, default_path

    path = default_path(args.results)
    for other in args.others:  # before anything is made or written
        Results.open(other).close()
    with Results.open(path, create=True) as results:
        results.ensure_writable()
        for other in args.others:
            merged = results.merge(other)
            print(f"{other}: {plural(merged.added, 'run')} added, {merged.known} known -> {path}")
            if merged.rivals:
                print(
                    f"hwprof: {len(merged.rivals)} left out, because {path} has the same round of the same case: "
                    + ", ".join(merged.rivals[:8])
                    + (", ..." if len(merged.rivals) > 8 else ""),
                    file=sys.stderr,
                )
    return EXIT_OK
