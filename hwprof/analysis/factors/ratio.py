"""The ratio of two cases' speed as a product of factors: which are separable, their intervals, their shares.

The finest level (`identity.LEVELS`) that every round of both sides has is taken. Where threads may spin while
they wait, parallelism, IPC and work are one factor: spinning raises the first and lowers the others without making
anything slower or faster.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hwprof.analysis.factors.identity import IPC, LEVELS, PARALLELISM, WORK, Factor, Identity, factor, merge_reason
from hwprof.speed import between_rounds

SPINNING = (PARALLELISM, IPC, WORK)


@dataclass(frozen=True, slots=True)
class Decomposition:
    """FPS of A over FPS of B. `factors` multiply to `throughput`; throughput x observer x tail = fps.

    `shares`: percent of the log throughput ratio per factor, None where a percentage means nothing. `merged`: which
    factors are not separable, and why. `paired`: intervals from differences within rounds.
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


def decompose(
    a: Sequence[Identity], b: Sequence[Identity], spinning: bool = False, paired: bool = False
) -> Decomposition:
    """A over B. `spinning`: threads of one side may spin, so parallelism, IPC and work are one factor.

    Means of logs over rounds, so that the terms add up exactly; 95 % intervals by Welch's t over rounds, or by the
    paired t where `paired` (both sides' rounds in order, taken in turn). Raises ValueError without a round on a side.
    """
    if not a or not b:
        raise ValueError("no rounds to compare")
    paired = paired and len(a) == len(b)
    chosen = next(level for level in LEVELS if all(level in s.levels for s in (*a, *b)))
    merged = [merge_reason(chosen, "both sides")]
    names = LEVELS[chosen]
    groups: list[tuple[str, ...]] = [(name,) for name in names]
    if spinning and PARALLELISM in names:
        # a merged factor that holds IPC or work is not separable into clock and the rest
        inside = {n for n in names if set(n.split(" x ")) & set(SPINNING)}
        groups = [(n,) for n in names if n not in inside] + [tuple(n for n in names if n in inside)]
        merged.append("threads may spin while they wait, which moves parallelism, IPC and work against each other")
    factors = tuple(
        factor(
            " x ".join(group) if group else "throughput",
            [sum(s.levels[chosen][n] for n in group) for s in a],
            [sum(s.levels[chosen][n] for n in group) for s in b],
            paired,
        )
        for group in groups
    )
    rest = {
        name: factor(name, [getattr(s, name) for s in a], [getattr(s, name) for s in b], paired)
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
        "; ".join(filter(None, merged)),
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


def geometric(name: str, ratios: Sequence[float]) -> Factor:
    """Geometric mean of one ratio per network, with a t interval of the logs over networks (none for one network)."""
    return Factor(name, *between_rounds(ratios))
