"""Measure an experiment: every case of a matrix, in interleaved rounds, the cases of a network side by side.

NAME is a built-in experiment (quick, every-framework) or the path of a .toml. Stop it at any time and start it again:
what is done is not repeated. A case that fails costs itself only; it is tried once more, and again with --retry-failed.
--create-environments first makes those of frameworks that are nowhere yet, as `hwprof env create` does.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from hwprof.cli.options import add_results, notify
from hwprof.errors import EXIT_CASES_FAILED, EXIT_INTERRUPTED, EXIT_OK
from hwprof.records import Failure

if TYPE_CHECKING:
    from hwprof.plan.experiment import Experiment
    from hwprof.runner.rounds import Progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("experiment", metavar="NAME", help="built-in name or path of a .toml")
    parser.add_argument("--retry-failed", action="store_true", help="try failed rounds again")
    parser.add_argument("--create-environments", action="store_true", help="install frameworks that are not there yet")
    parser.add_argument("--dry-run", action="store_true", help="list the cases and stop")
    add_results(parser)


def main(args: argparse.Namespace) -> int:
    """Run the sweep with a line of progress per run on stderr; a summary on stdout."""
    from hwprof import store
    from hwprof.plan import experiment
    from hwprof.runner.rounds import Runner

    spec = experiment.load(args.experiment)
    path = store.default_path(args.results)
    if args.dry_run:
        return print_cases(spec, path)
    if args.create_environments:
        from hwprof.cli.env import create_missing
        from hwprof.plan.cases import plan

        plan(spec)  # a wrong name or option must not show up after gigabytes
        create_missing(choice.framework for choice in spec.choices)
    failed: dict[tuple[str, int], Failure] = {}
    count = 0
    with store.Results.open(path, create=True) as results:
        results.ensure_writable()
        runner = Runner(spec, results, retry_failed=args.retry_failed, notify=notify)
        try:
            with closing(runner.run()) as steps:  # ends the workers before the results are closed
                for step in steps:
                    count += 1
                    print(progress(step), file=sys.stderr, flush=True)
                    if step.run.kind != "simulated":
                        key = (step.run.case.title, step.run.round)
                        failed.pop(key, None)
                        if step.run.failure is not None:
                            failed[key] = step.run.failure
        except KeyboardInterrupt:
            print(interruption_text(runner.saved_runs, path), file=sys.stderr)
            return EXIT_INTERRUPTED
    print(f"{count} runs measured -> {path}" if count else f"nothing left to measure in {path}")
    for (title, _), failure in failed.items():
        print(f"  failed: {title}: {failure.message}")
    print(f"next: hwprof report {path}")
    return EXIT_CASES_FAILED if failed else EXIT_OK


def interruption_text(saved: int, path: Path) -> str:
    """The message of a sweep that was interrupted."""
    kept = f"{saved} run{'' if saved == 1 else 's'} of this sweep {'is' if saved == 1 else 'are'} saved in {path}"
    return f"hwprof: interrupted; {kept if saved else 'nothing was measured yet'}. The same command goes on from there"


def print_cases(spec: Experiment, path: Path) -> int:
    """Print the cases; those of a tuned experiment with this machine's tunings."""
    from hwprof import store
    from hwprof.machine.facts import hardware
    from hwprof.plan import policy

    if spec.policy == policy.TUNED and path.exists():
        with store.Results.open(path) as results:
            cases = policy.cases(spec, results, hardware())
    else:
        cases = policy.cases(spec, None, {})
    for planned in cases:
        print(planned.case.title)
    return EXIT_OK


def progress(step: Progress) -> str:
    """[12/96 2:10 left] onnxruntime mobilenet_v2 ... 8.21 ms."""
    from hwprof.speed import of_run

    run = step.run
    left = "" if step.left_s is None else f" {int(step.left_s) // 60}:{int(step.left_s) % 60:02d} left"
    head = f"[{step.done}/{step.total}{left}] {run.case.title}"
    if run.failure is not None:
        return f"{head}: {run.failure.code}: {run.failure.message}"
    if run.kind == "simulated":
        return f"{head}: simulated"
    if run.kind == "command":
        fps = run.facts.get("fps")
        return f"{head}: {'no figure' if fps is None else f'{fps:.1f} FPS, as it told'}"
    latency = of_run(run).latency_ns
    took = "no latency" if latency is None else f"{latency / 1e6:.2f} ms"
    unfaithful = "" if run.fidelity is None or run.fidelity.faithful else "  UNFAITHFUL"
    return f"{head}: {took}{unfaithful}"
