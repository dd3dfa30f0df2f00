"""One family of tests for a whole report: every stratum, framework and metric, and the slopes over all frameworks.

A family per stratum finds something in half of the reports that have six strata and nothing to find.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from hwprof.analysis.correlation.findings import FOUND, Analysis, Correlation, PooledSlope
from hwprof.analysis.statistics.partial import MIN_TESTED, Floats, benjamini_hochberg
from hwprof.analysis.statistics.shuffles import critical

Place = tuple[int, int]  # number of the analysis, and of the coefficient or slope in it
Found = dict[Place, dict[str, Any]]
One = TypeVar("One", Correlation, PooledSlope)

NO_TEST: Mapping[type, Mapping[str, Any]] = {
    Correlation: {"q": None, "family": 0, "level": None, "among": 0.0},
    PooledSlope: {"q": None, "family": 0, "bounds": None},
}


def joint(analyses: Sequence[Analysis]) -> list[Analysis]:
    """The analyses with q-values of one family, and with intervals that allow for what was picked from it.

    Slopes over all frameworks are few and lead the report: they have half of the level, what one framework shows has
    the other half.
    """
    alone = {
        (at, i): c
        for at, analysis in enumerate(analyses)
        for i, c in enumerate(analysis.correlations)
        if c.status == "tested"
    }
    slopes = {
        at: own
        for at, analysis in enumerate(analyses)
        if (own := {i: s for i, s in enumerate(analysis.pooled) if s.p_family is not None and s.n >= MIN_TESTED})
    }
    family = len(alone) + sum(map(len, slopes.values()))
    share = 0.5 if alone and slopes else 1.0
    coefficients = _coefficients(alone, share)
    pooled, reach = _slopes(analyses, slopes, share)
    return [
        replace(
            analysis,
            correlations=_judged(at, analysis.correlations, coefficients, family),
            pooled=_judged(at, analysis.pooled, pooled, family),
            critical=reach.get(at),
        )
        for at, analysis in enumerate(analyses)
    ]


def _judged(at: int, ones: Sequence[One], found: Found, family: int) -> tuple[One, ...]:
    made = []
    for i, one in enumerate(ones):
        own = dict(found.get((at, i), {}))
        rest = own.pop("rest", None)
        left = None if one.leave_out is None else replace(one.leave_out, q=rest)
        made.append(replace(one, **{**NO_TEST[type(one)], **own, "family": family if own else 0, "leave_out": left}))
    return tuple(made)


def _coefficients(tested: Mapping[Place, Correlation], share: float) -> Found:
    """Of what one framework shows: Benjamini and Hochberg at this share of the level.

    So too of what is left without any one network (`rest`): one odd network makes p small in every metric and framework
    in which it is odd, and most where the others happen to agree with it. What is found by both has a `level`, at which
    the intervals of all that were picked hold .95 of them on average (Benjamini and Yekutieli 2005).
    """
    p = np.array([1.0 if c.partial.p is None else c.partial.p for c in tested.values()])
    weakest = np.array([1.0 if c.leave_out is None else c.leave_out.p for c in tested.values()])
    q, rest = (np.minimum(benjamini_hochberg(one) / share, 1.0) for one in (p, np.maximum(p, weakest)))
    level = 1 - FOUND * share * int((rest < FOUND).sum()) / max(len(tested), 1)
    return {
        place: {
            "q": float(own),
            "rest": float(left),
            "among": len(tested) / share,
            "level": level if left < FOUND else None,
        }
        for place, own, left in zip(tested, q, rest, strict=True)
    }


def _slopes(
    analyses: Sequence[Analysis], tested: Mapping[int, Mapping[int, PooledSlope]], share: float
) -> tuple[Found, dict[int, float | None]]:
    """Of the slopes over all frameworks; and by analysis what |r| must exceed, None: over blocks nothing does.

    Each stratum controls its own family, of whole networks by max-T, whose p and whose intervals are simultaneous. The
    strata in which something is found are chosen by Benjamini and Hochberg, and what they may use of the level is that
    of as many strata (Benjamini and Bogomolov 2014). What is left without any one network (`rest`) is judged among what
    was found: shuffled networks are safe from an odd one already.
    """
    adjusted = {at: _adjusted(list(own.values())) for at, own in tested.items()}
    least = np.array([p.min() for p in adjusted.values()])
    chosen = max(1, int((benjamini_hochberg(least) / share < FOUND).sum()))
    factor = len(tested) / (share * chosen)
    found: Found = {}
    reach: dict[int, float | None] = {}
    weakest: dict[Place, float] = {}
    for at, own in tested.items():
        q, chance = np.minimum(adjusted[at] * factor, 1.0), analyses[at].chance
        reach[at] = None if chance is None else critical(chance, FOUND / factor)
        level = 1 - FOUND / factor * int((q < FOUND).sum()) / len(own)
        for (i, slope), one in zip(own.items(), q, strict=True):
            bounds = slope.interval(level) if slope.clusters else slope.simultaneous(reach[at])
            found[at, i] = {"q": float(one), "bounds": bounds if one < FOUND else None}
            if one < FOUND:
                weakest[at, i] = 1.0 if slope.leave_out is None else slope.leave_out.p
    for place, rest in zip(weakest, benjamini_hochberg(np.array(list(weakest.values()))), strict=True):
        found[place]["rest"] = float(rest)
    return found, reach


def _adjusted(slopes: Sequence[PooledSlope]) -> Floats:
    """p of each slope in the family of its stratum: of whole networks max-T, of blocks Benjamini and Hochberg's."""
    over_blocks = any(s.clusters for s in slopes)
    p = np.array([1.0 if (p := s.p if over_blocks else s.p_family) is None else p for s in slopes])
    return benjamini_hochberg(p) if over_blocks else p
