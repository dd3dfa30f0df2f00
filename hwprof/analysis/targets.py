"""What metrics are correlated with: FPS, or energy per frame where a sensor gave it.

Energy is laid in the place of FPS, so that everything the engine does and refuses holds for it too. A run without
energy has none: it is left out, never taken as 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from hwprof.analysis import correlation
from hwprof.analysis.findings import Analysis

FPS, ENERGY = "FPS", "energy per frame"
TARGETS: Mapping[str, str] = {"fps": FPS, "energy": ENERGY}
JOULES: Mapping[str, float] = {"j": 1.0, "mj": 1e-3, "uj": 1e-6, "µj": 1e-6}


def energy_columns(frame: pd.DataFrame) -> list[str]:
    """The columns that make the energy of a frame: every CPU package, else the one sensor that comes first by name."""
    described: Mapping[str, Mapping[str, Any]] = frame.attrs.get("metrics", {})
    found = [
        n
        for n, a in sorted(described.items())
        if n.partition("[")[0] == "energy"
        and a.get("per") == "frame"
        and str(a.get("unit", "")).lower() in JOULES
        and frame[n].notna().any()
    ]
    packages = [n for n in found if n.startswith("energy[package-") and n.endswith("]")]
    return packages or found[:1]


def energy(frame: pd.DataFrame) -> pd.Series | None:
    """Joules per frame of each run, NaN where a sensor did not answer or stood still; None: no sensor at all."""
    names = energy_columns(frame)
    if not names:
        return None
    described = frame.attrs["metrics"]
    joules = [frame[n].astype(float) * JOULES[str(described[n]["unit"]).lower()] for n in names]
    # a sum of packages needs them all: a part of the energy is not the energy
    total: pd.Series = pd.concat(joules, axis=1).sum(axis=1, skipna=False)
    return total.where(total > 0)


def why_no_energy(frame: pd.DataFrame) -> str:
    """Why no run has energy per frame, in words."""
    described: Mapping[str, Mapping[str, Any]] = frame.attrs.get("metrics", {})
    said = next((a["why"] for n, a in sorted(described.items()) if n.startswith("energy") and a.get("why")), "")
    return str(said) or "no power sensor was read (hwprof doctor says what this machine has)"


def against_energy(frame: pd.DataFrame) -> list[Analysis]:
    """Correlations with energy per frame, of every stratum; none where no run has it."""
    joules = energy(frame)
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
