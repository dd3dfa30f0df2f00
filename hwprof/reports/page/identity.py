"""The rows of the table of factors of the throughput. Reads records only."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from hwprof.analysis.factors.identity import CLOCK, RATE, USER_CLOCK, Identity, merge_reason
from hwprof.machine import facts
from hwprof.records import Case, Run
from hwprof.reports.page.words import number

HEADER = ("case", "throughput", "factors", "measurement overhead", "tail latency", "FPS", "CPU time per frame")
NOTE = (
    "FPS = throughput x measurement overhead (bare / counted, with its noise) x tail latency (mean / median). All are "
    "from the windows of one round (the median), bare ones from slices where there are some. Disturbed: FPS ranks "
    "nothing, and a doubt says why."
)


def rows(
    frame: pd.DataFrame, runs: Sequence[Run], identities: Mapping[str, Identity]
) -> tuple[tuple[tuple[str, ...], ...], str]:
    """A row for each case on each machine, of its round of median throughput, and the note of the table.

    `frame` has the labels of the machines; `identities` are by uid.
    """
    labels = dict(zip(frame["run"], frame["machine"], strict=True)) if len(frame) else {}
    cases: dict[tuple[Case, str, str], list[tuple[Run, Identity]]] = {}
    for run in runs:
        if (found := identities.get(run.uid)) is not None and found.level != "wall":
            # rounds with and without cycles have other factors: what may be counted can change between them
            cases.setdefault((run.case, facts.machine_id(run.machine), found.level), []).append((run, found))
    several = len({place for _, place, _ in cases}) > 1
    out = []
    merged: dict[str, None] = {}
    for group in cases.values():
        run, middle = sorted(group, key=lambda pair: pair[1].throughput)[len(group) // 2]
        merged[merge_reason(middle.level, "both modes")] = None
        place = f" on {labels.get(run.uid, facts.label(run.machine))}" if several else ""
        out.append(
            (
                f"{run.case.title}{place}",
                number(math.exp(middle.throughput)),
                "  ".join(f"{name} {factor(name, value)}" for name, value in middle.factors().items()),
                f"{math.exp(middle.observer):.3f}x" if middle.counted else "-",
                f"{math.exp(middle.tail):.3f}x",
                number(math.exp(middle.fps)) + (" (disturbed)" if middle.disturbed else ""),
                "-" if middle.speed.cpu_s is None else f"{1e3 * middle.speed.cpu_s:.3f} ms",
            )
        )
    return tuple(sorted(out)), f"{NOTE} {'; '.join(filter(None, merged))}".strip()


def factor(name: str, value: float) -> str:
    """A factor of the throughput in its unit."""
    if name in (CLOCK, USER_CLOCK):
        return f"{value / 1e9:.2f} GHz"
    if name == RATE:
        return f"{value / 1e9:.2f} G instructions per CPU-second"
    if name == "cpu time per frame":
        return f"{1e3 * value:.3f} ms"
    return f"{value / 1e6:,.2f} M" if name == "work" else f"{value:.2f}"
