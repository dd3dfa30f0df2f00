"""The JSON document of `hwprof run`: the speed with its intervals, every reading with its quality, the runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hwprof import __version__
from hwprof.analysis import estimator, overhead
from hwprof.analysis.executions import execution_times
from hwprof.analysis.units import WITHIN
from hwprof.records import Kind, Run, to_json
from hwprof.reports import over_time
from hwprof.reports.terminal import counts, machine_power, speed
from hwprof.speed import Interval, bare_latencies, between_rounds, latency_ns, of_run, percentile

FORMAT = 2  # 1: a bare list of runs
PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9)


def document(runs: Sequence[Run]) -> dict[str, Any]:
    """Format, version, case, speed, readings, doubts, failures, and the records of all runs as they are stored.

    `machine_power`: what stands for the machine's power, why, W, and J per frame; null by earlier versions.
    `readings`: medians over rounds, per frame, of a level or per window, in the unit beside them; a missing one has the
    value null and its reason. The records' `facts` have what they show over time, too.
    """
    records = [to_json(run) for run in runs]
    for run, data in zip(runs, records, strict=True):
        if run.kind is Kind.NATIVE and run.failure is None:
            data["facts"]["over_time"] = over_time.document([run])
    shown = [r for r in runs if r.kind is not Kind.SIMULATED] or list(runs)
    good = [r for r in shown if r.failure is None]
    return {
        "format": FORMAT,
        "hwprof": __version__,
        "case": {**to_json(shown[0].case), "title": shown[0].case.title},
        "kind": shown[0].kind.value,
        "rounds": len({r.round for r in good}),
        "speed": speeds(good),
        "executions": executions(good),
        # what a command was counted for counts too where it failed
        "readings": readings(good or shown),
        "machine_power": machine_power.document(good or shown),
        "doubts": [{"round": r.round, **to_json(doubt)} for r in good for doubt in r.doubts],
        "failures": [{"round": r.round, **to_json(r.failure)} for r in runs if r.failure is not None],
        "runs": records,
    }


def speeds(good: Sequence[Run]) -> dict[str, Any] | None:
    """FPS and throughput in frames/s, CPU time in s per frame, latency in ns; None: no round has a speed.

    `interval`: what the bounds are of; null bounds: there are none.
    """
    timed = [r for r in good if of_run(r).fps is not None]
    if not timed:
        return None
    known = [of_run(r) for r in timed]
    choice = estimator.choose([(r.case.threads, s) for r, s in zip(timed, known, strict=True)])
    is_native = all(r.kind is Kind.NATIVE for r in timed)
    fps = speed.fps_of(timed) if is_native else between_rounds([s.fps or 0.0 for s in known])
    times = [s.cpu_s for s in known if s.cpu_s]
    rates = [s.throughput for s in known if s.throughput]
    reported = between_rounds(rates) if rates else None
    return {
        "interval": f"95 % between rounds, {WITHIN}" if len(timed) > 1 else "95 %, of this stretch of time",
        "fps": bounds(fps),
        "throughput": bounds(speed.throughput_of(timed) if is_native else reported),
        "cpu_s": bounds(between_rounds(times) if times else None),
        "latency_ns": latencies(timed),
        "ranked_by": choice.estimator.value,
        "ranked_why": choice.why,
        "overhead": to_json(overhead.estimate(good)),
    }


def executions(good: Sequence[Run]) -> dict[str, Any] | None:
    """Times of the executions of a command in s, in order, and the places of outliers; None: it is no command."""
    times = execution_times(good)
    if times is None:
        return None
    return {
        "times_s": list(times.times_s),
        "mean_s": sum(times.times_s) / len(times.times_s),
        "deviation_s": times.deviation_s,
        "median_s": times.median_s,
        "min_s": min(times.times_s),
        "max_s": max(times.times_s),
        "outliers": list(times.outliers),
    }


def bounds(value: Interval | None) -> dict[str, float | None] | None:
    """An interval as plain JSON; None where there is no value."""
    return None if value is None else value._asdict()


def latencies(timed: Sequence[Run]) -> Mapping[str, float] | None:
    """Latency (what FPS is of) and percentiles of all durations of all rounds, ns; None: no durations are known."""
    pooled = np.concatenate([bare_latencies(r) for r in timed])
    if not len(pooled):
        return None
    found: dict[str, float] = {"inferences": len(pooled), "latency": latency_ns(pooled)}
    found |= {f"p{q:g}": percentile(pooled, q) for q in PERCENTILES}
    return {**found, "min": float(pooled.min()), "max": float(pooled.max())}


def readings(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Every metric with its value, unit and quality."""
    found = []
    for one in counts.counted(runs).values():
        reading = one.reading
        found.append(
            {
                "metric": one.metric,
                "value": one.value,
                "unit": reading.unit,
                "per": one.per,
                "rounds": list(one.rounds),
                "exactness": one.exactness.value,
                "origin": reading.origin.value,
                "domain": reading.domain,
                "running": one.running,
                "source": reading.source,
                "meaning": reading.meaning,
                "why": one.why,
            }
        )
    return found
