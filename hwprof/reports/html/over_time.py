"""Frames per second over the time of a run: a figure per network, a panel per framework."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hwprof.analysis.correlation.strata import NETWORK, VARIANT
from hwprof.analysis.over_time import drift, throughput
from hwprof.analysis.over_time.throughput import SpeedTrace
from hwprof.analysis.speeds import median_runs
from hwprof.records import Role, Run
from hwprof.reports import over_time
from hwprof.reports.html.model import Cell, Figure
from hwprof.reports.html.svg import Svg, axis
from hwprof.reports.page.words import number

NETWORKS = 6  # the largest ones are drawn
PANELS = 9  # per network
COLUMNS, WIDE, HIGH = 3, 196.0, 104.0
NOTE = (
    "Throughput. Dots: slices (pale: counted ones). Line: bare windows in bins of 50 ms. Dashed: where the speed "
    "changed, with evidence. FPS from 0."
)
HEADER = ("case", "run", "role", "seconds", "length", "frames per second")


@dataclass(frozen=True, slots=True)
class CaseOverTime:
    """The run of median FPS of one case, and all rounds of that case."""

    variant: str
    run: Run
    rounds: Sequence[Run]


def choose(frame: pd.DataFrame, runs: Sequence[Run]) -> dict[str, list[CaseOverTime]]:
    """Of the largest networks the median round of each framework's largest batch; `frame`: labelled."""
    if not len(frame):
        return {}
    known = {run.uid: run for run in runs}
    of_case: dict[str, list[Run]] = {}
    for run in runs:
        of_case.setdefault(run.case.key, []).append(run)
    macs = frame.groupby(NETWORK)["macs"].max().fillna(0).sort_values(ascending=False, kind="stable")
    found: dict[str, list[CaseOverTime]] = {}
    for network in macs.index[:NETWORKS]:
        part = frame[frame[NETWORK] == network]
        names = dict(zip(part["run"].astype(str), part[VARIANT].astype(str), strict=True))
        chosen = [known[uid] for uid in median_runs(part)[:PANELS] if uid in known]
        cases = [CaseOverTime(names[r.uid], r, of_case[r.case.key]) for r in chosen if throughput.traces(r)]
        if cases:
            found[str(network)] = cases
    return found


def figure(network: str, cases: Sequence[CaseOverTime], variants: Sequence[str], key: str) -> Figure:
    """One panel per framework, all with the same axis of time."""
    traces = {case.run.uid: throughput.traces(case.run) for case in cases}
    end = max(float((t.at_s + t.seconds).max()) for several in traces.values() for t in several)
    sides = dict.fromkeys(case.run.case.side for case in cases)
    inputs = ", ".join(sides)
    draw = Svg(min(len(cases), COLUMNS) * (WIDE + 46) + 8, 0, f"FPS over time, {network} {inputs}")
    rows: list[tuple[Cell, ...]] = []
    for index, case in enumerate(cases):
        left, top = 44 + index % COLUMNS * (WIDE + 46), 22 + index // COLUMNS * (HIGH + 58)
        series = variants.index(case.variant) % 8 if case.variant in variants else 0
        side = f" {case.run.case.side}" if len(sides) > 1 else ""
        words = f"{case.variant}{side} b{case.run.case.batch} t{case.run.case.threads}, round {case.run.round + 1}"
        _panel(draw, case, traces[case.run.uid], (left, top), end, series, words)
        title = f"{case.variant} {case.run.case.side} b{case.run.case.batch} t{case.run.case.threads}"
        for trace in traces[case.run.uid]:
            rows += [
                (title, case.run.uid, trace.role.value, *(float(v) for v in point))
                for point in zip(trace.at_s.round(4), trace.seconds.round(4), trace.fps.round(3), strict=True)
            ]
    draw.height = 22 + -(-len(cases) // COLUMNS) * (HIGH + 58)
    return Figure(key, f"FPS over time · {network} {inputs}", draw.render(), HEADER, tuple(rows), NOTE)


def _panel(
    draw: Svg,
    case: CaseOverTime,
    traces: Sequence[SpeedTrace],
    corner: tuple[float, float],
    end: float,
    series: int,
    words: str,
) -> None:
    (left, top), run = corner, case.run
    x = axis([0.0, end], left, left + WIDE, zero=True)
    y = axis([float(v) for t in traces for v in t.fps if np.isfinite(v)], top + HIGH, top, zero=True)
    draw.text(left, top - 8, words)
    draw.y_axis(y, left, left + WIDE, "", 3)
    draw.x_axis(x, top + HIGH, top, "seconds since the first slice", 5)
    for trace in sorted(traces, key=lambda t: t.role is not Role.COUNTED):
        middle = trace.at_s + trace.seconds / 2
        at = [(x.at(float(a)), y.at(float(b))) for a, b in zip(middle, trace.fps, strict=True) if np.isfinite(b)]
        pale = " pale" if trace.role is Role.COUNTED else ""
        title = f"{trace.role.value}: median {number(float(np.median(trace.fps)))} frames/s"
        if trace.sliced:
            path = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in at)
            draw.add("path", title=title, d=path, class_=f"dots s{series}{pale}")
        else:
            path = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in at)
            draw.add("path", title=title, d=path, class_=f"path s{series}{pale}")
    found = drift.find(run)
    if found is not None and found.at_s is not None:
        draw.line(x.at(found.at_s), top, x.at(found.at_s), top + HIGH, "link")


def sentences(chosen: Mapping[str, Sequence[CaseOverTime]]) -> list[str]:
    """What there is evidence for in the cases that are drawn, over all their rounds."""
    return [
        f"{case.variant} {c.network} {c.side} b{c.batch} t{c.threads}: {sentence}"
        for cases in chosen.values()
        for case in cases
        for c in (case.run.case,)
        for sentence in over_time.sentences(case.rounds)
    ]
