"""Compare two sets of results case by case: faster, slower, the same, or can't tell.

OLD and NEW select runs: of a results file (FILE: its latest experiment; FILE:EXPERIMENT, FILE:RUN, FILE:all), or of the
default one (EXPERIMENT, RUN), narrowed by KEY=VALUE behind commas. A run stands for all its rounds.

    hwprof compare main.db branch.db --threshold 3        hwprof compare 7f3a 91bc
    hwprof compare --run ENV_A ENV_B -n mobilenet_v2      measures both environments side by side, then compares them
    hwprof compare --calibrate nightly.db                 how much sessions of this machine differ, kept for later

Two sessions of one program differ, by more than their rounds show. There is a verdict where both sides were measured
side by side or in turn, where a side has several sessions, or on a machine whose session noise was calibrated. With one
session each there is none.

Exit codes: 0; 1 a regression (significantly slower, and the whole interval beyond --threshold); 2 nothing to compare; 3
no case has a verdict, or one without a verdict is slower by more than --threshold. With --strict also: 3 a case without
a verdict, or missing in NEW; 5 a case of which it is open whether it is slower by more than --threshold.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from hwprof.cli.options import (
    CASE,
    CASE_OPTIONS,
    OUTPUT,
    add_case,
    add_results,
    add_unmasked,
    choice_of,
    group,
    split_names,
)
from hwprof.cli.progress import ending
from hwprof.cli.selection import (
    SELECTING,
)
from hwprof.errors import (
    EXIT_CASES_FAILED,
    EXIT_OK,
    EXIT_REGRESSION,
    EXIT_UNAVAILABLE,
    EXIT_UNDECIDED,
    ResultsError,
    UsageError,
)
from hwprof.printable import encodable_data, plural

if TYPE_CHECKING:
    from hwprof.analysis.comparison.compare import Comparison
    from hwprof.analysis.comparison.sides import ComparedRuns
    from hwprof.plan.experiment import Experiment

ROUNDS = 4
# What --run measures.
MEASURED = (*CASE_OPTIONS, "window", "timeout", "seed")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("words", nargs="+", metavar="WORD", help="OLD and NEW; with --run two environments; with --calibrate RESULTS")
    add("--threshold", type=float, default=5.0, metavar="PERCENT", help="slower by more is a regression")
    add("--alpha", type=float, default=0.05, metavar="Q", help="false discovery rate")
    add("--strict", action="store_true", help="exit 3 or 5 where a case is missing, without a verdict, or open")
    form = group(parser, OUTPUT).add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON document")
    form.add_argument("--markdown", action="store_true", help="Markdown, for a pull request")
    add_unmasked(parser)
    add_results(parser)
    parser.epilog = SELECTING.strip()
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--calibrate", action="store_true", help="keep the session noise that RESULTS show, in the cache")
    what.add_argument(
        "--run",
        action="store_true",
        help="measure a case in two environments side by side: hwprof (its own), names of `hwprof env list`, or paths "
        "of environments or interpreters",
    )
    measured = parser.add_argument_group("what --run measures")
    add_case(measured, "rounds", help="sets, of fresh processes (default: 4)")
    for name in MEASURED:
        several = {"help": "names or paths, with commas between them (default: mobilenet_v2)"}
        add_case(measured, name, **(several if name == "network" else {}))


def main(args: argparse.Namespace) -> int:
    check(args)
    if args.calibrate:
        return calibrate(args)
    if args.run:
        return measure(args)
    from hwprof.analysis.comparison.sides import side

    old, new = (side(word, args.results) for word in args.words)
    return show(args, old, new)


def check(args: argparse.Namespace) -> None:
    """Raise UsageError for numbers out of range, and for words and options that don't belong together."""
    if not 0 <= args.threshold < 100:
        raise UsageError(f"--threshold {args.threshold:g}", "a percentage, as in --threshold 5")
    if not 0 < args.alpha < 1:
        raise UsageError(f"--alpha {args.alpha:g}", "between 0 and 1, as in --alpha 0.05")
    if not args.calibrate and len(args.words) != 2:
        what = "two environments" if args.run else "OLD and NEW"
        raise UsageError(
            f"hwprof compare wants {what}, not {' '.join(args.words)}", "`hwprof compare --help` has examples"
        )
    if not args.run:
        for name in (*MEASURED, "rounds"):
            if getattr(args, name) != (None if name == "rounds" else CASE[name][1].get("default")):
                raise UsageError(f"--{name.replace('_', '-')} is for --run", "results are measured already")


def calibrate(args: argparse.Namespace) -> int:
    """Keep the session noise of the machines that the results are of."""
    from hwprof.analysis.comparison import calibration
    from hwprof.analysis.comparison.sides import side
    from hwprof.machine.clock import utc_now
    from hwprof.reports.terminal import session_noise
    from hwprof.store.selection import ALL

    runs = [run for word in args.words for run in side(word, args.results, ALL).runs]
    found = calibration.calibrate(runs, utc_now())
    places = [calibration.keep(one) for one in found]
    if args.json:
        print(json.dumps(encodable_data(session_noise.document(found)), indent=2))
    else:
        print(session_noise.text(found))
        for place in places:
            print(f"kept in {place}, until it is calibrated anew")
    return EXIT_OK


def measure(args: argparse.Namespace) -> int:
    """Measure the case in both environments, then compare what was measured."""
    from hwprof.analysis.comparison.sides import side
    from hwprof.store import Results, default_path
    from hwprof.studies.versions import EnvironmentComparison

    path = default_path(args.results)
    with Results.open(path, create=True) as results:
        results.ensure_writable()
        study = EnvironmentComparison(experiment_of(args), (args.words[0], args.words[1]), results)
        failed = False
        with closing(study.run()) as steps:
            for step in steps:
                failed |= step.run.failure is not None
                where = f"{step.run.facts['environment']}: {step.run.case.title}"
                print(f"hwprof: [{step.done}/{step.total}] {where}: {ending(step.run)}", file=sys.stderr)
    old, new = (side(f"{path}:#{one.identity}") for one in study.sides)
    code = show(args, old, new)
    return EXIT_CASES_FAILED if failed and code == EXIT_OK else code


def show(args: argparse.Namespace, old: ComparedRuns, new: ComparedRuns) -> int:
    """Print the comparison; its exit code."""
    from hwprof.analysis.comparison import calibration
    from hwprof.analysis.comparison.compare import compare
    from hwprof.analysis.comparison.matching import obstacles
    from hwprof.reports.formats import text
    from hwprof.reports.terminal import comparison
    from hwprof.store.masking import Masker

    noises = calibration.as_noises(calibration.recall([*old.runs, *new.runs]))
    found = compare(old.runs, new.runs, args.threshold / 100, args.alpha, noises)
    # unmasked runs are compared, so that cases stay distinct; only the output is masked
    masker = Masker().learn(m.case.options for s in (old, new) for m in s.runs)
    if args.json:
        document = encodable_data(comparison.document(found, old.title, new.title, new.failed))
        print(json.dumps(document if args.unmasked else masker.data(document), indent=2))
    elif args.markdown:
        report = comparison.report(found, old.title, new.title, new.failed)
        print(text.markdown(report if args.unmasked else text.mask(report, masker), [], "Comparison"))
    else:
        print(comparison.text(found, old.title, new.title, new.failed))
    if not found.changes and found.unknown:
        raise ResultsError("no case can be compared: FPS is disturbed", "import or measure throughput too")
    if not found.changes:
        raise ResultsError("OLD and NEW have no case in common", remedy_of(obstacles(old.runs, new.runs)))
    return exit_code(found, args.strict)


def remedy_of(obstacles: Sequence[tuple[str, int]]) -> str:
    """What would give cases in common, by what alone is not the same (and how many cases are equal but for it)."""
    if not obstacles:
        return (
            "They differ in more than one of network, framework, options, threads, precision, batch and machine; "
            "`hwprof explain` compares two frameworks"
        )
    parts = [f"{plural(count, 'case')} but for the {name}" for name, count in obstacles]
    return f"They would have {' or '.join(parts)}; `hwprof explain` compares cases that differ in one thing"


def exit_code(found: Comparison, strict: bool) -> int:
    """As the help of the command has it."""
    if found.regressions:
        return EXIT_REGRESSION
    looks_slower = any(c.ratio < 1 - found.threshold for c in found.untested)
    incomplete = bool(found.untested or found.unknown or found.only_old)
    if not found.tested or looks_slower or (strict and incomplete):
        return EXIT_UNAVAILABLE
    return EXIT_UNDECIDED if strict and found.undecided else EXIT_OK


def experiment_of(args: argparse.Namespace) -> Experiment:
    """The cases that --run measures; a new experiment each time (never resumed)."""
    import secrets

    from hwprof.plan.experiment import Experiment
    from hwprof.worker.protocol import LoopSettings

    choices = [
        choice_of(argparse.Namespace(**{**vars(args), "network": name}))
        for name in dict.fromkeys(split_names(args.network))
    ]
    return Experiment(
        name=f"compare {secrets.token_hex(4)}",
        choices=tuple(choices),
        seed=args.seed,
        rounds=ROUNDS if args.rounds is None else args.rounds,
        cpus=args.cpus,
        plan=LoopSettings(window_s=args.window, min_iterations=10),
        timeout_s=args.timeout,
        idle_baseline_s=0.0,
        text="# hwprof compare --run",
    )
