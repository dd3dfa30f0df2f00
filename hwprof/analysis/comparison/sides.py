"""One side of a comparison: which runs a word on the command line stands for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from hwprof.analysis.comparison.measured import RunSummary, summarise_run
from hwprof.errors import ResultsError
from hwprof.records import Run
from hwprof.store import reader, schema
from hwprof.store.database import check_file
from hwprof.store.results import Results, default_path


@dataclass(frozen=True, slots=True)
class ComparedRuns:
    """`title`: what was taken, for people. `failed`: titles of cases with no good run, with the failure's message."""

    title: str
    runs: tuple[RunSummary, ...]
    failed: tuple[tuple[str, str], ...]


def side(word: str, default: str | None = None) -> ComparedRuns:
    """The runs that `word` means: FILE, FILE:WHAT, or WHAT in the file `default`.

    WHAT is an experiment (its name or #id) or the beginning of a run's id; a run stands for all rounds of its case in
    its experiment. Raises ResultsError where it means nothing, or no run of it has a speed.
    """
    path, what = split(word, default)
    with Results.open(path) as results:
        records, title = _runs(results, what)
    good = tuple(m for m in (summarise_run(r) for r in records) if m is not None)
    done = {m.case for m in good}
    failed = {r.case.title: r.failure.message for r in records if r.failure is not None and r.case not in done}
    if not good:
        raise ResultsError(f"{title} has no good run with a speed", "`hwprof list cases` shows what is there")
    return ComparedRuns(title, good, tuple(failed.items()))


def split(word: str, default: str | None) -> tuple[Path, str]:
    """(results file, what in it or "" for all of it). A file of that name wins over an id or an experiment."""
    if Path(word).is_file():
        return Path(word), ""
    file, colon, what = word.rpartition(":")
    if colon and Path(file).is_file():
        return Path(file), what
    if "/" in word or word.endswith((".db", ".sqlite")):
        check_file(Path(word))
        raise ResultsError(f"no results file {word}", "name a results file, FILE:EXPERIMENT, or a run's id")
    return default_path(default), word


def _runs(results: Results, what: str) -> tuple[list[Run], str]:
    if not what:
        return list(results.runs()), str(results.path)
    for e in results.experiments():
        if what in (e.name, f"#{e.id}"):
            same = [x for x in results.experiments() if x.name == what]
            if len(same) > 1:
                listed = ", ".join(f"#{x.id}" for x in same)
                raise ResultsError(
                    f"{len(same)} experiments in {results.path} are named '{what}'", f"say which: {listed}"
                )
            return list(results.runs(experiment=e.id)), f"experiment {e.name} of {results.path}"
    with results.database.read() as connection:
        run = schema.run
        row = connection.execute(select(run).where(run.c.id == reader.id_of(connection, what))).one()
        same_case = select(run.c.id).where(
            run.c.case_id == row.case_id, run.c.machine_id == row.machine_id, run.c.kind == row.kind
        )
        if row.experiment_id is None:
            same_case = same_case.where(run.c.id == row.id)
        else:
            same_case = same_case.where(run.c.experiment_id == row.experiment_id)
        ids = list(connection.scalars(same_case.order_by(run.c.id)))
        found = list(reader.runs(connection, ids))
    rounds = f", {len(found)} rounds" if len(found) > 1 else ""
    return found, f"run {row.uid[:8]} ({found[0].case.title}{rounds}) of {results.path}"
