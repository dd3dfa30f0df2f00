"""The ratio of two cases' speed as a product of factors: which are separable, and what the rounds show of each.

The speed is the one that survives (`analysis.estimator`): FPS, throughput, which has no tail, or frames per CPU second,
which have neither parallelism nor overhead nor tail. Rounds of both that were measured side by side are paired by set.

The finest level (`identity.LEVELS`) that every round of both sides has is taken. Where threads may spin while
they wait, parallelism, IPC and work are one factor: spinning raises the first and lowers the others without making
anything slower or faster.
"""

from __future__ import annotations

import enum
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from hwprof.analysis import estimator
from hwprof.analysis.estimator import Estimator, EstimatorChoice
from hwprof.analysis.factors.identity import (
    IPC,
    LARGEST,
    LEVELS,
    PARALLELISM,
    WORK,
    Factor,
    Identity,
    LogDifference,
    difference,
    disjoint,
    merge_reason,
)
from hwprof.analysis.units import ROUNDS, SETS, choose_units
from hwprof.speed import CONFIDENCE, Speed, between_rounds

SPINNING = (PARALLELISM, IPC, WORK)
Log = Callable[[Identity], float]


class Weight(enum.StrEnum):
    """What the rounds show of one factor's part in the log ratio."""

    MAINLY = "mainly"  # more than half of it
    PARTLY = "partly"  # the factor's interval excludes 1
    HIDDEN = "not distinguishable"  # it holds 1


@dataclass(frozen=True, slots=True)
class Part:
    """One factor's part. `least`: the smallest ratio of it that would be found with power .8; None: no interval.

    `difference`: of the mean logs, which its intervals are made of.
    """

    weight: Weight
    least: float | None
    difference: LogDifference


@dataclass(frozen=True, slots=True)
class Decomposition:
    """Speed of A over that of B. `terms` multiply to `whole`, the ratio by the estimator of `choice`.

    `factors` multiply to `throughput` (while counting); of CPU time, which has no overhead and no tail, to `whole`.
    The intervals of all terms hold together with 95 % (Bonferroni), the others each by itself. `parts`: by name of the
    term. `alone`: the same ratio from the bare stretches, where the others are from slices.
    `merged`: which factors are not separable, and why. `over`: sets, sessions or rounds, `units` of A and of B;
    `paired`: intervals from differences within them. `rounds`: of A and of B that enter it; `omitted`: that do not.
    `speeds`: (threads, speed) of the rounds of A and of B, from the windows that `whole` is of. `sides`: every round of
    A and of B, those that were omitted too; `spinning` and `in_turn`: as `decompose` was asked.
    """

    level: str
    factors: tuple[Factor, ...]
    throughput: Factor | None
    observer: Factor | None
    tail: Factor | None
    whole: Factor
    choice: EstimatorChoice
    alone: Factor | None
    parts: Mapping[str, Part]
    merged: str
    paired: bool
    over: str
    units: tuple[int, int]
    rounds: tuple[int, int]
    omitted: tuple[int, int]
    speeds: tuple[Sequence[tuple[int, Speed]], Sequence[tuple[int, Speed]]]
    sides: tuple[Sequence[Identity], Sequence[Identity]]
    spinning: bool
    in_turn: bool

    @property
    def terms(self) -> tuple[Factor, ...]:
        """Everything that multiplies to the ratio."""
        return (*self.factors, *(f for f in (self.observer, self.tail) if f is not None))

    @property
    def sets(self) -> int:
        """Sets in which both were measured side by side; 0: none."""
        return self.units[0] if self.over == SETS else 0

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


@dataclass(frozen=True, slots=True)
class _Match:
    """The rounds of both sides in the units that their ratio is averaged over."""

    x: list[list[Identity]]
    y: list[list[Identity]]
    over: str
    paired: bool

    @property
    def rounds(self) -> tuple[list[Identity], list[Identity]]:
        return [s for unit in self.x for s in unit], [s for unit in self.y for s in unit]

    def difference(self, log: Log) -> LogDifference:
        x, y = (
            [log(u[0]) if len(u) == 1 else statistics.fmean(map(log, u)) for u in side] for side in (self.x, self.y)
        )
        return difference(x, y, self.paired)


def _match(a: Sequence[Identity], b: Sequence[Identity], paired: bool = False) -> _Match:
    """By set where both were measured side by side, else by the units of `choose_units`.

    `paired`: rounds of both are in order, taken in turn.
    """
    matched = by_set((a, b))
    if matched:
        return _Match([[s] for s in matched[0]], [[s] for s in matched[1]], SETS, True)
    units = choose_units([s.session for s in a], [s.session for s in b])
    x, y = ([[side[i] for i in places] for places in own] for side, own in ((a, units.x), (b, units.y)))
    in_turn = paired and units.over == ROUNDS and len(x) == len(y)
    return _Match(x, y, units.over, units.paired or in_turn)


def compare(name: str, a: Sequence[Identity], b: Sequence[Identity], log: Log) -> Factor:
    """One quantity of A over that of B: paired by set where both were measured side by side, else by `_match`."""
    return _match(a, b).difference(log).factor(name)


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


def finest_level(rounds: Sequence[Identity]) -> str:
    """The finest level that all of these rounds have."""
    return next(level for level in LEVELS if all(level in s.levels for s in rounds))


def decompose(
    a: Sequence[Identity],
    b: Sequence[Identity],
    spinning: bool = False,
    paired: bool = False,
    choice: EstimatorChoice | None = None,
    level: str = "",
) -> Decomposition:
    """A over B. `spinning`: threads of one side may spin, so parallelism, IPC and work are one factor.

    Means of logs over rounds, so that the terms add up exactly; intervals by the paired t over sets where both
    sides were measured side by side or over sessions that both have, else by Welch's t over sessions or rounds, or by
    the paired t over rounds where `paired` (both sides' rounds in order, taken in turn). `choice`: the estimator, where
    more than these rounds decide on it; `level`: that of the factors, likewise (KeyError where a round does not
    have it). Raises ValueError without a round on a side.
    """
    if not a or not b:
        raise ValueError("no rounds to compare")
    match = _match(a, b, paired)
    x, y = match.rounds
    level = level or finest_level((*x, *y))
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
    logs: dict[str, Log] = {" x ".join(group): partial(_product, level, group) for group in groups}
    if not logs:
        logs["throughput"] = lambda s: s.throughput
    count, throughput = len(logs), None
    if by is not Estimator.CPU_TIME:
        throughput = match.difference(lambda s: s.throughput).factor("throughput")
        logs["observer"] = lambda s: s.observer
    if by is Estimator.FPS:
        logs["tail"] = lambda s: s.tail
    whole = match.difference(lambda s: s.whole(by)).factor(by.value)
    terms, parts = _terms(match, logs, lambda s: s.whole(by), whole)
    return Decomposition(
        level,
        tuple(terms.values())[:count],
        throughput,
        terms.get("observer"),
        terms.get("tail"),
        whole,
        choice,
        _alone(match, by),
        parts,
        "; ".join(filter(None, merged)),
        match.paired,
        match.over,
        (len(match.x), len(match.y)),
        (len(x), len(y)),
        (len(a) - len(x), len(b) - len(y)),
        ([(s.threads, s.speed) for s in x], [(s.threads, s.speed) for s in y]),
        (tuple(a), tuple(b)),
        spinning,
        paired,
    )


def swap(found: Decomposition) -> Decomposition:
    """What `decompose` finds of B over A, from what it found of A over B."""

    def turn(f: Factor) -> Factor:
        low, high = (None if v is None else math.inf if v == 0 else 1 / v for v in (f.high, f.low))
        return Factor(f.name, 1 / f.ratio, low, high)

    throughput, observer, tail, alone = (
        None if f is None else turn(f) for f in (found.throughput, found.observer, found.tail, found.alone)
    )
    return replace(
        found,
        factors=tuple(map(turn, found.factors)),
        throughput=throughput,
        observer=observer,
        tail=tail,
        whole=turn(found.whole),
        alone=alone,
        units=found.units[::-1],
        rounds=found.rounds[::-1],
        omitted=found.omitted[::-1],
        speeds=found.speeds[::-1],
        sides=found.sides[::-1],
        parts={
            n: replace(p, difference=p.difference._replace(value=-p.difference.value)) for n, p in found.parts.items()
        },
    )


def _terms(
    match: _Match, logs: Mapping[str, Log], total: Log, whole: Factor
) -> tuple[dict[str, Factor], dict[str, Part]]:
    """Factors with simultaneous intervals, and what they show.

    A factor is "mainly" the reason where the interval of its log less half of that of the ratio lies beyond 0 as well.
    That is tested of factors alone whose interval excludes 1, so that 5 % bound all that is falsely said.
    """
    confidence = 1 - (1 - CONFIDENCE) / len(logs)
    terms: dict[str, Factor] = {}
    parts: dict[str, Part] = {}
    for name, log in logs.items():
        found = match.difference(log)
        least = found.least(len(logs))
        terms[name] = one = found.factor(name, confidence)
        weight = Weight.PARTLY if excludes_one(one) else Weight.HIDDEN
        if weight is Weight.PARTLY and excludes_one(whole) and (one.ratio > 1) == (whole.ratio > 1):
            beyond = match.difference(_less_half(log, total)).factor(name, confidence)
            if excludes_one(beyond) and (beyond.ratio > 1) == (whole.ratio > 1):
                weight = Weight.MAINLY
        parts[name] = Part(weight, None if least is None else math.exp(min(least, LARGEST)), found)
    return terms, parts


def _less_half(log: Log, total: Log) -> Log:
    return lambda s: log(s) - total(s) / 2


def _product(level: str, group: Sequence[str], one: Identity) -> float:
    """Log of the product of some factors."""
    return sum(one.levels[level][name] for name in group)


def _alone(match: _Match, by: Estimator) -> Factor | None:
    """The ratio from the bare stretches, which are one after another; None where that of the rounds is from them."""
    rounds = [s for side in match.rounds for s in side]
    if all(s.alone is None for s in rounds):
        return None

    def speed(s: Identity) -> float | None:
        return estimator.value(s.alone or s.speed, by)

    if not all(map(speed, rounds)):
        return None
    return replace(match, paired=False).difference(lambda s: math.log(speed(s) or math.nan)).factor("alone")


def _logs(sides: Sequence[Sequence[Speed]], by: Estimator) -> list[list[float]] | None:
    """Logs of the speeds of each side; None where one is not known."""
    values = [[estimator.value(speed, by) for speed in side] for side in sides]
    if not all(v for side in values for v in side):
        return None
    return [[math.log(v) for v in side if v] for side in values]


def geometric(name: str, ratios: Sequence[float]) -> Factor:
    """Geometric mean of one ratio per network, with a t interval of the logs over networks (none for one network)."""
    return Factor(name, *between_rounds(ratios))
