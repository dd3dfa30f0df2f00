"""Layers over several rounds: medians, the overhead of profiling, and how much of the time the layers account for."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from hwprof import speed
from hwprof.analysis.estimator import lost_share
from hwprof.records import Kind, Layer, Role, Run


def by_framework(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Runs by framework with its options; failed ones are omitted."""
    found: dict[str, list[Run]] = defaultdict(list)
    for run in runs:
        if run.failure is None:
            options = "".join(f" {name}={value}" for name, value in run.case.options)
            found[f"{run.case.framework}{options}"].append(run)
    return found


def medians(runs: Sequence[Run]) -> list[Layer]:
    """The layers of several rounds as one list: each time and count is the median of the rounds that have it."""
    profiled = [run for run in runs if run.kind is Kind.LAYERS]
    if not profiled:
        return []
    times: dict[str, list[float]] = defaultdict(list)
    counts: dict[tuple[str, str], list[float]] = defaultdict(list)
    for layer in (layer for run in profiled for layer in run.layers):
        if layer.ns is not None:
            times[layer.name].append(layer.ns)
        for reading in layer.readings:
            if reading.value is not None:
                counts[layer.name, reading.metric].append(reading.value)
    return [
        replace(
            layer,
            ns=statistics.median(times[layer.name]) if times[layer.name] else None,
            readings=tuple(replace(r, value=statistics.median(counts[layer.name, r.metric])) for r in layer.readings),
        )
        for layer in profiled[0].layers
    ]


def latency_ns(runs: Sequence[Run], kind: Kind, role: Role) -> float | None:
    """Median latency of all windows of a role, in ns; None: there are none."""
    found = [ns for run in runs if run.kind is kind for w in run.windows if w.role is role for ns in w.latencies_ns]
    return statistics.median(found) if found else None


def overhead(runs: Sequence[Run]) -> float | None:
    """Latency with the profile over latency without it, minus 1; medians over all rounds."""
    bare, profiled = latency_ns(runs, Kind.NATIVE, Role.BARE), latency_ns(runs, Kind.LAYERS, Role.LAYERS)
    return None if not bare or profiled is None else profiled / bare - 1


def taken_time(runs: Sequence[Run]) -> float:
    """Share of the time that others took of the runs without the profile, the largest of the rounds; 0: not known."""
    return max((lost_share(speed.of_run(run)) for run in runs if run.kind is Kind.NATIVE), default=0.0)


def layer_share(runs: Sequence[Run]) -> float | None:
    """Time of the layers over the time of the profiled windows; the median of the rounds."""
    shares = [
        sum(layer.ns or 0.0 for layer in run.layers) / (window.elapsed_s * 1e9 / len(window.latencies_ns))
        for run in runs
        for window in run.windows
        if window.role is Role.LAYERS and window.latencies_ns
    ]
    return statistics.median(shares) if shares else None
