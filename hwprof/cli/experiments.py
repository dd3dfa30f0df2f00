"""List the experiments that `hwprof sweep` can measure: the built-in ones, and files (.toml) of a folder.

The description is what stands first in the file's leading comment.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from hwprof.cli.options import add_case, print_json
from hwprof.errors import EXIT_OK, UsageError
from hwprof.printable import plural, printable
from hwprof.reports.terminal.style import columns, wrap


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder", nargs="?", default=Path(), type=Path, metavar="DIR", help="where your own lie (default: here)"
    )
    add_case(parser, "json")


def main(args: argparse.Namespace) -> int:
    from hwprof.plan.catalog import listing

    if not args.folder.is_dir():
        raise UsageError(f"There is no folder {args.folder}", "Name the one that your experiments lie in.")
    found = listing(args.folder)
    if args.json:
        print_json({"format": 1, "experiments": [dataclasses.asdict(one) for one in found]})
        return EXIT_OK
    width = max(len(printable(one.name)) for one in found)
    for one in found:
        amount = f"{plural(one.cases, 'case')} x {plural(one.rounds, 'round')}" if not one.error else "can't be read"
        line = f"{printable(one.name):<{width}}  {amount:<22}  {printable(one.error or one.about)}"
        print("\n".join(wrap(line, columns(), "", " " * min(width + 26, columns() // 2))))
    print("\nMeasure one: hwprof sweep NAME (docs/commands.md)")
    return EXIT_OK
