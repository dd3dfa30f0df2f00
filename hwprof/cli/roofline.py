"""How near each case comes to what the machine can do: the roofline, with ceilings that `--measure` measured.

Measure on the same CPUs that the cases ran on. Performance is 2 x MACs x frames per second, of CPU time where a case
has one thread: ceilings are per CPU time. Bytes are the model's compulsory traffic.

--measure measures arithmetic per instruction set, bandwidth and latency per cache level by small C programs, compiled
here for what the CPU has, on the CPUs that cases are to run on (--cpus); without a C compiler by numpy's BLAS, and the
rest is missing. The ceilings are kept with this host in the results file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from hwprof.cli import calibrate
from hwprof.cli.options import (
    add_case,
    add_results,
    print_json,
    refuse_options,
)
from hwprof.cli.selection import (
    add_selection,
    notify_scope,
    open_selection,
)
from hwprof.errors import EXIT_OK, ResultsError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_selection(parser)
    parser.add_argument("--measure", action="store_true", help="measure the ceilings of this machine")
    calibrate.add_arguments(parser)
    add_case(parser, "output", help="also draw it: .svg, .png or .pdf")
    add_case(parser, "json")
    add_results(parser)


def main(args: argparse.Namespace) -> int:
    if args.measure:
        refuse_options(args, ("output",), "`hwprof roofline` without --measure", "It draws what is measured already.")
        return calibrate.main(args)
    refuse_options(args, calibrate.OPTIONS, "--measure", "The ceilings are measured already.")
    from hwprof.analysis.placement import place_cases
    from hwprof.analysis.roofline import roofs
    from hwprof.reports import tables
    from hwprof.reports.page import roofline

    with open_selection(args) as (results, scope):
        notify_scope("roofline", results, scope)
        frame, ceilings, facts = results.frame(), results.ceilings(), results.machines()
    if not ceilings:
        raise ResultsError("these results hold no ceilings", "`hwprof roofline --measure` measures them (--cpus).")
    good, out = place_cases(frame, roofs(ceilings, facts))
    if args.output:
        write(args.output, good)
    if args.json:
        print_json(roofline.document(good, out, ceilings))
    else:
        print(tables.terminal(roofline.report(good, out)))
    return EXIT_OK


def write(name: str, good: list) -> None:  # type: ignore[type-arg]
    """The figure of the roof that most cases are under. Raises ResultsError."""
    from hwprof.reports.figures import drawing
    from hwprof.reports.html import hardware

    if not good:
        raise ResultsError("no ceiling was measured for any case", "Omit -o to see why.")
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
