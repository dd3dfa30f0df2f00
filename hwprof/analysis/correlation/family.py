"""One family of tests for a whole report: every stratum, framework and metric, and the slopes over all frameworks.

A family per stratum finds something in half of the reports that have six strata and nothing to find.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hwprof.analysis.correlation.findings import FOUND, Analysis
from hwprof.analysis.statistics.partial import MIN_TESTED, benjamini_hochberg


@dataclass(frozen=True, slots=True)
class _Test:
    analysis: int
    pooled: bool
    index: int
    p: float


def joint(analyses: Sequence[Analysis]) -> list[Analysis]:
    """The analyses with q-values of one family, by Benjamini and Hochberg.

    Slopes over all frameworks are few and lead the report: they have half of the weight, what one framework shows has
    the other half. What has q < .05 has a `level`, at which the intervals of all that were picked hold .95 of them on
    average (Benjamini and Yekutieli 2005).
    """
    tests = list(_tests(analyses))
    if not tests:
        return list(analyses)
    pooled = np.array([t.pooled for t in tests])
    kinds = [pooled, ~pooled] if pooled.any() and not pooled.all() else [np.ones(len(tests), dtype=bool)]
    weights = np.zeros(len(tests))
    for kind in kinds:
        weights[kind] = len(tests) / len(kinds) / kind.sum()
    q = benjamini_hochberg(np.array([t.p for t in tests]), weights)
    picked = int((q < FOUND).sum())
    levels = 1 - FOUND * picked * weights / len(tests)
    results: dict[tuple[int, bool, int], dict[str, Any]] = {
        (t.analysis, t.pooled, t.index): {
            "q": float(q[i]),
            "family": len(tests),
            **({} if t.pooled else {"among": len(tests) / float(weights[i])}),
            "level": max(float(levels[i]), 1 - FOUND) if q[i] < FOUND else None,
        }
        for i, t in enumerate(tests)
    }
    none: dict[str, Any] = {"q": None, "family": 0, "level": None}
    return [
        replace(
            analysis,
            correlations=tuple(
                replace(c, **results.get((at, False, i), {**none, "among": 0.0}))
                for i, c in enumerate(analysis.correlations)
            ),
            pooled=tuple(replace(s, **results.get((at, True, i), none)) for i, s in enumerate(analysis.pooled)),
        )
        for at, analysis in enumerate(analyses)
    ]


def _tests(analyses: Sequence[Analysis]) -> Iterator[_Test]:
    for at, analysis in enumerate(analyses):
        for i, c in enumerate(analysis.correlations):
            if c.status == "tested" and c.partial.p is not None:
                yield _Test(at, False, i, c.partial.p)
        for i, s in enumerate(analysis.pooled):
            if s.p is not None and s.n >= MIN_TESTED:
                yield _Test(at, True, i, s.p)
