"""Prepare an experiment here, to be measured on another machine: networks, references, every framework's artifact.

NAME is a built-in experiment or the path of a .toml. Copy the bundle to the board, install the wheel of hwprof that is
in it, and `hwprof sweep BUNDLE` needs neither a converter nor a network there. A case that can't be prepared is named
with its reason, and the others are in the bundle. Built-in networks in FP32 only.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hwprof.cli.options import add_case, notify, print_json
from hwprof.errors import EXIT_CASES_FAILED, EXIT_OK, CaseFailed, UsageError
from hwprof.printable import plural, sentence

FORMAT = 1  # of the JSON document


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("experiment", metavar="NAME", help="built-in name or path of a .toml")
    parser.add_argument(
        "--for",
        dest="target",
        required=True,
        metavar="TARGET",
        help="riscv64, arm64 or x86_64; with :cpu=NAME the CPU, as riscv64:cpu=spacemit-x60",
    )
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="BUNDLE", help="a new folder, or .tar or .tar.gz"
    )
    add_case(parser, "json", help="what was prepared and what was not, as one JSON document")


def main(args: argparse.Namespace) -> int:
    """Prepare each case with a line on stderr; a summary on stdout."""
    from hwprof.plan import experiment
    from hwprof.runner.bundle import BundleTarget, BundleWriter, new_bundle, tuned
    from hwprof.runner.launcher import Launcher
    from hwprof.runner.workshop import TIMEOUT_S, Workshop

    target = BundleTarget.parse(args.target)
    spec = experiment.load(args.experiment)
    if tuned(spec):
        raise UsageError(f"{spec.name} takes tunings of this machine", "use the policy default for a bundle")
    workshop = Workshop(Launcher(), spec.seed, max(TIMEOUT_S, spec.timeout_s), spec.calibration)
    with new_bundle(args.output) as folder:
        writer = BundleWriter(folder, target, workshop)
        for title, reason in writer.write(spec):
            notify(f"Not prepared: {title}: {reason}" if reason else f"Prepared {title}")
        if not writer.cases:
            raise CaseFailed("no case could be prepared", writer.failures[0]["reason"])
    code = EXIT_CASES_FAILED if writer.failures else EXIT_OK
    if args.json:
        failures = [{"case": one["case"], "reason": sentence(one["reason"])} for one in writer.failures]
        found = {"bundle": str(args.output), "target": str(target), "prepared": len(writer.cases)}
        print_json({"format": FORMAT, **found, "failed": failures})
        return code
    print(f"{plural(len(writer.cases), 'case')} prepared for {target} -> {args.output}")
    for failure in writer.failures:
        print(f"  not prepared: {failure['case']}: {sentence(failure['reason'])}")
    print(f"next, on the board: hwprof sweep {args.output.name}")
    return code
