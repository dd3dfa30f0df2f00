"""One side of a comparison: which runs a word on the command line stands for."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from hwprof.analysis.comparison.measured import RunSummary, summarise_run
from hwprof.analysis.omissions import ACCURACIES_ALONE, why_no_speed
from hwprof.errors import ResultsError
from hwprof.printable import plural
from hwprof.records import Kind, Run
from hwprof.store import Results, place_and_terms, schema
from hwprof.store.scope import Scope
from hwprof.store.selection import LAST


@dataclass(frozen=True, slots=True)
class ComparedRuns:
    """`title`: what was selected, for people. `failed`: titles of cases with no good run, and the failure's message."""

    title: str
    runs: tuple[RunSummary, ...]
    failed: tuple[tuple[str, str], ...]


def side(word: str, results: str | None = None, default: str = LAST) -> ComparedRuns:
    """The runs that `word` selects (hwprof.store.selection), of the file `results` where it names none.

    `default`: the experiment where it names none, no runs and no times. One run stands for all rounds of its case in
    its experiment. Raises UsageError and ResultsError where it means nothing, or no run of it has a speed.
    """
    path, terms = place_and_terms([word], results)
    with Results.open(path) as opened:
        records, title = _runs(opened, opened.choose(terms, default))
    good = tuple(m for m in (summarise_run(r) for r in records) if m is not None)
    done = {m.case for m in good}
    failed = {r.case.title: r.failure.message for r in records if r.failure is not None and r.case not in done}
    if not good:
        native = [r for r in records if r.kind is Kind.NATIVE and r.failure is None]
        if native and why_no_speed(native) == ACCURACIES_ALONE:
            raise ResultsError(f"{title} states accuracies and no speeds", "`hwprof report` shows them")
        raise ResultsError(f"{title} has no good run with a speed", "`hwprof list cases` shows what is there")
    return ComparedRuns(title, good, tuple(failed.items()))


def _runs(results: Results, scope: Scope) -> tuple[list[Run], str]:
    numbers = scope.condition.numbers
    if numbers is None or len(numbers) > 1 or numbers[0][0] < numbers[0][1]:
        return list(results.runs()), f"{scope.title} of {results.path}"
    run = schema.run
    with results.database.read() as connection:
        row = connection.execute(select(run).where(run.c.id == numbers[0][0])).one()
        same_case = select(run.c.id).where(
            run.c.case_id == row.case_id, run.c.machine_id == row.machine_id, run.c.kind == row.kind
        )
        if row.experiment_id is None:
            same_case = same_case.where(run.c.id == row.id)
        else:
            same_case = same_case.where(run.c.experiment_id == row.experiment_id)
        ids = list(connection.scalars(same_case))
    found = list(results.runs(ids=ids))
    rounds = f", {plural(len(found), 'round')}" if len(found) > 1 else ""
    return found, f"run {row.uid[:8]} ({found[0].case.title}{rounds}) of {results.path}"
