"""Does anything besides MACs help to predict FPS? Models of log FPS, judged on unseen networks. Pure.

Predictors are few: log MACs, and then what lowers the error on networks left out, chosen anew within every fold, so
that the choice is not paid with its own coin. A model that is not better than MACs alone is called that. Where a run of
a stratum was disturbed, the speed that survives stands in the place of FPS.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from hwprof.analysis.correlation import collapse, strata
from hwprof.analysis.correlation import metrics as kinds
from hwprof.analysis.correlation.metrics import MetricKind
from hwprof.analysis.correlation.strata import Stratum
from hwprof.analysis.correlation.target import BY_FPS, SPEED, surviving_speed
from hwprof.analysis.estimator import EstimatorChoice
from hwprof.analysis.statistics.regression import (
    COLLINEAR,
    Data,
    best_penalty,
    design,
    error_on,
    fit,
    inflation,
    jackknife,
    left_out,
    rms,
)
from hwprof.printable import plural

BASE = "macs"
FEWEST = 4  # networks, for any model
ENOUGH = 7  # networks, for more than MACs
PER_PREDICTOR = 3  # networks beyond the first two that each predictor needs
LEVEL = 0.05
# (network, size, shape) -> further facts of its graph with these inputs, as activations
Extra = Mapping[tuple[str, int, str], Mapping[str, float]] | None


@dataclass(frozen=True, slots=True)
class Coefficient:
    """An elasticity: the speed goes as predictor ^ value. Interval by networks left out, t(N - 1).

    95 % of MACs, of picked predictors the level that allows for the picking; NaN of what ridge has shrunk.
    """

    name: str
    value: float
    low: float
    high: float
    vif: float


@dataclass(frozen=True, slots=True)
class Mixed:
    """The same by statsmodels' MixedLM, networks as random intercepts: a second view only (coverage .90)."""

    coefficients: Mapping[str, tuple[float, float, float]]
    network_sd: float
    residual_sd: float
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assessment:
    """One stratum. Errors are RMS of log speed on networks left out; exp() of them is a typical factor.

    `error` is of the whole procedure, choice of predictors included. `refused`: why there is no model. `choice`: which
    speed, and why where it is not FPS.
    """

    stratum: Stratum
    networks: int
    frameworks: tuple[str, ...]
    candidates: tuple[str, ...] = ()
    chosen: tuple[str, ...] = ()
    coefficients: tuple[Coefficient, ...] = ()
    base_error: float = math.nan
    error: float = math.nan
    p: float | None = None  # of the errors of both being equal, signed ranks over networks
    penalty: float = 0.0
    mixed: Mixed | None = None
    verdict: str = ""
    refused: str = ""
    notes: tuple[str, ...] = ()
    choice: EstimatorChoice = BY_FPS

    @property
    def target(self) -> str:
        """What is modelled: FPS, throughput, ..."""
        return SPEED[self.choice.estimator]


def assess(frame: pd.DataFrame, extra: Extra = None) -> list[Assessment]:
    """Models of every stratum; refused on an emulated machine, where FPS is the emulator's. ResultsError: no frame."""
    out = []
    for stratum, part in strata.split(strata.label(frame)):
        rows = strata.usable_rows(part)
        if "emulated" in rows.columns and bool(rows["emulated"].astype(bool).any()):
            out.append(Assessment(stratum, 0, (), refused="an emulator's time is not modelled"))
            continue
        rows, choice = surviving_speed(rows)
        sized, lacking = by_size(rows)
        data = table(sized, candidates(sized, frame), extra)
        notes = [f"left out for unknown MACs: {', '.join(lacking)}"] if lacking else []
        out.append(_assess(stratum, data, [*notes, *_unknown_facts(sized, extra)], choice))
    return out


def by_size(rows: pd.DataFrame) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The rows whose MACs are known, and the networks with FPS that a model has to do without."""
    if BASE not in rows.columns:
        return rows.iloc[:0], tuple(sorted(set(rows.loc[rows["fps"].notna(), strata.NETWORK].astype(str))))
    known = pd.to_numeric(rows[BASE], errors="coerce") > 0
    lacking = rows.loc[rows["fps"].notna() & ~known, strata.NETWORK].astype(str)
    sized = rows[known]
    return sized, tuple(sorted(set(lacking) - set(sized[strata.NETWORK].astype(str))))


def _unknown_facts(rows: pd.DataFrame, extra: Extra) -> list[str]:
    """Facts of the graph that can't be predictors, because some networks lack them."""
    known = _with_facts(rows, extra)
    lacking: dict[str, list[str]] = {}
    for name in ("params", *_facts(extra)):
        there = pd.to_numeric(known[name], errors="coerce") > 0 if name in known.columns else pd.Series(dtype=bool)
        if there.any() and not there.all():
            networks = sorted(set(known.loc[~there, strata.NETWORK].astype(str)))
            lacking.setdefault(", ".join(networks), []).append(name)
    return [f"no predictor, as it is unknown of {networks}: {', '.join(names)}" for networks, names in lacking.items()]


def _facts(extra: Extra) -> list[str]:
    return sorted({f for facts in (extra or {}).values() for f in facts})


def _with_facts(rows: pd.DataFrame, extra: Extra) -> pd.DataFrame:
    """A copy with a column for each fact of `extra`; NaN: unknown."""
    rows = rows.copy()
    for fact in _facts(extra):
        rows[fact] = [(extra or {}).get(case, {}).get(fact, math.nan) for case in inputs_of(rows)]
    return rows


def inputs_of(rows: pd.DataFrame) -> list[tuple[str, int, str]]:
    """(network, size, shape) of each row: what `Extra` is about."""
    columns = rows["network"].astype(str), rows["size"].astype(int), rows["shape"].astype(str)
    return list(zip(*columns, strict=True))


def candidates(rows: pd.DataFrame, frame: pd.DataFrame) -> list[str]:
    """Columns that may explain: events per frame, positive in every row; none that is made of time."""
    known = kinds.classify(frame) if "metrics" in frame.attrs else {}
    found = []
    for name, metric in known.items():
        values = pd.to_numeric(rows.loc[rows["fps"].notna(), name], errors="coerce")
        if metric.kind is MetricKind.EXPLANATORY and len(values) and bool((values > 0).all()):
            found.append(name)
    return found


def table(rows: pd.DataFrame, columns: Sequence[str], extra: Extra = None) -> Data:
    """One row per network and framework, logs of FPS, MACs, parameters and `columns`, cells averaged (see strata).

    Without networks whose MACs are unknown (`by_size` names them), and without predictors that any of the others lacks.
    """
    rows = _with_facts(by_size(rows)[0], extra)
    names = [BASE, *(["params"] if "params" in rows.columns else []), *columns, *_facts(extra)]
    names = [n for n in names if n in rows.columns and bool((pd.to_numeric(rows[n], errors="coerce") > 0).all())]
    if BASE not in names or rows.empty or not rows["fps"].notna().any():
        return Data((), (), np.empty(0), np.empty((0, 1)), (BASE,))
    networks: list[str] = []
    frameworks: list[str] = []
    values = []
    for variant in sorted(rows.loc[rows["fps"].notna(), strata.VARIANT].unique()):
        found = collapse.Logs(rows, str(variant)).collapse(["fps", *names])
        networks += found.networks
        frameworks += [str(variant)] * len(found.networks)
        values.append(found.values)
    both = np.vstack(values)
    return Data(tuple(networks), tuple(frameworks), both[:, 0], both[:, 1:], tuple(names))


def _assess(stratum: Stratum, data: Data, notes: Sequence[str], choice: EstimatorChoice) -> Assessment:
    n, frameworks = len(data.clusters), tuple(dict.fromkeys(data.frameworks))
    base = Assessment(stratum, n, frameworks, notes=tuple(notes), choice=choice)
    if n < FEWEST:
        return replace(base, refused=f"{plural(n, 'network')} with MACs and {base.target}: a model needs {FEWEST}")
    notes = [
        *notes,
        *([f"exploratory: {plural(n, 'network')}, {ENOUGH} are needed for more than MACs"] if n < ENOUGH else []),
    ]
    chosen = choose(data)
    picked = data.only(chosen)
    plain, nested = left_out(data.only((BASE,))), procedure(data)
    vif = inflation(picked)
    penalty = best_penalty(picked) if max(vif.values()) > COLLINEAR else 0.0
    if penalty:
        notes.append(
            f"collinear predictors (VIF above {COLLINEAR:g}): ridge with penalty {penalty:g}, which has no interval"
        )
    p = compare_errors(plain, nested)
    found = verdict(rms(plain), rms(nested), p, chosen)
    return replace(
        base,
        candidates=data.names,
        chosen=chosen,
        coefficients=coefficients(picked, vif, penalty, len(data.names) - 1 if found == BETTER else None),
        base_error=rms(plain),
        error=rms(nested),
        p=p,
        penalty=penalty,
        mixed=mixed_model(picked),
        verdict=found,
        notes=tuple(notes),
    )


def choose(data: Data) -> tuple[str, ...]:
    """MACs, then one predictor after the other while it lowers the error on networks left out by a tenth."""
    n = len(data.clusters)
    most = 1 if n < ENOUGH else max(1, (n - 2) // PER_PREDICTOR)
    chosen: tuple[str, ...] = (BASE,)
    error = rms(left_out(data.only(chosen)))
    while len(chosen) < most:
        trials = {name: rms(left_out(data.only((*chosen, name)))) for name in data.names if name not in chosen}
        best = min(trials, key=lambda name: trials[name], default=None)
        if best is None or not trials[best] < 0.9 * error:
            break
        chosen, error = (*chosen, best), trials[best]
    return chosen


def procedure(data: Data) -> dict[str, float]:
    """Errors on networks left out, with the predictors chosen anew without each of them."""
    errors: dict[str, float] = {}
    for network in data.clusters:
        train, test = data.without(network)
        picked = train.only(choose(train))
        penalty = best_penalty(picked) if max(inflation(picked).values()) > COLLINEAR else 0.0
        if (error := error_on(test.only(picked.names), fit(picked, penalty))) is not None:
            errors[network] = error
    return errors


def compare_errors(plain: Mapping[str, float], nested: Mapping[str, float]) -> float | None:
    """p of equal errors, Wilcoxon's signed ranks over networks; None where they are the same, or too few."""
    both = [n for n in plain if n in nested]
    difference = np.array([plain[n] - nested[n] for n in both])
    if len(both) < FEWEST or float(np.ptp(difference)) < 1e-12:
        return None
    from scipy import stats

    return float(stats.wilcoxon(difference).pvalue)


BETTER = "better than MACs alone on networks it has not seen"


def verdict(base: float, error: float, p: float | None, chosen: Sequence[str]) -> str:
    """What may be said of the model beside MACs alone."""
    if tuple(chosen) == (BASE,):
        return "nothing predicts unseen networks better than MACs alone"
    if error >= base:
        return "not better than MACs alone on networks it has not seen: don't use the further predictors"
    if p is None or p > LEVEL:
        return "lower error than MACs alone, but not shown to be better (too few networks, or too alike)"
    return BETTER


def coefficients(data: Data, vif: Mapping[str, float], penalty: float, tried: int | None) -> tuple[Coefficient, ...]:
    """Elasticities with intervals by networks left out. `tried`: predictors beside MACs that these were picked from.

    Picked are those that fit best, so that 95 % of each would hold fewer than 95 % of theirs: the level is
    1 - .05 x picked / tried (Benjamini and Yekutieli 2005). That is too little where nothing matters (.79 of intervals
    hold 0): `tried` None, of a model that is not shown to be better, leaves picked predictors without interval.
    """
    from scipy import stats

    model, errors = fit(data, penalty), jackknife(data, penalty)
    found = []
    for name, b, e in zip(data.names, model.coefficients, errors, strict=True):
        level = LEVEL if name == BASE else LEVEL * (len(data.names) - 1) / tried if tried else math.nan
        half = math.nan if penalty else float(e) * float(stats.t.ppf(1 - level / 2, len(data.clusters) - 1))
        found.append(Coefficient(name, float(b), float(b) - half, float(b) + half, vif[name]))
    return tuple(found)


def mixed_model(data: Data) -> Mixed | None:
    """Networks as random intercepts, by statsmodels; None with one framework (not separable from noise)."""
    if len(set(data.frameworks)) < 2 or len(data.y) <= len(data.names) + len(set(data.frameworks)) + 1:
        return None
    import statsmodels.api as sm  # late: it takes seconds to load

    columns, frameworks = design(data)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = sm.MixedLM(data.y, columns, groups=list(data.networks)).fit(reml=True)
            interval = np.asarray(result.conf_int())
        except np.linalg.LinAlgError as error:
            return Mixed({}, math.nan, math.nan, (f"did not converge: {error}",))
    at = len(frameworks)
    found = {
        name: (float(result.fe_params[at + i]), float(interval[at + i][0]), float(interval[at + i][1]))
        for i, name in enumerate(data.names)
    }
    said = tuple(dict.fromkeys(str(w.message).partition("\n")[0] for w in caught))
    return Mixed(found, float(np.sqrt(np.asarray(result.cov_re)[0, 0])), float(np.sqrt(result.scale)), said)
