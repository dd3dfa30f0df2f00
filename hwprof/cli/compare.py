"""Compare two sets of results case by case: faster, slower, the same, or can't tell.

OLD and NEW are results files, or runs or experiments inside one: FILE, FILE:EXPERIMENT, FILE:RUN, or EXPERIMENT and
RUN in the default results file. A run stands for all its rounds. The exit code is 1 where a case is slower by more
than --threshold and significantly so (for CI), 3 where nothing could be tested (one round), else 0.

    hwprof compare main.db branch.db --threshold 3        hwprof compare 7f3a 91bc
"""

from __future__ import annotations

import argparse
import json

from hwprof.cli.options import add_results, add_unmasked
from hwprof.errors import EXIT_OK, EXIT_REGRESSION, EXIT_UNAVAILABLE, ResultsError, UsageError
from hwprof.printable import encodable_data


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("old", metavar="OLD", help="what it was: FILE, FILE:EXPERIMENT, FILE:RUN, EXPERIMENT or RUN")
    add("new", metavar="NEW", help="what it is now")
    add("--threshold", type=float, default=5.0, metavar="PERCENT", help="slower by more is a regression (default: 5)")
    add("--alpha", type=float, default=0.05, metavar="Q", help="false discovery rate (default: 0.05)")
    add("--strict", action="store_true", help="exit 3 where NEW lacks a case of OLD, or any case has one round")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON document")
    form.add_argument("--markdown", action="store_true", help="Markdown, for a pull request")
    add_unmasked(parser)
    add_results(parser)


def main(args: argparse.Namespace) -> int:
    from hwprof.analysis.comparison.compare import compare
    from hwprof.analysis.comparison.sides import side
    from hwprof.reports.formats import text
    from hwprof.reports.terminal import comparison
    from hwprof.store.masking import Masker

    if not 0 <= args.threshold < 100:
        raise UsageError(f"--threshold {args.threshold:g}", "a percentage, as in --threshold 5")
    if not 0 < args.alpha < 1:
        raise UsageError(f"--alpha {args.alpha:g}", "between 0 and 1, as in --alpha 0.05")
    old, new = side(args.old, args.results), side(args.new, args.results)
    found = compare(old.runs, new.runs, args.threshold / 100, args.alpha)
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
        raise ResultsError("OLD and NEW have no case in common", "they must hold the same networks, frameworks, ...")
    if found.regressions:
        return EXIT_REGRESSION
    untested = found.tested < len(found.changes) or bool(found.unknown)
    unavailable = not found.tested or (args.strict and (untested or bool(found.only_old)))
    return EXIT_UNAVAILABLE if unavailable else EXIT_OK
