"""Write results as CSV, Parquet, JSON or pyperf's JSON.

CSV and Parquet hold one row per run: what was run, FPS, latency, and every metric per frame (levels such as watts as
they are). Missing is an empty field, never 0; simulated counts have columns named metric@callgrind, those of a PMU that
is test equipment metric@test-equipment. JSON holds every run in full: windows, slices, latencies, readings, gauges,
doubts. pyperf holds latencies for `pyperf compare_to` and `stats`. With --over-time, CSV and Parquet hold one row per
slice, and per 50 ms of the bare stretch. Data is exported of every run, unless RESULTS selects some.
"""

from __future__ import annotations

import argparse
import sys

from hwprof.cli.options import (
    OUTPUT,
    add_case,
    add_results,
    add_unmasked,
    group,
    notify,
)
from hwprof.cli.selection import (
    add_selection,
    open_selection,
)
from hwprof.errors import EXIT_OK
from hwprof.printable import plural


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_selection(parser, "every run")
    add = group(parser, OUTPUT).add_argument
    add("--format", choices=("csv", "parquet", "json", "pyperf"), help="default: by the name of FILE, else csv")
    add("--json", dest="format", action="store_const", const="json", help="the same as --format json")
    add_case(parser, "output", default="-", help="where to write (default: stdout)")
    add(
        "--kind",
        choices=("native", "simulated", "layers", "command", "tuning", "all"),
        help="which runs (default: native; JSON: all)",
    )
    add("--over-time", action="store_true", help="CSV, Parquet: frames per second over time, a row per slice")
    add_unmasked(parser)
    add_results(parser)


def main(args: argparse.Namespace) -> int:
    """Write the file; say on stderr what is in it."""
    from hwprof.reports.formats.export import STDOUT, export, format_of
    from hwprof.store.selection import ALL

    chosen = format_of(args.format, args.output)
    with open_selection(args, ALL, masked=not args.unmasked) as (results, _):
        count = export(results, chosen, args.output, args.kind, args.over_time)
        if not count and args.kind is None and next(iter(results.runs(kind="command")), None) is not None:
            notify("no native runs", "--kind command exports those of commands")
    if args.output != STDOUT:
        what = "row" if args.over_time else "run"
        print(f"{plural(count, what)} -> {args.output}", file=sys.stderr)
    return EXIT_OK
