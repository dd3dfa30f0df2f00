"""Check events by programs whose counts are known by arithmetic: each is right, off by a factor, dead or lying.

A PMU may open an event and count nothing, or something else. The verdicts are kept with this host, and reports mark
readings of what failed as suspect. `unproven`: no program has an answer for it. `missing`: it can't be opened here.
A C compiler is needed, or the program, compiled elsewhere:

    CC=riscv64-linux-gnu-gcc hwprof validate --compile truth-riscv64     # at home
    hwprof validate --program truth-riscv64                              # on the board
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.cli.options import RangeAction, add_case, add_results, show_progress
from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.perf.events import Event
from hwprof.collectors.perf.names import CACHE, HARDWARE, SOFTWARE
from hwprof.collectors.perf.tables import CANONICAL
from hwprof.errors import EXIT_OK, UsageError
from hwprof.machine.clock import utc_now
from hwprof.plan.options import split_events
from hwprof.printable import plural
from hwprof.reports.terminal.validation import table as table

if TYPE_CHECKING:
    from hwprof.studies.validation.bench import Result


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("-e", "--events", action="append", metavar="LIST", help="default: every event with a known answer")
    add("-r", "--repetitions", action=RangeAction, default=5, metavar="N", help="of each amount (default: 5)")
    add("--program", metavar="FILE", help="the compiled program, where there is no C compiler")
    add("--compile", metavar="FILE", help="compile the program with $CC (else cc) to FILE, and stop")
    add_case(parser, "json")
    add_case(parser, "no_save", help="do not keep the verdicts")
    add_results(parser)


def main(args: argparse.Namespace) -> int:
    from hwprof.cache import default_cache
    from hwprof.machine import facts as machine
    from hwprof.studies.validation import build, known_counts
    from hwprof.studies.validation.bench import Bench, Program

    if args.compile:
        shutil.copy(build.build(default_cache() / "truth"), args.compile)
        return EXIT_OK
    if args.program and not Path(args.program).is_file():
        raise UsageError(f"there is no program {args.program}", "`hwprof validate --compile FILE` makes it")
    collector = PerfCollector()
    events = select_events(collector, args.events)
    facts, state = machine.hardware(), machine.host_state()
    program = Path(args.program).resolve() if args.program else build.build(default_cache() / "truth")
    here = known_counts.MachineFacts(
        facts.get("caches", ()), collector.catalog.origin == "emulated", str(facts.get("architecture", ""))
    )
    bench = Bench(collector, here, lambda mode, argument: Program(program, mode, argument), args.repetitions)
    total = len(events)
    results = list(show_progress(bench.validate(events), lambda n, result: f"{n}/{total} {result.assessment.metric}"))
    if args.json:
        print(json.dumps(document(results, facts), indent=2))
    else:
        print(table(results))
    if not args.no_save:
        save(results, facts, state, args.results, quiet=args.json)
    return EXIT_OK


def select_events(collector: PerfCollector, asked: list[str] | None) -> list[Event]:
    """The events asked for; else all with names of their own that mean something to the programs."""
    if asked:
        return [event for unit in collector.parser.parse(split_events(asked)) for event in unit]
    from hwprof.studies.validation.known_counts import has_answer

    known = (name for name in (*HARDWARE, *CACHE, *SOFTWARE, *CANONICAL) if has_answer(name))
    return [event for name in known for event in collector.parser.events(name)]


def document(results: Sequence[Result], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON form. `expected` and `counted` are of the larger amount of work less the smaller."""
    events = []
    for r in results:
        counter = None if r.counter is None else {k: getattr(r.counter, k) for k in ("source", "domain", "meaning")}
        events.append({**dataclasses.asdict(r.assessment), "origin": r.origin.value, **(counter or {})})
    return {"format": 1, "machine": dict(facts), "events": events}


def save(
    results: Sequence[Result], facts: Mapping[str, Any], state: Mapping[str, Any], path: str | None, quiet: bool
) -> None:
    """Keep the verdicts on events that can be opened in the results file."""
    from hwprof.store import Results, default_path
    from hwprof.store.validation import NewVerdict

    found = [
        NewVerdict(
            r.counter,
            r.assessment.verdict.value,
            r.assessment.verdict.failed,
            r.assessment.why,
            utc_now(),
            {"factor": r.assessment.factor, "findings": [dataclasses.asdict(f) for f in r.assessment.findings]},
        )
        for r in results
        if r.counter is not None
    ]
    place = default_path(path)
    with Results.open(place, create=True) as stored:
        stored.add_validation(facts, state, found)
    if not quiet:
        print(f"  {plural(len(found), 'verdict')} kept with this host in {place}")
