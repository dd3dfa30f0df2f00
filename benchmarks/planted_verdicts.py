"""Verdicts of `hwprof explain` and places of `hwprof roofline` on planted cases whose truth is known.

A verdict is false where its state is not the planted one. High certainty must be false in at most one of twenty of the
verdicts that have it, whatever is wrong with the data. What is planted clearly must be found.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from promises import Row, rate

from hwprof.analysis.bottlenecks import ceilings, cores, diagnosis, graph, system, threads
from hwprof.analysis.bottlenecks.certainty import Limits, State, Sure, grade
from hwprof.analysis.bottlenecks.verdicts import Context, Spin
from hwprof.analysis.factors.evidence import collect
from hwprof.analysis.factors.identity import factor
from hwprof.analysis.roofline import ABOVE_THE_ROOF, COMPUTE, MEMORY_SIDE, Placement, Roof, RooflinePoint, place
from hwprof.records import Layer
from hwprof.speed import Interval, Speed, between_rounds
from tests.analysis.planted import planted

Floats = NDArray[np.float64]

MACS = 3e8  # of the planted runs
RATE = 27.0  # frames per second of CPU time
CYCLES = 1e8 / 1.5  # per frame
REPETITIONS = 7


@dataclass(slots=True)
class Conditions:
    """How a case is measured. Standard deviations of logs; `tails`: degrees of freedom of the rounds' noise."""

    rounds: int = 3
    per_round: float = 0.02
    session: float = 0.0
    tails: float = math.inf
    ceiling: float = 0.02
    taken: float = 0.0  # of the time, by others
    true_per_mac: float = 1.0  # arithmetic that is computed, over what MACs say
    fault_s: float = 1e-6
    dead: tuple[str, ...] = ()  # events that count 0
    gone: tuple[str, ...] = ()  # events that are not there
    clear: bool = False  # shares are far from every limit
    edge: bool = False  # they are just below one


@dataclass(slots=True)
class PlantedCase:
    """What a case's rules look at, and by code which state is right."""

    context: Context
    truth: dict[str, State] = field(default_factory=dict)


def logs(rng: np.random.Generator, how: Conditions, rounds: int | None = None) -> Floats:
    """Noise of the rounds of one session."""
    count = rounds or how.rounds
    own = rng.standard_normal(count) if math.isinf(how.tails) else rng.standard_t(how.tails, count)
    return np.asarray(how.per_round * own + rng.normal(0, how.session))


def ceiling(rng: np.random.Generator, value: float, sd: float) -> tuple[float, tuple[float, float]]:
    """(median, lowest and highest) of seven repetitions."""
    repetitions = value * np.exp(rng.normal(0, sd, REPETITIONS))
    return float(np.median(repetitions)), (float(repetitions.min()), float(repetitions.max()))


def share(rng: np.random.Generator, limits: Limits, how: Conditions, top: float = 1.0) -> float:
    """A true share around its limits, clear of them by a quarter, or just below one."""
    partly, yes = limits
    if how.edge:
        return float(0.999 * rng.choice(limits))
    if how.clear:
        low, high = ((0.3 * partly, 0.75 * partly), (1.25 * yes, max(1.26 * yes, min(top, 2 * yes))))[rng.integers(2)]
    else:
        low, high = 0.4 * partly, min(top, 2 * yes)
    return float(np.exp(rng.uniform(math.log(low), math.log(high))))


def bad(value: float, limits: Limits) -> State:
    """`grade` of a figure that is good where it is large."""
    return State.YES if value < limits[0] else State.PARTLY if value < limits[1] else State.NO


def case(rng: np.random.Generator, how: Conditions, count: int = 1) -> PlantedCase:
    """A case of one thread or two, with every share drawn anew."""
    truth: dict[str, State] = {}
    compute = share(rng, ceilings.LIMITS, how, 0.95)
    truth["compute-bound"] = grade(compute * how.true_per_mac, ceilings.LIMITS)
    speed = RATE * (1 if count == 1 else 0.95 * count)  # what one thread is judged by is per second of CPU time
    peak, peaks = ceiling(rng, 2 * MACS * speed / compute * math.exp(rng.normal(0, how.session)), how.ceiling)
    front, thrown = share(rng, cores.FRONT_END, how, 0.4), share(rng, cores.THROWN_AWAY, how, 0.3)
    truth["front-end-bound"] = grade(front, cores.FRONT_END)
    truth["bad-speculation"] = grade(thrown, cores.THROWN_AWAY)
    back = (1 - front - thrown) * float(rng.uniform(0.05, 0.9))
    slots = {"fe-bound": front, "bad-spec": thrown, "be-bound": back, "retiring": 1 - front - thrown - back}
    lost = share(rng, (cores.MISSES, 3 * cores.MISSES), how)
    truth["memory-latency-bound"] = State.NO if lost < cores.MISSES else State.PARTLY
    mispredicted = share(rng, (cores.MISPREDICTED, 2 * cores.MISPREDICTED), how)
    if any(name.startswith("topdown") for name in how.gone):
        truth["bad-speculation"] = State.NO if mispredicted < cores.MISPREDICTED else State.PARTLY
    faults = share(rng, system.FAULTS, how)
    truth["paging"] = grade(faults, system.FAULTS)
    counts = {f"topdown-{kind}": 4 * CYCLES * value for kind, value in slots.items()}
    counts |= {"llc-misses": lost * CYCLES / 300, "branch-misses": mispredicted * CYCLES / 20}
    counts |= {"backend-stalls": back * CYCLES, "page-faults": faults / speed / how.fault_s}
    counts = {n: 0.0 if n.startswith(how.dead) else v for n, v in counts.items() if not n.startswith(how.gone)}
    noise = logs(rng, how)
    runs = []
    for number, own in enumerate(noise):
        wobble = {n: v * math.exp(rng.normal(0, how.per_round)) for n, v in counts.items()}
        fields: dict[str, Any] = {
            "metrics": {**wobble, "major-faults": 0.0},
            "threads": count,
            "cpus": tuple(range(count)),
        }
        runs.append(
            planted(round=number, work=1e8 * math.exp(-own), parallelism=0.95 * count * (1 - how.taken), **fields)
        )
    evidence = collect(runs)
    assert evidence is not None
    cpu_s = [math.exp(-own) / RATE for own in noise]
    rates = [0.95 * count * (1 - how.taken) / s for s in cpu_s]
    speeds = [Speed(1e9 / r, r, r, s, how.taken, 0.0) for r, s in zip(rates, cpu_s, strict=True)]
    truth["other-load"] = grade(how.taken, system.TAKEN)
    about: dict[str, Any] = {
        "roof": Roof("planted", (0,), {"fp32": peak}, {}, {"DRAM": 1e12}, {}, bounds={"fp32": peaks})
    }
    if count > 1:
        about |= of_threads(rng, how, truth, rates)
    about |= of_batches(rng, how, truth)
    return PlantedCase(Context(evidence, speeds, **about), truth)


def of_threads(
    rng: np.random.Generator, how: Conditions, truth: dict[str, State], rates: Sequence[float]
) -> dict[str, Any]:
    """Speed of one thread in another session, and a rerun with spinning off in the same."""
    efficiency = share(rng, threads.EFFICIENCY, how, 1.0)
    truth["poorly-parallel"] = bad(efficiency, threads.EFFICIENCY)
    middle = float(np.exp(np.log(rates).mean()))
    own = [middle * math.exp(v) for v in logs(rng, how)]
    one = [0.5 * middle / efficiency * math.exp(v) for v in logs(rng, how, max(2, how.rounds - 1))]
    added = 1 + share(rng, (threads.ADDED[0] - 1, threads.ADDED[1] - 1), how)
    truth["spinning"] = grade(added, threads.ADDED)
    session = Conditions(how.rounds, how.per_round, 0.0, how.tails)
    off = factor("cpu", (math.log(added) + logs(rng, session)).tolist(), logs(rng, session).tolist())
    spin = Spin(Interval(1.0, 0.95, 1.05), Interval(off.ratio, off.low, off.high))
    return {"threads": {1: one, 2: own}, "spin": spin}


def of_batches(rng: np.random.Generator, how: Conditions, truth: dict[str, State]) -> dict[str, Any]:
    """Seconds per inference at three batches; the time of two layers, one of which could have been folded."""
    fixed = share(rng, graph.FIXED, how, 0.9)
    truth["dispatch-overhead"] = grade(fixed, graph.FIXED)
    seconds = {b: [(fixed + (1 - fixed) * b) / RATE * math.exp(v) for v in logs(rng, how)] for b in (1, 2, 4)}
    left = share(rng, graph.UNFOLDED, how)
    truth["conversion"] = grade(left, graph.UNFOLDED)
    seen = left * math.exp(rng.normal(0, max(0.1, how.per_round)))
    layers = [Layer("a", "FusedConvRelu", round(1e9 * (1 - seen))), Layer("b", "Relu", round(1e9 * seen))]
    return {"batches": seconds, "layers": layers}


CONDITIONS: Mapping[str, Conditions] = {
    "noise of rounds": Conditions(per_round=0.03),
    "sessions differ": Conditions(per_round=0.01, session=0.02),
    "heavy tails": Conditions(rounds=5, per_round=0.03, tails=2.0),
    "two rounds": Conditions(rounds=2, per_round=0.03, session=0.02),
    "one round": Conditions(rounds=1, per_round=0.03, session=0.02),
    "a shared core": Conditions(rounds=4, taken=0.6),
    "fewer multiplications than MACs": Conditions(true_per_mac=1 / 2.25),
    "faults that cost a lot": Conditions(fault_s=4e-6),
    "events that do not count": Conditions(dead=("topdown-bad", "branch", "llc", "backend")),
    "no top-down events": Conditions(gone=("topdown",)),
    "neither top-down nor stalls": Conditions(gone=("topdown", "backend", "branch")),
    "just below a limit": Conditions(per_round=0.02, session=0.02, edge=True),
}
RULES = diagnosis.RULES
# What clear cases must have, of what each rule judged: right, and (where the rule can be) at high certainty.
CLEAR = Conditions(rounds=4, per_round=0.01, session=0.01, ceiling=0.01, fault_s=2e-6, clear=True)
CERTAIN = ("compute-bound", "bad-speculation", "poorly-parallel", "spinning", "other-load")


def judged(rng: np.random.Generator, how: Conditions, count: int) -> list[tuple[str, State, Sure, State]]:
    """(code, state, certainty, truth) of every rule whose truth is planted."""
    one = case(rng, how, count)
    found = (rule(one.context) for rule in RULES)
    return [(v.code, v.state, v.sure, one.truth[v.code]) for v in found if v.code in one.truth]


def certain(rng: np.random.Generator, draws: int, name: str) -> list[Row]:
    """False ones among the verdicts of high certainty, of cases of one thread and of two."""
    every = [v for _ in range(draws) for count in (1, 2) for v in judged(rng, CONDITIONS[name], count)]
    sure = [state is not truth for _, state, word, truth in every if word is Sure.HIGH and state is not State.UNKNOWN]
    if CONDITIONS[name].edge:  # hardly any should be certain: of all verdicts, then
        sure = [word is Sure.HIGH and state is not truth for code, state, word, truth in every if code != "other-load"]
    if name == "one round":  # of which nothing is certain but what is no estimate
        estimated = [v for v in every if v[2] is Sure.HIGH and v[0] != "other-load"]
        return [Row(f"bottlenecks, at high certainty: {name}", len(estimated) / len(every), 0.0, 0.0)]
    return [rate(f"bottlenecks, false at high certainty: {name}", sure, 0.0, 0.05)]


def rules(rng: np.random.Generator, draws: int) -> list[Row]:
    """The same of each rule by itself, all conditions together: a rule may not hide behind the others."""
    falses: dict[str, list[bool]] = {}
    for _ in range(max(1, draws // len(CONDITIONS))):
        for how in (c for c in CONDITIONS.values() if not c.edge):
            for code, state, word, truth in judged(rng, how, 2) + judged(rng, how, 1):
                if word is Sure.HIGH and state is not State.UNKNOWN:
                    falses.setdefault(code, []).append(state is not truth)
    return [rate(f"bottlenecks, false at high certainty: {code}", hits, 0.0, 0.05) for code, hits in falses.items()]


def power(rng: np.random.Generator, draws: int) -> list[Row]:
    """What is planted clear of every limit is judged rightly, and by the rules that can at high certainty."""
    right: dict[str, list[bool]] = {}
    high: dict[str, list[bool]] = {}
    for _ in range(draws):
        for code, state, word, truth in judged(rng, CLEAR, 2):
            if code in CERTAIN and (code != "compute-bound" or truth is State.NO):
                high.setdefault(code, []).append(state is truth and word is Sure.HIGH)
            if code not in ("memory-latency-bound", "memory-bandwidth-bound", "paging"):
                right.setdefault(code, []).append(state is truth)
    rows = [rate(f"bottlenecks, clear, judged rightly: {code}", hits, 0.95, 1.0) for code, hits in right.items()]
    return rows + [
        rate(f"bottlenecks, clear, at high certainty: {code}", hits, 0.7, 1.0) for code, hits in high.items()
    ]


RIDGE, BANDWIDTH = 20.0, 1e10


def placed(rng: np.random.Generator, intensity: float, reached: float, how: Conditions) -> Placement:
    """A case of this intensity that reaches so much of what its true ceilings allow."""
    peak, peaks = ceiling(rng, RIDGE * BANDWIDTH * math.exp(rng.normal(0, how.session)), how.ceiling)
    bandwidth, bandwidths = ceiling(rng, BANDWIDTH * math.exp(rng.normal(0, how.session)), how.ceiling)
    roof = Roof(
        "planted", (0,), {"fp32": peak}, {}, {"DRAM": bandwidth}, {}, bounds={"fp32": peaks, "DRAM": bandwidths}
    )
    true = reached * min(RIDGE, intensity) * BANDWIDTH / (2 * MACS)
    rounds = true * np.exp(logs(rng, how))
    found = between_rounds(rounds.tolist())
    bounds = None if found.low is None or found.high is None else (found.low, found.high)
    point = RooflinePoint("planted", found.value, MACS, "fp32", 2 * MACS / intensity, bounds=bounds)
    one = place(point, roof)
    assert isinstance(one, Placement)
    return one


ROOFS: Mapping[str, Conditions] = {
    "noise of repetitions": Conditions(ceiling=0.05),
    "sessions differ": Conditions(per_round=0.01, session=0.02, ceiling=0.02),
    "heavy tails": Conditions(rounds=5, per_round=0.03, tails=2.0, ceiling=0.05),
}


def places(rng: np.random.Generator, draws: int, name: str) -> list[Row]:
    """Sides near the ridge and away from it, and claims of being above the roof for what just reaches it."""
    how, sides, clear = ROOFS[name], [], []
    for _ in range(draws):
        off = float(rng.uniform(-0.2, 0.2))
        near = placed(rng, RIDGE * math.exp(off), 0.5, how)
        if near.side in (COMPUTE, MEMORY_SIDE):
            sides.append((near.side == COMPUTE) != (off > 0))
        far = float(rng.choice([-0.5, 0.5]))
        clear.append(placed(rng, RIDGE * math.exp(far), 0.5, how).side == (COMPUTE if far > 0 else MEMORY_SIDE))
    at = [ABOVE_THE_ROOF in placed(rng, 40.0, 1.0, how).notes for _ in range(draws)]
    above = [ABOVE_THE_ROOF in placed(rng, 40.0, 1.5, how).notes for _ in range(draws)]
    return [
        rate(f"roofline, false side among those decided: {name}", sides, 0.0, 0.05),
        rate(f"roofline, side found x1.6 off the ridge: {name}", clear, 0.9, 1.0),
        rate(f"roofline, called above the roof that it just reaches: {name}", at, 0.0, 0.05),
        rate(f"roofline, x1.5 above the roof, found: {name}", above, 0.8, 1.0),
    ]
