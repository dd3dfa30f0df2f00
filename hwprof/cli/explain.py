"""Why A is faster than B: the ratio of their speed as a product of factors, and the evidence on each.

A and B are selectors, words with commas between: a framework (onnxruntime), network=..., batch=..., threads=...,
shape=3x48x320, machine=..., version=..., an option (spin=false), a run's id, or another results file (results=FILE).
What both name with different values is compared; what one names alone narrows both; the rest must be equal on both
sides.

  hwprof explain onnxruntime opencv                 every network, batch and thread count that both have
  hwprof explain onnxruntime,threads=1 threads=2    one framework, two thread counts
  hwprof explain onnxruntime opencv,threads=2 --intervene spin

--intervene measures the pair again, unchanged and changed in turn, and stores it: only this shows a cause.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from contextlib import ExitStack
from typing import Any

from hwprof.cli.options import RangeAction, add_case, add_results, notify
from hwprof.errors import EXIT_CASES_FAILED, EXIT_OK, NotAvailable, ResultsError, UsageError
from hwprof.printable import encodable_data
from hwprof.records import to_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("a", metavar="A", help="selector of the first")
    add("b", metavar="B", help="selector of the second")
    add("file", nargs="?", metavar="RESULTS", help="results file (default: HWPROF_RESULTS or ./hwprof.db)")
    add("--intervene", choices=("spin", "affinity", "simd"), help="measure the pairs again with this changed")
    add("-r", "--rounds", action=RangeAction, default=4, help="rounds of --intervene (default: 4)")
    add_case(parser, "window", help="seconds per window of --intervene (default: 1)")
    add("--paired", action="store_true", help="paired intervals: rounds of A and B share a drift")
    add_case(parser, "json", help="as one JSON document")
    add_results(parser)


def main(args: argparse.Namespace) -> int:
    from hwprof import store
    from hwprof.analysis.answer import aggregate, build
    from hwprof.analysis.explain import pairs
    from hwprof.analysis.explain.wording import summarise
    from hwprof.analysis.omissions import lines
    from hwprof.reports.terminal import explain as report

    default = args.file or args.results
    (path_a, a), (path_b, b) = _split_file(args.a), _split_file(args.b)
    failed = 0
    with ExitStack() as stack:
        path = store.default_path(path_a or default)
        source = pairs.Source(stack.enter_context(store.Results.open(path)))
        second = store.default_path(path_b or default)
        other = None
        if second.resolve() != path.resolve():
            other = pairs.Source(stack.enter_context(store.Results.open(second)))
        found = pairs.find(a or _same_selector(b), b or _same_selector(a), source, other)
        if args.intervene:
            if other is not None:
                raise UsageError("--intervene measures on this machine, into one file", "name one results file")
            failed = intervene(found, source, args)
            source.refresh()
            found = pairs.find(a, b, source)
        explanations, omitted = pairs.explanations(found, source, other, args.paired)
    for line in lines(omitted):
        print(f"hwprof: {line}", file=sys.stderr)
    if not explanations:
        raise ResultsError("no pair to explain", "name two frameworks, networks, machines, batches or runs")
    file = default or "" if other is None and not (path_a or path_b) else ""
    cases = aggregate.of_explanations(explanations)
    several = other is None and len({c.network for c in cases}) > 1
    answer = build.answer_cases(cases, file, several)
    summary = summarise(explanations, answer.main.choice if answer is not None and answer.main is not None else None)
    if args.json:
        document = {**report.document(explanations, summary, answer), "left_out": to_json(omitted)}
        print(json.dumps(encodable_data(document)))
    else:
        print(report.text(explanations, summary, answer=answer))
    return EXIT_CASES_FAILED if failed else EXIT_OK


def _same_selector(other: str) -> str:
    """`results=FILE` alone: the same selector as the other's."""
    if not other:
        raise UsageError(
            "two results files and nothing named in them", "as in results=old.db,onnxruntime results=new.db"
        )
    return other


def _split_file(text: str) -> tuple[str | None, str]:
    """(results file, the rest of the selector)."""
    words = [w.strip() for w in text.split(",")]
    files = [w.removeprefix("results=") for w in words if w.startswith("results=")]
    if len(files) > 1:
        raise UsageError(f"two results files in '{text}'", "one per selector")
    return (files[0] if files else None), ",".join(w for w in words if not w.startswith("results="))


def intervene(found: Any, source: Any, args: argparse.Namespace) -> int:
    """Measure every pair again, unchanged and changed in turn; how many runs failed."""
    from hwprof.analysis.explain import pairs as listing
    from hwprof.machine.cpus import allowed_cpus
    from hwprof.machine.facts import hardware
    from hwprof.runner.rounds import Runner
    from hwprof.store.schema import content_id
    from hwprof.studies import interventions

    here = content_id(to_json(hardware()))
    plans, refused = [], []
    for pair in found:
        if {pair.a.last.machine_id, pair.b.last.machine_id} != {here}:
            raise UsageError(
                f"--intervene measures here, and {pair.a.case.title} was measured on {pair.a.last.machine}",
                "run it there, or measure the pair here first",
            )
        try:
            sides = pair.a.case, pair.b.case
            plans.append(
                interventions.plan(args.intervene, *sides, allowed_cpus(), platform.machine(), args.rounds, args.window)
            )
        except NotAvailable as error:
            refused.append((listing.context(pair), error))
    if not plans:
        raise refused[0][1]
    for where, refusal in refused:
        print(f"hwprof: {where}: {refusal.message}", file=sys.stderr)
    failed = 0
    for planned in plans:
        for title, why in planned.impossible.items():
            print(f"hwprof: {title}: left as it is: {why}", file=sys.stderr)
        for step in Runner(planned.experiment, source.results, notify=notify).run():
            outcome = "done" if step.run.failure is None else f"failed: {step.run.failure.message}"
            failed += step.run.failure is not None
            print(f"hwprof: [{step.done}/{step.total}] {step.run.case.title}: {outcome}", file=sys.stderr)
    return failed
