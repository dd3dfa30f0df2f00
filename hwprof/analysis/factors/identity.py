"""Throughput of one run as a product, and one factor of a ratio of two cases.

    throughput = parallelism x clock x IPC / work per frame
    (frames/s)   (CPU-s / s)  (cycles / CPU-s)  (instructions / cycle)  (instructions / frame)

is exact when all four come from the same windows and domain. How finely a run can be split depends on what it counted
(`LEVELS`, finest first). What can't be split is one factor with a name that says so:

    full       parallelism x clock x IPC / work                      cycles and instructions of user and kernel mode
    user       parallelism x (clock x user share) x IPC / work       cycles and instructions of user mode alone
    rate       parallelism x (clock x IPC) / work                    instructions alone, or an emulator's cycles
    clockless  parallelism x (clock x IPC / work)                    CPU time alone
    wall       (everything)                                          not even that

FPS (batch / median latency) adds `tail` = FPS / throughput of the bare windows, and the comparison of bare and counted
windows adds `observer`. Where windows were cut into slices, bare is the bare slices: each lies next to a counted one.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from scipy.special import stdtrit

from hwprof import speed
from hwprof.analysis import estimator
from hwprof.analysis.estimator import Estimator
from hwprof.analysis.statistics.power import noncentrality
from hwprof.collectors.vocabulary import Name
from hwprof.records import Exactness, Kind, Origin, Reading, Role, Run, Window
from hwprof.speed import CONFIDENCE, Interval, Speed
from hwprof.store.columns import session_of, set_of

SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
PARALLELISM, CLOCK, IPC, WORK = "parallelism", "clock", "ipc", "work"
USER_CLOCK = "clock x user share"
RATE = "clock x ipc"
CPU_TIME = "clock x ipc x work"
LEVELS: Mapping[str, tuple[str, ...]] = {
    "full": (PARALLELISM, CLOCK, IPC, WORK),
    "user": (PARALLELISM, USER_CLOCK, IPC, WORK),
    "rate": (PARALLELISM, RATE, WORK),
    "clockless": (PARALLELISM, CPU_TIME),
    "wall": (),
}
WHY: Mapping[str, str] = {
    "full": "",
    "user": "cycles and instructions were counted in user mode alone, CPU time in both modes: the clock is not "
    "separable from the share of time spent in user mode",
    "rate": "without cycles of a real CPU, clock and IPC are not separable",
    "clockless": "without cycles and instructions of {of}, clock, IPC and work per frame are not separable",
    "wall": "without CPU time of {of} nothing is separable",
}
# Factors that divide, as they are known: more of them is slower.
DIVISORS: Mapping[str, str] = {WORK: "work", CPU_TIME: "cpu time per frame"}
LARGEST = 700.0  # logs beyond it have no exponential: two rounds may leave an interval without an end


@dataclass(frozen=True, slots=True)
class Identity:
    """One run: logs of its factors, a larger one always faster; they add up to log `throughput` (counted windows).

    log fps = throughput + observer + tail. `counted`: whether there are counted windows; without them the factors are
    of the bare ones, and `observer` says nothing. `speed`: of the bare side; `alone`: of the bare stretch, where that
    side is slices. `disturbed`: why FPS ranks nothing here (`estimator.reason`), "" where it may.
    """

    levels: Mapping[str, Mapping[str, float]]
    throughput: float
    observer: float
    tail: float
    counted: bool
    threads: int
    speed: Speed
    alone: Speed | None
    set: str  # in which it was measured side by side with others; "": in none
    session: str  # the invocation of hwprof that measured it; "": not recorded
    disturbed: str

    @property
    def fps(self) -> float:
        """Log of batch / median latency of the bare windows."""
        return self.throughput + self.observer + self.tail

    def whole(self, by: Estimator) -> float:
        """Log of the speed that the factors make up: FPS, throughput, or frames per CPU second while counting.

        KeyError for CPU time that was not counted.
        """
        if by is Estimator.CPU_TIME:
            return self.levels["clockless"][CPU_TIME]
        return self.fps if by is Estimator.FPS else self.throughput + self.observer

    @property
    def level(self) -> str:
        """The finest level that the run has."""
        return next(level for level in LEVELS if level in self.levels)

    def factors(self) -> dict[str, float]:
        """Those of the finest level in their own units, work and CPU time per frame: these two divide."""
        logs = self.levels[self.level]
        return {DIVISORS.get(name, name): math.exp(-v if name in DIVISORS else v) for name, v in logs.items()}


def merge_reason(level: str, of: str) -> str:
    """Why factors are merged on a level, half a sentence. `of`: what has to be counted of, as `both modes`."""
    return WHY[level].format(of=of)


def exact_readings(window: Window) -> dict[str, Reading]:
    """Readings that may enter a product: exact, and of both user and kernel mode."""
    return {
        r.metric: r
        for r in window.readings
        if r.value is not None and r.exactness is Exactness.EXACT and r.domain in ("user+kernel", "process")
    }


def seconds(reading: Reading) -> float:
    """A reading in a unit of time, as seconds."""
    return (reading.value or 0.0) * SECONDS[reading.unit]


def identity(run: Run) -> Identity | None:
    """The factors of a run on every level that it has; None where it failed or has no speed of its own."""
    if "imported" in run.facts:
        return _reported(run)
    slices, stretch, counted = (_windows(run, role) for role in (Role.PAIRED, Role.BARE, Role.COUNTED))
    bare = slices or stretch
    if run.failure is not None or not bare:
        return None
    alone = speed.of_run(run)
    found = speed.of_role(run, Role.PAIRED) if slices else alone
    windows = counted or bare
    elapsed = sum(w.elapsed_s for w in windows)
    if not found.fps or not found.throughput or elapsed <= 0:
        return None  # a clock that stood still measured nothing
    frames = run.case.batch * sum(len(w.latencies_ns) for w in windows)
    throughput, bare_throughput = math.log(frames / elapsed), math.log(found.throughput)
    levels: dict[str, Mapping[str, float]] = {"wall": {}}
    cpu = _cpu_seconds(windows)
    if cpu:
        levels |= _levels(windows, frames, elapsed, cpu, bool(run.host_state.get("emulated")))
    disturbed = ""
    if estimator.is_disturbed(found):
        disturbed = estimator.reason(found, [ns for w in bare for ns in w.latencies_ns])
    return Identity(
        levels,
        throughput,
        observer=bare_throughput - throughput,
        tail=math.log(found.fps) - bare_throughput,
        counted=bool(counted),
        threads=run.case.threads,
        speed=found,
        alone=alone if slices else None,
        set=set_of(run.facts) or "",
        session=session_of(run.facts),
        disturbed=disturbed,
    )


def _reported(run: Run) -> Identity | None:
    """Of a run that another program measured: its FPS, and nothing that it could be split into."""
    own = speed.of_run(run)
    if run.failure is not None or not own.fps:
        return None
    throughput = math.log(own.throughput or own.fps)
    return Identity(
        {"wall": {}},
        throughput,
        observer=0.0,
        tail=math.log(own.fps) - throughput,
        counted=False,
        threads=run.case.threads,
        speed=own,
        alone=None,
        set="",
        session="",
        disturbed=estimator.reason(own, []) if own.throughput and estimator.is_disturbed(own) else "",
    )


def identities(runs: Iterable[Run]) -> dict[str, Identity]:
    """The factors of every native run that has them, by uid."""
    found = {run.uid: identity(run) for run in runs if run.kind is Kind.NATIVE}
    return {uid: one for uid, one in found.items() if one is not None}


def _windows(run: Run, role: Role) -> list[Window]:
    return [w for w in run.windows if w.role is role and w.latencies_ns]


def _cpu_seconds(windows: Sequence[Window]) -> float | None:
    """CPU time of all windows: task-clock, else what rusage says; None where neither is in each of them."""
    readings = [exact_readings(w) for w in windows]
    if all(Name.TASK_CLOCK in r for r in readings):
        return sum(seconds(r[Name.TASK_CLOCK]) for r in readings)
    user, system = total(readings, Name.CPU_USER_TIME), total(readings, Name.CPU_SYSTEM_TIME)
    return user + system if user is not None and system is not None else None


def _levels(
    windows: Sequence[Window], frames: int, elapsed: float, cpu: float, emulated: bool
) -> dict[str, Mapping[str, float]]:
    parallelism = math.log(cpu / elapsed)
    levels: dict[str, Mapping[str, float]] = {
        "clockless": {PARALLELISM: parallelism, CPU_TIME: math.log(frames / cpu)},
    }
    for domain, level, clock in (("user+kernel", "full", CLOCK), ("user", "user", USER_CLOCK)):
        readings = [_of_domain(w, domain) for w in windows]
        instructions = total(readings, Name.INSTRUCTIONS)
        cycles = total(readings, Name.CYCLES)
        if not instructions:
            continue
        work = -math.log(instructions / frames)
        if domain == "user+kernel":
            levels["rate"] = {PARALLELISM: parallelism, RATE: math.log(instructions / cpu), WORK: work}
        unreal = emulated or any(r[m].origin is Origin.EMULATED for r in readings for m in (Name.CYCLES,) if m in r)
        if cycles and not unreal:
            rate, ipc = math.log(cycles / cpu), math.log(instructions / cycles)
            levels[level] = {PARALLELISM: parallelism, clock: rate, IPC: ipc, WORK: work}
    return levels


def _of_domain(window: Window, domain: str) -> dict[str, Reading]:
    """Exact cycles and instructions of one domain; `cycles:u` goes by its own name in some sources."""
    return {
        r.metric.partition(":")[0]: r
        for r in window.readings
        if r.value is not None
        and r.exactness is Exactness.EXACT
        and r.domain == domain
        and r.metric.partition(":")[0] in (Name.CYCLES, Name.INSTRUCTIONS)
    }


def total(readings: Sequence[Mapping[str, Reading]], metric: str) -> float | None:
    """Total over the windows; None where it is not in all of them, for then it is of other windows than the rest."""
    values = [r[metric].value for r in readings if metric in r]
    return sum(v or 0.0 for v in values) if len(values) == len(readings) else None


@dataclass(frozen=True, slots=True)
class Factor:
    """One factor of a ratio A / B with its interval (None below two units each)."""

    name: str
    ratio: float
    low: float | None
    high: float | None


class LogDifference(NamedTuple):
    """Of the mean logs of two sides, with its standard error and degrees of freedom; None: one unit on a side."""

    value: float
    error: float | None
    free: float = math.nan

    def half(self, confidence: float = CONFIDENCE) -> float | None:
        """Half of the width of its t interval."""
        if not self.error:
            return self.error
        return float(stdtrit(self.free, 0.5 + confidence / 2)) * self.error

    def least(self, tests: int) -> float | None:
        """The smallest difference that is found with power .8 as the first of `tests`, by the noise seen here."""
        return noncentrality(self.free, tests) * self.error if self.error else self.error

    def factor(self, name: str, confidence: float = CONFIDENCE) -> Factor:
        """As a ratio with its interval."""
        half = self.half(confidence)
        low, high = (None, None) if half is None else (_exp(self.value - half), _exp(self.value + half))
        return Factor(name, _exp(self.value), low, high)


def difference(x: Sequence[float], y: Sequence[float], paired: bool = False) -> LogDifference:
    """Of two sides by the logs of their units: by Welch's t, or the paired t (units in order)."""
    value = statistics.fmean(x) - statistics.fmean(y)
    if min(len(x), len(y)) < 2:
        return LogDifference(value, None)
    spread = [i - j for i, j in zip(x, y, strict=True)] if paired else []
    if (paired and _constant(spread)) or (_constant(x) and _constant(y)):
        return LogDifference(value, 0.0)
    # scipy.stats' ttest_ind and ttest_rel give the same, at a hundred times the time: a page has thousands of factors
    if paired:
        return LogDifference(value, math.sqrt(_variance(spread) / len(spread)), len(spread) - 1.0)
    own = [_variance(v) / len(v) for v in (x, y)]
    error = sum(own)
    # Welch (1947) and Satterthwaite (1946): degrees of freedom of two unequal variances
    return LogDifference(
        value, math.sqrt(error), error**2 / sum(v**2 / (len(of) - 1) for v, of in zip(own, (x, y), strict=True))
    )


def factor(name: str, x: Sequence[float], y: Sequence[float], paired: bool = False) -> Factor:
    """Ratio of two sides with its 95 % interval, see `difference`."""
    return difference(x, y, paired).factor(name)


def disjoint(a: Factor | Interval, b: Factor | Interval) -> bool:
    """Whether two intervals don't meet; False where one has no bounds."""
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return False
    return a.high < b.low or b.high < a.low


def _exp(log: float) -> float:
    return math.exp(log) if log < LARGEST else math.inf


def _variance(values: Sequence[float]) -> float:
    middle = statistics.fmean(values)
    return math.fsum((v - middle) ** 2 for v in values) / (len(values) - 1)


def _constant(values: Sequence[float]) -> bool:
    """Equal but for rounding: a t interval of them would be made of rounding errors."""
    return max(values) - min(values) < 1e-12
