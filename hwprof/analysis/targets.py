"""What metrics are correlated with: FPS, or energy per frame where a sensor gave it.

Energy (energy.py says of which sensors) is laid in the place of FPS, so that everything the engine does and refuses
holds for it too. A run without energy has none: it is left out, never taken as 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from hwprof.analysis import correlation, energy
from hwprof.analysis.findings import Analysis

FPS, ENERGY = "FPS", "energy per frame"
TARGETS: Mapping[str, str] = {"fps": FPS, "energy": ENERGY}


def against_energy(frame: pd.DataFrame) -> list[Analysis]:
    """Correlations with energy per frame, of every stratum; none where no run has it."""
    joules = energy.per_frame(frame)
    if joules is None or not joules.notna().any():
        return []
    laid = frame.copy()
    laid.attrs = dict(frame.attrs)
    laid["fps"] = joules.where(frame["fps"].notna())
    return [_aimed(a) for a in correlation.analyse(laid)]


def _aimed(analysis: Analysis) -> Analysis:
    return replace(
        analysis,
        target=ENERGY,
        correlations=tuple(replace(c, target=ENERGY) for c in analysis.correlations),
        shared=tuple(replace(s, target=ENERGY) for s in analysis.shared),
        refused=analysis.refused.replace("no case has a usable FPS", "no case has energy per frame"),
    )
