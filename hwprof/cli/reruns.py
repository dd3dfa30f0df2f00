"""Measuring cases again with one thing changed: what `hwprof explain --test` does."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Sequence
from contextlib import closing

from hwprof.analysis.explain.pairs import Source
from hwprof.analysis.explain.selectors import CaseRuns
from hwprof.cli.options import notify
from hwprof.cli.progress import ending
from hwprof.cli.streams import complain
from hwprof.errors import NotAvailable, UsageError
from hwprof.machine.cpus import allowed_cpus
from hwprof.machine.facts import hardware
from hwprof.printable import plural
from hwprof.records import to_json
from hwprof.runner.rounds import Runner
from hwprof.store.schema import content_id
from hwprof.studies import interventions
from hwprof.studies.interventions import Rerun

FEWEST_ROUNDS = 2  # whatever the budget: one round has no interval


def rerun(
    kinds: Sequence[str],
    sides: Sequence[tuple[CaseRuns, CaseRuns]],
    source: Source,
    rounds: int,
    window_s: float,
    budget_s: float,
) -> int:
    """Measure every pair, or case beside itself, unchanged and with each change, in rounds; how many runs failed.

    No round is begun that would end beyond the budget, but two of each pair. Raises UsageError for a case of another
    machine, NotAvailable where no side of any pair can be changed.
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
            plans.append(interventions.plan(kinds, first, second, allowed_cpus(), platform.machine(), rounds, window_s))
        except NotAvailable as error:
            refused.append((first.title, error))
    if not plans:
        raise refused[0][1]
    for where, refusal in refused:
        complain(refusal.message, refusal.remedy, where)
    failed = 0
    for number, planned in enumerate(plans):
        for kind, title, why in planned.impossible:
            complain(f"not changed, {kind}: {why}", about=title)
        started = time.monotonic()
        failed += _measure(planned, source, budget_s / (len(plans) - number))
        budget_s = max(0.0, budget_s - (time.monotonic() - started))
    return failed


def _measure(planned: Rerun, source: Source, budget_s: float) -> int:
    """The rounds of one experiment within the budget; how many runs failed."""
    members = len(planned.experiment.choices)
    started, failed, done = time.monotonic(), 0, 0
    with closing(Runner(planned.experiment, source.results, notify=notify).run()) as steps:
        for step in steps:
            done += 1
            failed += step.run.failure is not None
            print(f"hwprof: [{step.done}/{step.total}] {step.run.case.title}: {ending(step.run)}", file=sys.stderr)
            if done % members:
                continue
            each = (time.monotonic() - started) / (done // members)
            if done // members >= FEWEST_ROUNDS and time.monotonic() - started + each > budget_s:
                if step.done < step.total:
                    fits = plural(done // members, "round fits", "rounds fit")
                    notify(f"{fits} into the budget; the same command goes on with the next")
                break
    if not done:
        notify(
            f"nothing is measured: {plural(planned.experiment.rounds, 'round')} of these tests are in the results",
            f"-r {2 * planned.experiment.rounds} measures more, anew",
        )
    return failed
