"""What slices and the bare stretch of one case show over time, over all its rounds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from hwprof.analysis.over_time import disturbed, drift, growth, inputs
from hwprof.analysis.over_time.disturbed import Disturbance
from hwprof.analysis.over_time.drift import Drift
from hwprof.analysis.over_time.growth import Growth
from hwprof.analysis.over_time.inputs import InputEffect
from hwprof.records import Kind, Role, Run


@dataclass(frozen=True, slots=True)
class FirstInference:
    """Latency of the first inference after loading, and the warm-up: medians over rounds. None: not recorded.

    `ratio`: to the median of the bare slices (of the bare stretch, where there are none). `medians_ns`: of the blocks
    of 0.1 s of the first round's warm-up.
    """

    first_ns: float
    ratio: float | None
    seconds: float
    iterations: float
    medians_ns: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """Each None where it is not known; `drifts` by round, only those with evidence."""

    first: FirstInference | None
    drifts: tuple[tuple[int, Drift], ...]
    growth: Growth | None
    input: InputEffect | None
    disturbance: Disturbance | None


def of_case(runs: Sequence[Run]) -> Findings:
    """Of the rounds of one case that have no failure; other kinds than native runs have nothing over time."""
    good = [r for r in runs if r.failure is None and r.kind is Kind.NATIVE]
    drifts = tuple((r.round, found) for r in good if (found := drift.find(r)) is not None)
    return Findings(
        first_inference(good), drifts, growth.estimate(good), inputs.estimate(good), disturbed.estimate(good)
    )


def first_inference(runs: Sequence[Run]) -> FirstInference | None:
    """Of the runs whose warm-up recorded it."""
    found, ratios = [], []
    for run in runs:
        warmup = run.facts.get("warmup")
        if not isinstance(warmup, dict) or not warmup.get("first_ns"):
            continue
        found.append(warmup)
        for role in (Role.PAIRED, Role.BARE):
            latencies = [t for w in run.windows if w.role is role for t in w.latencies_ns]
            if latencies and (steady := statistics.median(latencies)) > 0:
                ratios.append(warmup["first_ns"] / steady)
                break
    if not found:
        return None
    first, seconds, iterations = (
        statistics.median(w[name] for w in found) for name in ("first_ns", "seconds", "iterations")
    )
    ratio = statistics.median(ratios) if ratios else None
    return FirstInference(first, ratio, seconds, iterations, tuple(found[0].get("medians_ns", ())))
