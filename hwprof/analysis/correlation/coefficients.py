"""One metric against log FPS in one framework, controlling for the size of the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from hwprof.analysis.correlation.collapse import Logs
from hwprof.analysis.correlation.covariates import INSTRUCTIONS, NEVER_COUNTED, SIZE, networks_without
from hwprof.analysis.correlation.findings import RANKED, Correlation, LeftOut, Points, Through
from hwprof.analysis.correlation.mediation import through_instructions_of_each
from hwprof.analysis.correlation.metrics import Metric
from hwprof.analysis.statistics.partial import (
    Floats,
    Partial,
    left_out,
    of_each,
    partial_of_each,
    take_out,
    without_slope,
    without_test,
)
from hwprof.printable import plural

RELIABLE = 0.8
LEVEL = 0.05
UNKNOWN_SIZE = "MACs are unknown: the size can't be taken out"


def correlate(logs: Logs, variant: str, metric: Metric, chosen: Sequence[str], weak: str = "") -> Correlation | None:
    """One metric against log FPS in one framework, controlling for the covariates `chosen`.

    None where this framework never measured the metric together with FPS. Without instructions, or with covariates
    that are too `weak`, it is described only. A metric with zeros is ranked; FPS and covariates stay logs, so that size
    is taken out of FPS as of any other metric's.
    """
    found = correlate_each(logs, variant, [(metric, chosen, weak)])
    return found[0] if found else None


Asked = tuple[Metric, Sequence[str], str]  # with its covariates, and why these are weak


@dataclass(frozen=True, slots=True)
class _Member:
    """A metric of a group, and its column in the logs: the ranks of one with zeros."""

    metric: Metric
    column: str
    zeros: int


def correlate_each(logs: Logs, variant: str, asked: Sequence[Asked]) -> list[Correlation]:
    """`correlate` of several metrics, in no order: those with the same networks and covariates are solved together."""
    groups: dict[tuple[bytes, bool, tuple[str, ...], str], list[_Member]] = {}
    for metric, chosen, weak in asked:
        values = logs.values(metric.name)
        if np.isnan(values).all():
            continue
        zeros = int((values <= 0).sum())
        column = logs.ranks(metric.name) if zeros else metric.name
        cells = logs.cells(["fps", column])
        if cells.any():
            groups.setdefault((cells.tobytes(), zeros > 0, tuple(chosen), weak), []).append(
                _Member(metric, column, zeros)
            )
    return [
        one
        for (_, ranked, chosen, weak), members in groups.items()
        for one in _group(logs, variant, members, chosen, weak, ranked)
    ]


def _group(
    logs: Logs, variant: str, members: Sequence[_Member], chosen: Sequence[str], weak: str, ranked: bool
) -> list[Correlation]:
    columns = [one.column for one in members]
    plain, raw_x = logs.together(["fps"], columns)
    base = ["fps", columns[0]]
    split, untested = _split_covariates(logs, base, chosen) if SIZE in chosen else ((), UNKNOWN_SIZE)
    both, x = logs.together(["fps", *split], columns)
    without_control = _without_control(logs, columns, both.networks, ranked)
    grid = np.linspace(0, 1, len(raw_x))
    bases = []
    for at, (one, three) in enumerate(zip(members, without_control, strict=True)):
        c = Correlation(variant, one.metric, *three, cells=plain.cells, batches=plain.batches, zeros=one.zeros)
        c = replace(c, method=RANKED) if ranked else replace(c, spread=_spread(raw_x[:, at], grid))
        bases.append(c)
    if not split or not both.networks:
        return [
            replace(c, partial=Partial(len(both.networks) if split else c.raw.n, 0, why=UNKNOWN_SIZE)) for c in bases
        ]
    lacking = networks_without(logs, base, split)
    y, z = both.values[:, 0], both.values[:, 1 : 1 + len(split)]
    residuals, k = take_out(np.column_stack([x, y]), z)
    rx, ry = residuals.T[:-1].copy(), residuals[:, -1].copy()
    several = of_each(x, y, residuals[:, :-1], ry, k)
    if untested or weak:
        several = [without_test(one, untested or weak) for one in several]
    if ranked:
        several = [without_slope(one) for one in several]
    rests = left_out(x, y, z)[0]
    through: list[Through | None] = [None] * len(members)
    if not ranked and len(split) > 1 and any(one.p is not None for one in several):
        through = through_instructions_of_each(x, y, z, both.networks)
    x = x.T.copy()
    out = []
    for at, (one, c, found) in enumerate(zip(members, bases, several, strict=True)):
        notes: list[str] = []
        if ranked:
            count = int(np.isfinite(logs.values(one.metric.name)).sum())
            notes.append(f"{one.zeros} of {plural(count, 'value')} are 0 and have no logarithm: ranks of the metric")
        notes += _omission_notes(lacking)
        reliability = None
        if not ranked:
            noise = logs.noise(one.metric.name)
            reliability = _reliability(noise, rx[at], k)
            notes += _reliability_notes(noise, reliability)
        without = _leave_out(rests[:, at], both.networks, found, k)
        if without is not None and without.low < 0 < without.high:
            notes.append(f"the sign changes when {without.network} is left out")
        out.append(
            replace(
                c,
                partial=found,
                covariates=tuple(split),
                cells=both.cells,
                batches=both.batches,
                reliability=reliability,
                points=Points(both.networks, x[at], y, rx[at], ry) if found.r is not None else None,
                leave_out=without,
                through=None if found.p is None else through[at],
                omissions=lacking,
                notes=(*notes, *_marks(one.metric)),
            )
        )
    return out


def _without_control(
    logs: Logs, columns: Sequence[str], networks: Sequence[str], ranked: bool
) -> list[tuple[Partial, Partial, Partial]]:
    """r as it is, controlling for MACs, and a place for the one that controls for more; of the same networks."""
    found = []
    for control in ([], [SIZE]):
        missing = control and SIZE not in logs.part.columns
        both, x = logs.together(["fps", *([] if missing else control)], columns)
        chosen = set(networks or both.networks)
        keep = np.array([n in chosen for n in both.networks], dtype=bool)
        values = both.values[keep]
        every = partial_of_each(x[keep], values[:, 0], values[:, 1:-1])
        if missing:
            every = [Partial(one.n, 0, why=UNKNOWN_SIZE) for one in every]
        elif ranked:
            every = [without_slope(one) for one in every]
        found.append(every)
    return [(raw, raw, sized) for raw, sized in zip(*found, strict=True)]


def _split_covariates(logs: Logs, base: Sequence[str], chosen: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """The covariates that some network of this framework has, and why there is no test ("": there may be one)."""
    if len(chosen) < 2:
        return tuple(chosen), "" if base[1] in INSTRUCTIONS else NEVER_COUNTED
    size, instructions, *_ = chosen
    if logs.collapse([*base, *chosen]).networks or not logs.collapse([*base, size]).networks:
        return tuple(chosen), ""
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


def _spread(logs: Floats, grid: Floats) -> float:
    # numpy.quantile, without what it does for other ways to interpolate
    low, high = np.interp((0.1, 0.9), grid, np.sort(logs))
    return float(np.exp(high - low))


def _leave_out(without: Floats, names: Sequence[str], found: Partial, k: int) -> LeftOut | None:
    """What becomes of a coefficient as each network is left out; None below five networks or without a coefficient."""
    if found.r is None or found.n < 5:
        return None
    if not np.isfinite(without).any():
        return None
    most = int(np.nanargmax(np.abs(without - found.r)))
    low, high = float(np.nanmin(without)), float(np.nanmax(without))
    df = found.n - 1 - 2 - k
    weakest = float(np.min(without * np.sign(found.r)))  # NaN where a rest has none
    p = 1.0
    if df >= 1 and weakest > 0:
        p = float(2 * special.stdtr(df, -weakest * np.sqrt(df / max(1 - weakest * weakest, 1e-300))))
    return LeftOut(low, high, names[most], p)


def _reliability(noise: tuple[float, int, Floats], residual: Floats, k: int) -> float | None:
    """1 - s2_e / (R s2_total): s2_e between rounds, R values per network, s2_total of what is correlated.

    s2_total is taken after the covariates, for that is the variance which the coefficient lives on. `noise`: `Logs`'.
    """
    squares, df, counts = noise
    if df < 1 or len(residual) - 1 - k < 1:
        return None
    error = squares / df
    values = float(len(counts) / (1 / counts).sum())  # harmonic mean
    total = float((residual**2).sum()) / (len(residual) - 1 - k)
    return max(0.0, 1 - error / (values * total)) if total > 0 else 0.0


def _reliability_notes(noise: tuple[float, int, Floats], reliability: float | None) -> list[str]:
    if reliability is None:
        one_round = noise[1] < 1
        return [f"reliability unknown: {'one round' if one_round else 'too few networks for the covariates'}"]
    return [f"reliability {reliability:.2f}: more rounds"] if reliability < RELIABLE else []
