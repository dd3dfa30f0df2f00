"""Cases that an analysis of the report omits, as rows of a table. Reads records only."""

from __future__ import annotations

from collections.abc import Container, Sequence

from hwprof.analysis.omissions import why_no_speed
from hwprof.machine import facts
from hwprof.records import Case, Kind, Run
from hwprof.reports.page.accuracies import stated

HEADER = ("case", "rounds", "omitted from", "because")
WITHOUT_MACS = "the number of its MACs is unknown"


def rows(runs: Sequence[Run], factored: Container[str]) -> tuple[tuple[str, ...], ...]:
    """Good native cases that an analysis omits: in how many rounds, which analysis, and why. Imported accuracies have
    a table of their own, and no analysis could have them.

    `factored`: uids of runs that have factors.
    """
    cases: dict[tuple[Case, str], list[Run]] = {}
    for run in runs:
        if run.kind is Kind.NATIVE and run.failure is None and not stated(run):
            cases.setdefault((run.case, facts.machine_id(run.machine)), []).append(run)
    found = []
    for (case, _), group in cases.items():
        silent = [run for run in group if run.uid not in factored]
        if silent:
            rounds = f"{len(silent)} of {len(group)}"
            found.append((case.title, rounds, "factors, explanations, bottlenecks", why_no_speed(silent)))
        if all(run.macs is None for run in group):
            found.append((case.title, f"{len(group)} of {len(group)}", "correlations, models, roofline", WITHOUT_MACS))
    return tuple(sorted(found))
