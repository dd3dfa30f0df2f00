"""What several frameworks have in common: pooled slopes, signs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from hwprof.analysis.correlation.collapse import Logs
from hwprof.analysis.correlation.findings import RANKED, Analysis, Correlation, LeftOut, PooledSlope
from hwprof.analysis.correlation.likeness import group_of
from hwprof.analysis.correlation.strata import NETWORK
from hwprof.analysis.statistics import clusters, pooled
from hwprof.analysis.statistics.partial import MIN_TESTED
from hwprof.analysis.statistics.shuffles import Chance, family_p, shuffle
from hwprof.networks.blocks import parents_of
from hwprof.printable import plural

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Tables:
    """The metrics that share covariates, as tables (metrics, networks, frameworks), and what chance makes of them."""

    covariates: tuple[str, ...]
    members: Sequence[Sequence[Correlation]]
    fit: pooled.Slopes
    tested: NDArray[np.bool_]
    chance: Chance | None


def pooled_slopes(
    logs: Mapping[str, Logs], found: Sequence[Correlation], variants: Sequence[str], grouping: Sequence[Sequence[str]]
) -> tuple[tuple[PooledSlope, ...], Floats | None]:
    """Pooled slopes of the metrics that at least two frameworks have without zeros, by covariates (see `pooled`).

    And of whole networks the largest |r| of all metrics in each shuffle of the networks; None: nothing is tested.
    """
    by_metric: dict[str, list[Correlation]] = {}
    for c in found:
        if c.points is not None and c.method != RANKED:
            by_metric.setdefault(c.metric.name, []).append(c)
    alike: dict[tuple[str, ...], list[list[Correlation]]] = {}
    for _, several in sorted(by_metric.items()):
        # a metric has the same covariates in every framework where it is tested: those that lack them don't join
        controlled = [c for c in several if c.status != "descriptive"]
        chosen = controlled if len(controlled) >= 2 else several
        if len(chosen) >= 2:
            alike.setdefault(chosen[0].covariates[1:] if chosen is controlled else (), []).append(chosen)
    networks = sorted({str(n) for own in logs.values() for n in own.part[NETWORK].unique()})
    parents = parents_of(networks)
    tables = [_tables(logs, names, members, variants, networks, parents) for names, members in sorted(alike.items())]
    # the same shuffles everywhere: one family for all covariates
    drawn = [t.chance.largest for t in tables if t.chance is not None]
    largest = np.max(drawn, axis=0) if drawn else None
    slopes = tuple(
        one for t in tables for one in _slopes(t, largest, sorted(set(parents)) or networks, parents, grouping)
    )
    return slopes, None if parents else largest


def _tables(
    logs: Mapping[str, Logs],
    covariates: tuple[str, ...],
    members: Sequence[Sequence[Correlation]],
    variants: Sequence[str],
    networks: Sequence[str],
    parents: Sequence[str],
) -> _Tables:
    shape = (len(members), len(networks), len(variants))
    x, y = np.full(shape, np.nan), np.full(shape, np.nan)
    z = np.full((len(covariates), *shape), np.nan) if covariates else None
    for j, several in enumerate(members):
        for c in several:
            both = logs[c.framework].collapse(["fps", c.metric.name, *covariates])
            at = [networks.index(n) for n in both.networks]
            f = variants.index(c.framework)
            y[j, at, f], x[j, at, f] = both.values[:, 0], both.values[:, 1]
            if z is not None:
                z[:, j, at, f] = both.values[:, 2:].T
    if z is not None and len(z) > 1:
        z = _of_each(z)
    fit = pooled.slopes(x, y, z, parents)
    tested = np.isfinite(fit.p) & (fit.n >= MIN_TESTED) & bool(covariates)
    chance = None
    if tested.any():
        own = (x[tested], y[tested], None if z is None else z[:, tested])
        chance = clusters.flip(*own, parents) if parents else shuffle(*own)
    return _Tables(covariates, members, fit, tested, chance)


def _slopes(
    tables: _Tables,
    largest: Floats | None,
    units: Sequence[str],
    parents: Sequence[str],
    grouping: Sequence[Sequence[str]],
) -> list[PooledSlope]:
    fit, covariates = tables.fit, tables.covariates
    r, family = np.full((2, len(tables.members)), np.nan)
    if tables.chance is not None and largest is not None:
        r[tables.tested] = tables.chance.observed
        family[tables.tested] = family_p(tables.chance.observed, largest)
    out = []
    for j, several in enumerate(tables.members):
        signs = [np.sign(c.partial.r) for c in several if c.partial.r]
        agree = int(max(sum(s > 0 for s in signs), sum(s < 0 for s in signs))) if signs else 0
        slope = _number(fit.slope[j])
        out.append(
            PooledSlope(
                metric=several[0].metric,
                n=int(fit.n[j]),
                frameworks=len(several),
                covariates=covariates,
                slope=slope,
                low=_number(fit.low[j]) if covariates else None,
                high=_number(fit.high[j]) if covariates else None,
                p=_number(fit.p[j]) if covariates else None,
                se=_number(fit.se[j]) if covariates else None,
                r=None if parents or slope is None or np.isnan(r[j]) else float(np.copysign(r[j], slope)),
                clusters=len(units) if parents else 0,
                p_family=_number(family[j]),
                leave_out=_leave_out(fit, j, units) if covariates else None,
                same_sign=(agree, len(signs)),
                group=group_of(grouping, several[0].metric.name),
                why=_why(slope, int(fit.n[j]), covariates, several),
            )
        )
    return out


def _of_each(z: Floats) -> Floats:
    """Covariates (K, metrics, networks, frameworks) as one for each framework, in which the others are 0.

    A fixed cost is each framework's own, and so is the bend that it gives the line.
    """
    only = np.eye(z.shape[-1])[:, None, None, :]  # (frameworks, 1, 1, frameworks)
    return np.concatenate([np.where(np.isnan(one), one, one * only) for one in z])


def _leave_out(fit: pooled.Slopes, j: int, units: Sequence[str]) -> LeftOut | None:
    """The slope as each network is left out, of blocks each parent; p of the weakest by the error of the whole."""
    left, slope, se = fit.left_out[:, j], fit.slope[j], fit.se[j]
    known = np.isfinite(left)
    if not known.any() or not se > 0:
        return None
    weakest = float(np.nanmin(left * np.sign(slope)))
    p = float(2 * special.stdtr(max(int(fit.n[j]) - 2, 1), -weakest / se)) if weakest > 0 else 1.0
    most = units[int(np.nanargmax(np.abs(left - slope)))]
    return LeftOut(float(np.nanmin(left)), float(np.nanmax(left)), most, p)


def _why(slope: float | None, networks: int, covariates: Sequence[str], several: Sequence[Correlation]) -> str:
    if slope is None:
        return f"{plural(networks, 'network')} in two frameworks, or no variation left"
    if covariates:
        return ""
    weak = next((c.partial.why for c in several if len(c.covariates) > 1), "")
    return weak or "not tested: no two frameworks have instructions to control for"


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def sign_flips(analyses: Sequence[Analysis]) -> list[tuple[str, str, str]]:
    """(metric, where positive, where negative) for coefficients whose intervals both exclude 0 on opposite sides."""
    sides: dict[str, dict[bool, str]] = {}
    for analysis in analyses:
        for c in analysis.correlations:
            if c.partial.excludes_zero and c.partial.r is not None:
                where = f"{c.framework} ({analysis.stratum.title})"
                sides.setdefault(c.metric.label, {}).setdefault(c.partial.r > 0, where)
    return [(name, s[True], s[False]) for name, s in sorted(sides.items()) if len(s) == 2]
