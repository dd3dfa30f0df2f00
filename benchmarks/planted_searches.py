"""`hwprof tune` on planted machines: they slow down or recover all the time, others use them in bursts.

The search is the real one (hwprof.studies.tuning.search). What it calls to measure is planted: the members of a set
take turns in a random order, one slice each, and a ratio is the median over the turns of both; or, where memory does
not hold two of them, they are measured one after another, two in either order by turns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from promises import Row, rate

from hwprof.studies.tuning.search import SearchResult, TrialSpeed, search
from hwprof.studies.tuning.space import Candidate, Space

Floats = NDArray[np.float64]

SPACE = Space((("threads", (1, 2, 4)), ("graph", ("all", "extended", "basic")), ("spin", (True, False))))
BUDGET_S = 120.0
TURNS, SLICE_S = 10, 0.1  # a measurement takes a second
PROCESS_SD, SLICE_SD = 0.02, 0.04
QUIET_S, BURST_S, BURST = 20.0, 4.0, math.log(2.0)
GAINS = {2: 0.2, 4: 0.1}  # log speed of the threads
GOOD = 0.05  # of the speed: a choice within it of the best is as good


@dataclass(slots=True)
class Machine:
    """Measures candidates of a true log speed. `drift`: log speed that is lost per second; `has_bursts` of load, each
    halving the speed."""

    rng: np.random.Generator
    speed: Callable[[Candidate], float]
    noise: float = 1.0
    drift: float = 0.0
    has_bursts: bool = False
    is_together: bool = True
    now: float = 0.0
    bursts: list[tuple[float, float]] = field(default_factory=list)

    def __call__(self, candidates: Sequence[Candidate], number: int, stage: str) -> list[TrialSpeed]:
        """As `hwprof tune` measures a set: the default first."""
        count = len(candidates)
        if self.is_together:
            places = np.array([self.rng.permutation(count) + turn * count for turn in range(TURNS)]).T
        else:
            order = list(range(count))[:: -1 if count == 2 and number % 2 else 1]
            places = np.array([np.arange(TURNS) + order.index(i) * TURNS for i in range(count)])
        at = self.now + SLICE_S * places
        self.now += SLICE_S * TURNS * count
        own = np.array([self.speed(c) for c in candidates]) + self.rng.normal(0, self.noise * PROCESS_SD, count)
        logs = own[:, None] + self.rng.normal(0, self.noise * SLICE_SD, at.shape) - self.drift * at
        logs -= BURST * self.is_burst(at)
        middles = np.median(logs, axis=1)
        ratios = np.median(logs - logs[0], axis=1) if self.is_together else middles - middles[0]
        fps = np.exp(middles)
        return [TrialSpeed(float(f), SLICE_S * TURNS, "", math.exp(r)) for f, r in zip(fps, ratios, strict=True)]

    def is_burst(self, at: Floats) -> NDArray[np.bool_]:
        """Whether others use the machine at these times."""
        hit = np.zeros(at.shape, dtype=np.bool_)
        while self.has_bursts and (not self.bursts or self.bursts[-1][1] < float(at.max())):
            begin = (self.bursts[-1][1] if self.bursts else 0.0) + self.rng.exponential(QUIET_S)
            self.bursts.append((begin, begin + self.rng.exponential(BURST_S)))
        for begin, end in self.bursts:
            hit |= (at >= begin) & (at < end)
        return hit


def equal(candidate: Candidate) -> float:
    """Nothing is to be gained."""
    return 0.0


def better(candidate: Candidate) -> float:
    """Two threads help, most without spinning; less optimisation costs."""
    gain = GAINS.get(candidate["threads"], 0.0) - {"all": 0.0, "extended": 0.01, "basic": 0.2}[candidate["graph"]]
    return gain + (0.0 if candidate["spin"] else 0.05 if candidate["threads"] == 2 else -0.02)


BEST = max(map(better, SPACE.candidates()))
MACHINES: dict[str, dict[str, float | bool]] = {
    "quiet": {},
    "noisy": {"noise": 2.5},
    "slows down": {"drift": 0.002},
    "recovers": {"drift": -0.002},
    "bursts of load": {"has_bursts": True},
    "slows down, bursts": {"drift": 0.002, "has_bursts": True},
    "slows down, one after another": {"drift": 0.002, "is_together": False},
    "recovers, one after another": {"drift": -0.002, "is_together": False},
}


def searched(
    rng: np.random.Generator, speed: Callable[[Candidate], float], how: dict[str, float | bool]
) -> SearchResult:
    """One search on such a machine."""
    return search(SPACE, Machine(rng, speed, **how), BUDGET_S, int(rng.integers(1 << 31)))  # type: ignore[arg-type]


def searches(rng: np.random.Generator, draws: int, name: str) -> list[Row]:
    """False bests where all are equal; regret, and truth of what is printed of the winner, where one is better."""
    how = MACHINES[name]
    nothing = [searched(rng, equal, how) for _ in range(draws)]
    rows = [rate(f"tune, all equal, a best is claimed: {name}", [f.winner != f.default for f in nothing], 0.0, 0.05)]
    leaders = [math.log(f.comparisons[0].ratio) for f in nothing if f.comparisons]
    # a figure of the search would be that of the best of many: some percent too high
    rows.append(_mean(f"tune, all equal, log ratio printed of the leader: {name}", leaders, -0.01, 0.01))
    found = [searched(rng, better, how) for _ in range(draws)]
    regret = [BEST - better(f.winner) for f in found]
    if name != "noisy":
        rows.append(rate(f"tune, a choice within 5 % of the best: {name}", [r <= GOOD for r in regret], 0.9, 1.0))
    rows.append(_mean(f"tune, regret, log speed: {name}", regret, 0.0, 0.03))
    printed = [(c, better(f.winner)) for f in found for c in f.comparisons if c.candidate == f.winner]
    printed = [(c, truth) for c, truth in printed if c.against == SPACE.default]
    off = [math.log(c.ratio) - truth for c, truth in printed]
    rows.append(_mean(f"tune, log ratio printed of the winner less the truth: {name}", off, -0.01, 0.01))
    covered = [math.log(c.low) <= truth <= math.log(c.high) for c, truth in printed]
    rows.append(rate(f"tune, interval printed of the winner holds the truth: {name}", covered, 0.93, 1.0))
    return rows


def _mean(what: str, values: Sequence[float], low: float, high: float) -> Row:
    return Row(what, float(np.mean(values)), low, high, float(np.std(values) / math.sqrt(len(values))))
