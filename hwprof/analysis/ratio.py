"""The ratio of two cases' speed as a product of factors: which can be told apart, their intervals, their shares.

How finely a ratio can be split depends on what *both* sides counted; the finest level that every round of both has is
taken (`LEVELS`, finest first). What can't be split is one factor with a name that says so:

    full       parallelism x clock x IPC / work                      cycles and instructions of user and kernel mode
    user       parallelism x (clock x user share) x IPC / work       cycles and instructions of user mode alone
    rate       parallelism x (clock x IPC) / work                    instructions alone, or an emulator's cycles
    clockless  parallelism x (clock x IPC / work)                    CPU time alone
    wall       (everything)                                          not even that

Where threads may spin while they wait, parallelism, IPC and work are one factor: spinning raises the first and lowers
the others without making anything slower or faster.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hwprof import speed
from hwprof.analysis import decomposition as parts
from hwprof.analysis.decomposition import Factor
from hwprof.collectors.vocabulary import Name
from hwprof.records import Exactness, Origin, Reading, Role, Run, Window

PARALLELISM, CLOCK, IPC, WORK = parts.FULL
USER_CLOCK = "clock x user share"
RATE = "clock x ipc"
CPU_TIME = "clock x ipc x work"
SPINNING = (PARALLELISM, IPC, WORK)
LEVELS: Mapping[str, tuple[str, ...]] = {
    "full": (PARALLELISM, CLOCK, IPC, WORK),
    "user": (PARALLELISM, USER_CLOCK, IPC, WORK),
    "rate": (PARALLELISM, RATE, WORK),
    "clockless": (PARALLELISM, CPU_TIME),
    "wall": (),
}
WHY: Mapping[str, str] = {
    "full": "",
    "user": "cycles and instructions were counted in user mode alone, CPU time in both modes: the clock can't be told "
    "from the share of time spent in user mode",
    "rate": "without cycles of a real CPU, clock and IPC can't be told apart",
    "clockless": "without cycles and instructions of both sides, clock, IPC and work per frame can't be told apart",
    "wall": "without CPU time of both sides nothing can be told apart",
}


@dataclass(frozen=True, slots=True)
class Speeds:
    """One round: logs of its factors, a larger one always faster; they add up to log `throughput` (counted windows).

    log fps = throughput + observer + tail.
    """

    levels: Mapping[str, Mapping[str, float]]
    throughput: float
    observer: float
    tail: float

    @property
    def fps(self) -> float:
        """Log of batch / median latency of the bare windows."""
        return self.throughput + self.observer + self.tail


@dataclass(frozen=True, slots=True)
class Decomposition:
    """FPS of A over FPS of B. `factors` multiply to `throughput`; throughput x observer x tail = fps.

    `shares`: percent of the log throughput ratio per factor, None where a percentage means nothing. `merged`: which
    factors could not be told apart, and why. `paired`: intervals from differences within rounds.
    """

    level: str
    factors: tuple[Factor, ...]
    throughput: Factor
    observer: Factor
    tail: Factor
    fps: Factor
    shares: Mapping[str, float] | None
    merged: str
    paired: bool
    rounds: tuple[int, int]

    @property
    def terms(self) -> tuple[Factor, ...]:
        """Everything that multiplies to the FPS ratio."""
        return (*self.factors, self.observer, self.tail)

    @property
    def decided(self) -> bool:
        """The interval of the FPS ratio excludes 1."""
        return excludes_one(self.fps)


def excludes_one(factor: Factor) -> bool:
    """Whether the interval of a factor lies on one side of 1."""
    return factor.low is not None and factor.high is not None and not factor.low <= 1 <= factor.high


def speeds(run: Run, fps: float | None = None) -> Speeds | None:
    """The factors of a native run on every level that it has; None where it failed or has no bare window with times.

    `fps`: of the run, where it is known already.
    """
    bare = [w for w in run.windows if w.role is Role.BARE and w.latencies_ns]
    counted = [w for w in run.windows if w.role is Role.COUNTED and w.latencies_ns] or bare
    if run.failure is not None or not bare or min(w.elapsed_s for w in (*bare, *counted)) <= 0:
        return None
    batch = run.case.batch
    frames = batch * sum(len(w.latencies_ns) for w in counted)
    elapsed = sum(w.elapsed_s for w in counted)
    throughput = math.log(frames / elapsed)
    bare_frames = batch * sum(len(w.latencies_ns) for w in bare)
    bare_throughput = math.log(bare_frames / sum(w.elapsed_s for w in bare))
    if fps is None:
        latency = speed.latency_ns([t for w in bare for t in w.latencies_ns])
        if latency <= 0:
            return None  # a clock that stood still measured nothing
        fps = speed.fps(batch, latency)
    levels: dict[str, Mapping[str, float]] = {"wall": {}}
    cpu = _cpu_seconds(counted)
    if cpu:
        levels |= _levels(counted, frames, elapsed, cpu, bool(run.host_state.get("emulated")))
    return Speeds(levels, throughput, bare_throughput - throughput, math.log(fps) - bare_throughput)


def _cpu_seconds(windows: Sequence[Window]) -> float | None:
    """CPU time of all windows: task-clock, else what rusage says; None where neither is in each of them."""
    readings = [parts.exact(w) for w in windows]
    if all(Name.TASK_CLOCK in r for r in readings):
        return sum(parts.seconds(r[Name.TASK_CLOCK]) for r in readings)
    user, system = parts.total(readings, Name.CPU_USER_TIME), parts.total(readings, Name.CPU_SYSTEM_TIME)
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
        instructions = parts.total(readings, Name.INSTRUCTIONS)
        cycles = parts.total(readings, Name.CYCLES)
        if not instructions:
            continue
        work = -math.log(instructions / frames)
        if domain == "user+kernel":
            levels["rate"] = {PARALLELISM: parallelism, RATE: math.log(instructions / cpu), WORK: work}
        unreal = emulated or any(r[Name.CYCLES].origin is Origin.EMULATED for r in readings if Name.CYCLES in r)
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


def common_level(a: Sequence[Speeds], b: Sequence[Speeds]) -> str:
    """The finest level that every round of both sides has."""
    return next(level for level in LEVELS if all(level in s.levels for s in (*a, *b)))


def decompose(
    a: Sequence[Speeds], b: Sequence[Speeds], spinning: bool = False, paired: bool = False, level: str | None = None
) -> Decomposition:
    """A over B. `spinning`: threads of one side may spin, so parallelism, IPC and work are one factor.

    Means of logs over rounds, so that the terms add up exactly; 95 % intervals by Welch's t over rounds, or by the
    paired t where `paired` (both sides' rounds in order, taken in turn). Raises ValueError without a round on a side.
    """
    if not a or not b:
        raise ValueError("no rounds to compare")
    paired = paired and len(a) == len(b)
    chosen = level or common_level(a, b)
    why = [WHY[chosen]] if WHY[chosen] else []
    names = LEVELS[chosen]
    groups: list[tuple[str, ...]] = [(name,) for name in names]
    if spinning and PARALLELISM in names:
        # a merged factor that holds IPC or work can't be taken apart to leave the clock outside
        inside = {n for n in names if set(n.split(" x ")) & set(SPINNING)}
        groups = [(n,) for n in names if n not in inside] + [tuple(n for n in names if n in inside)]
        why.append("threads may spin while they wait, which moves parallelism, IPC and work against each other")
    factors = tuple(
        _factor(
            " x ".join(group) if group else "throughput",
            [sum(s.levels[chosen][n] for n in group) for s in a],
            [sum(s.levels[chosen][n] for n in group) for s in b],
            paired,
        )
        for group in groups
    )
    rest = {
        name: _factor(name, [getattr(s, name) for s in a], [getattr(s, name) for s in b], paired)
        for name in ("throughput", "observer", "tail", "fps")
    }
    if not factors:
        factors = (rest["throughput"],)
    return Decomposition(
        chosen,
        factors,
        rest["throughput"],
        rest["observer"],
        rest["tail"],
        rest["fps"],
        shares(rest["throughput"], factors),
        "; ".join(why),
        paired,
        (len(a), len(b)),
    )


def shares(total: Factor, factors: Sequence[Factor]) -> dict[str, float] | None:
    """Percent of the log ratio per factor; None unless the ratio's interval excludes 1 and all have one sign."""
    logs = {f.name: math.log(f.ratio) for f in factors}
    if len(logs) < 2 or not excludes_one(total):
        return None
    if any(v * math.log(total.ratio) < 0 for v in logs.values()):
        return None
    return {name: 100 * v / math.log(total.ratio) for name, v in logs.items()}


def _factor(name: str, x: Sequence[float], y: Sequence[float], paired: bool) -> Factor:
    return parts.factor(name, x, y, paired)


def geometric(name: str, ratios: Sequence[float]) -> Factor:
    """Geometric mean of one ratio per network, with a t interval of the logs over networks (none for one network)."""
    return Factor(name, *speed.between_rounds(ratios))
