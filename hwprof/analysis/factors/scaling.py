"""Scaling with threads: speed-up, parallel efficiency, serial fraction. Pure functions on speeds per round.

`points` and `fits` pair sets or rounds (`hwprof tune --scaling` measures them in turn); `scaling` takes rounds as they
come, for what `hwprof explain` finds in results. Both fit the same laws by the same least squares on logs: errors are
relative.

S(p) = FPS(p) / FPS(1), or throughput(p) / throughput(1) where a run was disturbed; efficiency E(p) = S(p) / p. CPU time
per frame says nothing about speed-up: more threads take it at once.
Karp & Flatt, "Measuring parallel processor performance", CACM 33(5), 1990: e(p) = (1/S - 1/p) / (1 - 1/p). It is the
serial fraction of Amdahl's law where that holds; e that grows with p tells of overhead. Amdahl: S = 1 / (s + (1-s)/p).
Gunther's universal scalability law: S = p / (1 + a (p - 1) + b p (p - 1)), a contention, b coherence.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from hwprof.analysis import estimator
from hwprof.analysis.estimator import Estimator, EstimatorChoice
from hwprof.analysis.factors.identity import disjoint, factor
from hwprof.analysis.side_by_side import bare_turns, log_ratio
from hwprof.records import Run
from hwprof.speed import CONFIDENCE, Interval, Speed, between_rounds, of_run
from hwprof.store.columns import set_of

Floats = NDArray[np.float64]
CONTRADICTION = "slices and bare stretches contradict each other"


@dataclass(frozen=True)
class ThreadSpeeds:
    """Speeds of one case. `rounds`: threads -> round -> speed; `sets`: threads -> set -> speed-up over one thread.

    The latter by bare slices side by side. They are of `choice`, which is never CPU time per frame.
    """

    rounds: Mapping[int, Mapping[int, Speed]]
    choice: EstimatorChoice = field(default_factory=lambda: EstimatorChoice(Estimator.FPS))
    sets: Mapping[int, Mapping[str, float]] = field(default_factory=dict)

    @cached_property
    def values(self) -> dict[int, dict[int, float]]:
        """Threads -> round -> speed by the estimator, of the rounds that have one."""
        found: dict[int, dict[int, float]] = {}
        for threads, rounds in self.rounds.items():
            for number, speed in rounds.items():
                if value := estimator.value(speed, self.choice.estimator):
                    found.setdefault(threads, {})[number] = value
        return found

    def by_round(self, threads: int) -> list[float]:
        """Speed-up of each round that one thread has too."""
        ours, one = self.values[threads], self.values[1]
        return [ours[n] / one[n] for n in sorted(set(ours) & set(one))]

    def by_set(self, threads: int) -> list[float]:
        """Speed-up of each set; none where rounds have an interval and the sets have none."""
        found = list(self.sets.get(threads, {}).values())
        return found if len(found) >= min(2, len(self.by_round(threads))) else []

    def speedups(self, threads: int) -> list[float]:
        """Speed-up of each set, else of each round."""
        return self.by_set(threads) or self.by_round(threads)


@dataclass(frozen=True, slots=True)
class ScalingPoint:
    """One number of threads. `speedup` is paired with the fewest threads by set, else by round (`sets` is then 0).

    `alone`: the speed-up by the bare stretches of the rounds. `conflict`: the two contradict each other. `throughput`,
    `cpu_s`, `waiting`: means over rounds, None: not known. `serial` is None at one thread.
    """

    threads: int
    rounds: int
    fps: Interval | None
    throughput: float | None
    cpu_s: float | None
    waiting: float | None
    speedup: Interval
    efficiency: Interval
    serial: Interval | None
    sets: int
    alone: Interval
    conflict: bool


@dataclass(frozen=True, slots=True)
class ScalingLaw:
    """A law fitted to log speed-up. `parameters` with 95 % intervals; `why` says why there are none."""

    law: str
    parameters: Mapping[str, Interval]
    why: str = ""


Parameters = dict[str, Interval]


@dataclass(frozen=True, slots=True)
class Scaling:
    """Throughput over thread counts. `serial`: share by Amdahl; `usl`: (sigma, kappa), None below 3 thread counts.

    `efficiency`: throughput at p threads / (p x throughput at one), per thread count.
    """

    threads: tuple[int, ...]
    efficiency: Mapping[int, float]
    serial: Interval
    usl: tuple[float, float] | None


def thread_speeds(runs: Sequence[Run]) -> ThreadSpeeds:
    """The speeds of one case's good runs over its numbers of threads, by FPS, or by throughput if one is disturbed."""
    rounds: dict[int, dict[int, Speed]] = {}
    members: dict[str, dict[int, Run]] = {}
    for run in runs:
        speed = of_run(run)
        if run.failure is not None or speed.fps is None:
            continue
        rounds.setdefault(run.case.threads, {})[run.round] = speed
        if (of := set_of(run.facts)) is not None:
            members.setdefault(of, {})[run.case.threads] = run
    choice = estimator.choose((p, speed) for p, several in rounds.items() for speed in several.values())
    if choice.estimator is Estimator.CPU_TIME:
        choice = replace(choice, estimator=Estimator.THROUGHPUT)
    sets: dict[int, dict[str, float]] = {}
    for name, by_threads in members.items():
        turns = {p: found for p, run in by_threads.items() if (found := bare_turns(run)) is not None}
        for p in turns if 1 in turns else ():
            if (ratio := log_ratio(turns[p], turns[1], choice.estimator)) is not None:
                sets.setdefault(p, {})[name] = math.exp(ratio)
    return ThreadSpeeds(rounds, choice, sets)


def points(speeds: ThreadSpeeds) -> list[ScalingPoint]:
    """Speed-up and efficiency. Intervals: t over sets or rounds of the logs. ValueError without one thread."""
    if not speeds.values.get(1):
        raise ValueError("speed-up is against one thread, which is not there")
    found = []
    for threads in sorted(speeds.values):
        if not (rounds := speeds.by_round(threads)):
            continue
        alone, speedup = between_rounds(rounds), between_rounds(speeds.speedups(threads))
        efficiency = Interval(*(None if v is None else v / threads for v in speedup))  # type: ignore[arg-type]
        of = speeds.rounds[threads].values()
        fps, mean = [speed.fps for speed in of if speed.fps], estimator.mean_speed(list(of))
        found.append(
            ScalingPoint(
                threads,
                len(rounds),
                between_rounds(fps) if fps else None,
                mean.throughput,
                mean.cpu_s,
                mean.waiting,
                speedup,
                efficiency,
                None if threads == 1 else _serial(speedup, threads),
                len(speeds.by_set(threads)),
                alone,
                disjoint(speedup, alone),
            )
        )
    return found


def karp_flatt(speedup: float, threads: int) -> float:
    """Experimentally determined serial fraction; below 0: more than linear. `threads` above 1."""
    return (1 / speedup - 1 / threads) / (1 - 1 / threads)


def _serial(speedup: Interval, threads: int) -> Interval:
    # it falls as the speed-up grows, so that the bounds change places
    low = None if speedup.high is None else karp_flatt(speedup.high, threads)
    high = None if speedup.low is None else karp_flatt(speedup.low, threads)
    return Interval(karp_flatt(speedup.value, threads), low, high)


def amdahl(p: Floats, s: float) -> Floats:
    """Log speed-up by Amdahl's law."""
    return np.asarray(-np.log(s + (1 - s) / p))


def usl(p: Floats, a: float, b: float) -> Floats:
    """Log speed-up by the universal scalability law."""
    return np.asarray(np.log(p) - np.log1p(a * (p - 1) + b * p * (p - 1)))


def fits(speeds: ThreadSpeeds) -> list[ScalingLaw]:
    """Amdahl's law and the universal scalability law, least squares on log speed-up of every set or round.

    A law needs a degree of freedom beyond its parameters in the *numbers of threads* above 1: two points always lie on
    a line. Otherwise there is no fit, and it says so; nor is there one where slices and bare stretches contradict each
    other.
    """
    speedups = {t: speeds.speedups(t) for t in sorted(speeds.values) if t > 1 and 1 in speeds.values}
    x = np.array([float(t) for t, found in speedups.items() for _ in found])
    y = np.array([math.log(value) for found in speedups.values() for value in found])
    counts = len({t for t, found in speedups.items() if found})
    laws: Sequence[tuple[str, Callable[..., Floats], dict[str, float], Any]] = (
        ("Amdahl", amdahl, {"serial": 0.1}, ([0.0], [1.0])),
        ("USL", usl, {"contention": 0.1, "coherence": 0.01}, ([0.0, 0.0], [np.inf, np.inf])),
    )
    if speedups and any(point.conflict for point in points(speeds)):
        return [ScalingLaw(name, {}, CONTRADICTION) for name, *_ in laws]
    return [_fit(name, law, start, bounds, x, y, counts) for name, law, start, bounds in laws]


def _fit(
    name: str, law: Callable[..., Floats], start: Mapping[str, float], bounds: Any, x: Floats, y: Floats, counts: int
) -> ScalingLaw:
    needed = len(start) + 1
    if counts < needed:
        return ScalingLaw(name, {}, f"needs {needed} numbers of threads above 1, there are {counts}")
    return ScalingLaw(name, _solve(law, start, bounds, x, y))


def _solve(law: Callable[..., Floats], start: Mapping[str, float], bounds: Any, x: Floats, y: Floats) -> Parameters:
    """Least squares with t intervals; no bounds where the data leave no degree of freedom."""
    from scipy.optimize import OptimizeWarning, curve_fit  # late: its loading time is for fits alone

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)  # no covariance: then there are no bounds
        values, covariance = curve_fit(law, x, y, p0=list(start.values()), bounds=bounds)
    free = len(x) - len(start)
    halves = np.full(len(start), np.inf)
    if free > 0:
        halves = float(stdtrit(free, 0.5 + CONFIDENCE / 2)) * np.sqrt(np.diag(covariance))
    found = {}
    for parameter, value, half in zip(start, values, halves, strict=True):
        known = bool(np.isfinite(half))
        low, high = (float(value - half), float(value + half)) if known else (None, None)
        found[parameter] = Interval(float(value), low, high)
    return found


def scaling(throughput: Mapping[int, Sequence[float]]) -> Scaling | None:
    """Fit `throughput`: threads -> frames/s, one value per round. None without 1 thread and one more count."""
    rounds = {p: positive for p, v in sorted(throughput.items()) if (positive := [one for one in v if one > 0])}
    if 1 not in rounds or len(rounds) < 2:
        return None
    means = {p: float(np.exp(np.mean(np.log(v)))) for p, v in rounds.items()}
    efficiency = {p: means[p] / (p * means[1]) for p in rounds}
    if len(rounds) == 2:
        return Scaling(tuple(rounds), efficiency, _two_points(rounds), None)
    x = np.array([float(k) for k, values in rounds.items() for _ in values])
    y = np.log([v for values in rounds.values() for v in values])
    # the speed of one thread is a parameter too; the serial part may lie outside of 0 to 1, where the law doesn't hold
    first, least = float(y[0]), -0.999 / (max(rounds) - 1)
    serial = _solve(
        lambda p, base, s: base + amdahl(p, s),
        {"base": first, "serial": 0.1},
        ([-np.inf, least], [np.inf, np.inf]),
        x,
        y,
    )["serial"]
    try:
        found = _solve(
            lambda p, base, a, b: base + usl(p, a, b),
            {"base": first, "contention": 0.1, "coherence": 0.01},
            ([-np.inf, 0.0, 0.0], [np.inf, np.inf, np.inf]),
            x,
            y,
        )
    except RuntimeError:  # not found within the steps that curve_fit allows
        return Scaling(tuple(rounds), efficiency, serial, None)
    return Scaling(tuple(rounds), efficiency, serial, (found["contention"].value, found["coherence"].value))


def _two_points(rounds: Mapping[int, Sequence[float]]) -> Interval:
    """Solved; the bounds are those of the speed-up by Welch's t."""
    one, p = sorted(rounds)
    found = factor("speedup", [math.log(v) for v in rounds[p]], [math.log(v) for v in rounds[one]])
    return _serial(Interval(found.ratio, found.low, found.high), p)
