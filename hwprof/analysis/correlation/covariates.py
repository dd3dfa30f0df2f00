"""What the size of a network is measured by: log MACs and log instructions per frame, fixed for a whole stratum.

A covariate that is dropped where one value is missing leaves the size in: events per frame then correlate with FPS
without influence. Therefore the covariates follow from what was counted in the stratum, never from the gaps of one
metric or framework. A network without a value of a covariate is left out, by name.

A cost per inference that no network escapes bends the line of log FPS over log instructions, and that of every event
with such a part of its own: the two bends correlate. Where the line is bent, powers of log instructions are covariates
too; where these do not suffice, nothing is tested.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from hwprof.analysis.correlation import metrics as kinds
from hwprof.analysis.correlation.collapse import Logs
from hwprof.analysis.correlation.metrics import Metric
from hwprof.analysis.statistics import clusters
from hwprof.analysis.statistics.partial import MIN_NETWORKS, MIN_TESTED, partial
from hwprof.collectors.vocabulary import Name
from hwprof.networks.blocks import parents_of
from hwprof.printable import plural

SIZE = "macs"
# After those of the metric's own domain and origin, in this order.
INSTRUCTIONS = (Name.INSTRUCTIONS, Name.INSTRUCTIONS.user, "instructions@callgrind")
HIGHEST = 3  # power of the instructions
NETWORKS_FOR = {2: MIN_TESTED, 3: 12}  # what a power needs, since each takes a degree of freedom
BENT, STILL_BENT = 0.1, 0.01  # p of a power below which it is a covariate, and below which it is missed
NEVER_COUNTED = "not tested: instructions were not counted, and MACs alone do not control for the size of a network"


class Covariates:
    """The covariates of each metric of one stratum, the same in all its frameworks."""

    def __init__(self, logs: Mapping[str, Logs], known: Mapping[str, Metric]) -> None:
        self._logs, self._known = logs, known
        self._most: dict[str, int] = {}
        self._bends: dict[tuple[str, ...], tuple[tuple[str, ...], str]] = {}
        self._has_size = any(SIZE in own.part.columns for own in logs.values())

    def of(self, metric: str) -> tuple[str, ...]:
        """MACs, then the instructions that stand nearest to a metric and their powers where the line is bent.

        Instructions of the metric's own domain and origin come first, then user+kernel, user-only, callgrind's: the
        first with which some framework has enough networks for a test, or else the first that was counted at all.
        What nobody has is left out.
        """
        straight = self._straight(metric)
        return (*straight, *self._bend(straight)[0])

    def of_work(self, instructions: str) -> tuple[tuple[str, ...], str]:
        """What instructions are asked for beyond: MACs and as many powers of them as log FPS needs of the instructions,
        and why even these are too few."""
        bends, why = self._bend((SIZE, instructions))
        return (SIZE, *self._powers(SIZE, 1 + len(bends))), why

    def weakness(self, metric: str) -> str:
        """Why these covariates do not control for size, so that nothing may be tested; "": they do."""
        return self._bend(self._straight(metric))[1]

    def _straight(self, metric: str) -> tuple[str, ...]:
        own = kinds.instructions_for(metric, self._known)
        candidates = dict.fromkeys((*([own] if own else []), *INSTRUCTIONS))
        counted = [c for c in candidates if c in self._known and self._networks(c)]
        enough = [c for c in counted if self._networks(c) >= MIN_TESTED]
        return (*([SIZE] if self._has_size else []), *(enough or counted)[:1])

    def _bend(self, straight: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
        """Powers of the instructions that log FPS needs, and why even these are too few."""
        if len(straight) < 2:
            return (), ""
        if straight not in self._bends:
            steps = [(degree, *self._bent(straight, degree)) for degree in range(2, HIGHEST + 2)]
            used = max((d for d, p, _, n in steps if p < BENT and n >= NETWORKS_FOR.get(d, math.inf)), default=1)
            missed = [n for d, _, p, n in steps if d > used and p < STILL_BENT]
            why = (
                f"not tested: log FPS is bent over log {straight[1]}, as by a fixed cost per inference, more than "
                f"{plural(missed[0], 'network')} can show: the control for size is weak"
                if missed
                else ""
            )
            self._bends[straight] = self._powers(straight[1], used), why
        return self._bends[straight]

    def _powers(self, column: str, highest: int) -> tuple[str, ...]:
        """Columns of the powers of a column from 2 on, in every framework."""
        names = {d: {own.power(column, d) for own in self._logs.values()} for d in range(2, highest + 1)}
        return tuple(name for degree in sorted(names) for name in names[degree])

    def _bent(self, straight: tuple[str, ...], degree: int) -> tuple[float, float, int]:
        """p of a power of the instructions beyond the lower ones, in the fit of log FPS, in the median framework: where
        each network stands for itself, and between the parents of blocks; and the most networks of any."""
        *lower, last = self._powers(straight[1], degree)
        found: list[tuple[float, float]] = []
        most = 0
        for own in self._logs.values():
            both = own.collapse(["fps", last, *straight, *lower])
            if len(both.networks) >= MIN_NETWORKS:
                y, x, z = both.values[:, 0], both.values[:, 1], both.values[:, 2:]
                one, parents = partial(x, y, z), parents_of(both.networks)
                between = one
                if parents:
                    between = clusters.between_parents(one, list(clusters.without_each(x, y, z, parents).values()))
                found.append((1.0 if one.p is None else one.p, 1.0 if between.p is None else between.p))
                most = max(most, len(both.networks))
        alone, between_parents = np.median(found, axis=0) if found else (1.0, 1.0)
        return float(alone), float(between_parents), most

    def _networks(self, column: str) -> int:
        """The most networks that any framework has a speed and a value above 0 of a column for."""
        if column not in self._most:
            found = [len(own.collapse(["fps", column]).networks) for own in self._logs.values()]
            self._most[column] = max(found, default=0)
        return self._most[column]


def networks_without(logs: Logs, base: Sequence[str], chosen: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """(network, covariate) of each network that has all of `base` but lacks one of the covariates `chosen`.

    A covariate that is zero or not finite has no logarithm, and is as good as missing.
    """
    columns, out = list(base), []
    left = set(logs.collapse(columns).networks)
    for covariate in chosen:
        columns.append(covariate)
        rest = set(logs.collapse(columns).networks)
        out += [(network, covariate) for network in sorted(left - rest)]
        left = rest
    return tuple(out)
