"""Accuracies that another benchmark's table states, as rows of a table. Reads records only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hwprof.machine import facts
from hwprof.printable import plural
from hwprof.records import Kind, Run

TITLE = "Accuracy, as imported"
HEADER = ("case", "network as given", "machine", "measure", "accuracy")
NOTE = "As the table states it, in percent; nothing was measured again, and how many images it is of is not known."


def stated(run: Run) -> Mapping[str, Any]:
    """Shares (of 1) by the measure's name in the table; empty where it states none."""
    found: Mapping[str, Any] = (run.facts.get("imported") or {}).get("accuracy") or {}
    return found


def rows(runs: Sequence[Run]) -> tuple[tuple[str, ...], ...]:
    """One row for each case (networks of one name may come from several frameworks), machine and measure."""
    found = {
        (run.case.title, run.case.recipe, facts.label(run.machine), measure, f"{100 * share:.2f}")
        for run in runs
        if run.kind is Kind.NATIVE and run.failure is None
        for measure, share in stated(run).items()
    }
    return tuple(sorted(found))


def summary(runs: Sequence[Run]) -> str:
    """`295 cases have an imported accuracy.`; "": none has."""
    cases = {(run.case, facts.machine_id(run.machine)) for run in runs if stated(run) and run.failure is None}
    return f"{plural(len(cases), 'case has', 'cases have')} an imported accuracy (table: {TITLE})." if cases else ""
