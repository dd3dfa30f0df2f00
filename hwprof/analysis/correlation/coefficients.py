"""One metric against log FPS in one framework, controlling for the size of the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import special

from hwprof.analysis.correlation.collapse import Logs
from hwprof.analysis.correlation.covariates import NEVER_COUNTED, SIZE, networks_without
from hwprof.analysis.correlation.findings import RANKED, Correlation, LeftOut, Points
from hwprof.analysis.correlation.mediation import through_instructions
from hwprof.analysis.correlation.metrics import Metric
from hwprof.analysis.statistics.partial import (
    Floats,
    Partial,
    leave_one_out,
    of_residuals,
    partial,
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
    values = logs.values(metric.name)
    if np.isnan(values).all():
        return None
    zeros = int((values <= 0).sum())
    column = logs.ranks(metric.name) if zeros else metric.name
    plain = logs.collapse(["fps", column])
    if not plain.networks:
        return None
    split, untested = _split_covariates(logs, ["fps", column], chosen) if SIZE in chosen else ((), UNKNOWN_SIZE)
    both = logs.collapse(["fps", column, *split])
    base = Correlation(variant, metric, *_without_control(logs, column, both.networks, zeros > 0))
    base = replace(base, zeros=zeros, method=RANKED if zeros else base.method, cells=plain.cells, batches=plain.batches)
    if not zeros:
        base = replace(base, spread=_spread(plain.values[:, 1]))
    if not split or not both.networks:
        return replace(base, partial=Partial(len(both.networks) if split else base.raw.n, 0, why=UNKNOWN_SIZE))
    left = networks_without(logs, ["fps", column], split)
    count = int(np.isfinite(values).sum())
    notes = [f"{zeros} of {plural(count, 'value')} are 0 and have no logarithm: ranks of the metric"] if zeros else []
    notes += _omission_notes(left)
    y, x, z = both.values[:, 0], both.values[:, 1], both.values[:, 2:]
    residuals, k = take_out(np.column_stack([x, y]), z)
    rx, ry = residuals.T.copy()
    found = of_residuals(x, y, rx, ry, k)
    if untested or weak:
        found = without_test(found, untested or weak)
    if zeros:
        found = without_slope(found)
    reliability = None if zeros else _reliability(logs, metric.name, rx, k)
    notes += [] if zeros else _reliability_notes(logs, metric.name, reliability)
    through = None if zeros or found.p is None else through_instructions(x, y, z, both.networks)
    without = _leave_out(x, y, z, both.networks, found, k)
    if without is not None and without.low < 0 < without.high:
        notes.append(f"the sign changes when {without.network} is left out")
    return replace(
        base,
        partial=found,
        covariates=tuple(split),
        cells=both.cells,
        batches=both.batches,
        reliability=reliability,
        points=Points(both.networks, x, y, rx, ry) if found.r is not None else None,
        leave_out=without,
        through=through,
        omissions=left,
        notes=(*notes, *_marks(metric)),
    )


def _without_control(
    logs: Logs, column: str, networks: Sequence[str], ranked: bool
) -> tuple[Partial, Partial, Partial]:
    """r as it is, controlling for MACs, and a place for the one that controls for more; of the same networks."""
    found = []
    for control in ([], [SIZE]):
        missing = control and SIZE not in logs.part.columns
        both = logs.collapse(["fps", column, *([] if missing else control)])
        keep = np.array([n in networks for n in both.networks] if networks else [True] * len(both.networks), dtype=bool)
        y, x, *z = both.values[keep].T
        one = partial(x, y, np.array(z).T if z else np.empty((len(x), 0)))
        found.append(Partial(one.n, 0, why=UNKNOWN_SIZE) if missing else without_slope(one) if ranked else one)
    return found[0], found[0], found[1]


def _split_covariates(logs: Logs, base: Sequence[str], chosen: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """The covariates that some network of this framework has, and why there is no test ("": there may be one)."""
    if len(chosen) < 2:
        return tuple(chosen), NEVER_COUNTED
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


def _spread(logs: Floats) -> float:
    # numpy.quantile, without what it does for other ways to interpolate
    low, high = np.interp((0.1, 0.9), np.linspace(0, 1, len(logs)), np.sort(logs))
    return float(np.exp(high - low))


def _leave_out(x: Floats, y: Floats, z: Floats, names: Sequence[str], found: Partial, k: int) -> LeftOut | None:
    """What becomes of a coefficient as each network is left out; None below five networks or without a coefficient."""
    if found.r is None or found.n < 5:
        return None
    without = leave_one_out(x, y, z)
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


def _reliability_notes(logs: Logs, column: str, reliability: float | None) -> list[str]:
    if reliability is None:
        one_round = logs.noise(column)[1] < 1
        return [f"reliability unknown: {'one round' if one_round else 'too few networks for the covariates'}"]
    return [f"reliability {reliability:.2f}: more rounds"] if reliability < RELIABLE else []
