"""What is known of each configuration, by the quantities that a need may name. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from hwprof import speed
from hwprof.analysis import energy
from hwprof.analysis.configurations.best import by_configuration
from hwprof.analysis.configurations.model import KEYS, Configuration
from hwprof.analysis.configurations.need import NeedQuantity
from hwprof.collectors.vocabulary import Name
from hwprof.errors import UsageError

# Columns of the frame by quantity; power and energy are those of the sensors that make the whole.
COLUMNS: Mapping[str, str] = {
    "fps": "fps",
    "throughput": "throughput",
    "latency": "latency_ms",
    "latency p90": "p90_ms",
    "latency p99": "p99_ms",
    "cpu time": "cpu_ms",
    "memory": "peak_rss_mib",
}
WATTS: Mapping[str, float] = {"w": 1.0, "mw": 1e-3}
Values = Mapping[tuple[str, ...], speed.Interval]


@dataclass(frozen=True, slots=True)
class AccuracyScore:
    """Shares in % of one framework on labelled images, with Wilson's 95 % intervals; `top5` None: there is none.

    `options`: as `hwprof accuracy -f` takes them, `mode=inductor`.
    """

    network: str
    framework: str
    options: str
    precision: str
    top1: speed.Interval
    top5: speed.Interval | None


def accuracy_scores(document: Any, name: str) -> list[AccuracyScore]:
    """The scores in the document of `hwprof accuracy --json`. Raises UsageError naming the file `name`."""
    try:
        network = str(document["network"])
        return [_score(network, one) for one in document["scores"]]
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise UsageError(
            f"{name} is not the output of hwprof accuracy --json", "write one: hwprof accuracy ... --json > FILE"
        ) from error


def _score(network: str, one: Mapping[str, Any]) -> AccuracyScore:
    column, _, precision = str(one["name"]).rpartition(" ")
    framework, _, options = column.partition(":")
    if not framework:
        raise ValueError(one["name"])
    top1 = _share(one["top1"])
    if top1 is None:
        raise ValueError(network)
    return AccuracyScore(network, framework, options, precision, top1, _share(one["top5"]))


def _share(found: Mapping[str, Any] | None) -> speed.Interval | None:
    if found is None:
        return None
    values = 100 * found["right"] / found["of"], 100 * float(found["low"]), 100 * float(found["high"])
    return speed.Interval(*values)


def values_of(
    quantity: NeedQuantity,
    frame: pd.DataFrame,
    configurations: Sequence[Configuration],
    scores: Sequence[AccuracyScore] = (),
) -> Values:
    """The quantity of each configuration that has it, in the quantity's unit. `frame`: labelled."""
    if quantity.name in ("top1", "top5"):
        found = {one.key: accuracy_of(one, scores) for one in configurations}
        shares = {key: getattr(score, quantity.name) for key, score in found.items() if score is not None}
        return {key: share for key, share in shares.items() if share is not None}
    if quantity.name == "energy":
        return by_configuration(frame, energy.per_frame(frame))
    if quantity.name == "power":
        return by_configuration(frame, watts(frame))
    column = COLUMNS[quantity.name]
    return by_configuration(frame, frame.get(column))


def accuracy_of(one: Configuration, scores: Sequence[AccuracyScore]) -> AccuracyScore | None:
    """The score of a configuration: of its network, framework, precision and options; None: not measured.

    A score without options is that of each configuration for which there is none with its own.
    """
    alike = [s for s in scores if (s.network, s.framework, s.precision) == (one.net, one.framework, one.precision)]
    own = set(one.options.split())
    for score in alike:
        if score.options and set(score.options.split(",")) <= own:
            return score
    return next((score for score in alike if not score.options), None)


def watts(frame: pd.DataFrame) -> pd.Series | None:
    """Mean power of each run in W, of the sensors whose energies make the whole; NaN where one of them is missing."""
    described: Mapping[str, Mapping[str, Any]] = frame.attrs.get("metrics", {})
    total = pd.Series(math.nan, index=frame.index)
    found = False
    for one in energy.choose_sensors(frame):
        columns = [name.replace(Name.ENERGY, Name.POWER, 1) for name in one.columns]
        scales = [WATTS.get(str(described.get(name, {}).get("unit", "")).lower()) for name in columns]
        if not columns or None in scales:
            continue
        rows = frame["machine"].fillna("").astype(str) == one.machine
        parts = [frame.loc[rows, n].astype(float) * s for n, s in zip(columns, scales, strict=True) if s is not None]
        total.loc[rows] = pd.concat(parts, axis=1).sum(axis=1, skipna=False)
        found = True
    return total.where(total > 0) if found else None


def fewest_inferences(frame: pd.DataFrame) -> Mapping[tuple[str, ...], int]:
    """The fewest inferences that a round of each configuration has, by its key. `frame`: labelled."""
    if "iterations" not in frame:
        return {}
    known = frame[frame["iterations"].notna()]
    found: dict[tuple[str, ...], int] = {}
    for key, count in zip(zip(*(known[n].astype(str) for n in KEYS), strict=True), known["iterations"], strict=True):
        found[key] = min(found.get(key, int(count)), int(count))
    return found
