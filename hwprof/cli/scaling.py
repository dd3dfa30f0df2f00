"""FPS against the number of threads: speed-up, parallel efficiency, serial fraction.

Every number of threads is measured once per round, in interleaved rounds of fresh processes, as any sweep does; the
runs are saved as ordinary ones. The serial fraction is Karp and Flatt's, at each number of threads; Amdahl's law and
the universal scalability law are fitted where there are enough numbers of threads to contradict them. Speed-up is of
FPS, or of throughput where others disturbed a run.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.cli.options import (
    INPUTS,
    RangeAction,
    add_case,
    add_results,
    check_folder,
    choice_of,
    cooldown_s,
    notify,
    results_of,
    writing,
)
from hwprof.errors import EXIT_CASES_FAILED, EXIT_OK, CaseFailed, UsageError
from hwprof.plan.options import split_events
from hwprof.printable import plural
from hwprof.records import Run

if TYPE_CHECKING:
    from hwprof.plan.experiment import Experiment


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add, case = parser.add_argument, partial(add_case, parser)
    case("framework", "network", "batch")
    case("threads", action="store", default="", metavar="1,2,4", help="default: powers of two, and all CPUs")
    case("size", *INPUTS)
    add("-r", "--rounds", action=RangeAction, default=5, help="fresh processes for each number of threads (default: 5)")
    add("-e", "--events", action="append", metavar="EVENTS", help="count these too (default: none)")
    case("precision")
    case("option", help="of the framework, as spin=false")
    case("window", help="seconds measured in each process (default: 1)")
    case("timeout", default=120.0, help="for one round (default: 120)")
    case("cooldown")
    case("seed", help="of weights, inputs and the order of rounds")
    add("-o", "--output", metavar="FILE", help="a figure: FILE.svg and FILE.png")
    case("json", "no_save")
    add_results(parser)


def main(args: argparse.Namespace) -> int:
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
            outcome = "done" if step.run.failure is None else step.run.failure.message
            print(f"hwprof: [{step.done}/{step.total}] {step.run.case.title}: {outcome}", file=sys.stderr)
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
        print(json.dumps(report.document(speeds.choice, points, fits, marks)))
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
    plan = LoopSettings(window_s=args.window, min_iterations=10, events=events, closed_window=bool(events))
    first = single(
        choice,
        plan,
        seed=args.seed,
        rounds=args.rounds,
        timeout_s=args.timeout,
        cooldown_s=cooldown_s(args),
        idle_baseline_s=0.0,
        text="# hwprof scaling",
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
    """`1,2,4` -> (1, 2, 4). Raises UsageError."""
    try:
        counts = tuple(sorted({int(word) for word in text.split(",")}))
    except ValueError:
        raise UsageError(f"-t {text}", "numbers of threads, as 1,2,4") from None
    if counts[0] < 1:
        raise UsageError(f"-t {text}", "numbers of threads start at 1")
    return counts
