"""From readings to columns of the frame: how a metric's column is called and what its numbers are per."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hwprof.collectors.callgrind import EDITION
from hwprof.records import Exactness, Origin, Reading, Role, Shape

Floats = NDArray[np.float64]

# Units of levels where the shape was not recorded. Bytes are levels too (RSS), unless a PMU counted them.
LEVEL_UNITS = frozenset(
    (
        *("w", "mw", "v", "mv", "a", "ma", "hz", "khz", "mhz", "ghz", "rpm", "k", "°c", "c", "degc"),
        *("b", "bytes", "kb", "kib", "mib", "gib", "%", "percent", "ratio", "share", "cores", "cpus", "threads"),
    )
)
PEAK = re.compile(r"(^|[-_.])(peak|max|hwm)([-_.]|$)")
# Names of totals where the shape was not recorded.
TOTALS = re.compile(r"throttl", re.IGNORECASE)
PER: Mapping[Shape, str] = {Shape.COUNT: "frame", Shape.LEVEL: "level", Shape.TOTAL: "window"}
MODIFIERS = re.compile(r":[ukhGHpPSDWe]+$")
SUFFIX = {"user": ":u", "kernel": ":k", "hypervisor": ":h"}
# Which windows a number is taken from: the first role in which there is one.
ROLES = (Role.COUNTED, Role.SIMULATED, Role.BARE, Role.CLOSED, Role.LAYERS)
WORST = (Exactness.EXACT, Exactness.SCALED, Exactness.SUSPECT, Exactness.MISSING)


@dataclass(frozen=True, slots=True)
class MetricRow:
    """A row of the metric table."""

    name: str
    unit: str
    domain: str
    source: str
    meaning: str
    shape: Shape

    @property
    def per(self) -> str:
        """What its numbers in the frame are per: "frame" for counts, "level" for levels, "window" for totals."""
        return PER[self.shape]


@dataclass(slots=True)
class Column:
    """One metric column. `values` has one element per run, NaN: missing."""

    name: str
    unit: str
    per: str
    values: Floats
    origins: set[str] = field(default_factory=set)
    exactness: set[str] = field(default_factory=set)
    sources: dict[str, None] = field(default_factory=dict)
    meanings: dict[str, None] = field(default_factory=dict)
    domains: dict[str, None] = field(default_factory=dict)
    why: dict[str, None] = field(default_factory=dict)

    def attributes(self) -> dict[str, Any]:
        """What `df.attrs["metrics"]` says of the column."""
        there = int(np.isfinite(self.values).sum())
        worst = max(self.exactness, key=lambda e: WORST.index(Exactness(e)), default=Exactness.MISSING.value)
        return {
            "unit": self.unit,
            "origin": "+".join(sorted(self.origins)),
            "exactness": worst,
            "source": "; ".join(self.sources),
            "meaning": "; ".join(self.meanings),
            "domain": "; ".join(self.domains),
            "per": self.per,
            "runs": there,
            "missing": len(self.values) - there,
            "why": "; ".join(list(self.why)[:3]),
        }


def column_name(metric: MetricRow, origin: str) -> str:
    """`cycles`, `cycles:u` for user space alone, `cycles@callgrind` for simulated counts (always user space)."""
    if origin == Origin.SIMULATED:
        return f"{MODIFIERS.sub('', metric.name)}@{simulator_of(metric.source)}"
    parts = metric.domain.split("+")
    if metric.domain == "user+kernel" or MODIFIERS.search(metric.name) or not set(parts) <= set(SUFFIX):
        return metric.name
    return metric.name + ":" + "".join(SUFFIX[part][1:] for part in parts)


def simulator_of(source: str) -> str:
    """What simulated, out of a reading's source. What was counted in another way has another name, so that it never
    gets into one column: `callgrind:Ir` of the first edition, which counted the worker's own work too, is callgrind-v1.
    """
    tool = re.match(r"[\w-]+", source)
    if tool is None:
        return "simulated"
    edition = re.match(r"callgrind:(?:v(\d+):)?", source)
    number = int(edition[1] or 1) if edition else EDITION
    return tool[0] if number == EDITION else f"{tool[0]}-v{number}"


def metric_of(shape: str | None, name: str, unit: str, domain: str, source: str, meaning: str) -> MetricRow:
    """A metric of the recorded `shape`; None: derived."""
    known = Shape(shape) if shape else unrecorded_shape(name, unit, source)
    return MetricRow(name, unit, domain, source, meaning, known)


def shape_of(reading: Reading) -> Shape:
    """The recorded shape of a reading, else the one that `unrecorded_shape` derives."""
    return reading.shape or unrecorded_shape(reading.metric, reading.unit, reading.source)


@functools.lru_cache(maxsize=4096)
def unrecorded_shape(name: str, unit: str, source: str) -> Shape:
    """The shape of a metric that does not say it: results of schema 1, and gauges that make readings without it.

    Everything that perf counts is a COUNT (a PMU's bytes are traffic). Else the unit tells a LEVEL, and the name a
    TOTAL; the rest are COUNTs. The one place where a shape is derived.
    """
    if source.startswith("perf"):
        return Shape.COUNT
    if unit.lower() in LEVEL_UNITS:
        return Shape.LEVEL
    return Shape.TOTAL if TOTALS.search(name) else Shape.COUNT


def reduce_of(metric: MetricRow) -> str:
    """How the windows of a run become one number: sum / frames, time-weighted mean, largest, mean per window."""
    return "peak" if metric.shape is Shape.LEVEL and PEAK.search(metric.name) else metric.per


class Summed(Protocol):
    """Sums over the windows of a run; arrays of one element per run."""

    @property
    def total(self) -> Floats: ...
    @property
    def count(self) -> Floats: ...
    @property
    def frames(self) -> Floats: ...
    @property
    def ns(self) -> Floats: ...
    @property
    def weighted(self) -> Floats: ...
    @property
    def largest(self) -> Floats: ...


REDUCE: Mapping[str, Callable[[Summed], Floats]] = {
    "frame": lambda s: s.total / s.frames,
    "level": lambda s: np.where(s.ns > 0, s.weighted / s.ns, s.total / s.count),
    "peak": lambda s: s.largest,
    "window": lambda s: s.total / s.count,
}
