"""How far a verdict on a share can be relied on: one rule for the words high, medium and low.

A share has limits: below the first it is no bottleneck, from the second on it is one. HIGH needs an interval between
rounds that stays clear of every limit, also where another session of the machine would find it 5 % off. Without an
interval (one round) a verdict is MEDIUM, and LOW where the share is within a fifth of a limit. LOW is what has a limit
in its interval. What a share rests on lowers that further: see `verdicts.weaken`.
"""

from __future__ import annotations

import enum
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence

from hwprof.analysis.factors.evidence import Quantity
from hwprof.analysis.factors.identity import factor
from hwprof.speed import Interval, between_rounds

SESSIONS = 1.05  # sessions of one machine differ by some 2 % (one standard deviation)
ONE_ROUND = 1.2


class State(enum.StrEnum):
    """What a rule found. UNKNOWN is never the same as NO."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"
    UNKNOWN = "not known"


class Sure(enum.StrEnum):
    """How much a verdict can be relied on."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


LOWER: Mapping[Sure, Sure] = {Sure.HIGH: Sure.MEDIUM, Sure.MEDIUM: Sure.LOW, Sure.LOW: Sure.LOW}
Limits = tuple[float, float]


def grade(share: float, limits: Limits) -> State:
    """NO below both limits, YES from the second on."""
    partly, yes = limits
    return State.YES if share >= yes else State.PARTLY if share >= partly else State.NO


def certainty(share: Interval, limits: Iterable[float], margin: float = SESSIONS) -> Sure:
    """The word for a share that is judged by these limits. `margin` 1: both sides of it are of one session."""
    known = share.low is not None and share.high is not None
    low = share.low / margin if share.low is not None and known else share.value / ONE_ROUND
    high = share.high * margin if share.high is not None and known else share.value * ONE_ROUND
    if any(low <= limit <= high for limit in limits):
        return Sure.LOW
    return Sure.HIGH if known else Sure.MEDIUM


def least(*words: Sure) -> Sure:
    """The lowest of them."""
    return max(words, key=list(Sure).index)


def of_rounds(values: Sequence[float]) -> Interval:
    """Mean of a figure over rounds, geometric with 95 % between rounds where none is 0; all 0: 0 and nothing else."""
    if min(values) > 0:
        return between_rounds(values)
    if len(values) > 1 and max(values) == 0:
        return Interval(0.0, 0.0, 0.0)
    return Interval(statistics.fmean(values), None, None)


def quotient(above: Quantity, below: Quantity) -> Interval:
    """Of two counts, with Welch's interval between rounds; without bounds where a round counted 0."""
    value = above.value / below.value
    if min((*above.rounds, *below.rounds), default=0.0) <= 0:
        return Interval(value, None, None)
    ours, theirs = ([math.log(v) for v in q.rounds] for q in (above, below))
    found = factor(above.name, ours, theirs)
    return Interval(value, found.low, found.high)


def product(*shares: Interval | float) -> Interval:
    """Of independent figures; its bounds are the products of theirs, which is wider than 95 %."""
    value, bounds = 1.0, (1.0, 1.0)
    known = True
    for one in shares:
        own = one if isinstance(one, Interval) else Interval(one, one, one)
        value *= own.value
        if own.low is None or own.high is None:
            known = False
        else:
            bounds = (bounds[0] * own.low, bounds[1] * own.high)
    return Interval(value, *(bounds if known else (None, None)))


def against(rate: Interval, ceiling: float, bounds: tuple[float, float] | None) -> Interval:
    """Share of a ceiling; without bounds where the rate or the ceiling has none."""
    if rate.low is None or rate.high is None or bounds is None:
        return Interval(rate.value / ceiling, None, None)
    return Interval(rate.value / ceiling, rate.low / bounds[1], rate.high / bounds[0])
