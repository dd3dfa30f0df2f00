"""What a large report begins with in another process, while this one is still loading modules and reading runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select

from hwprof.reports import aside
from hwprof.reports.aside import Aside
from hwprof.store import Results, schema

if TYPE_CHECKING:
    import pandas as pd

    from hwprof.analysis.findings import Analysis

MANY = 4000  # runs from which on that is worth a process


class _Order(NamedTuple):
    path: Path
    runs: frozenset[str]  # uids; what is added while a report is made is in none of its parts
    correlate: bool
    masked: bool


class Ahead:
    """The frame of all native runs and what correlates with FPS in it, on their way; both are asked for once."""

    def __init__(self, process: Aside, runs: frozenset[str]) -> None:
        self._process = process
        self.runs = runs  # uids of those that the report is about

    def frame(self) -> pd.DataFrame:
        """`Results.frame()`. Raises ResultsError."""
        found: pd.DataFrame = self._process.take()
        return found

    def correlations(self) -> list[Analysis]:
        """`correlation.analyse` of that frame. Raises ResultsError."""
        found: list[Analysis] = self._process.take()
        return found


@contextlib.contextmanager
def begun(results: Results, against: Sequence[str]) -> Iterator[Ahead | None]:
    """Frame and correlations from another process; None where there are few runs, or one core."""
    with results.database.read() as connection:
        runs = frozenset(connection.scalars(select(schema.run.c.uid)))
    if aside.cores() == 1 or len(runs) < MANY:
        yield None
        return
    order = _Order(results.path.absolute(), runs, "fps" in against, results.database.masker is not None)
    with Aside(_found, order, "reading and correlating the runs") as process:
        yield Ahead(process, runs)


def _found(order: _Order) -> Iterator[pd.DataFrame | list[Analysis]]:
    """What the other process does."""
    with Results.open(order.path, masked=order.masked) as results:
        frame = results.frame()
    if not frame["run"].isin(order.runs).all():
        frame = frame[frame["run"].isin(order.runs)].reset_index(drop=True)
    yield frame
    if order.correlate:
        from hwprof.analysis import correlation

        yield correlation.analyse(frame)
