"""Correlation with FPS, per framework: over networks, controlling for the size of the network.

Every count grows with the network, so that even one without influence has r = -0.9 with FPS. Therefore: collapse to
one value per network, take out log MACs and log instructions per frame, and test only events per frame. Where one of
these covariates is missing the network is left out, never the covariate; without any there is no test. The minimum
numbers of networks and the family of tests are part of every result. Where a run of a stratum was disturbed, the speed
that survives stands in the place of FPS in the whole stratum.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from hwprof.analysis import energy
from hwprof.analysis.correlation import blocks, strata
from hwprof.analysis.correlation import metrics as kinds
from hwprof.analysis.correlation.across import group_of, groups, pooled_slopes
from hwprof.analysis.correlation.covariates import NEVER_COUNTED, SIZE, Covariates, networks_without
from hwprof.analysis.correlation.findings import Analysis, Correlation, Points
from hwprof.analysis.correlation.metrics import Disguise, Metric, MetricKind
from hwprof.analysis.correlation.strata import VARIANT, Logs, Stratum
from hwprof.analysis.correlation.target import SPEED, surviving_speed
from hwprof.analysis.estimator import Estimator
from hwprof.analysis.statistics.partial import (
    Floats,
    Partial,
    benjamini_hochberg,
    leave_one_out,
    of_residuals,
    partial,
    rank_partial,
    take_out,
    without_test,
)

RELIABLE = 0.8
UNKNOWN_SIZE = "MACs are unknown: the size can't be taken out"
EMULATED = (
    "origin EMULATED: an emulator counted. IPC is fixed there (1.00 by construction) and time follows instructions, so "
    "FPS is correlated neither with its counters nor with those of another origin"
)

_UNTESTED = {
    MetricKind.DEFINITIONAL: "made of time, cycles or instructions only: 1/FPS in disguise, in the identity",
    MetricKind.COMPONENT: "a part of the cycles: a share, not a cause",
    MetricKind.RATE: "per second or per cycle: dividing by time makes correlation",
    MetricKind.GAUGE: "a level, not a count per frame",
}


def analyse(frame: pd.DataFrame) -> list[Analysis]:
    """Correlations of every stratum of a results frame; pure. Raises ResultsError for a frame without its columns."""
    return _analyses(frame, "")


def _analyses(frame: pd.DataFrame, target: str) -> list[Analysis]:
    """Of every stratum. `target`: what the column `fps` holds instead of the speed; "": the speed that survives."""
    known = kinds.classify(frame)
    return [_stratum(s, part, known, target) for s, part in blocks.by_kind(strata.split(strata.label(frame)))]


def _stratum(stratum: Stratum, part: pd.DataFrame, known: Mapping[str, Metric], target: str) -> Analysis:
    unchecked = int((strata.is_ok(part) & strata.is_unchecked(part) & strata.is_native(part)).sum())
    rows = strata.usable_rows(part)
    rows.attrs = {}  # pandas copies them deeply at every step; `known` has what they say
    present = {n: m for n, m in known.items() if len(rows) and pd.to_numeric(rows[n], errors="coerce").notna().any()}
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
    found: list[Correlation] = []
    disguised: list[tuple[str, str, Disguise]] = []
    logs = {variant: Logs(rows, variant) for variant in variants}
    sizes = Covariates(logs, present)
    for variant in variants:
        for metric in present.values():
            if metric.kind is not MetricKind.EXPLANATORY:
                continue
            hidden = _disguise(logs[variant], metric)
            if hidden is not None and hidden.found:
                disguised.append((variant, metric.name, hidden))
                continue
            one = correlate(logs[variant], variant, metric, sizes.of(metric.name))
            if one is not None:
                found.append(one)
    found, families = _with_q(blocks.between_parents(found, logs))
    grouping = groups(found)
    found = [replace(c, group=group_of(grouping, c.metric.name)) for c in found]
    hidden_names = {name for _, name, _ in disguised}
    pooled = pooled_slopes(logs, [c for c in found if c.metric.name not in hidden_names], variants, grouping)
    return _with_target(
        Analysis(
            stratum,
            variants,
            tuple(found),
            pooled,
            tuple(disguised),
            untested,
            families,
            grouping,
            unchecked,
            why=why,
            remarks=blocks.remarks(stratum, logs),
        ),
        target,
    )


def _is_emulated(rows: pd.DataFrame, present: Mapping[str, Metric]) -> bool:
    if "emulated" in rows.columns:
        return bool(rows["emulated"].astype(bool).any())
    return any(m.emulated for m in present.values())


def _disguise(logs: Logs, metric: Metric) -> Disguise | None:
    both = logs.collapse(["fps", metric.name])
    return kinds.disguise(both.values[:, 0], both.values[:, 1]) if both.networks else None


def correlate(logs: Logs, variant: str, metric: Metric, chosen: Sequence[str]) -> Correlation | None:
    """One metric against log FPS in one framework, controlling for the covariates `chosen`.

    None where this framework never measured the metric together with FPS. Without instructions it is described only.
    """
    values = logs.values(metric.name)
    if np.isnan(values).all():
        return None
    zeros = int((values <= 0).sum())
    if zeros:
        return _by_rank(logs, variant, metric, zeros, chosen)
    plain = logs.collapse(["fps", metric.name])
    if not plain.networks:
        return None
    nothing = np.empty((len(plain.networks), 0))
    raw = partial(plain.values[:, 1], plain.values[:, 0], nothing)
    spread = _spread(plain.values[:, 1])
    base = Correlation(variant, metric, raw, raw, cells=plain.cells, batches=plain.batches, spread=spread)
    if SIZE not in chosen:
        return replace(base, partial=Partial(raw.n, 0, why=UNKNOWN_SIZE))
    chosen, untested = _split_covariates(logs, ["fps", metric.name], chosen)
    both = logs.collapse(["fps", metric.name, *chosen])
    if not both.networks:
        return replace(base, partial=Partial(0, 0, why=UNKNOWN_SIZE))
    left = networks_without(logs, ["fps", metric.name], chosen)
    notes = _omission_notes(left)
    y, x, z = both.values[:, 0], both.values[:, 1], both.values[:, 2:]
    residuals, k = take_out(np.column_stack([x, y]), z)
    rx, ry = residuals.T.copy()
    found = of_residuals(x, y, rx, ry, k)
    if untested:
        found = without_test(found, untested)
    reliability = _reliability(logs, metric.name, rx, k)
    if reliability is None:
        one_round = logs.noise(metric.name)[1] < 1
        notes.append(f"reliability unknown: {'one round' if one_round else 'too few networks for the covariates'}")
    elif reliability < RELIABLE:
        notes.append(f"reliability {reliability:.2f}: more rounds")
    without = None
    if found.r is not None and found.n >= 5:
        without = _leave_out(x, y, z, both.networks, found.r)
        if without is not None and min(without[:2]) < 0 < max(without[:2]):
            notes.append(f"the sign hangs on one network: {without[2]}")
    return replace(
        base,
        partial=found,
        covariates=tuple(chosen),
        cells=both.cells,
        batches=both.batches,
        reliability=reliability,
        points=Points(both.networks, x, y, rx, ry) if found.r is not None else None,
        leave_out=without,
        omissions=left,
        notes=(*notes, *_marks(metric)),
    )


def _split_covariates(logs: Logs, base: Sequence[str], chosen: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """The covariates that some network of this framework has, and why there is no test ("": there may be one)."""
    if len(chosen) < 2:
        return tuple(chosen), NEVER_COUNTED
    size, instructions = chosen
    if logs.collapse([*base, *chosen]).networks or not logs.collapse([*base, size]).networks:
        return (size, instructions), ""
    return (size,), f"not tested: no network of this framework has {instructions}, and MACs alone do not control"


def _omission_notes(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Which networks lack a covariate, one note for each covariate."""
    return [
        f"left out for {'unknown MACs' if covariate == SIZE else f'missing or zero {covariate}'}: "
        + ", ".join(network for network, lacks in pairs if lacks == covariate)
        for covariate in dict.fromkeys(lacks for _, lacks in pairs)
    ]


def _marks(metric: Metric) -> list[str]:
    marks = ["simulated"] if metric.simulated else []
    marks += ["user mode only"] if metric.user_only else []
    marks += ["partly extrapolated (multiplexed)"] if "scaled" in metric.exactness else []
    return marks + (["suspect"] if "suspect" in metric.exactness else [])


def _by_rank(logs: Logs, variant: str, metric: Metric, zeros: int, chosen: Sequence[str]) -> Correlation | None:
    """Zeros have no logarithm: ranks within each batch, averaged over batches, covariates likewise."""
    part, untested = logs.part, UNKNOWN_SIZE
    table = pd.DataFrame({metric.name: strata.cells(part, metric.name, log=False), "fps": strata.cells(part, "fps")})
    if SIZE in chosen:
        chosen, untested = _split_covariates(logs, ["fps"], chosen)
    plain = set(table.dropna().index.get_level_values(strata.NETWORK))
    for column in chosen:
        table[column] = strata.cells(part, column)
    table = table.dropna().reset_index()
    if table.empty:
        return None
    names = [metric.name, "fps", *chosen]
    ranks = table.groupby("batch")[names].rank(pct=True)
    mean = ranks.groupby(table[strata.NETWORK]).mean()
    x, y = mean[metric.name].to_numpy(float), mean["fps"].to_numpy(float)
    raw = rank_partial(x, y, np.empty((len(x), 0)))
    if SIZE in chosen:
        found = rank_partial(x, y, mean[list(chosen)].to_numpy(float))
        found = without_test(found, untested) if untested else found
    else:
        found = Partial(len(x), 0, why=UNKNOWN_SIZE)
    left = tuple(pair for pair in networks_without(logs, ["fps"], chosen) if pair[0] in plain)
    count = int(part[metric.name].notna().sum())
    note = f"{zeros} of {count} values are 0 and have no logarithm: ranks (Spearman)"
    return Correlation(
        variant,
        metric,
        raw,
        found,
        tuple(chosen),
        "spearman",
        len(table),
        tuple(sorted(int(b) for b in table["batch"].unique())),
        zeros,
        omissions=left,
        notes=(note, *_omission_notes(left), *_marks(metric)),
    )


def _spread(logs: Floats) -> float:
    # numpy.quantile, without what it does for other ways to interpolate
    low, high = np.interp((0.1, 0.9), np.linspace(0, 1, len(logs)), np.sort(logs))
    return float(np.exp(high - low))


def _leave_out(x: Floats, y: Floats, z: Floats, names: Sequence[str], r: float) -> tuple[float, float, str] | None:
    without = leave_one_out(x, y, z)
    if not np.isfinite(without).any():
        return None
    most = int(np.nanargmax(np.abs(without - r)))
    return float(np.nanmin(without)), float(np.nanmax(without)), names[most]


def _reliability(logs: Logs, column: str, residual: Floats, k: int) -> float | None:
    """1 - s2_e / (R s2_total): s2_e between rounds, R values per network, s2_total of what is correlated.

    s2_total is taken after the covariates, for that is the variance which the coefficient lives on.
    """
    squares, df, counts = logs.noise(column)
    if df < 1 or len(residual) - 1 - k < 1:
        return None
    error = squares / df
    values = float(len(counts) / (1 / counts).sum())  # harmonic mean
    total = float((residual**2).sum()) / (len(residual) - 1 - k)
    return max(0.0, 1 - error / (values * total)) if total > 0 else 0.0


def _with_q(found: Sequence[Correlation]) -> tuple[list[Correlation], dict[tuple[str, ...], int]]:
    """q-values: one family is all tests (framework x metric) of a stratum that have the same covariates."""
    out, families = list(found), {}
    for family in sorted({c.covariates for c in found}):
        at = [
            i
            for i, c in enumerate(found)
            if c.covariates == family and c.status == "tested" and c.partial.p is not None
        ]
        q = benjamini_hochberg(np.array([found[i].partial.p for i in at], dtype=np.float64))
        for i, value in zip(at, q, strict=True):
            out[i] = replace(found[i], q=float(value), family=len(at))
        if at:
            families[family] = len(at)
    return out, families


FPS, ENERGY = SPEED[Estimator.FPS], "energy per frame"
TARGETS: Mapping[str, str] = {"fps": FPS, "energy": ENERGY}


def against_energy(frame: pd.DataFrame) -> list[Analysis]:
    """Correlations with energy per frame, of every stratum; none where no run has it."""
    joules = energy.per_frame(frame)
    if joules is None or not joules.notna().any():
        return []
    table = frame.copy()
    table.attrs = dict(frame.attrs)
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
        refusal=analysis.refusal.replace("no case has a usable FPS", "no case has energy per frame"),
    )
