"""One family of tests for a whole report: every stratum, framework and metric, and the slopes over all frameworks.

A family per stratum finds something in half of the reports that have six strata and nothing to find. Kinds of layers
are asked after the stratum of all blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from hwprof.analysis.correlation.findings import FOUND, Analysis, Correlation, PooledSlope
from hwprof.analysis.correlation.strata import Stratum
from hwprof.analysis.statistics.partial import MIN_TESTED, Floats, benjamini_hochberg
from hwprof.analysis.statistics.shuffles import critical

Place = tuple[int, int]  # number of the analysis, and of the coefficient or slope in it
Found = dict[Place, dict[str, Any]]
One = TypeVar("One", Correlation, PooledSlope)

SHARE_OF_WORK = 0.5  # of the level
NO_TEST: Mapping[type, Mapping[str, Any]] = {
    Correlation: {"q": None, "family": 0, "level": None, "among": 0.0},
    PooledSlope: {"q": None, "family": 0, "bounds": None},
}


def joint(analyses: Sequence[Analysis]) -> list[Analysis]:
    """The analyses with q-values of one family, and with intervals that allow for what was picked from it.

    Kinds of layers are asked after all blocks, of the metrics that are found there alone. They are a family of their
    own, whose level is the share of the block strata that found something (Yekutieli 2008; Benjamini and Bogomolov
    2014). Where nothing has an effect, they are reached only by an error over all blocks. Work: see `_with_work`.
    """
    wholes: dict[int, int] = {}
    places: dict[Stratum, int] = {}  # the last of each stratum: those of another target come after
    for at, a in enumerate(analyses):
        if a.stratum.kind and a.stratum.whole in places:
            wholes[at] = places[a.stratum.whole]
        places[a.stratum] = at
    made = _family({at: (a, None) for at, a in enumerate(analyses) if at not in wholes}, 1.0)
    names = {at: frozenset(one.metric.name for one in made[at].found) for at in set(wholes.values())}
    level = sum(map(bool, names.values())) / max(len(names), 1)
    made |= _family({at: (analyses[at], names[whole]) for at, whole in wholes.items()}, level)
    return _with_work([made[at] for at in range(len(analyses))])


def _with_work(analyses: Sequence[Analysis]) -> list[Analysis]:
    """Instructions at equal MACs as a family of their own.

    A finding that is seldom in doubt would let more of the other metrics pass: Benjamini and Hochberg allow false ones
    in proportion to what is found.
    """
    places = {(at, i): c for at, a in enumerate(analyses) for i, c in enumerate(a.work) if c.status == "tested"}
    found = _coefficients(places, SHARE_OF_WORK)
    return [replace(a, work=_judged(at, a.work, found, len(places))) for at, a in enumerate(analyses)]


def _family(analyses: Mapping[int, tuple[Analysis, frozenset[str] | None]], level: float) -> dict[int, Analysis]:
    """One family at this share of the level, of the metrics that are asked for in each analysis (None: all).

    Slopes over all frameworks are few and lead the report: they have half of the level, what one framework shows has
    the other half.
    """
    own = {at: replace(a, correlations=_asked(a.correlations, names)) for at, (a, names) in analyses.items()}
    alone = {(at, i): c for at, a in own.items() for i, c in enumerate(a.correlations) if c.status == "tested"}
    slopes = {at: some for at, (a, names) in analyses.items() if (some := _testable(a.pooled, names))}
    family = len(alone) + sum(map(len, slopes.values()))
    share = level * (0.5 if alone and slopes else 1.0)
    coefficients = _coefficients(alone, share)
    pooled, reach = _slopes(own, slopes, share)
    return {
        at: replace(
            a,
            correlations=_judged(at, a.correlations, coefficients, family),
            pooled=_judged(at, a.pooled, pooled, family),
            critical=reach.get(at),
        )
        for at, a in own.items()
    }


def _asked(found: Sequence[Correlation], names: frozenset[str] | None) -> tuple[Correlation, ...]:
    """The coefficients, those that are not asked for marked as such."""
    return tuple(replace(c, is_asked=names is None or c.metric.name in names) for c in found)


def _testable(slopes: Sequence[PooledSlope], names: frozenset[str] | None) -> dict[int, PooledSlope]:
    return {
        i: s
        for i, s in enumerate(slopes)
        if s.p_family is not None and s.n >= MIN_TESTED and (names is None or s.metric.name in names)
    }


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
    if not tested:
        return {}
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
    analyses: Mapping[int, Analysis], tested: Mapping[int, Mapping[int, PooledSlope]], share: float
) -> tuple[Found, dict[int, float | None]]:
    """Of the slopes over all frameworks; and by analysis what |r| must exceed, None: over blocks nothing does.

    Each stratum controls its own family, of whole networks by max-T, whose p and whose intervals are simultaneous. The
    strata in which something is found are chosen by Benjamini and Hochberg, and what they may use of the level is that
    of as many strata (Benjamini and Bogomolov 2014). What is left without any one network (`rest`) is judged among what
    was found: shuffled networks are safe from an odd one already.
    """
    adjusted = {at: _adjusted(list(own.values())) for at, own in tested.items()}
    if not adjusted:
        return {}, {}
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
