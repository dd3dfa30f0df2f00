"""What holds each case back: compute, memory, threads, spinning, throttling, paging, dispatch, conversion.

Every verdict names the numbers it rests on, how sure it is, and what to try. What can't be judged because something
was not measured is listed as such: it is no "no". Ceilings of the machine come from `hwprof calibrate`.
"""

from __future__ import annotations

import argparse
import json
import sys

from hwprof.cli.options import (
    add_results,
)
from hwprof.cli.selection import (
    add_selection,
    notify_scope,
    open_selection,
)
from hwprof.errors import EXIT_OK, ResultsError
from hwprof.printable import encodable_data


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_selection(parser)
    add("--only", default="", metavar="SELECTOR", help="as in hwprof explain: onnxruntime,threads=2")
    add("--all", action="store_true", help="also what was ruled out, with its numbers")
    add("--json", action="store_true", help="as one JSON document")
    add_results(parser)


def main(args: argparse.Namespace) -> int:
    from hwprof.analysis.bottlenecks import diagnosis
    from hwprof.analysis.omissions import lines
    from hwprof.reports.terminal import bottlenecks

    with open_selection(args, selectors=[args.only] if args.only else ()) as (results, scope):
        notify_scope("bottlenecks", results, scope)
        found, omitted = diagnosis.diagnose(results, args.only)
    for line in lines(omitted):
        print(f"hwprof: {line}", file=sys.stderr)
    if args.json:
        print(json.dumps(encodable_data(bottlenecks.document(found))))
        return EXIT_OK
    if not found:
        raise ResultsError(f"no case of {results.path} has a speed to judge", "`hwprof sweep quick` measures some")
    print(bottlenecks.text(found, args.all))
    return EXIT_OK
