"""What was counted of one case, over its rounds, with how far each number can be trusted. Pure functions on runs.

A `Quantity` is per frame (counts), or a level (watts, hertz); `per_second` is its rate of wall time in the same
windows. Names are those of the results' columns: `cycles`, `cycles:u` of user mode alone, `cycles@callgrind` simulated.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hwprof.analysis.factors.identity import SECONDS
from hwprof.collectors.vocabulary import Name
from hwprof.records import Case, Exactness, Fidelity, Kind, Origin, Reading, Role, Run, Shape, Window
from hwprof.records.agreement import worst
from hwprof.speed import Interval, Speed, between_rounds, of_run
from hwprof.store.columns import WORST, column_name, metric_of, shape_of
from hwprof.store.readings import PEAK


@dataclass(frozen=True, slots=True)
class Quantity:
    """One metric of one case. `value`: mean over rounds; `rounds`: one value each; both in `unit`."""

    name: str
    value: float
    unit: str
    per: str  # frame | level | window
    origin: Origin
    exactness: Exactness
    domain: str
    per_second: float = math.nan
    rounds: tuple[float, ...] = ()
    meaning: str = ""
    why: str = ""

    @property
    def seconds(self) -> float:
        """A time per frame, in seconds."""
        return self.value * SECONDS[self.unit]

    @property
    def caution(self) -> str:
        """Why this number is weaker than a count of the real machine; "" where it isn't."""
        if self.exactness is Exactness.SUSPECT:
            return f"{self.name} is SUSPECT" + (f" ({self.why})" if self.why else "")
        if self.origin is Origin.SIMULATED:
            return f"{self.name} is SIMULATED"
        if self.origin is Origin.EMULATED:
            return f"{self.name} is EMULATED"
        if self.exactness is Exactness.SCALED:
            return f"{self.name} is SCALED (multiplexed)"
        kind = self.name.partition("@")[2]  # neither simulated nor emulated: a PMU of a hybrid CPU
        return f"{self.name} counts {kind} alone" if kind else ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One case: its speed and everything that was counted. `missing`: metric -> why it isn't there."""

    case: Case
    rounds: int
    fps: Interval
    throughput: float  # frames per second of the counted windows
    quantities: Mapping[str, Quantity]
    missing: Mapping[str, str]
    doubts: Mapping[str, Mapping[str, Any]]
    facts: Mapping[str, Any]
    machine: Mapping[str, Any]
    host: Mapping[str, Any]
    macs: int | None
    params: int | None
    series: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # gauge -> lowest, highest in windows
    fidelity: Fidelity | None = None  # the worst of its rounds

    @property
    def emulated(self) -> bool:
        """Times are an emulator's."""
        return bool(self.host.get("emulated")) or any(q.origin is Origin.EMULATED for q in self.quantities.values())

    @property
    def unfaithful(self) -> bool:
        """Its outputs are not those of the reference: a ratio with it is one of unequal work."""
        return self.fidelity is not None and self.fidelity.unfaithful

    def get(self, *names: Name) -> Quantity | None:
        """The first of these that is there."""
        return next((self.quantities[n] for n in names if n in self.quantities), None)

    def pair(self, above: Name, below: Name) -> tuple[Quantity, Quantity] | None:
        """Two counts of one domain and origin, best first: both modes, user mode, simulated."""
        tools = sorted({n.partition("@")[2] for n in self.quantities if "@" in n})
        for suffix in ("", ":u", *(f"@{tool}" for tool in tools)):
            x, y = self.quantities.get(above + suffix), self.quantities.get(below + suffix)
            if x is not None and y is not None and y.value > 0:
                return x, y
        return None

    def best(self, name: Name, simulated: bool = True) -> Quantity | None:
        """A count in the best domain there is: both modes, user mode, simulated."""
        found = self.get(name) or self.quantities.get(name.user)
        if found is None and simulated:
            found = self.simulated(name)
        return found

    def simulated(self, name: Name) -> Quantity | None:
        """The simulated count of a metric. `cycles@cpu_core` is none: cores of one kind of a hybrid CPU counted it."""
        named = ((n, q) for n, q in sorted(self.quantities.items()) if n.startswith(f"{name}@"))
        return next((q for _, q in named if q.origin is Origin.SIMULATED), None)

    def why(self, name: str) -> str:
        """Why a metric isn't there; "" where nothing is known."""
        return (self.missing.get(name) or self.missing.get(f"{name}:u") or "").rstrip(".")


def collect(runs: Iterable[Run], speed: Callable[[Run], Speed] = of_run) -> Evidence | None:
    """Evidence from all runs of one case (native rounds, and its simulated run); None without a round that ran.

    `speed`: `of_run`, or what remembers it.
    """
    good = [r for r in runs if r.failure is None]
    native = sorted((r for r in good if r.kind is Kind.NATIVE), key=lambda r: (r.round, r.started_utc))
    native = [r for r in native if "imported" in r.facts or any(w.latencies_ns for w in r.windows)]
    if not native:
        return None
    found: dict[str, list[tuple[Reading, float, float]]] = defaultdict(list)
    absent: dict[str, str] = {}
    for run in (*native, *(r for r in good if r.kind is Kind.SIMULATED)):
        for name, (reading, value, rate) in _of_run(run, absent).items():
            found[name].append((reading, value, rate))
    # an imported file may hold 0, which is no speed
    speeds = [f for r in native if (f := speed(r).fps) is not None and f > 0]
    counted = [t for r in native if (t := _throughput(r)) is not None and t > 0]
    last = native[-1]
    return Evidence(
        last.case,
        len(native),
        between_rounds(speeds) if speeds else Interval(math.nan, None, None),
        statistics.geometric_mean(counted) if counted else math.nan,
        {name: _quantity(name, values) for name, values in sorted(found.items())},
        {name: why for name, why in sorted(absent.items()) if name not in found},
        {d.code: d.detail for r in native for d in r.doubts},
        last.facts,
        last.machine,
        last.host_state,
        last.macs,
        last.params,
        _ranges(native),
        worst([r.fidelity for r in native]),
    )


def _windows(run: Run) -> list[Window]:
    """The windows that counts are taken from."""
    for role in (Role.COUNTED, Role.SIMULATED, Role.BARE):
        some = [w for w in run.windows if w.role is role and w.latencies_ns]
        if some:
            return some
    return []


def _bare_stretch(run: Run) -> list[Window]:
    """The windows that sensors saw where the counted ones are slices, which no sensor resolves."""
    if all(w.slices is None for w in run.windows):
        return []
    return [w for w in run.windows if w.role is Role.BARE and w.latencies_ns]


def _throughput(run: Run) -> float | None:
    windows = _windows(run)
    elapsed = sum(w.elapsed_s for w in windows)
    return run.case.batch * sum(len(w.latencies_ns) for w in windows) / elapsed if elapsed > 0 else None


def _of_run(run: Run, absent: dict[str, str]) -> dict[str, tuple[Reading, float, float]]:
    """Column name -> (a reading, value per frame or level, value per second) of one run."""
    gathered: dict[str, list[tuple[Reading, Window]]] = defaultdict(list)
    for windows in (_windows(run), _bare_stretch(run)):
        known = set(gathered)
        for window in windows:
            for reading in window.readings:
                name, _ = _column(reading)
                if reading.value is None:
                    absent.setdefault(name, reading.why)
                elif name not in known:
                    gathered[name].append((reading, window))
    out = {}
    for name, several in gathered.items():
        worst = max((r for r, _ in several), key=lambda r: WORST.index(r.exactness))
        elapsed = sum(w.elapsed_s for _, w in several)
        total = sum(r.value or 0.0 for r, _ in several)
        level = shape_of(worst) is Shape.LEVEL
        value = per_run([(r, w, run.case.batch) for r, w in several])
        out[name] = (worst, value, math.nan if level or elapsed <= 0 else total / elapsed)
    return out


def per_run(readings: Sequence[tuple[Reading, Window, int]]) -> float:
    """One number from the windows of a run, as in its column: a count per frame of all windows, a total per window, a
    level's mean over time, the largest of a peak. Readings have values, in windows with latencies, with their batch.
    """
    values, first = [r.value or 0.0 for r, _, _ in readings], readings[0][0]
    shape = shape_of(first)
    if shape is Shape.COUNT:
        return sum(values) / sum(batch * len(w.latencies_ns) for _, w, batch in readings)
    if shape is Shape.LEVEL and PEAK.search(first.metric):
        return max(values)
    seconds = [w.elapsed_s for _, w, _ in readings]
    if shape is Shape.LEVEL and sum(seconds) > 0:
        return sum(v * s for v, s in zip(values, seconds, strict=True)) / sum(seconds)
    return statistics.fmean(values)


def _column(r: Reading) -> tuple[str, str]:
    """(name of its column, what its numbers are per)"""
    return _column_of(r.shape, r.metric, r.unit, r.domain, r.source, r.meaning, r.origin)


@functools.lru_cache(maxsize=4096)
def _column_of(
    shape: Shape | None, name: str, unit: str, domain: str, source: str, meaning: str, origin: Origin
) -> tuple[str, str]:
    metric = metric_of(shape, name, unit, domain, source, meaning)
    return column_name(metric, origin), metric.per


def _quantity(name: str, values: Sequence[tuple[Reading, float, float]]) -> Quantity:
    worst = max((r for r, _, _ in values), key=lambda r: WORST.index(r.exactness))
    numbers = tuple(v for _, v, _ in values)
    # counts vary by factors: their mean is geometric where none is 0
    mean = statistics.geometric_mean(numbers) if min(numbers) > 0 else statistics.fmean(numbers)
    rate = statistics.fmean(r for _, _, r in values)
    return Quantity(
        name,
        mean,
        worst.unit,
        _column(worst)[1],
        worst.origin,
        worst.exactness,
        worst.domain,
        rate,
        numbers,
        worst.meaning,
        worst.why,
    )


def _ranges(runs: Sequence[Run]) -> dict[str, tuple[float, float]]:
    """Lowest and highest level of each gauge while windows were open, on the case's own cores where it has some.

    Between two slices others may have been measured: of a run with slices only its stretches count.
    """
    values: dict[str, list[float]] = defaultdict(list)
    for run in runs:
        stretches = [w for w in run.windows if w.slices is None]
        ours = {f"cpu{c}" for c in run.case.cpus}
        for one in run.series:
            if one.cumulative or (ours and one.label.startswith("cpu") and one.label not in ours):
                continue
            for at, value in zip(one.at_ns, one.values, strict=True):
                if value is not None and any(w.t0_ns <= at <= w.t1_ns for w in stretches):
                    values[one.metric].append(value)
    return {name: (min(v), max(v)) for name, v in sorted(values.items())}
