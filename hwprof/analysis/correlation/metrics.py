"""What each metric is made of, and therefore what may be concluded from it.

A per-frame count of cycles or CPU seconds is 1/FPS in disguise: correlating it with FPS proves nothing. The table
`configs/metrics.toml` says which metrics are of that sort, by name and by unit; `disguises` finds others in the data.
"""

from __future__ import annotations

import enum
import fnmatch
import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from hwprof.collectors.vocabulary import JOULES, Name
from hwprof.errors import ResultsError

if TYPE_CHECKING:  # a board that measures has no pandas
    import pandas as pd

QUANTITIES = ("frames", "s", "cpu_s", "cycles", "instructions", "joules", "event")
CYCLES = "cycles"  # the unit that tables of CPUs give to what counts them
TIME_UNITS = ("s", "ms", "us", "µs", "ns")


class MetricKind(enum.StrEnum):
    """What may be concluded from a metric."""

    DEFINITIONAL = "definitional"  # FPS in disguise: only in the identity
    COMPONENT = "component"  # a part of the cycles: a share
    TIMER = "timer"  # so many per second, whatever is computed: time in disguise
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


@functools.lru_cache(maxsize=4096)
def _rule_of(base: str) -> _Rule | None:
    return next((r for r in _rules() if any(fnmatch.fnmatchcase(base, p) for p in r.names)), None)


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
    rule = _rule_of(base)
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
        elif unit.lower() == CYCLES:
            exponents = {"cycles": 1, "frames": -1}
        elif unit.lower() in JOULES:
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


def instructions_for(name: str, columns: Mapping[str, Any] | pd.Index) -> str | None:
    """The instructions column of the same domain and origin as metric `name`; None where there is none."""
    _, at, tool = name.partition("@")
    domain = name.partition("@")[0].partition(":")[2]
    wanted = Name.INSTRUCTIONS + (f":{domain}" if domain else "") + (f"@{tool}" if at else "")
    return wanted if wanted in columns else None
