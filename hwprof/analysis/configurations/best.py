"""The best configuration of each framework and network: precision, threads, batch and options. Pure.

The last figure of the DLI methodology (Vasiliev et al., Deep Learning Inference benchmark) is the best FPS over launch
parameters for each model and framework. Here it has its ties: a configuration is slower than the best only where the
interval of their ratio, in sets where both were measured side by side, excludes 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwprof import speed
from hwprof.analysis import energy
from hwprof.analysis.configurations.model import (
    KEYS,
    Configuration,
    ConfigurationGroup,
    Rank,
    RankedConfiguration,
)
from hwprof.analysis.correlation import strata
from hwprof.analysis.correlation.strata import NETWORK, VARIANT
from hwprof.analysis.estimator import Estimator, EstimatorChoice, choose, is_disturbed
from hwprof.analysis.speeds import ALONE, CaseRatio, case_ratio, speed_of


def rank(frame: pd.DataFrame, fps: pd.DataFrame) -> tuple[ConfigurationGroup, ...]:
    """The groups of a results frame, by machine and network, the framework with the fastest best first.

    `frame`: labelled (`strata.label`); `fps`: its `speeds`.
    """
    grouped: dict[tuple[str, ...], list[Configuration]] = {}
    for one in configurations(frame, fps):
        grouped.setdefault((one.machine, one.network, one.framework), []).append(one)
    failures = _failures(frame, fps)
    groups = [
        _rank_group(several, failures.get((machine, several[0].net, framework), ()))
        for (machine, _, framework), several in grouped.items()
    ]
    return tuple(sorted(groups, key=lambda g: (g.machine, g.network, -(g.best.interval.value if g.best else 0.0))))


def configurations(frame: pd.DataFrame, fps: pd.DataFrame) -> list[Configuration]:
    """Every configuration with a speed, in the order of `fps`. `frame`: labelled."""
    if fps.empty:
        return []
    frameworks = dict(zip(frame[VARIANT].astype(str), frame["framework"].astype(str), strict=True))
    names = dict(zip(frame[NETWORK].astype(str), frame["network"].astype(str), strict=True))
    rows = [{str(k): v for k, v in row.items()} for row in fps.to_dict("records")]
    alike = Counter(map(_without_cpus, rows))
    joules = by_configuration(frame, energy.per_frame(frame))
    found = []
    for row, network in zip(rows, strata.named_networks(fps), strict=True):
        framework = frameworks[str(row[VARIANT])]
        options = _options(row, framework)
        if alike[_without_cpus(row)] > 1:
            where = f"CPUs {row['cpus']}" if row["cpus"] else "not pinned"
            options = f"{options} {where}".strip()
        found.append(
            Configuration(
                str(row["machine"]),
                framework,
                str(network),
                names[str(row[NETWORK])],
                str(row["precision"]),
                int(row["threads"]),
                int(row["batch"]),
                options,
                row,
                joules.get(tuple(str(row[name]) for name in KEYS)),
            )
        )
    return found


def _without_cpus(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in KEYS if name != "cpus")


def _options(row: Mapping[str, Any], framework: str) -> str:
    """What a variant's name has behind that of its framework."""
    return str(row[VARIANT]).removeprefix(framework).strip()


def by_configuration(frame: pd.DataFrame, values: pd.Series | None) -> dict[tuple[str, ...], speed.Interval]:
    """Geometric mean and 95 % interval of a value of runs, by `Configuration.key`; absent where none is known.

    `frame`: labelled. As intervals of FPS: between rounds, and between sessions where there are several.
    """
    if values is None:
        return {}
    known = values.astype(float)
    usable = strata.is_ok(frame) & strata.is_native(frame) & np.isfinite(known) & (known > 0)
    rows = frame[usable]
    keys = zip(*(rows[name].astype(str) for name in KEYS), strict=True)
    found: dict[tuple[str, ...], dict[str, list[float]]] = {}
    for key, block, value in zip(keys, rows[strata.BLOCK].astype(str), known[usable], strict=True):
        found.setdefault(key, {}).setdefault(block, []).append(float(value))
    return {key: _interval(list(blocks.values())) for key, blocks in found.items()}


def _interval(sessions: Sequence[Sequence[float]]) -> speed.Interval:
    if len(sessions) == 1:
        return speed.between_rounds(sessions[0])
    return speed.between_rounds([float(np.exp(np.log(one).mean())) for one in sessions])


def is_mostly_disturbed(row: Mapping[str, Any]) -> bool:
    """Whether more than half of the rounds of a row of `speeds` were disturbed, so that it can't be best."""
    rounds: NDArray[np.bool_] = np.array([is_disturbed(one) for _, one in speed_of(row)], dtype=bool)
    return bool(rounds.mean() > 0.5)


def _exclusion(row: Mapping[str, Any]) -> Rank | None:
    if row["emulated"]:
        return Rank.EMULATED
    if not row["faithful"]:
        return Rank.UNFAITHFUL
    return Rank.DISTURBED if is_mostly_disturbed(row) else None


def _rank_group(several: Sequence[Configuration], failures: Sequence[str]) -> ConfigurationGroup:
    """The configurations of one network in one framework, ranked by what `estimator.choose` lets rank them.

    Where each one is disturbed, and CPU time per frame ranks them all (one thread), they are ranked by that.
    """
    reasons = {id(one): _exclusion(one.speed) for one in several}
    able = [one for one in several if reasons[id(one)] is None]
    choice = _choose(able)
    if not able:
        disturbed = [one for one in several if reasons[id(one)] is Rank.DISTURBED]
        choice = _choose(disturbed)
        able = disturbed if choice.estimator is Estimator.CPU_TIME else []
    known = [one for one in able if _rate(one, choice.estimator) > 0]
    ranked = _compare(known, choice.estimator) if known else []
    ranked += [RankedConfiguration(one, Rank.TIED) for one in able if not _rate(one, choice.estimator) > 0]
    chosen = set(map(id, able))
    rest = sorted((one for one in several if id(one) not in chosen), key=lambda one: -one.interval.value)
    ranked += [RankedConfiguration(one, why) for one in rest if (why := reasons[id(one)]) is not None]
    first = several[0]
    return ConfigurationGroup(first.machine, first.framework, first.network, choice, tuple(ranked), tuple(failures))


def _choose(members: Sequence[Configuration]) -> EstimatorChoice:
    return choose(member for one in members for member in speed_of(one.speed))


def _rate(one: Configuration, estimator: Estimator) -> float:
    value = float(one.speed[ALONE[estimator]])
    if not value > 0:
        return 0.0
    return 1 / value if estimator is Estimator.CPU_TIME else value


def _compare(able: Sequence[Configuration], estimator: Estimator) -> list[RankedConfiguration]:
    """The best first, then its ties, then those that are slower."""
    order = sorted(able, key=lambda one: -_rate(one, estimator))
    best, ratios = _leader(order, estimator)
    found = [RankedConfiguration(best, Rank.BEST)]
    for one in order:
        if one is best:
            continue
        ratio = ratios[id(one)]
        if ratio is None:
            found.append(RankedConfiguration(one, Rank.TIED))
            continue
        is_slower = ratio.decided and ratio.ratio.value < 1
        found.append(RankedConfiguration(one, Rank.SLOWER if is_slower else Rank.TIED, ratio.ratio, ratio.sets))
    return sorted(found, key=lambda one: list(Rank).index(one.rank))


def _leader(
    order: Sequence[Configuration], estimator: Estimator
) -> tuple[Configuration, Mapping[int, CaseRatio | None]]:
    """The first, unless side by side another one is faster; with the ratio of every other one to it."""
    best = order[0]
    for _ in order[1:]:
        ratios = _ratios(order, best, estimator)
        faster = (one for one in order if (r := ratios.get(id(one))) is not None and r.decided and r.ratio.value > 1)
        if (other := next(faster, None)) is None:
            return best, ratios
        best = other
    return best, _ratios(order, best, estimator)


def _ratios(order: Sequence[Configuration], best: Configuration, estimator: Estimator) -> dict[int, CaseRatio | None]:
    return {id(one): case_ratio(one.speed, best.speed, estimator) for one in order if one is not best}


def _failures(frame: pd.DataFrame, fps: pd.DataFrame) -> dict[tuple[str, str, str], list[str]]:
    """(machine, network, framework) -> labels of the configurations of which no run succeeded."""
    failed = frame[~strata.is_ok(frame) & strata.is_native(frame)]
    if failed.empty or fps.empty:
        return {}
    done = set(zip(*(fps[name].astype(str) for name in KEYS), strict=True))
    found: dict[tuple[str, str, str], dict[str, None]] = {}
    keys = zip(*(failed[name].astype(str) for name in KEYS), strict=True)
    for row, key in zip(failed.to_dict("records"), keys, strict=True):
        if key in done:
            continue
        words = str(row[VARIANT]).removeprefix(str(row["framework"])).strip()
        label = f"{row['precision']} t{row['threads']} b{row['batch']} {words}".strip()
        found.setdefault((str(row["machine"]), str(row["network"]), str(row["framework"])), {})[label] = None
    return {key: list(labels) for key, labels in found.items()}
