"""Which figure of speed a comparison may use: FPS, CPU time per frame, or throughput.

FPS = batch / median latency is what papers publish. On a core that others use it is wrong in a way that depends on the
case: short inferences fit between two preemptions, and their median never sees one. Long ones contain theirs, so that
FPS and throughput agree and are both of the others' making. Where FPS and throughput differ by more than 10 % in any
of the runs, or a thread waited for a CPU for more than 10 % of the time, nothing is ranked by FPS. CPU time per frame
leaves preemption out, and ranks cases of one thread. Where threads may spin while they wait it says nothing about
speed; throughput does, with its waiting.
"""

from __future__ import annotations

import enum
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hwprof.records import Doubt, Kind, Run
from hwprof.speed import Speed, bare_latencies, of_run

OFF = 0.10
# CPUs used by what counts as one thread: the framework's own helpers do next to nothing.
ONE_CPU = 1.05
# Of its time a thread that never sleeps is on its CPU, or waits for it.
AWAKE = 0.9
# The share of the missing time that waiting must account for to be its reason.
MOST = 0.5
SLOW = 2.0  # times the median: an inference of the tail


class Estimator(enum.StrEnum):
    """A figure of speed, in frames per second of time or of CPU time."""

    FPS = "FPS"
    THROUGHPUT = "throughput"
    CPU_TIME = "CPU time per frame"


@dataclass(frozen=True, slots=True)
class EstimatorChoice:
    """The estimator that survives, and why it is not FPS; "" where it is."""

    estimator: Estimator
    why: str = ""

    @property
    def words(self) -> str:
        """`by CPU time per frame (FPS and throughput differ by 55 %)`."""
        return f"by {self.estimator.value}" + (f" ({self.why})" if self.why else "")


def off_by(fps: float | None, throughput: float | None) -> float:
    """FPS / throughput - 1; 0 where one is not known."""
    return fps / throughput - 1 if fps and throughput else 0.0


def lost_share(speed: Speed) -> float:
    """Share of the time that others took: in the run queue, or by the hypervisor; what is not known counts as none."""
    return (speed.waiting or 0.0) + (speed.stolen or 0.0)


def is_disturbed(speed: Speed) -> bool:
    """Whether nothing may be ranked by the FPS of this run."""
    return abs(off_by(speed.fps, speed.throughput)) > OFF or lost_share(speed) > OFF


def is_single_threaded(threads: int, speed: Speed) -> bool:
    """One thread that waits for nothing but its CPU, and no helper that uses a CPU of its own.

    CPU time per frame is then all that an inference needs.
    """
    if threads != 1 or speed.cpu_s is None or not speed.throughput:
        return False
    used = speed.cpu_s * speed.throughput
    return used <= ONE_CPU and (speed.waiting is None or used + lost_share(speed) >= AWAKE)


def choose(members: Iterable[tuple[int, Speed]]) -> EstimatorChoice:
    """What ranks these runs: (threads, speed) of each."""
    known = [(threads, speed) for threads, speed in members if speed.fps]
    if not any(is_disturbed(s) for _, s in known):
        return EstimatorChoice(Estimator.FPS)
    worst = max((off_by(s.fps, s.throughput) for _, s in known), key=abs)
    why = f"FPS / throughput is {1 + worst:.2f}"
    if abs(worst) <= OFF:
        why = f"others took up to {100 * max(lost_share(s) for _, s in known):.0f} % of the time"
    if all(is_single_threaded(threads, speed) for threads, speed in known):
        return EstimatorChoice(Estimator.CPU_TIME, why)
    return EstimatorChoice(Estimator.THROUGHPUT, why)


def mean_speed(speeds: Sequence[Speed]) -> Speed:
    """Means over the rounds that have a figure, geometric but for shares; None where none has it."""
    known = [[v for v in values if v is not None] for values in zip(*speeds, strict=True)]
    times = [statistics.geometric_mean(values) if values and min(values) > 0 else None for values in known[:4]]
    shares = [statistics.fmean(values) if values else None for values in known[4:]]
    return Speed(*times, *shares)


def value(speed: Speed, estimator: Estimator) -> float | None:
    """The speed by an estimator, a larger one is faster: frames per second, or per second of CPU time."""
    if estimator is Estimator.CPU_TIME:
        return 1 / speed.cpu_s if speed.cpu_s else None
    return speed.fps if estimator is Estimator.FPS else speed.throughput


def doubts(run: Run) -> list[Doubt]:
    """A doubt where nothing may be ranked by the FPS of a run, with the reason."""
    speed = of_run(run)
    if run.kind not in (Kind.NATIVE, Kind.TUNING) or not is_disturbed(speed):
        return []
    why = reason(speed, bare_latencies(run).tolist())
    return [Doubt("disturbed", {"ratio": 1 + off_by(speed.fps, speed.throughput), "why": why})]


def reason(speed: Speed, latencies: Sequence[float]) -> str:
    """Why FPS is not throughput: preempted, or a long tail latency, and which."""
    off = off_by(speed.fps, speed.throughput)
    if off < -OFF:
        return "most inferences are slower than their mean: there are two speeds"
    missing = max(0.0, 1 - 1 / (1 + off))  # share of the time beyond what inferences of the median latency take
    waiting, stolen = speed.waiting or 0.0, speed.stolen or 0.0
    if waiting + stolen >= MOST * missing and waiting + stolen > 0:
        parts = [f"{100 * waiting:.0f} % of the time in the run queue"] if waiting else []
        parts += [f"{100 * stolen:.0f} % stolen by the hypervisor"] if stolen else []
        return f"preempted: {', '.join(parts)}"
    values = np.asarray(latencies, dtype=np.float64)
    middle = float(np.median(values)) if len(values) else math.nan
    slow = values > SLOW * middle
    if not slow.any():
        return "tail latency: values above the median, none beyond twice"
    share, time = float(slow.mean()), float(values[slow].sum() / values.sum())
    known = "" if speed.waiting is not None else "; run-queue wait is not known"
    return f"tail latency: {100 * share:.2g} % of inferences take {100 * time:.0f} % of the time{known}"
