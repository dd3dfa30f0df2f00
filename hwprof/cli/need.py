"""The reader's own question to a report: `--need` and what belongs to it."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from hwprof.errors import EXIT_OK, EXIT_UNMET, UsageError

if TYPE_CHECKING:
    from hwprof.analysis.configurations.measures import AccuracyScore
    from hwprof.analysis.configurations.need import NeedCondition
    from hwprof.reports.html.gather import Material
    from hwprof.reports.tables import Report


@dataclass(frozen=True, slots=True)
class NeedOptions:
    """The conditions of `--need`, and the accuracy that `--accuracy` has; no conditions: nothing was asked."""

    conditions: tuple[NeedCondition, ...] = ()
    scores: tuple[AccuracyScore, ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of a need."""
    parser.add_argument(
        "--need",
        metavar="CONDITIONS",
        help="list what meets them, nearly does, and was not measured, as 'fps>=25, power<=5W, top1>=70': of fps, "
        "throughput, latency (p50), p90, p99, cpu time, power, energy, memory, top1, top5; "
        "exit code 6 if nothing meets them",
    )
    parser.add_argument(
        "--accuracy",
        action="append",
        default=[],
        metavar="FILE",
        help="output of hwprof accuracy --json, for top1 and top5 of --need (may be repeated)",
    )


def read(args: argparse.Namespace) -> NeedOptions:
    """What was asked. Raises UsageError, before anything is opened or written."""
    if args.need is None:
        if args.accuracy:
            raise UsageError("--accuracy is for --need", "add conditions, as --need 'top1>=70'")
        return NeedOptions()
    from hwprof.analysis.configurations import need

    conditions = need.parse(args.need)
    return NeedOptions(conditions, tuple(score for name in args.accuracy for score in _scores(name)))


def _scores(name: str) -> list[AccuracyScore]:
    from hwprof.analysis.configurations import measures

    try:
        document = json.loads(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{name} can't be read: {error.strerror}", "name a file of hwprof accuracy --json") from error
    except ValueError:
        document = None
    return measures.accuracy_scores(document, name)


def answer(asked: NeedOptions, material: Material) -> Material:
    """The material with the answer to what was asked."""
    if not asked.conditions:
        return material
    from hwprof.analysis.configurations import judge

    report = material.report
    found = judge.judge(asked.conditions, material.frame, report.fps, asked.scores)
    return replace(material, report=replace(report, need=found))


def show(report: Report) -> None:
    """Print the answer, where a question was asked."""
    if report.need is None:
        return
    from hwprof.reports.page import need

    print(f"\n{need.text(report.need)}", flush=True)


def exit_code(report: Report) -> int:
    """EXIT_OK, or EXIT_UNMET where nothing meets what was asked."""
    return EXIT_OK if report.need is None or report.need.is_met else EXIT_UNMET
