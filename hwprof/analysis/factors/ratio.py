"""The ratio of two cases' speed as a product of factors: which are separable, their intervals, their shares.

The speed is the one that survives (`analysis.estimator`): FPS, throughput, which has no tail, or frames per CPU second,
which have neither parallelism nor overhead nor tail. Rounds of both that were measured side by side are paired by set.

The finest level (`identity.LEVELS`) that every round of both sides has is taken. Where threads may spin while
they wait, parallelism, IPC and work are one factor: spinning raises the first and lowers the others without making
anything slower or faster.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from hwprof.analysis import estimator
from hwprof.analysis.estimator import Estimator, EstimatorChoice
from hwprof.analysis.factors.identity import (
    IPC,
    LEVELS,
    PARALLELISM,
    WORK,
    Factor,
    Identity,
    disjoint,
    factor,
    merge_reason,
)
from hwprof.speed import Speed, between_rounds

SPINNING = (PARALLELISM, IPC, WORK)


@dataclass(frozen=True, slots=True)
class Decomposition:
    """Speed of A over that of B. `terms` multiply to `whole`, the ratio by the estimator of `choice`.

    `factors` multiply to `throughput` (while counting); of CPU time, which has no overhead and no tail, to `whole`.
    `alone`: the same ratio from the bare stretches, where the
    others are from slices. `shares`: percent of the log ratio per factor, None where a percentage means nothing.
    `merged`: which factors are not separable, and why. `paired`: intervals from differences within rounds.
    `sets`: rounds that were measured side by side, 0: none; `omitted`: rounds of A and of B that share no set.
    `speeds`: (threads, speed) of the rounds of A and of B, from the windows that `whole` is of.
    """

    level: str
    factors: tuple[Factor, ...]
    throughput: Factor | None
    observer: Factor | None
    tail: Factor | None
    whole: Factor
    choice: EstimatorChoice
    alone: Factor | None
    shares: Mapping[str, float] | None
    merged: str
    paired: bool
    rounds: tuple[int, int]
    sets: int
    omitted: tuple[int, int]
    speeds: tuple[Sequence[tuple[int, Speed]], Sequence[tuple[int, Speed]]]

    @property
    def terms(self) -> tuple[Factor, ...]:
        """Everything that multiplies to the ratio."""
        return (*self.factors, *(f for f in (self.observer, self.tail) if f is not None))

    @property
    def conflict(self) -> bool:
        """Slices and bare stretches contradict each other: their intervals don't meet."""
        return self.alone is not None and disjoint(self.whole, self.alone)

    @property
    def decided(self) -> bool:
        """The interval of the ratio excludes 1, and the bare stretches don't contradict it."""
        return excludes_one(self.whole) and not self.conflict

    def ratio_by(self, by: Estimator) -> float | None:
        """The ratio by another estimator; None where that is not known of every round."""
        if by is self.choice.estimator:
            return self.whole.ratio
        logs = _logs([[speed for _, speed in side] for side in self.speeds], by)
        return None if logs is None else math.exp(statistics.fmean(logs[0]) - statistics.fmean(logs[1]))


def excludes_one(factor: Factor) -> bool:
    """Whether the interval of a factor lies on one side of 1."""
    return factor.low is not None and factor.high is not None and not factor.low <= 1 <= factor.high


def by_set(sides: Sequence[Sequence[Identity]]) -> list[list[Identity]] | None:
    """The rounds of each side in those sets that all sides are in, in one order; None where there is no such set."""
    found = [{s.set: s for s in side if s.set} for side in sides]
    common = [name for name in found[0] if all(name in own for own in found)]
    return [[own[name] for name in common] for own in found] if common else None


def compare(name: str, a: Sequence[Identity], b: Sequence[Identity], log: Callable[[Identity], float]) -> Factor:
    """One quantity of A over that of B: paired by set where both were measured side by side, else by Welch's t."""
    matched = by_set((a, b))
    x, y = matched or (a, b)
    return factor(name, [log(s) for s in x], [log(s) for s in y], matched is not None)


def choose_estimator(*sides: Sequence[Identity]) -> EstimatorChoice:
    """What these rounds may be compared by, with what disturbed the worst of them."""
    rounds = [s for side in sides for s in side]
    found = estimator.choose((s.threads, s.speed) for s in rounds)
    if found.estimator is Estimator.FPS:
        return found
    if not all("clockless" in s.levels for s in rounds):
        found = replace(found, estimator=Estimator.THROUGHPUT)
    worst = max(rounds, key=lambda s: abs(estimator.off_by(s.speed.fps, s.speed.throughput)))
    return replace(found, why=f"{found.why}, {worst.disturbed}")


def is_faster(a: Sequence[Identity], b: Sequence[Identity]) -> bool:
    """Whether the ratio that `decompose` finds is 1 or more."""
    x, y = by_set((a, b)) or (a, b)
    by = choose_estimator(x, y).estimator
    return statistics.fmean(s.whole(by) for s in x) >= statistics.fmean(s.whole(by) for s in y)


def decompose(
    a: Sequence[Identity],
    b: Sequence[Identity],
    spinning: bool = False,
    paired: bool = False,
    choice: EstimatorChoice | None = None,
) -> Decomposition:
    """A over B. `spinning`: threads of one side may spin, so parallelism, IPC and work are one factor.

    Means of logs over rounds, so that the terms add up exactly; 95 % intervals by the paired t over sets where both
    sides were measured side by side, else by Welch's t over rounds, or by the paired t where `paired` (both sides'
    rounds in order, taken in turn). `choice`: the estimator, where more than these rounds decide on it.
    Raises ValueError without a round on a side.
    """
    if not a or not b:
        raise ValueError("no rounds to compare")
    matched = by_set((a, b))
    x, y = matched or (a, b)
    sets = len(x) if matched else 0
    paired = bool(sets) or (paired and len(x) == len(y))
    level = next(level for level in LEVELS if all(level in s.levels for s in (*x, *y)))
    choice = choice or choose_estimator(x, y)
    by = choice.estimator
    merged = [merge_reason(level, "both sides")]
    names = tuple(n for n in LEVELS[level] if by is not Estimator.CPU_TIME or n != PARALLELISM)
    groups: list[tuple[str, ...]] = [(name,) for name in names]
    if spinning and PARALLELISM in names:
        # a merged factor that holds IPC or work is not separable into clock and the rest
        inside = {n for n in names if set(n.split(" x ")) & set(SPINNING)}
        groups = [(n,) for n in names if n not in inside] + [tuple(n for n in names if n in inside)]
        merged.append("threads may spin while they wait, which moves parallelism, IPC and work against each other")

    def term(name: str, log: Callable[[Identity], float]) -> Factor:
        return factor(name, [log(s) for s in x], [log(s) for s in y], paired)

    factors = tuple(term(" x ".join(group), partial(_product, level, group)) for group in groups)
    whole, throughput, observer, tail = term(by.value, lambda s: s.whole(by)), None, None, None
    if by is not Estimator.CPU_TIME:
        throughput, observer = term("throughput", lambda s: s.throughput), term("observer", lambda s: s.observer)
        factors = factors or (throughput,)
    if by is Estimator.FPS:
        tail = term("tail", lambda s: s.tail)
    return Decomposition(
        level,
        factors,
        throughput,
        observer,
        tail,
        whole,
        choice,
        _alone(x, y, by),
        shares(throughput or whole, factors),
        "; ".join(filter(None, merged)),
        paired,
        (len(x), len(y)),
        sets,
        (len(a) - len(x), len(b) - len(y)),
        ([(s.threads, s.speed) for s in x], [(s.threads, s.speed) for s in y]),
    )


def _product(level: str, group: Sequence[str], one: Identity) -> float:
    """Log of the product of some factors."""
    return sum(one.levels[level][name] for name in group)


def _alone(x: Sequence[Identity], y: Sequence[Identity], by: Estimator) -> Factor | None:
    """The ratio from the bare stretches, which are one after another; None where that of `x` and `y` is from them."""
    if all(s.alone is None for s in (*x, *y)):
        return None
    logs = _logs([[s.speed if s.alone is None else s.alone for s in side] for side in (x, y)], by)
    return None if logs is None else factor("alone", logs[0], logs[1])


def _logs(sides: Sequence[Sequence[Speed]], by: Estimator) -> list[list[float]] | None:
    """Logs of the speeds of each side; None where one is not known."""
    values = [[estimator.value(speed, by) for speed in side] for side in sides]
    if not all(v for side in values for v in side):
        return None
    return [[math.log(v) for v in side if v] for side in values]


def shares(total: Factor, factors: Sequence[Factor]) -> dict[str, float] | None:
    """Percent of the log ratio per factor; None unless the ratio's interval excludes 1 and all have one sign."""
    logs = {f.name: math.log(f.ratio) for f in factors}
    if len(logs) < 2 or not excludes_one(total):
        return None
    if any(v * math.log(total.ratio) < 0 for v in logs.values()):
        return None
    return {name: 100 * v / math.log(total.ratio) for name, v in logs.items()}


def geometric(name: str, ratios: Sequence[float]) -> Factor:
    """Geometric mean of one ratio per network, with a t interval of the logs over networks (none for one network)."""
    return Factor(name, *between_rounds(ratios))
