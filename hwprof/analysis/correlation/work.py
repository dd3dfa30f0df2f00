"""Instructions per frame against FPS at equal size: what every other correlation controls for, asked for itself.

It is one question per framework, known before anything is measured. Kinds of layers are not asked.
"""

from __future__ import annotations

from collections.abc import Mapping

from hwprof.analysis.correlation import blocks
from hwprof.analysis.correlation.coefficients import correlate
from hwprof.analysis.correlation.collapse import Logs
from hwprof.analysis.correlation.covariates import INSTRUCTIONS, Covariates
from hwprof.analysis.correlation.findings import Correlation
from hwprof.analysis.correlation.metrics import Metric


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
