"""`hwprof roofline --measure`: this machine's own ceilings."""

from __future__ import annotations

import argparse
import dataclasses

from hwprof.cli.options import (
    RangeAction,
    add_case,
    print_json,
    show_progress,
)
from hwprof.cli.selection import (
    place_named,
)
from hwprof.errors import EXIT_OK
from hwprof.machine.clock import utc_now
from hwprof.printable import plural

REPETITIONS = 7
SECONDS = 0.1
# What belongs to --measure alone.
OPTIONS = ("cpus", "repetitions", "seconds", "no_save")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of --measure."""
    own = parser.add_argument_group("with --measure")
    add_case(
        own,
        "cpus",
        help="cores to measure on together, as 2, 0,2-3, big or kind=a100 (default: the one that a case gets)",
    )
    add_case(own, "repetitions", help=f"of each figure; the median counts (default: {REPETITIONS})")
    own.add_argument(
        "--seconds",
        action=RangeAction,
        of="window_s",
        metavar="S",
        help=f"per repetition (default: {SECONDS:g})",
    )
    add_case(own, "no_save", help="do not keep the figures")


def main(args: argparse.Namespace) -> int:
    """Measure, print, and keep with this host in the results file."""
    from hwprof.cache import default_cache
    from hwprof.machine import facts as machine_facts
    from hwprof.machine.cpus import default_cpus
    from hwprof.plan.cases import checked_cpus
    from hwprof.reports.page import roofline
    from hwprof.studies.ceilings.measure import calibrate

    cpus = checked_cpus(args.cpus) if args.cpus else default_cpus(1)
    place = place_named(args)
    facts, state = machine_facts.hardware(), machine_facts.host_state()
    free = machine_facts.volatile().get("available_mib")
    measurements = calibrate(
        facts,
        cpus,
        default_cache() / "ceilings",
        repetitions=args.repetitions or REPETITIONS,
        seconds=args.seconds or SECONDS,
        available=None if free is None else free << 20,
    )
    found = list(show_progress(measurements, lambda _, ceiling: ceiling.name))
    if args.json:
        keys = ("name", "what", "of", "cpus", "value", "unit", "evidence", "why")
        rows = [{key: getattr(c, key) for key in keys} for c in found]
        print_json({"format": 1, "machine": facts, "ceilings": rows})
    else:
        print(roofline.ceilings_text(found, machine_facts.description(facts)))
    if args.no_save:
        return EXIT_OK
    from hwprof.store import Results

    kept = [dataclasses.replace(c, evidence={**c.evidence, "at_utc": utc_now()}) for c in found if c.value is not None]
    with Results.open(place, create=True) as results:
        results.add_ceilings(facts, state, kept)
    if not args.json:
        print(f"  {plural(len(kept), 'ceiling')} kept with this host in {place}")
    return EXIT_OK
