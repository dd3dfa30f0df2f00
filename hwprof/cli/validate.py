"""`hwprof events --validate`: events counted by programs whose counts are known by arithmetic."""

from __future__ import annotations

import argparse
import dataclasses
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.cli.options import add_case, add_results, print_json, show_progress
from hwprof.collectors.perf import PerfCollector
from hwprof.collectors.perf.events import Event
from hwprof.collectors.perf.names import CACHE, HARDWARE, SOFTWARE
from hwprof.collectors.perf.tables import CANONICAL
from hwprof.errors import EXIT_OK, UnknownEvent, UsageError
from hwprof.machine.clock import utc_now
from hwprof.plan.options import split_events
from hwprof.printable import plural
from hwprof.reports.terminal.validation import table as table

if TYPE_CHECKING:
    from hwprof.studies.validation.bench import Result

REPETITIONS = 5
# What belongs to --validate alone.
OPTIONS = ("events", "repetitions", "program", "compile", "export", "no_save", "results")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of --validate."""
    own = parser.add_argument_group("with --validate")
    add_case(own, "events", help="these (default: PATTERN, else every event with a known answer)")
    add_case(own, "repetitions", help=f"of each amount (default: {REPETITIONS})")
    own.add_argument("--program", metavar="FILE", help="the compiled program, where there is no C compiler")
    own.add_argument("--compile", metavar="FILE", help="compile the program with $CC (else cc) to FILE, and stop")
    own.add_argument("--export", metavar="FILE", help="write a CPU table of the events that are right to FILE (.toml)")
    add_case(own, "no_save", help="do not keep the verdicts")
    add_results(own)


def main(args: argparse.Namespace, is_wanted: Callable[[str], bool]) -> int:
    """Validate the events of -e, else those with an answer whose name `is_wanted`."""
    from hwprof.cache import default_cache
    from hwprof.machine import facts as machine
    from hwprof.studies.validation import build, known_counts
    from hwprof.studies.validation.bench import Bench, Program

    if args.compile:
        shutil.copy(build.build(default_cache() / "truth"), args.compile)
        return EXIT_OK
    if args.pattern and args.events:
        raise UsageError("PATTERN and --events at once", "Name the events by one of them.")
    if args.program and not Path(args.program).is_file():
        raise UsageError(
            f"there is no program {args.program}", "`hwprof events --validate --compile FILE` compiles it."
        )
    collector = PerfCollector()
    target = exported_to(args.export, collector) if args.export else None
    events = select_events(collector, args.events, is_wanted)
    if not events:
        raise UnknownEvent(args.pattern, collector.parser.names())
    facts, state = machine.hardware(), machine.host_state()
    program = Path(args.program).resolve() if args.program else build.build(default_cache() / "truth")
    here = known_counts.MachineFacts(
        facts.get("caches", ()), collector.catalog.origin == "emulated", str(facts.get("architecture", ""))
    )
    repetitions = args.repetitions or REPETITIONS
    bench = Bench(collector, here, lambda mode, argument: Program(program, mode, argument), repetitions)
    total = len(events)
    results = list(show_progress(bench.validate(events), lambda n, result: f"{n}/{total} {result.assessment.metric}"))
    if args.json:
        print_json(document(results, facts))
    else:
        print(table(results))
    if not args.no_save:
        save(results, facts, state, args.results, quiet=args.json)
    if target:
        write_table(target, results, collector, facts, state, quiet=args.json)
    return EXIT_OK


def exported_to(path: str, collector: PerfCollector) -> Path:
    """Where the table goes; refused before anything is counted. UsageError, NotAvailable."""
    from hwprof.studies.validation.contribution import kind_of

    kind_of(collector.catalog)
    file = Path(path)
    if file.suffix != ".toml":
        raise UsageError(f"--export {path}: tables are found by the ending .toml", "Name it vendor-core.toml.")
    if not file.parent.is_dir():
        raise UsageError(f"there is no folder {file.parent}", "Make it first, or name another one.")
    return file


def write_table(
    file: Path,
    results: Sequence[Result],
    collector: PerfCollector,
    facts: Mapping[str, Any],
    state: Mapping[str, Any],
    quiet: bool,
) -> None:
    """Write the table of what validated. NotAvailable where nothing did; UsageError where it can't be written."""
    from hwprof.collectors.perf.tables import parse_table
    from hwprof.networks.network import atomic_write
    from hwprof.studies.validation.contribution import kind_of, verified_table

    kind, kernel = kind_of(collector.catalog), str(state.get("kernel", "of unknown release"))
    text = verified_table(results, kind, collector.catalog, facts, kernel, utc_now()[:10])
    written = parse_table(text, str(file))
    try:
        with atomic_write(file) as half:
            half.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} can't be written: {error.strerror}", "Name another file.") from error
    if not quiet:
        said = plural(len(written.events), "canonical event")
        print(f"  {said} of {kind.ids[0]} in {file}, found where HWPROF_CPUS names its folder")


def select_events(collector: PerfCollector, asked: list[str] | None, is_wanted: Callable[[str], bool]) -> list[Event]:
    """The events asked for; else those with names of their own that mean something to the programs."""
    if asked:
        return [event for unit in collector.parser.parse(split_events(asked)) for event in unit]
    from hwprof.studies.validation.known_counts import has_answer

    known = (name for name in (*HARDWARE, *CACHE, *SOFTWARE, *CANONICAL) if has_answer(name) and is_wanted(name))
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
