"""What the size of a network is measured by: log MACs and log instructions per frame, fixed for a whole stratum.

A covariate that is dropped where one value is missing leaves the size in: events per frame then correlate with FPS
without influence. Therefore the covariates follow from what was counted in the stratum, never from the gaps of one
metric or framework. A network without a value of a covariate is left out, by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hwprof.analysis.correlation import metrics as kinds
from hwprof.analysis.correlation.metrics import Metric
from hwprof.analysis.correlation.strata import Logs
from hwprof.analysis.statistics.partial import MIN_TESTED
from hwprof.collectors.vocabulary import Name

SIZE = "macs"
# After those of the metric's own domain and origin, in this order.
INSTRUCTIONS = (Name.INSTRUCTIONS, Name.INSTRUCTIONS.user, "instructions@callgrind")
NEVER_COUNTED = "not tested: instructions were not counted, and MACs alone do not control for the size of a network"


class Covariates:
    """The covariates of each metric of one stratum, the same in all its frameworks."""

    def __init__(self, logs: Mapping[str, Logs], known: Mapping[str, Metric]) -> None:
        self._logs, self._known = logs, known
        self._most: dict[str, int] = {}
        self._has_size = any(SIZE in own.part.columns for own in logs.values())

    def of(self, metric: str) -> tuple[str, ...]:
        """MACs, then the instructions that stand nearest to a metric; either is left out where nobody has it.

        Instructions of the metric's own domain and origin come first, then user+kernel, user-only, callgrind's: the
        first with which some framework has enough networks for a test, or else the first that was counted at all.
        """
        own = kinds.instructions_for(metric, self._known)
        candidates = dict.fromkeys((*([own] if own else []), *INSTRUCTIONS))
        counted = [c for c in candidates if c in self._known and self._networks(c)]
        enough = [c for c in counted if self._networks(c) >= MIN_TESTED]
        return (*([SIZE] if self._has_size else []), *(enough or counted)[:1])

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
