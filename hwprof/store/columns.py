"""Columns of the frame: the name of a metric's column, and the unit of work that its numbers are per."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwprof.collectors.callgrind import EDITION
from hwprof.collectors.vocabulary import Name
from hwprof.records import TEST_EQUIPMENT, Exactness, Origin, Reading, Role, Shape

Floats = NDArray[np.float64]

# Units of levels where the shape was not recorded. Bytes are levels too (RSS), unless a PMU counted them.
LEVEL_UNITS = frozenset(
    (
        *("w", "mw", "v", "mv", "a", "ma", "hz", "khz", "mhz", "ghz", "rpm", "k", "°c", "c", "degc"),
        *("b", "bytes", "kb", "kib", "mib", "gib", "%", "percent", "ratio", "share", "cores", "cpus", "threads"),
    )
)
# Names of totals where the shape was not recorded.
TOTALS = re.compile(r"throttl", re.IGNORECASE)
CPU_TIMES = (Name.CPU_USER_TIME, Name.CPU_SYSTEM_TIME)
# The call of a run that does not say how its framework was called, see `call_of`.
UNRECORDED = "unrecorded"
PER: Mapping[Shape, str] = {Shape.COUNT: "frame", Shape.LEVEL: "level", Shape.TOTAL: "window"}
MODIFIERS = re.compile(r":[ukhGHpPSDWe]+$")
SUFFIX = {"user": ":u", "kernel": ":k", "hypervisor": ":h"}
# Which windows a number is taken from: the first role in which there is one.
ROLES = (Role.COUNTED, Role.SIMULATED, Role.BARE, Role.PAIRED, Role.CLOSED, Role.LAYERS, Role.RECORDED)
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
        """The column's entry in `df.attrs["metrics"]`."""
        known = int(np.isfinite(self.values).sum())
        worst = max(self.exactness, key=lambda e: WORST.index(Exactness(e)), default=Exactness.MISSING.value)
        return {
            "unit": self.unit,
            "origin": "+".join(sorted(self.origins)),
            "exactness": worst,
            "source": "; ".join(self.sources),
            "meaning": "; ".join(self.meanings),
            "domain": "; ".join(self.domains),
            "per": self.per,
            "runs": known,
            "missing": len(self.values) - known,
            "why": "; ".join(one.rstrip(".") for one in list(self.why)[:3]),
        }


def column_name(metric: MetricRow, origin: str) -> str:
    """`cycles`, `cycles:u` for user space alone, `cycles@callgrind` for simulated counts (always user space), and
    `cycles@test-equipment` for what test equipment counted: a column of its own.
    """
    if TEST_EQUIPMENT in metric.meaning:
        return f"{_real_column(metric)}@test-equipment"
    if origin == Origin.SIMULATED:
        return f"{MODIFIERS.sub('', metric.name)}@{simulator_of(metric.source)}"
    return _real_column(metric)


def _real_column(metric: MetricRow) -> str:
    parts = metric.domain.split("+")
    if metric.domain == "user+kernel" or MODIFIERS.search(metric.name) or not set(parts) <= set(SUFFIX):
        return metric.name
    return metric.name + ":" + "".join(SUFFIX[part][1:] for part in parts)


def simulator_of(source: str) -> str:
    """The simulator in a reading's source. Another way of counting has another name, and so a column of its own:
    `callgrind:Ir` of the first edition, which counted the worker's own work too, is callgrind-v1.
    """
    tool = re.match(r"[\w-]+", source)
    if tool is None:
        return "simulated"
    edition = re.match(r"callgrind:(?:v(\d+):)?", source)
    number = int(edition[1] or 1) if edition else EDITION
    return tool[0] if number == EDITION else f"{tool[0]}-v{number}"


def metric_of(shape: str | None, name: str, unit: str, domain: str, source: str, meaning: str) -> MetricRow:
    """A metric of the recorded `shape`; None: derived."""
    recorded = Shape(shape) if shape else unrecorded_shape(name, unit, source)
    return MetricRow(name, unit, domain, source, meaning, recorded)


def shape_of(reading: Reading) -> Shape:
    """The recorded shape of a reading, else the one that `unrecorded_shape` derives."""
    return reading.shape or unrecorded_shape(reading.metric, reading.unit, reading.source)


@functools.lru_cache(maxsize=4096)
def unrecorded_shape(name: str, unit: str, source: str) -> Shape:
    """The shape of a metric without a recorded one: results of schema 1, and gauges whose readings have none.

    Everything that perf counts is a COUNT (a PMU's bytes are traffic). Else the unit identifies a LEVEL, and the name
    a TOTAL; the rest are COUNTs. Shapes are derived here alone.
    """
    if source.startswith("perf"):
        return Shape.COUNT
    if unit.lower() in LEVEL_UNITS:
        return Shape.LEVEL
    return Shape.TOTAL if TOTALS.search(name) else Shape.COUNT


def call_of(software: Mapping[str, Any]) -> str:
    """How the adapter called its framework, as the software of a run says.

    "": not recorded, as by versions of hwprof from before any call had changed, and by other programs.
    """
    return str(software.get("call", ""))


def version_of(software: Mapping[str, Any]) -> str:
    """`onnxruntime 1.21.0`: the distributions of the framework as they were installed; "": not recorded.

    numpy, which every framework is given its inputs by, is recorded beside them and is not one of them.
    """
    found = {name: version for name, version in (software.get("distributions") or {}).items() if version}
    return ", ".join(f"{name} {version}" for name, version in sorted(found.items()) if name != "numpy")


def set_of(facts: Mapping[str, Any]) -> str | None:
    """The set that a run was measured in; None: in none."""
    found = facts.get("set")
    return None if not found else str(found["id"])


def session_of(facts: Mapping[str, Any]) -> str:
    """The session that a run was measured in; "": not recorded."""
    return str((facts.get("session") or {}).get("id", ""))


def last_level_bytes(machine: Mapping[str, Any]) -> int | None:
    """Size of the last-level cache for data; None: the machine's facts have no caches."""
    found = [c for c in machine.get("caches", ()) if c.get("type") != "Instruction"]
    return max((c["kib"] * 1024 for c in found if c["level"] == max(x["level"] for x in found)), default=None)


def settings_of(host_state: Mapping[str, Any]) -> tuple[str, str]:
    """(kernel, governor) that a run was measured under; "": not recorded."""
    governors = host_state.get("governors") or ()
    return str(host_state.get("kernel", "")), ", ".join(map(str, governors))


class Description(dict[str, Any]):
    """The attributes of the columns. pandas copies `attrs` deeply at every step, which for hundreds of columns takes
    longer than the step. This one is never changed, and copies of the frame share it."""

    def __deepcopy__(self, memo: object) -> Description:
        return self
