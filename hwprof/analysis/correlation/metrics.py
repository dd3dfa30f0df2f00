"""What each metric is made of, and therefore what may be concluded from it.

A per-frame count of cycles or CPU seconds is 1/FPS in disguise: correlating it with FPS proves nothing. The table
`configs/metrics.toml` says which metrics are of that sort; a check on the data finds those that it doesn't name.
"""

from __future__ import annotations

import enum
import fnmatch
import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwprof.analysis import energy
from hwprof.collectors.vocabulary import Name
from hwprof.errors import ResultsError

Floats = NDArray[np.float64]

QUANTITIES = ("frames", "s", "cpu_s", "cycles", "instructions", "joules", "event")
TIME_UNITS = ("s", "ms", "us", "µs", "ns")

# The data check: a metric this close to FPS or to its inverse is FPS (found by simulation).
DISGUISE_R2 = 0.995
DISGUISE_SLOPE = 0.02


class MetricKind(enum.StrEnum):
    """What may be concluded from a metric."""

    DEFINITIONAL = "definitional"  # FPS in disguise: only in the identity
    COMPONENT = "component"  # a part of the cycles: a share
    RATE = "rate"  # per second or cycle: descriptive
    GAUGE = "gauge"  # a level
    EXPLANATORY = "explanatory"  # an event per frame: may be tested


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric column. `origins` and `exactness` are those of its readings, lower case."""

    name: str
    kind: MetricKind
    exponents: Mapping[str, int]
    unit: str = ""
    origins: tuple[str, ...] = ()
    exactness: str = ""
    source: str = ""
    meaning: str = ""
    per: str = "frame"

    @property
    def simulated(self) -> bool:
        """A model of a machine counted, not this machine."""
        return "simulated" in self.origins

    @property
    def emulated(self) -> bool:
        """An emulator's PMU counted."""
        return "emulated" in self.origins

    @property
    def user_only(self) -> bool:
        """Counts user mode alone."""
        return ":u" in self.name

    @property
    def label(self) -> str:
        """The name for tables and figures: simulated says simulated, and by what."""
        if not self.simulated:
            return self.name
        name, at, tool = self.name.partition("@")
        return f"{name} [simulated ({tool if at else 'callgrind'})]"


@dataclass(frozen=True, slots=True)
class _Rule:
    names: tuple[str, ...]
    exponents: Mapping[str, int]
    kind: MetricKind


@dataclass(frozen=True, slots=True)
class Disguise:
    """Fit of log FPS on one log metric; `found`: the metric is FPS or its inverse."""

    found: bool
    r2: float
    slope: float


def kind_of(exponents: Mapping[str, int]) -> MetricKind:
    """The kind that follows from the exponents alone (DEFINITIONAL, EXPLANATORY, RATE or, for a bare event, GAUGE)."""
    used = {name for name, power in exponents.items() if power}
    if "event" not in used:
        return MetricKind.DEFINITIONAL
    rest = used - {"event"}
    if rest == {"frames"}:
        return MetricKind.EXPLANATORY
    return MetricKind.RATE if rest else MetricKind.GAUGE


@functools.cache
def _rules() -> tuple[_Rule, ...]:
    text = resources.files("hwprof.configs").joinpath("metrics.toml").read_text(encoding="utf-8")
    data = tomllib.loads(text)
    rules = []
    for entry in data["metric"].values():
        exponents = dict(entry["exponents"])
        if not set(exponents) <= set(QUANTITIES):
            raise ResultsError(f"metrics.toml: unknown quantity in {exponents}", f"known: {', '.join(QUANTITIES)}")
        kind = MetricKind(entry["kind"]) if "kind" in entry else kind_of(exponents)
        rules.append(_Rule(tuple(n.lower() for n in entry["names"]), exponents, kind))
    return tuple(rules)


def base_name(name: str) -> str:
    """`name` without its domain (:u, :k, :uk) and its origin (@callgrind), in lower case."""
    return name.partition("@")[0].partition(":")[0].strip().lower()


def _words(value: Any) -> tuple[str, ...]:
    """'hardware', Origin.HARDWARE, ['hardware', 'kernel'] or 'hardware+kernel' as sorted lower-case words."""
    if value is None:
        return ()
    parts = [value] if isinstance(value, str) else list(value)
    words = {w for part in parts for w in str(part).lower().replace("+", " ").replace(",", " ").split()}
    return tuple(sorted(words))


def metric_of(name: str, attributes: Mapping[str, Any]) -> Metric:
    """Classify one column by its name, unit and what it is per ('frame', 'level' or 'window')."""
    per, unit = str(attributes.get("per") or "frame"), str(attributes.get("unit") or "")
    base = base_name(name)
    exponents: Mapping[str, int]
    rule = next((r for r in _rules() if any(fnmatch.fnmatchcase(base, p) for p in r.names)), None)
    if rule is not None:
        exponents, kind = rule.exponents, rule.kind
        if per == "level" and kind is not MetricKind.COMPONENT:
            exponents, kind = {"event": 1}, MetricKind.GAUGE
    elif per == "level":
        exponents, kind = {"event": 1}, MetricKind.GAUGE
    elif per == "window":
        exponents, kind = {"event": 1, "s": -1}, MetricKind.RATE
    else:
        if unit.lower() in TIME_UNITS:
            exponents = {"s": 1, "frames": -1}
        elif unit.lower() in energy.JOULES:
            exponents = {"joules": 1, "frames": -1}
        else:
            exponents = {"event": 1, "frames": -1}
        kind = kind_of(exponents)
    return Metric(
        name,
        kind,
        exponents,
        unit,
        _words(attributes.get("origin")),
        "+".join(_words(attributes.get("exactness"))),
        str(attributes.get("source") or ""),
        str(attributes.get("meaning") or ""),
        per,
    )


def classify(frame: pd.DataFrame) -> dict[str, Metric]:
    """Every metric column of a results frame, by name. Raises ResultsError where the frame doesn't say its metrics."""
    described = frame.attrs.get("metrics")
    if described is None:
        raise ResultsError(
            "the frame does not say which of its columns are metrics",
            "take it from Results.frame(), or set attrs['metrics']",
        )
    return {name: metric_of(name, described[name]) for name in sorted(described) if name in frame.columns}


def disguise(log_fps: Floats, log_metric: Floats) -> Disguise:
    """Is the metric FPS in disguise? Regresses log FPS on the log metric, both of shape (networks,).

    Found where R2 > .995 and ||slope| - 1| < .02. Fewer than four values, or a constant, decide nothing.
    """
    keep = np.isfinite(log_fps) & np.isfinite(log_metric)
    y, x = log_fps[keep], log_metric[keep]
    if len(x) < 4 or np.ptp(x) < 1e-12 or np.ptp(y) < 1e-12:
        return Disguise(False, float("nan"), float("nan"))
    x, y = x - x.mean(), y - y.mean()
    slope = float(x @ y / (x @ x))
    r2 = float((x @ y) ** 2 / ((x @ x) * (y @ y)))
    return Disguise(r2 > DISGUISE_R2 and abs(abs(slope) - 1) < DISGUISE_SLOPE, r2, slope)


def instructions_for(name: str, columns: Mapping[str, Any] | pd.Index) -> str | None:
    """The instructions column of the same domain and origin as metric `name`; None where there is none."""
    _, at, tool = name.partition("@")
    domain = name.partition("@")[0].partition(":")[2]
    wanted = Name.INSTRUCTIONS + (f":{domain}" if domain else "") + (f"@{tool}" if at else "")
    return wanted if wanted in columns else None
