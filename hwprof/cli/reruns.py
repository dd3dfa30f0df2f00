"""Measuring cases again with one thing changed: what `hwprof explain --test` does."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence

from hwprof.analysis.explain.pairs import Source
from hwprof.analysis.explain.selectors import CaseRuns
from hwprof.cli.options import notify
from hwprof.cli.progress import ending
from hwprof.cli.streams import complain
from hwprof.errors import NotAvailable, UsageError
from hwprof.machine.cpus import allowed_cpus
from hwprof.machine.facts import hardware
from hwprof.records import to_json
from hwprof.runner.rounds import Runner
from hwprof.store.schema import content_id
from hwprof.studies import interventions


def rerun(kind: str, sides: Sequence[tuple[CaseRuns, CaseRuns]], source: Source, rounds: int, window_s: float) -> int:
    """Measure every pair, or case beside itself, unchanged and changed in turn; how many runs failed.

    Raises UsageError for a case of another machine, NotAvailable where no side of any pair can be changed.
    """
    here = content_id(to_json(hardware()))
    plans, refused = [], []
    for pair in sides:
        for side in pair:
            if side.last.machine_id != here:
                raise UsageError(
                    f"--test measures here, and {side.case.title} was measured on {side.last.machine}",
                    "run it there, or measure the case here first",
                )
        try:
            first, second = (side.case for side in pair)
            plans.append(interventions.plan(kind, first, second, allowed_cpus(), platform.machine(), rounds, window_s))
        except NotAvailable as error:
            refused.append((first.title, error))
    if not plans:
        raise refused[0][1]
    for where, refusal in refused:
        complain(refusal.message, refusal.remedy, where)
    failed = 0
    for planned in plans:
        for title, why in planned.impossible.items():
            complain(f"not changed: {why}", about=title)
        for step in Runner(planned.experiment, source.results, notify=notify).run():
            failed += step.run.failure is not None
            print(f"hwprof: [{step.done}/{step.total}] {step.run.case.title}: {ending(step.run)}", file=sys.stderr)
    return failed
