"""Results with known causes: runs of frameworks of which every one but the first is slower by one cause.

    log of a factor of a run = level + size x cause + network + round

The last two terms are normal. What each adds to the log of FPS has the noise as its standard deviation. Networks (1 to
8), rounds (3 to 5) and sets or none are drawn as well. Without a PMU simulated instructions are the only evidence on
work.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from planted_factors import SCALE

from hwprof import speed
from hwprof.analysis.answer.aggregate import ComparedCase
from hwprof.analysis.bottlenecks import diagnosis, system, threads
from hwprof.analysis.bottlenecks.verdicts import Context
from hwprof.analysis.explain import explain
from hwprof.analysis.explain.explanation import SideRuns
from hwprof.analysis.factors import ratio
from hwprof.analysis.factors.clues import Side
from hwprof.analysis.factors.identity import CLOCK, IPC, PARALLELISM, WORK, Identity
from hwprof.analysis.factors.identity import identity as factors_of
from hwprof.records import Doubt, Kind, Reading, Run, Window
from tests.analysis.planted import in_slices, planted
from tests.factories import NETWORKS, make_simulated_run

EFFECT = math.log(1.5)
NOISE: Mapping[str, float] = {"small": 0.1, "large": 0.5}  # of the effect: standard deviation of the log of FPS
# What one factor has of the noise where the scale is 1.
SHARE = 1 / math.sqrt(sum(scale**2 for scale in SCALE.values()))
FRAMEWORKS = ("onnxruntime", "opencv", "openvino", "pytorch", "litert", "ncnn")
SIZES = (1, 2, 4, 8)  # networks; of three frameworks and more up to 4
COUNTERS = ("cycles", "instructions", "llc-misses", "backend-stalls")
MISS_CYCLES = 250.0
STALLED = 0.1, 0.4  # of the cycles: of the fastest one, and of one that is slow by cache misses
BASE = {PARALLELISM: math.log(0.98), CLOCK: math.log(2e9), IPC: math.log(1.5), WORK: math.log(1e8)}
BUSY, ASLEEP = math.log(1.98), math.log(1.6)  # of two threads


@dataclass(frozen=True, slots=True)
class Cause:
    """`changes`: log of each factor of a slower framework per log of the ratio. `bottleneck`: what one framework alone
    is said to be held back by; "": no verdict names this cause with high certainty.
    """

    changes: Mapping[str, float]
    threads: tuple[int, ...] = (1,)
    bottleneck: str = ""


MISSES, WAITING, SPINNING, PROCESS = "cache misses", "waiting threads", "spinning threads", "another process"
SEVERAL = "several causes"
CAUSES: Mapping[str, Cause] = {
    "work": Cause({WORK: 1.0}),
    MISSES: Cause({IPC: -1.0}),
    "dependent instructions": Cause({IPC: -1.0}),
    "clock": Cause({CLOCK: -1.0}, bottleneck="throttled"),
    WAITING: Cause({PARALLELISM: -1.0}, (2,), "poorly-parallel"),
    SPINNING: Cause({WORK: 1.0}, (2,)),
    PROCESS: Cause({PARALLELISM: -1.0}, (1, 2), "other-load"),
}
MIXED = ("work", MISSES, "clock")


class Setting(NamedTuple):
    """What is planted. `counters`: of a PMU; `noise`: a name of NOISE."""

    cause: str
    frameworks: int
    counters: bool
    noise: str


class Plan(NamedTuple):
    """What all frameworks of a draw have in common. `drifts`: of the clock in each round, where they are in sets."""

    counters: bool
    noise: float
    threads: int
    drifts: tuple[float, ...]
    sets: bool


def plan(rng: np.random.Generator, setting: Setting) -> Plan:
    """How one draw is measured."""
    count, sets = int(rng.integers(3, 6)), bool(rng.integers(2))
    cause = CAUSES.get(setting.cause, CAUSES["work"])
    drifts = tuple(rng.normal(0, 0.05 if sets else 0.0, count).tolist())
    return Plan(setting.counters, NOISE[setting.noise] * EFFECT * SHARE, int(rng.choice(cause.threads)), drifts, sets)


def measure(
    rng: np.random.Generator, how: Plan, name: str, network: str, cause: str, size: float, own: Mapping[str, float]
) -> list[Run]:
    """The rounds of one framework that is slower by `size` (log), and its simulated run.

    `own`: what this framework does to its factors on this network.
    """
    changes = {n: size * share for n, share in CAUSES[cause].changes.items()}
    level = {n: BASE[n] + own.get(n, 0.0) + changes.get(n, 0.0) for n in BASE}
    if how.threads > 1:
        level[PARALLELISM] += (BUSY if cause == SPINNING else ASLEEP) - BASE[PARALLELISM]
    taken = 0.0
    if cause == PROCESS:
        level[PARALLELISM] -= changes[PARALLELISM]
        taken = 1 - math.exp(-size)
    runs = []
    for number, drift in enumerate(how.drifts):
        log = {n: float(rng.normal(0, how.noise * scale)) for n, scale in SCALE.items()}
        if how.threads == 1 or cause == SPINNING:
            log[PARALLELISM] *= 0.05  # a thread that never sleeps has its CPU
        waiting = min(0.9, taken * math.exp(rng.normal(0, how.noise)) if size else 0.005)
        cpus = min(0.99 * how.threads, math.exp(level[PARALLELISM] + log[PARALLELISM])) * (1 - waiting)
        fields: dict[str, Any] = {n: math.exp(level[n] + log[n]) for n in (IPC, WORK)}
        fields |= {n: math.exp(log[n]) for n in ("observer", "tail")}
        slow_by_misses = cause == MISSES and size > 0
        cycles = fields[WORK] / (fields[IPC] if slow_by_misses else math.exp(BASE[IPC]))
        lost = STALLED[slow_by_misses] * cycles * math.exp(rng.normal(0, how.noise))
        run = planted(
            name,
            network,
            round=number,
            threads=how.threads,
            parallelism=cpus,
            clock=math.exp(level[CLOCK] + log[CLOCK] + drift),
            metrics={"llc-misses": lost / MISS_CYCLES, "backend-stalls": lost},
            leave=() if how.counters else COUNTERS,
            facts={"spin": cause == SPINNING and size > 0} if how.threads > 1 else {},
            **fields,
        )
        run = in_slices(run, f"set {number}") if how.sets else run
        runs.append(with_times(run, cpus, waiting * how.threads))
    if not how.counters:
        instructions = math.exp(level[WORK])
        runs.append(make_simulated_run(case=runs[0].case, metrics={"instructions": instructions}))
    return runs


def with_times(run: Run, cpus: float, waiting: float) -> Run:
    """With the CPU time and the time in the run queue of every window, which Linux tells without a PMU.

    Both are in seconds per second.
    """
    times = {"cpu-user-time": 0.75 * cpus, "cpu-system-time": 0.25 * cpus, "run-queue-wait": waiting}

    def window(one: Window) -> Window:
        known = {r.metric for r in one.readings}
        more = [Reading(n, v * one.elapsed_s, "s", domain="process") for n, v in times.items() if n not in known]
        return replace(one, readings=(*one.readings, *more))

    return replace(run, windows=tuple(window(w) for w in run.windows))


class PlantedSide(NamedTuple):
    """One framework on one network, as `explain` looks at it."""

    side: Side
    rounds: list[Identity]
    spins: bool


def view(name: str, runs: Sequence[Run]) -> PlantedSide:
    """What there is of one framework on one network."""
    known = {run.uid: factors_of(run) for run in runs}
    own = SideRuns(name, runs)
    side = explain.side_of(own, lambda run: known[run.uid])
    return PlantedSide(side, explain.rounds(runs, lambda run: known[run.uid]), explain.spins(side, own))


def compare(
    names: Sequence[str], networks: Sequence[str], found: Mapping[tuple[str, str], PlantedSide]
) -> list[ComparedCase]:
    """Every two frameworks on every network, the faster one first, as a report has them."""
    cases = []
    for network, names_of_pair in itertools.product(networks, itertools.combinations(names, 2)):
        a, b = names_of_pair
        x, y = found[a, network], found[b, network]
        one = ratio.decompose(x.rounds, y.rounds, x.spins or y.spins)
        if one.whole.ratio < 1:
            a, b, x, y, one = b, a, y, x, ratio.swap(one)
        cases.append(ComparedCase((a, b), "", one, (x.side.evidence, y.side.evidence)))
    return cases


def networks_of(rng: np.random.Generator, setting: Setting) -> list[str]:
    """Which networks are measured in a draw."""
    sizes = SIZES[:-1] if setting.frameworks > 2 else SIZES
    return list(NETWORKS)[: int(rng.choice(sizes))]


def runs_of(rng: np.random.Generator, setting: Setting) -> dict[tuple[str, str], list[Run]]:
    """The runs of a draw of two frameworks or more, by framework and network; the first framework is the fastest."""
    how = plan(rng, setting)
    names, networks = FRAMEWORKS[: setting.frameworks], networks_of(rng, setting)
    # of one or two networks what differs there is no noise
    spread = how.noise if len(networks) > 2 else 0.0
    found = {}
    for number, name in enumerate(names):
        cause = MIXED[number % len(MIXED)] if setting.cause == SEVERAL else setting.cause
        size = EFFECT * (1 + 0.2 * (number - 1)) if number else 0.0
        for network in networks:
            own = {n: float(rng.normal(0, spread * SCALE[n])) for n in (CLOCK, IPC, WORK)}
            found[name, network] = measure(rng, how, name, network, cause, size, own)
    return found


def diagnose(rng: np.random.Generator, setting: Setting) -> list[diagnosis.Diagnosis]:
    """Verdicts on one framework that is as far beyond the limit of the right one as others are slower."""
    how, found = plan(rng, setting), []
    size = -math.log(1 - system.TAKEN[1] * math.exp(EFFECT)) if setting.cause == PROCESS else EFFECT
    for network in networks_of(rng, setting):
        own: dict[str, float] = {}
        rates: dict[int, list[float]] = {}
        if setting.cause == WAITING:  # against one thread: as much below the efficiency that is poor
            alone = measure(rng, how._replace(threads=1), FRAMEWORKS[0], network, WAITING, 0.0, own)
            rates[1] = throughputs(view(FRAMEWORKS[0], alone))
            size, least = 0.0, how.threads * threads.EFFICIENCY[0]
            own[PARALLELISM] = math.log(least) - EFFECT + BASE[PARALLELISM] - ASLEEP
        runs = measure(rng, how, FRAMEWORKS[0], network, setting.cause, size, own)
        if setting.cause == "clock":
            runs = [replace(run, doubts=(Doubt("throttled", {}),)) for run in runs]
        one = view(FRAMEWORKS[0], runs)
        rates[how.threads] = throughputs(one)
        speeds = [speed.of_run(run) for run in runs if run.kind is Kind.NATIVE]
        context = Context(one.side.evidence, speeds, threads=rates)
        case, verdicts = one.side.evidence.case, diagnosis.verdicts(context)
        found.append(diagnosis.Diagnosis(case, "planted", "1.0", context, verdicts))
    return found


def throughputs(one: PlantedSide) -> list[float]:
    """Frames per second of each round while counting."""
    return [math.exp(own.throughput) for own in one.rounds]
