"""Configurations of a network in a framework, and how they rank. Records."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hwprof.analysis.correlation.strata import VARIANT, thread_title
from hwprof.analysis.estimator import EstimatorChoice
from hwprof.analysis.speeds import CASE
from hwprof.speed import Interval

KEYS = (*CASE, VARIANT)


@dataclass(frozen=True, slots=True)
class Configuration:
    """One way to run a network in a framework, as it was measured.

    `network`: its name, with its input where results have several. `net`: the name alone. `threads` 0: as tuned,
    -1: not stated.
    `options`: what else identifies it (options, version, CPUs). `speed`: its row of `speeds`. `energy_j`: J per frame.
    """

    machine: str
    framework: str
    network: str
    net: str
    precision: str
    threads: int
    batch: int
    options: str
    speed: Mapping[str, Any]
    energy_j: Interval | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """Identifies it among the rows of a labelled frame."""
        return tuple(str(self.speed[name]) for name in KEYS)

    @property
    def label(self) -> str:
        """`int8 t2 b4`, for tables."""
        threads = f"t{self.threads}" if self.threads > 0 else ""
        return " ".join(filter(None, (self.precision, threads, f"b{self.batch}", self.options)))

    @property
    def title(self) -> str:
        """`int8, 2 threads, batch 4`."""
        return ", ".join(
            filter(None, (self.precision, thread_title(self.threads), f"batch {self.batch}", self.options))
        )

    @property
    def interval(self) -> Interval:
        """FPS with the 95 % interval between rounds, or between sessions."""
        low, high = (None if v is None or v != v else float(v) for v in (self.speed["low"], self.speed["high"]))
        return Interval(float(self.speed["fps"]), low, high)


class Rank(enum.StrEnum):
    """Where a configuration stands in its group. The last three are never best."""

    BEST = "best"
    TIED = "not distinguishable from the best"
    SLOWER = "slower"
    DISTURBED = "disturbed"
    UNFAITHFUL = "unfaithful"
    EMULATED = "emulated"


EXCLUDED = (Rank.DISTURBED, Rank.UNFAITHFUL, Rank.EMULATED)


@dataclass(frozen=True, slots=True)
class RankedConfiguration:
    """`ratio`: its speed over that of the best, over `sets` in which both were measured side by side (0: rounds)."""

    configuration: Configuration
    rank: Rank
    ratio: Interval | None = None
    sets: int = 0


@dataclass(frozen=True, slots=True)
class ConfigurationGroup:
    """The configurations of one network in one framework on one machine, the best first.

    `choice`: what ranks them. `failures`: labels of configurations without a result.
    """

    machine: str
    framework: str
    network: str
    choice: EstimatorChoice
    ranked: tuple[RankedConfiguration, ...]
    failures: tuple[str, ...] = ()

    @property
    def best(self) -> Configuration | None:
        """The best one; None where each is disturbed, unfaithful or emulated."""
        first = self.ranked[0]
        return first.configuration if first.rank is Rank.BEST else None

    def of(self, *ranks: Rank) -> tuple[RankedConfiguration, ...]:
        """Those of these ranks, in their order."""
        return tuple(one for one in self.ranked if one.rank in ranks)
