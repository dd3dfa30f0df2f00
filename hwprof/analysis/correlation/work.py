"""Instructions per frame against FPS at equal size: what every other correlation controls for, asked for itself.

It is one question per framework, known before anything is measured, and its answer is seldom in doubt. Among the other
metrics a sure finding would let more of them pass (Benjamini and Hochberg divide by what is found): it is a family of
its own, at a share of the level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from hwprof.analysis.correlation import blocks
from hwprof.analysis.correlation.coefficients import correlate
from hwprof.analysis.correlation.collapse import Logs
from hwprof.analysis.correlation.covariates import INSTRUCTIONS, Covariates
from hwprof.analysis.correlation.findings import FOUND, Analysis, Correlation
from hwprof.analysis.correlation.metrics import Metric
from hwprof.analysis.statistics.partial import benjamini_hochberg

SHARE = 0.5  # of the level


def against_work(logs: Mapping[str, Logs], known: Mapping[str, Metric], sizes: Covariates) -> tuple[Correlation, ...]:
    """Of each framework whose instructions were counted: the first of user+kernel, user-only, callgrind's."""
    found = []
    counted = [(known[name], *sizes.of_work(name)) for name in INSTRUCTIONS if name in known]
    for variant, own in logs.items():
        several = (correlate(own, variant, *asked) for asked in counted)
        first = next((c for c in several if c is not None and c.partial.r is not None), None)
        if first is not None and not first.zeros:
            found.append(first)
    return tuple(blocks.between_parents(found, logs))


def judged(analyses: Sequence[Analysis]) -> list[Analysis]:
    """The analyses with q of their work: one family over all strata, those of kinds of layers left out."""
    places = [
        (at, i)
        for at, a in enumerate(analyses)
        if not a.stratum.kind
        for i, c in enumerate(a.work)
        if c.status == "tested"
    ]
    p = np.array([analyses[at].work[i].partial.p for at, i in places])
    left = [analyses[at].work[i].leave_out for at, i in places]
    weakest = np.array([1.0 if one is None else one.p for one in left])
    both = (p, np.maximum(p, weakest)) if places else ()
    q, rest = (np.minimum(benjamini_hochberg(one) / SHARE, 1.0) for one in both) if places else ((), ())
    level = 1 - FOUND * SHARE * int(np.sum(np.asarray(rest) < FOUND)) / max(len(places), 1)
    made = [[replace(c, q=None, family=0, level=None) for c in a.work] for a in analyses]
    for (at, i), one, weak in zip(places, q, rest, strict=True):
        c = made[at][i]
        without = None if c.leave_out is None else replace(c.leave_out, q=float(weak))
        picked = level if weak < FOUND else None
        made[at][i] = replace(c, q=float(one), family=len(places), level=picked, leave_out=without)
    return [replace(a, work=() if a.stratum.kind else tuple(own)) for a, own in zip(analyses, made, strict=True)]
