"""Measure this machine's own ceilings: arithmetic per instruction set, bandwidth and latency per cache level.

Small C programs, compiled here for what the CPU has, on the CPUs that cases are to run on (--cpus); without a C
compiler numpy's BLAS, and the rest is missing. Kept with this host in the results file for `hwprof roofline`.
"""

from __future__ import annotations

import argparse
import dataclasses
import json

from hwprof.cli.options import RangeAction, add_case, add_results, show_progress
from hwprof.errors import EXIT_OK
from hwprof.machine.clock import utc_now
from hwprof.printable import plural


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--cpus", default="", help="cores to measure on together, as 2 or 0,2-3 (default: the one that a case gets)")
    add(
        "-r",
        "--repetitions",
        action=RangeAction,
        default=7,
        metavar="N",
        help="of each figure; the median counts (default: 7)",
    )
    add("--seconds", action=RangeAction, of="window_s", default=0.1, metavar="S", help="per repetition (default: 0.1)")
    add_case(parser, "json")
    add_case(parser, "no_save", help="do not keep the figures")
    add_results(parser)


def main(args: argparse.Namespace) -> int:
    from hwprof.cache import default_cache
    from hwprof.machine import cpus as machine_cpus
    from hwprof.machine import facts as machine_facts
    from hwprof.reports.page import roofline
    from hwprof.studies.ceilings.measure import calibrate

    cpus = machine_cpus.parse_cpus(args.cpus) if args.cpus else machine_cpus.default_cpus(1)
    machine_cpus.check_cpus(cpus)
    facts, state = machine_facts.hardware(), machine_facts.host_state()
    free = machine_facts.volatile().get("available_mib")
    measurements = calibrate(
        facts,
        cpus,
        default_cache() / "ceilings",
        repetitions=args.repetitions,
        seconds=args.seconds,
        available=None if free is None else free << 20,
    )
    found = list(show_progress(measurements, lambda _, ceiling: ceiling.name))
    if args.json:
        keys = ("name", "what", "of", "cpus", "value", "unit", "evidence", "why")
        rows = [{key: getattr(c, key) for key in keys} for c in found]
        print(json.dumps({"format": 1, "machine": facts, "ceilings": rows}, indent=2))
    else:
        print(roofline.ceilings_text(found, machine_facts.description(facts)))
    if args.no_save:
        return EXIT_OK
    from hwprof.store import Results, default_path

    kept = [dataclasses.replace(c, evidence={**c.evidence, "at_utc": utc_now()}) for c in found if c.value is not None]
    place = default_path(args.results)
    with Results.open(place, create=True) as results:
        results.add_ceilings(facts, state, kept)
    if not args.json:
        print(f"  {plural(len(kept), 'ceiling')} kept with this host in {place}")
    return EXIT_OK
