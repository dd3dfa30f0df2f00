"""What is there: networks, frameworks and experiments to measure, cases and runs of a results file, emulated boards.

hwprof list networks                  hwprof list cases results.db
hwprof list frameworks --matrix       hwprof help list frameworks
"""

from __future__ import annotations

import argparse
import importlib

# what is listed -> its module in hwprof.cli, a line of help
WHAT = {
    "networks": ("networks", "built-in networks with MACs, parameters and input shape"),
    "frameworks": ("frameworks", "version, or how to install; --matrix: which computes which network"),
    "experiments": ("experiments", "what `hwprof sweep` can measure"),
    "cases": ("stored", "what a results file holds, case by case"),
    "runs": ("stored", "what a results file holds, run by run"),
    "boards": ("boards", "emulated boards, and what they still need here"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    from hwprof.cli.parsers import description_of

    found = parser.add_subparsers(title="what", dest="what", metavar="WHAT", required=True)
    for what, (name, says) in WHAT.items():
        module = importlib.import_module(f"hwprof.cli.{name}")
        one = found.add_parser(what, help=says, **description_of(module))
        module.add_arguments(one)
        one.set_defaults(list=module.main)


def main(args: argparse.Namespace) -> int:
    """The list that was asked for."""
    code: int = args.list(args)
    return code
