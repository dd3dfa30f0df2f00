"""What `hwprof explain` says of pairs whose factors are known: planted rounds, and how often it is right.

Each round has normal noise on the log of every factor. Only the clock differs, or two factors do by as much, or none.
A factor that is equal may be named in one of twenty reports; the clock must be found where that is promised, and how
often it is found elsewhere is shown. Sessions have noise of their own on the clock, in which rounds of one all share.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from hwprof.analysis.explain.wording import headline, name_of
from hwprof.analysis.factors import ratio
from hwprof.analysis.factors.identity import CLOCK, CPU_TIME, IPC, PARALLELISM, WORK, Identity
from hwprof.analysis.factors.ratio import Decomposition
from hwprof.analysis.statistics.power import noncentrality
from hwprof.analysis.units import WITHIN
from hwprof.speed import Speed

# Noise of each factor as a multiple of the scenario's.
SCALE: Mapping[str, float] = {PARALLELISM: 1.0, CLOCK: 1.0, IPC: 1.0, WORK: 0.1, "observer": 1.0, "tail": 0.3}
LEVEL: Mapping[str, float] = {
    PARALLELISM: math.log(0.9),
    CLOCK: math.log(2e9),
    IPC: math.log(1.5),
    WORK: -math.log(1e8),
}
NOISE: Mapping[str, float] = {"quiet": 0.003, "middle": 0.01, "noisy": 0.03}
SESSION_SD = 0.02
# Least share of reports in which the clock is found: where its ratio is 3.5 times that of the noise or more.
POWER: Mapping[tuple[float, str], float] = {
    **{(times, noise): 0.95 for times in (1.05, 1.10, 1.30) for noise in ("quiet", "middle")},
    (1.10, "noisy"): 0.7,
    (1.30, "noisy"): 0.95,
}
Promise = tuple[str, list[bool], float, float]  # what, whether it was so in each draw, bounds of the share


def rounds(
    rng: np.random.Generator,
    sd: float,
    sessions: Sequence[str],
    times: Mapping[str, float],
    shared: Sequence[float],
    sets: bool = False,
) -> list[Identity]:
    """One round for each of `sessions`, with the noise of its clock in `shared`; `sets`: each is of a set."""
    found = []
    for number, (session, drift) in enumerate(zip(sessions, shared, strict=True)):
        log = {n: rng.normal(math.log(times.get(n, 1.0)), sd * scale) for n, scale in SCALE.items()}
        full = {n: value + log[n] + (drift if n == CLOCK else 0.0) for n, value in LEVEL.items()}
        throughput, cpu = sum(full.values()), sum(v for n, v in full.items() if n != PARALLELISM)
        bare = throughput + log["observer"]
        found.append(
            Identity(
                {"full": full, "clockless": {PARALLELISM: full[PARALLELISM], CPU_TIME: cpu}, "wall": {}},
                throughput,
                log["observer"],
                log["tail"],
                counted=True,
                threads=1,
                speed=Speed(None, math.exp(bare + log["tail"]), math.exp(bare), math.exp(-cpu)),
                alone=None,
                set=f"set {number}" if sets else "",
                session=session,
                disturbed="",
            )
        )
    return found


def pair(
    rng: np.random.Generator, sd: float, count: int, times: Mapping[str, float], sets: bool = False
) -> Decomposition:
    """Rounds of one session; in `sets` the two sides of a round share a drift of the clock of 5 %."""
    shared = rng.normal(0, 0.05, count).tolist() if sets else [0.0] * count
    a, b = (rounds(rng, sd, ["session"] * count, own, shared, sets) for own in (times, {}))
    return ratio.decompose(a, b)


def named(text: str, word: str = "") -> set[str]:
    """Factors that a headline names, after `word` ("" for any)."""
    claims = re.split(r" as fast as [ab]|: ratio [\d.]+x \[", text, maxsplit=1)[-1]
    if "No factor is distinguishable" in claims:
        return set()
    parts = re.split(r", (?=partly |against )|\. (?=Mainly |Partly |Against )", claims)
    chosen = " ".join(p for p in parts if p.lower().startswith(word)) if word else claims
    return {name for name in SCALE if re.search(rf"{re.escape(name_of(name))} [\d.]+x", chosen)}


def factors(
    rng: np.random.Generator, draws: int, count: int, times: float, noise: str, sets: bool = False
) -> Iterator[Promise]:
    """Only the clock differs."""
    said = [headline("a", "b", pair(rng, NOISE[noise], count, {CLOCK: times}, sets)) for _ in range(draws)]
    how = f"clock x{times:.2f}, {noise}, {count} {'sets' if sets else 'rounds'}"
    yield f"explain names an equal factor: {how}", [bool(named(text) - {CLOCK}) for text in said], 0.0, 0.05
    least = POWER.get((times, noise), 0.0) if count == 5 and not sets else 0.0
    yield f"explain finds the clock: {how}", [CLOCK in named(text) for text in said], least, 1.0
    yield f"explain says mainly the clock: {how}", [CLOCK in named(text, "mainly") for text in said], 0.0, 1.0


def equal_parts(rng: np.random.Generator, draws: int) -> Iterator[Promise]:
    """Clock and IPC differ by as much, so that neither is more than half; then none differs."""
    both = [headline("a", "b", pair(rng, 0.01, 5, {CLOCK: 1.1, IPC: 1.1})) for _ in range(draws)]
    yield "explain says mainly of one of two equal parts", [bool(named(t, "mainly")) for t in both], 0.0, 0.05
    yield "explain finds both of two equal parts", [named(t) >= {CLOCK, IPC} for t in both], 0.9, 1.0
    none = [headline("a", "b", pair(rng, 0.01, 5, {})) for _ in range(draws)]
    yield "explain names a factor where none differs", [bool(named(t)) for t in none], 0.0, 0.05


def smallest(rng: np.random.Generator, draws: int, count: int = 5) -> Iterator[Promise]:
    """How often the clock is found where it differs by what is said to be the smallest ratio that would be."""
    sd, free = 0.01, 2 * count - 2
    reach = noncentrality(free, len(SCALE))
    times = math.exp(reach * sd * math.sqrt(2 / count))
    found = [pair(rng, sd, count, {CLOCK: times}).parts[CLOCK].weight is not ratio.Weight.HIDDEN for _ in range(draws)]
    yield f"the smallest ratio said to be found, x{times:.3f}, is found", found, 0.7, 0.88


def sessions(rng: np.random.Generator, draws: int, number: int, common: bool) -> Iterator[Promise]:
    """Nothing differs; each side was measured in `number` sessions of three rounds, `common` to both or its own."""
    covered, within = [], []
    for _ in range(draws):
        noises = rng.normal(0, SESSION_SD, (2, number))
        sides = []
        for side in range(2):
            names = [f"{0 if common else side} {s}" for s in range(number) for _ in range(3)]
            sides.append(rounds(rng, 0.01, names, {}, np.repeat(noises[0 if common else side], 3).tolist()))
        found = ratio.decompose(sides[0], sides[1])
        covered.append(not ratio.excludes_one(found.whole))
        within.append(WITHIN in headline("a", "b", found))
    how = f"{number} {'common sessions' if common else 'sessions a side'}"
    if number == 1:
        yield f"explain says {WITHIN}: {how}", within, 1.0, 1.0
    else:
        yield f"explain says {WITHIN}: {how}", within, 0.0, 0.0
        yield f"coverage of the ratio, {how}", covered, 0.93, 0.98


def promises(rng: np.random.Generator, draws: int) -> Iterator[Promise]:
    """All of them."""
    for times in (1.05, 1.10, 1.30):
        for noise in NOISE:
            yield from factors(rng, draws, 5, times, noise)
    for count in (3, 10):
        yield from factors(rng, draws, count, 1.10, "noisy")
    yield from factors(rng, draws, 5, 1.05, "middle", sets=True)
    yield from equal_parts(rng, draws)
    yield from smallest(rng, draws)
    for number, common in ((1, False), (4, False), (4, True)):
        yield from sessions(rng, draws, number, common)
