"""Misses that a factor of instructions per cycle is consistent with: an association, never a cause. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from hwprof.analysis.factors import cycles
from hwprof.analysis.factors.evidence import Evidence
from hwprof.collectors.vocabulary import Name

METRICS = (Name.LLC_MISSES, Name.L2_MISSES, Name.DTLB_MISSES, Name.BRANCH_MISSES)
LEAST = 0.5  # of the difference in cycles per instruction


class MissShare(NamedTuple):
    """Misses per instruction of the slower one over those of the faster one (None: it has none), and the share of the
    difference in cycles per instruction that they can stand for at most, each the median over cases."""

    metric: Name
    times: float | None
    share: float


def largest_share(sides: Sequence[tuple[Evidence, Evidence]]) -> MissShare | None:
    """The misses that can stand for most of it; None where none can for LEAST. `sides`: faster and slower, per case."""
    found = [one for metric in METRICS if (one := _over_cases(metric, sides)) is not None]
    most = max(found, key=lambda one: one.share, default=None)
    return most if most is not None and most.share >= LEAST else None


def text(found: MissShare) -> str:
    """`last-level misses per instruction 4.10x, consistent with up to 80 % of it`."""
    times = "" if found.times is None else f" {found.times:.2f}x"
    return f"{cycles.WHAT[found.metric]} per instruction{times}, consistent with up to {100 * found.share:.0f} % of it"


def _over_cases(metric: Name, sides: Sequence[tuple[Evidence, Evidence]]) -> MissShare | None:
    """None where a case lacks what it takes, or the slower one has fewer of them."""
    cases = [_of_case(metric, fast, slow) for fast, slow in sides]
    known = [one for one in cases if one is not None]
    if not known or len(known) < len(cases):
        return None
    times = [one.times for one in known if one.times is not None]
    return MissShare(metric, statistics.median(times) if times else None, statistics.median(o.share for o in known))


def _of_case(metric: Name, fast: Evidence, slow: Evidence) -> MissShare | None:
    bounds, cpi = [], []
    for side in (fast, slow):
        bound, pair = cycles.bound(side, metric), side.pair(Name.CYCLES, Name.INSTRUCTIONS)
        if bound is None or pair is None or "SUSPECT" in bound.caution:
            return None
        bounds.append(bound)
        cpi.append(pair[0].value / pair[1].value)
    lost = [bound.share * per for bound, per in zip(bounds, cpi, strict=True)]  # cycles per instruction, at most
    if cpi[1] <= cpi[0] or lost[1] <= lost[0]:
        return None
    times = bounds[1].mpki / bounds[0].mpki if bounds[0].mpki > 0 else None
    return MissShare(metric, times, min(1.0, (lost[1] - lost[0]) / (cpi[1] - cpi[0])))
