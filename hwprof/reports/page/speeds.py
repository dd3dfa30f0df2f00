"""The table of speeds: FPS, throughput and CPU time per frame stand together, and what is fastest by which of them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from hwprof.analysis.correlation.strata import NETWORK, SIDE, VARIANT, thread_title
from hwprof.analysis.estimator import Estimator, EstimatorChoice, choose, is_disturbed
from hwprof.analysis.speeds import ALONE, CaseRatio, case_ratio, groups, speed_of
from hwprof.analysis.units import WITHIN
from hwprof.networks.inputs import side_title
from hwprof.reports.page.words import interval, number
from hwprof.reports.tables import Table

TITLE = "Speed"
FIGURES = ("FPS", "95 %", "frames/s", "CPU ms/frame", "waits", "of the fastest", "95 % of it", "ranked by")
SHORT = {Estimator.CPU_TIME: "CPU time"}
NOTE = (
    "FPS = batch / median latency after one 3-sigma pass, geometric mean over rounds, with the 95 % t interval between "
    f"rounds, {WITHIN}; frames/s = frames / elapsed; CPU time of all threads; waits: share of the time in the run "
    "queue. Of the fastest: ratio of speeds with its 95 % interval over sets, in which both were measured side by side "
    f"in slices (~: not side by side, from rounds one after the other, {WITHIN}). * faster than all others of its "
    "case: every interval excludes 1. off: rounds in which FPS differs from the throughput by more than 10 %, or "
    "others took more than 10 % of the time, so that it ranks nothing."
)
CONFLICT = " Slices and bare stretches disagree where both ratios are shown. Nothing is ranked there."
SESSIONS = (
    " Several sessions or experiments are no rounds of one: an interval is between their means, of both sides in pairs "
    "where both were measured in them. Where one side has a single session, a ratio (~) is of the last one's rounds."
)
EMULATED = " EMULATED: an emulator's time, no machine's speed."


def speed_table(fps: pd.DataFrame) -> Table:
    """A row for each case and framework. `fps`: of `analysis.speeds.speeds`."""
    # a column for each value that differs: rows of two machines or precisions are never of one case
    differing = [c for c in ("machine", "cpus", "precision") if fps[c].astype(str).nunique() > 1]
    keys = [NETWORK, *SIDE, "batch", "threads", *differing]
    rows: list[tuple[str, ...]] = []
    conflicts = False
    for group in groups(fps, keys):
        ranked, disagree = _rank(list({row[VARIANT]: row for row in reversed(group)}.values()))
        conflicts = conflicts or disagree
        network, size, shape, batch, threads, *rest = (group[0][k] for k in keys)
        side = side_title(size, shape, " px")
        case = (
            str(network),
            side,
            str(batch),
            thread_title(int(threads)).removeprefix("threads ") if threads <= 0 else str(threads),
            *(str(r) for r in rest),
        )
        rows += [(*case, *cells) for cells in ranked]
    note = NOTE + (SESSIONS if (fps["sessions"] > 1).any() else "") + (CONFLICT if conflicts else "")
    note += EMULATED if fps["emulated"].any() else ""
    return Table(TITLE, ("network", "input", "batch", "threads", *differing, "framework", *FIGURES), tuple(rows), note)


def _rank(group: Sequence[Mapping[str, Any]]) -> tuple[list[tuple[str, ...]], bool]:
    """Cells of the rows of one case, the fastest first, and whether any two ratios disagree."""
    choice = choose(member for row in group for member in speed_of(row))
    first, *others = sorted(group, key=lambda row: _rate(row, choice.estimator), reverse=True)
    ratios = {row[VARIANT]: case_ratio(row, first, choice.estimator) for row in others}
    known = [one for one in ratios.values() if one is not None]
    # by slices another one may be the fastest
    real = not any(row["emulated"] for row in group)  # an emulator's time is no machine's speed
    best = real and bool(ratios) and len(known) == len(ratios) and all(r.decided and r.ratio.value < 1 for r in known)
    cells = [_cells(first, None, choice, len(group) > 1, best)]
    cells += [_cells(row, ratios[row[VARIANT]], choice, True, False) for row in others]
    return cells, any(one.conflict for one in known)


def _rate(row: Mapping[str, Any], estimator: Estimator) -> float:
    value = float(row[ALONE[estimator]])
    if math.isnan(value) or value <= 0:
        return 0.0
    return 1 / value if estimator is Estimator.CPU_TIME else value


def outputs_mark(row: Mapping[str, Any]) -> str:
    """` UNFAITHFUL` or ` (not comparable: WHY)` of a row of `speeds`; else ""."""
    if not row["faithful"]:
        return " UNFAITHFUL"
    return f" ({row['incomparable']})" if row["incomparable"] else ""


def _cells(
    row: Mapping[str, Any], ratio: CaseRatio | None, choice: EstimatorChoice, several: bool, best: bool
) -> tuple[str, ...]:
    marks = outputs_mark(row) + (" EMULATED" if row["emulated"] else "")
    disturbed = [is_disturbed(speed) for _, speed in speed_of(row)]
    off = f" (off {sum(disturbed)}/{len(disturbed)})" if any(disturbed) else ""
    times, bounds = "", ""
    if ratio is not None:
        mark = "" if ratio.sets else "~"
        times, bounds = f"{mark}{number(ratio.ratio.value)}x", interval(ratio.ratio.low, ratio.ratio.high)
        if ratio.conflict:
            times += f" | alone {number(ratio.alone.value)}x"
            bounds += f" | {interval(ratio.alone.low, ratio.alone.high)}"
    waits = "-" if math.isnan(row["waiting"]) else f"{100 * row['waiting']:.0f} %"
    return (
        str(row[VARIANT]) + (" *" if best else ""),
        f"{number(row['fps'])}{off}{marks}",
        interval(row["low"], row["high"]),
        number(row["throughput"]),
        number(row["cpu_ms"]),
        waits,
        times,
        bounds,
        SHORT.get(choice.estimator, choice.estimator.value) if several else "",
    )
