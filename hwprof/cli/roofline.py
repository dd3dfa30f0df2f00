"""How near each case comes to what the machine can do: the roofline, with ceilings that `hwprof calibrate` measured.

Calibrate on the same CPUs that the cases ran on. Performance is 2 x MACs x frames per second, of CPU time where a case
has one thread: ceilings are per CPU time. Bytes are the model's compulsory traffic.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from hwprof.cli.options import add_file, add_results
from hwprof.errors import EXIT_OK, ResultsError
from hwprof.printable import encodable_data


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_file(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="also draw it: .svg, .png or .pdf")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    add_results(parser)


def main(args: argparse.Namespace) -> int:
    from hwprof import store
    from hwprof.analysis.placement import place_cases
    from hwprof.analysis.roofline import roofs
    from hwprof.reports import tables
    from hwprof.reports.page import roofline

    with store.Results.open(store.default_path(args.file or args.results)) as results:
        frame, ceilings, facts = results.frame(), results.ceilings(), results.machines()
    if not ceilings:
        raise ResultsError("these results hold no ceilings", "hwprof calibrate measures them (--results, --cpus)")
    good, out = place_cases(frame, roofs(ceilings, facts))
    if args.output:
        write(args.output, good)
    if args.json:
        print(json.dumps(encodable_data(roofline.document(good, out, ceilings)), indent=2))
    else:
        print(tables.terminal(roofline.report(good, out)))
    return EXIT_OK


def write(name: str, good: list) -> None:  # type: ignore[type-arg]
    """The figure of the roof that most cases are under. Raises ResultsError."""
    from hwprof.reports.figures import drawing
    from hwprof.reports.html import hardware

    if not good:
        raise ResultsError("no case can be placed: no ceiling fits", "omit -o to see why")
    under: dict[int, int] = {}
    for _, roof in good:
        under[id(roof)] = under.get(id(roof), 0) + 1
    most = max(under, key=lambda i: under[i])
    roof = next(r for _, r in good if id(r) == most)
    frameworks = sorted({p.point.title.partition(" ")[0] for p, r in good if r is roof})
    try:
        drawing.write(hardware.roofline(good, roof, frameworks, "roofline").svg, Path(name))
    except (OSError, ValueError) as error:
        raise ResultsError(f"{name} can't be written: {error}", "a name that ends in .svg, .png or .pdf") from error
