"""`hwprof tune --scaling`: FPS against the number of threads."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.cli.options import (
    add_case,
    check_folder,
    choice_of,
    cooldown_s,
    notify,
    print_json,
    results_of,
    writing,
)
from hwprof.cli.progress import ending
from hwprof.errors import EXIT_CASES_FAILED, EXIT_OK, CaseFailed, UsageError
from hwprof.plan import bounds
from hwprof.plan.options import split_events
from hwprof.printable import plural
from hwprof.records import Run

if TYPE_CHECKING:
    from hwprof.plan.experiment import Experiment

ROUNDS = 5
WINDOW_S = 1.0
TIMEOUT_S = 120.0
# What belongs to --scaling alone.
OPTIONS = ("rounds", "events", "cooldown", "output")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of --scaling."""
    own = parser.add_argument_group("FPS against threads")
    own.add_argument("--scaling", action="store_true", help="measure numbers of threads, and search nothing")
    add_case(own, "rounds", help=f"fresh processes for each number of threads (default: {ROUNDS})")
    add_case(own, "events", help="count these too (default: none)")
    add_case(own, "cooldown")
    add_case(own, "output", help="a figure: FILE.svg and FILE.png")


def main(args: argparse.Namespace) -> int:
    """Measure, save, print; exit code 4 where a round failed."""
    from hwprof.analysis.factors import scaling
    from hwprof.reports.terminal import scaling as report
    from hwprof.runner.rounds import Runner

    if args.output:
        check_folder(args.output, "name another file with -o")
    spec = experiment_of(args)
    runs: list[Run] = []
    with results_of(args) as results:
        for step in Runner(spec, results, notify=notify).run():
            runs.append(step.run)
            print(f"hwprof: [{step.done}/{step.total}] {step.run.case.title}: {ending(step.run)}", file=sys.stderr)
    speeds = scaling.thread_speeds(runs)
    if not speeds.values.get(1):
        why = next(
            (r.failure.message for r in runs if r.failure is not None and r.case.threads == 1), "nothing was measured"
        )
        raise CaseFailed(f"one thread could not be measured, and speed-up is against it: {why}")
    points, fits = scaling.points(speeds), scaling.fits(speeds)
    case = runs[0].case
    options = "".join(f" {k}={v}" for k, v in case.options)
    title = f"{case.framework}{options} {case.network} {case.side} b{case.batch} {case.precision}"
    marks = report.outputs(runs)
    if args.json:
        print_json(report.document(speeds.choice, points, fits, marks))
    else:
        print(report.text(title, speeds.choice, points, fits, marks))
    if args.output:
        draw({" ".join([title, *dict.fromkeys(marks.values())]): points}, Path(args.output))
    good = {(r.case.key, r.round) for r in runs if r.failure is None}
    return EXIT_OK if len(good) == len(spec.choices) * spec.rounds else EXIT_CASES_FAILED


def draw(curves: Any, path: Path) -> None:
    """The figure; ResultsError where it can't be written."""
    from hwprof.reports.terminal import scaling as report

    with writing(path, "is there such a folder, and permission?"):
        report.save(curves, path)
    print(f"figure: {path.with_suffix('.png')}", file=sys.stderr)


def experiment_of(args: argparse.Namespace) -> Experiment:
    """An experiment whose matrix is the numbers of threads; a new one each time."""
    from hwprof.environments import interpreters
    from hwprof.machine.cpus import allowed_cpus
    from hwprof.plan.experiment import single
    from hwprof.plugins import adapter
    from hwprof.studies.tuning.space import thread_counts
    from hwprof.worker.protocol import LoopSettings

    available = len(allowed_cpus())
    counts = numbers(args.threads) if args.threads else thread_counts(available)
    if 1 not in counts:
        raise UsageError(f"-t {args.threads}", "speed-up is against one thread: as in -t 1,2,4")
    if max(counts) > available:
        raise UsageError(f"{max(counts)} threads on {plural(available, 'CPU')} do not scale", f"-t up to {available}")
    choice = choice_of(args, threads=1)
    events = split_events(args.events) if args.events else ()
    plan = LoopSettings(window_s=args.window or WINDOW_S, min_iterations=10, events=events, closed_window=bool(events))
    first = single(
        choice,
        plan,
        seed=args.seed,
        rounds=args.rounds or ROUNDS,
        timeout_s=args.timeout or TIMEOUT_S,
        cooldown_s=cooldown_s(args),
        idle_baseline_s=0.0,
        text="# hwprof tune --scaling",
    )
    found = adapter(args.framework)
    interpreters.require(found.name, found.environment)
    return dataclasses.replace(
        first,
        name=first.name.replace("run", "scaling"),
        choices=tuple(dataclasses.replace(choice, threads=n) for n in counts),
        one_set=True,
    )


def numbers(text: str) -> tuple[int, ...]:
    """`1,4,2` -> (1, 2, 4). Raises UsageError."""
    return tuple(sorted({int(bounds.parse_number("threads", word, "--threads")) for word in text.split(",")}))
