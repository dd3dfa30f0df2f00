"""The latency distribution of cases, and beside it what varies with latency within their runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from hwprof import speed
from hwprof.analysis.over_time import comovement, tail
from hwprof.analysis.over_time.comovement import WAITING, WithinRuns
from hwprof.printable import plural
from hwprof.records import Run
from hwprof.reports import within_runs
from hwprof.reports.html.model import Section
from hwprof.reports.html.over_time import CaseOverTime
from hwprof.reports.page.words import number
from hwprof.reports.tables import Table
from hwprof.store import Results
from hwprof.store.listing import entries

CASES = 24  # of which all counts are read
KEY, TITLE = "within-runs", "Latency distribution and its causes within runs"
HEADER = (
    "case",
    "p50 ms",
    "p90 ms",
    "p99 ms",
    "mean / median",
    "slices vary by",
    "of it waiting",
    "moves with latency",
    "reason of p99",
)
NOTE = (
    "All inferences of the bare stretches of all rounds. Slices: standard deviation around the mean of their run; the "
    "share of that variance that is waiting for a CPU; counters that move with latency (without waiting, where that is "
    "known) from slice to slice, r after their trends and autocorrelation. Reason of p99: the part that is more than "
    "half of the excess of the slowest 1 %, and the events that these have more often, by latency without waiting. One "
    "family of tests per case and column. Association, not causation."
)
NO_SLICES = "No counter can be compared with latency within runs: no run has slices. `hwprof run` measures in slices."


def read(chosen: Mapping[str, Sequence[CaseOverTime]], results: Results) -> list[tuple[str, Sequence[Run]]]:
    """The cases that are drawn over time, each by its title with all that its rounds counted."""
    cases = [case for several in chosen.values() for case in several][:CASES]
    wanted = {run.uid for case in cases for run in case.rounds if any(w.slices is not None for w in run.windows)}
    ids = [entry.order for entry in entries(results.database) if entry.uid in wanted]
    whole = {run.uid: run for run in results.runs(ids=ids)} if ids else {}
    return [(_title(case), [whole.get(run.uid, run) for run in case.rounds]) for case in cases]


def section(cases: Sequence[tuple[str, Sequence[Run]]]) -> Section:
    """A table of these cases."""
    found = [_row(title, runs) for title, runs in cases]
    shown = [row for row in found if row is not None]
    if not any(comovement.estimate(runs) is not None for _, runs in cases):
        return Section(KEY, TITLE, absent=(NO_SLICES,), level=3)
    return Section(KEY, TITLE, tables=(Table(TITLE, HEADER, tuple(shown), NOTE),), level=3)


def _title(case: CaseOverTime) -> str:
    c = case.run.case
    return f"{case.variant} {c.network} {c.side} b{c.batch} t{c.threads}"


def _row(title: str, runs: Sequence[Run]) -> tuple[str, ...] | None:
    """None: no latencies of single inferences."""
    latencies = [speed.bare_latencies(r) for r in runs]
    pooled = np.concatenate(latencies) if latencies else np.empty(0)
    if not len(pooled):
        return None
    percentiles = [number(speed.percentile(pooled, q) / 1e6) for q in (50, 90, 99)]
    median = float(np.median(pooled))
    ratio = number(float(pooled.mean()) / median) if median > 0 else "-"
    return (
        title,
        *percentiles,
        ratio,
        *_within(comovement.estimate(runs)),
        within_runs.reason_words(tail.estimate(runs)),
    )


def _within(found: WithinRuns | None) -> tuple[str, str, str]:
    """(how much slices vary, how much of that is waiting, which counters move with latency)"""
    if found is None:
        return "-", "-", "no slices"
    waiting = "not known" if found.parts is None else f"{100 * found.parts[WAITING]:.0f} %"
    varies = f"{100 * found.spread:.1f} %"
    if found.why:
        return varies, waiting, f"not known: {found.why}"
    hits = found.found[: within_runs.SHOWN]
    named = ", ".join(f"{c.metric} (r {c.r:+.2f} [{c.low:.2f}, {c.high:.2f}])" for c in hits)
    return varies, waiting, named or f"none found of {plural(found.family, 'counter')}"
