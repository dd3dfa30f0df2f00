"""Correlation with FPS, per framework: over networks, controlling for the size of the network.

Every count grows with the network, so that even one without influence has r = -0.9 with FPS. Therefore: collapse to
one value per network, take out log MACs and log instructions per frame, and test only events per frame. Where one of
these covariates is missing the network is left out, never the covariate; without any there is no test. The minimum
numbers of networks and the family of tests, one for all strata, are part of every result. Where a run of a stratum was
disturbed, the speed that survives stands in the place of FPS in the whole stratum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from hwprof.analysis import energy
from hwprof.analysis.correlation import blocks, strata, work
from hwprof.analysis.correlation import metrics as kinds
from hwprof.analysis.correlation.across import pooled_slopes
from hwprof.analysis.correlation.coefficients import Asked, correlate_each
from hwprof.analysis.correlation.collapse import Logs
from hwprof.analysis.correlation.covariates import Covariates
from hwprof.analysis.correlation.disguises import FRAME_TIME, Disguise, Disguises
from hwprof.analysis.correlation.family import joint
from hwprof.analysis.correlation.findings import Analysis
from hwprof.analysis.correlation.likeness import group_of, likeness
from hwprof.analysis.correlation.metrics import Metric, MetricKind
from hwprof.analysis.correlation.strata import VARIANT, Stratum
from hwprof.analysis.correlation.target import SPEED, surviving_speed
from hwprof.analysis.estimator import Estimator

EMULATED = (
    "origin EMULATED: an emulator counted. IPC is fixed there (1.00 by construction) and time follows instructions, so "
    "FPS is correlated neither with its counters nor with those of another origin"
)

_UNTESTED = {
    MetricKind.DEFINITIONAL: "made of time, cycles or instructions only: equal to 1/FPS by definition",
    MetricKind.COMPONENT: "a part of the cycles: a share, not a cause",
    MetricKind.TIMER: "happens per second, whatever is computed: per frame it is the time of a frame",
    MetricKind.RATE: "per second or per cycle: dividing by time makes correlation",
    MetricKind.GAUGE: "a level, not a count per frame",
}


def analyse(frame: pd.DataFrame) -> list[Analysis]:
    """Correlations of every stratum of a results frame; pure. Raises ResultsError for a frame without its columns."""
    return _analyses(frame, "")


def _analyses(frame: pd.DataFrame, target: str) -> list[Analysis]:
    """Of every stratum. `target`: what the column `fps` holds instead of the speed; "": the speed that survives."""
    known = kinds.classify(frame)
    bare = frame.copy(deep=False)
    bare.attrs = {}  # pandas copies them deeply at every step; `known` has what they say
    by_stratum = blocks.by_kind(strata.split(strata.label(bare)))
    return joint([_stratum(s, part, known, target) for s, part in by_stratum])


def _stratum(stratum: Stratum, part: pd.DataFrame, known: Mapping[str, Metric], target: str) -> Analysis:
    unchecked = int((strata.is_ok(part) & strata.is_unchecked(part) & strata.is_native(part)).sum())
    rows = strata.usable_rows(part)
    numeric = rows.select_dtypes("number")
    there = set(numeric.columns[numeric.notna().any()])
    there |= {n for n in known if n not in numeric.columns and pd.to_numeric(rows[n], errors="coerce").notna().any()}
    present = {n: m for n, m in known.items() if n in there}
    untested = tuple((m, _UNTESTED[m.kind]) for m in present.values() if m.kind in _UNTESTED)
    if rows.empty or not rows["fps"].notna().any():
        return Analysis(stratum, untested=untested, refusal="no case has a usable FPS", unchecked=unchecked)
    variants = tuple(sorted(str(v) for v in rows.loc[rows["fps"].notna(), VARIANT].unique()))
    if _is_emulated(rows, present):
        return Analysis(stratum, variants, untested=untested, refusal=EMULATED, unchecked=unchecked)
    why = ""
    if not target:
        rows, choice = surviving_speed(rows)
        target, why = SPEED[choice.estimator], choice.why
    # What an emulated board counted under the same name, in rows of another stratum, is not the origin of these values.
    present = {n: replace(m, origins=tuple(o for o in m.origins if o != "emulated")) for n, m in present.items()}
    logs = {variant: Logs(rows, variant) for variant in variants}
    sizes, checks = Covariates(logs, present), Disguises(logs, present)
    asked: list[Asked] = []
    disguised: list[Disguise] = []
    for metric in present.values():
        if metric.kind is not MetricKind.EXPLANATORY:
            continue
        chosen, weak = sizes.of(metric.name), sizes.weakness(metric.name)
        if (hidden := checks.find(metric.name, chosen)) is not None:
            disguised.append(hidden)
            continue
        asked.append((metric, chosen, weak))
    found = [one for variant in variants for one in correlate_each(logs[variant], variant, asked)]
    found.sort(key=lambda c: (variants.index(c.framework), c.metric.name))
    found = blocks.between_parents(found, logs)
    alike = likeness(found)
    found = [replace(c, group=group_of(alike.groups, c.metric.name)) for c in found]
    pooled, chance = pooled_slopes(logs, found, variants, alike.groups)
    made = Analysis(
        stratum, variants, tuple(found), pooled, tuple(disguised), untested, alike.groups, unchecked, why=why
    )
    sessions = tuple(sorted(rows.loc[rows["fps"].notna(), strata.BLOCK].unique()))
    made = replace(made, blocks=sessions, remarks=blocks.remarks(stratum, logs), chance=chance)
    made = replace(made, metric_tree=alike.metrics, network_tree=alike.networks)
    if not stratum.kind:
        made = replace(made, work=work.against_work(logs, present, sizes))
    return _with_target(made, target)


def _is_emulated(rows: pd.DataFrame, present: Mapping[str, Metric]) -> bool:
    if "emulated" in rows.columns:
        return bool(rows["emulated"].astype(bool).any())
    return any(m.emulated for m in present.values())


FPS, ENERGY = SPEED[Estimator.FPS], "energy per frame"
TARGETS: Mapping[str, str] = {"fps": FPS, "energy": ENERGY}


def against_energy(frame: pd.DataFrame) -> list[Analysis]:
    """Correlations with energy per frame, of every stratum; none where no run has it."""
    joules = energy.per_frame(frame)
    if joules is None or not joules.notna().any():
        return []
    table = frame.copy()
    table.attrs = dict(frame.attrs)
    table[FRAME_TIME] = 1 / frame["fps"]
    table["fps"] = joules.where(frame["fps"].notna())
    return [_with_target(a, ENERGY) for a in _analyses(table, ENERGY)]


def _with_target(analysis: Analysis, target: str) -> Analysis:
    if target == analysis.target:
        return analysis
    return replace(
        analysis,
        target=target,
        correlations=tuple(replace(c, target=target) for c in analysis.correlations),
        pooled=tuple(replace(s, target=target) for s in analysis.pooled),
        work=tuple(replace(c, target=target) for c in analysis.work),
        refusal=analysis.refusal.replace("no case has a usable FPS", "no case has energy per frame"),
    )
