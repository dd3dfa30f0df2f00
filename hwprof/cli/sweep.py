"""Measure an experiment: every case of a matrix, in interleaved rounds, the cases of a network side by side.

NAME is a built-in experiment (`hwprof list experiments`) or the path of a .toml. Stop it at any time and start it
again: what is done is not repeated. A case that fails costs itself only; it is tried once more, and again with
--retry-failed.
NAME may be a bundle of `hwprof prepare`: its files are verified, nothing is prepared here, and frameworks that are not
installed are named and omitted.
--create-environments first makes those of frameworks that are nowhere yet, as `hwprof env create` does.
--detectable measures nothing: it prints the smallest correlation with FPS that the experiment could find.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwprof.cli.options import OUTPUT, add_case, add_results, group, notify, print_json
from hwprof.cli.progress import Display
from hwprof.cli.verbosity import add_verbosity, verbosity_of
from hwprof.errors import EXIT_CASES_FAILED, EXIT_INTERRUPTED, EXIT_OK, NotAvailable, UsageError
from hwprof.printable import plural, sentence
from hwprof.records import Failure, to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hwprof.plan.cases import PlannedCase
    from hwprof.plan.detectable import Reach
    from hwprof.plan.experiment import Experiment
    from hwprof.runner.workshop import Workshop

FORMAT = 1  # of the JSON documents


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("experiment", metavar="NAME", help="built-in name, path of a .toml, or a bundle")
    parser.add_argument("--retry-failed", action="store_true", help="try failed rounds again")
    parser.add_argument("--create-environments", action="store_true", help="install frameworks that are not there yet")
    parser.add_argument("--dry-run", action="store_true", help="list the cases and stop")
    parser.add_argument("--detectable", action="store_true", help="print what effect it could find and stop")
    add_case(parser, "json", help="what was measured, or what --dry-run and --detectable print, as one JSON document")
    add_verbosity(group(parser, OUTPUT), "every run as a line of its own, on a terminal too")
    add_results(parser)


def main(args: argparse.Namespace) -> int:
    """Run the sweep with a line of progress per run on stderr; a summary on stdout."""
    from hwprof import store
    from hwprof.plan import experiment
    from hwprof.runner.bundle import is_bundle
    from hwprof.runner.rounds import Runner

    workshop = None
    if is_bundle(args.experiment):
        spec, workshop = open_bundle(args)
    else:
        spec = experiment.load(args.experiment)
    path = store.default_path(args.results)
    if args.dry_run or args.detectable:
        cases = planned_cases(spec, path)
        if args.json:
            print_json(detectable_document(spec, cases) if args.detectable else cases_document(spec, cases))
            return EXIT_OK
        return print_detectable(spec, cases) if args.detectable else print_cases(cases)
    if args.create_environments:
        from hwprof.cli.env import create_missing
        from hwprof.plan.cases import plan

        plan(spec)  # a wrong name or option must not show up after gigabytes
        create_missing(choice.framework for choice in spec.choices)
    failed: dict[tuple[str, int], Failure] = {}
    count = 0
    with store.Results.open(path, create=True) as results:
        results.ensure_writable()
        display = Display(verbosity_of(args))
        runner = Runner(spec, results, retry_failed=args.retry_failed, notify=display.note, workshop=workshop)
        try:
            with display, closing(runner.run()) as steps:  # ends the workers before the results are closed
                for step in steps:
                    count += 1
                    display.step(step)
                    if step.run.kind != "simulated":
                        key = (step.run.case.title, step.run.round)
                        failed.pop(key, None)
                        if step.run.failure is not None:
                            failed[key] = step.run.failure
        except KeyboardInterrupt:
            print(interruption_text(runner.saved_runs, path), file=sys.stderr)
            if args.json:
                print_json(document(spec, path, runner.saved_runs, failed, interrupted=True))
            return EXIT_INTERRUPTED
    if args.json:
        print_json(document(spec, path, count, failed))
        return EXIT_CASES_FAILED if failed else EXIT_OK
    print(f"{plural(count, 'run')} measured -> {path}" if count else f"nothing left to measure in {path}")
    if not args.quiet:
        for (title, _), failure in failed.items():
            print(f"  failed: {title}: {sentence(failure.message)}")
        print(f"next: hwprof report {path}")
    return EXIT_CASES_FAILED if failed else EXIT_OK


def open_bundle(args: argparse.Namespace) -> tuple[Experiment, Workshop]:
    """The cases of a bundle that can run here, and where their files are; says what is omitted."""
    from hwprof.runner.bundle import Bundle, BundleWorkshop
    from hwprof.runner.launcher import Launcher

    if args.create_environments:
        raise UsageError("--create-environments with a bundle", "install what is missing by its own command")
    bundle = Bundle.open(args.experiment)
    for failure in bundle.failures:
        notify(f"Not in the bundle: {failure['case']}: {failure['reason']}")
    missing = bundle.missing_runtimes()
    for name, source in missing.items():
        notify(f"Omitted: {name} is not installed here: {source}")
    spec = bundle.experiment(missing)
    if not spec.choices:
        raise NotAvailable("no framework of the bundle is installed here", "install one of those named above")
    return spec, BundleWorkshop(Launcher(), spec.seed, bundle=bundle)


def interruption_text(saved: int, path: Path) -> str:
    """The message of a sweep that was interrupted."""
    kept = f"{plural(saved, 'run')} of this sweep {'is' if saved == 1 else 'are'} saved in {path}"
    return f"hwprof: Interrupted. {kept if saved else 'Nothing was measured yet'}. The same command goes on from there."


def planned_cases(spec: Experiment, path: Path) -> tuple[PlannedCase, ...]:
    """The cases; those of a tuned experiment with this machine's tunings."""
    from hwprof import store
    from hwprof.machine.facts import hardware
    from hwprof.plan import policy

    if spec.policy == policy.TUNED and path.exists():
        with store.Results.open(path) as results:
            return policy.cases(spec, results, hardware())
    return policy.cases(spec, None, {})


def document(
    spec: Experiment, path: Path, measured: int, failed: Mapping[tuple[str, int], Failure], interrupted: bool = False
) -> dict[str, Any]:
    """What a sweep did, as JSON. `measured`: runs of this call; `failed`: the last failure of each case's round."""
    failures = [
        {"case": title, "round": number + 1, "code": failure.code, "message": sentence(failure.message)}
        for (title, number), failure in failed.items()
    ]
    return {
        "format": FORMAT,
        "experiment": spec.name,
        "results": str(path),
        "measured": measured,
        "failed": failures,
        "interrupted": interrupted,
    }


def cases_document(spec: Experiment, cases: Sequence[PlannedCase]) -> dict[str, Any]:
    """The planned cases, as JSON."""
    rows = [{"title": planned.case.title, "case": to_json(planned.case)} for planned in cases]
    return {"format": FORMAT, "experiment": spec.name, "rounds": spec.rounds, "cases": rows}


def detectable_document(spec: Experiment, cases: Sequence[PlannedCase]) -> dict[str, Any]:
    """The smallest |partial r| that each stratum could show, as JSON; `alone`, `first` as of `detectable.Reach`."""
    from hwprof.plan import detectable

    found = {"all": detectable.reaches(cases)}
    if spec.simulation.when != "never" and spec.simulation.networks:
        found["simulated"] = detectable.reaches(cases, spec.simulation.networks)
    reaches = [{"runs": which, **to_json(one)} for which, several in found.items() for one in several]
    return {"format": FORMAT, "experiment": spec.name, "tests": detectable.FAMILY, "reaches": reaches}


def print_cases(cases: Sequence[PlannedCase]) -> int:
    """Print the title of each case."""
    for planned in cases:
        print(planned.case.title)
    return EXIT_OK


def print_detectable(spec: Experiment, cases: Sequence[PlannedCase]) -> int:
    """Print the smallest |partial r| that each stratum could show, without measuring."""
    from hwprof.plan import detectable

    print("Smallest |r| with FPS that is found with a probability of 80 %, controlling for MACs and instructions.")
    found = {"": detectable.reaches(cases)}
    if spec.simulation.when != "never" and spec.simulation.networks:
        found["with simulated instructions only: "] = detectable.reaches(cases, spec.simulation.networks)
    for prefix, several in found.items():
        for stratum in dict.fromkeys(reach.stratum for reach in several):
            print(f"\n{prefix}{stratum}")
            for reach in several:
                if reach.stratum == stratum:
                    print(f"  {reach_text(reach)}")
    if not found[""]:
        print("\nNo network's MACs are known: nothing can be tested.")
    if any(reach.parents for reach in found[""]):
        print("\n... to: where half of the variance of metric and speed belongs to the parent network of a block.")
    if spec.simulation.when == "never":
        print("\nNothing is tested where no instructions are counted: [simulate] when = 'no-pmu' adds simulated ones.")
    return EXIT_OK


def reach_text(reach: Reach) -> str:
    """onnxruntime: 8 networks: 0.88 for one metric, 0.97 for the first of 20."""
    from hwprof.plan.detectable import FAMILY

    count = plural(reach.networks, "network")
    if reach.parents:
        count = f"{plural(reach.networks, 'block')} of {plural(reach.parents, 'network')}"
    if not reach.alone:
        return f"{reach.variant}: {count}: no test, {reach.why}"
    alone, first = (
        " to ".join(dict.fromkeys(f"{value:.2f}" if value < 0.99 else "above 0.99" for value in pair))
        for pair in (reach.alone, reach.first)
    )
    return f"{reach.variant}: {count}: {alone} for one metric, {first} for the first of {FAMILY} metrics"
