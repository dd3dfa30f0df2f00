"""Which counters move with latency from slice to slice of a run: what varies within runs, never between them.

Latency of a slice is the mean over its inferences. On one thread, where waiting in the run queue was counted, it is
first split into waiting, own CPU time and the rest, whose shares of the variance add up to 1: cov(part, latency) /
var(latency). Events are then asked about latency without waiting. All counters of a case are one family (Benjamini and
Hochberg), and intervals of what was picked have the level of what was picked (Benjamini and Yekutieli 2005).
What is a part of the time itself (cycles, CPU time, stall cycles) is not asked.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hwprof.analysis.correlation.metrics import MetricKind, metric_of
from hwprof.analysis.statistics.autocorrelation import SerialCorrelation, correlate
from hwprof.analysis.statistics.partial import FOUND, benjamini_hochberg
from hwprof.collectors.gauge import samples
from hwprof.collectors.vocabulary import Name
from hwprof.records import Kind, Run, Shape, Slices, Window

Floats = NDArray[np.float64]
Key = tuple[str, str, str, str]  # metric, unit, domain, source

LEAST_SLICES = 20  # of all rounds of a case
ALIKE = 0.8  # |r| of the changes of two counters from which on they are not distinguishable
CLOCK = "clock"  # cycles over CPU time, where both were counted in the same slices
# What says where a slice is, or what was once, not what happened in it.
POSITIONS = ("inferences", Name.PEAK_RSS)
WAITING, ON_CPU, REST = "waiting for a CPU", "own CPU time", "the rest"


@dataclass(frozen=True, slots=True)
class Comovement:
    """One counter against latency: rank correlation of their changes within runs.

    `low`, `high`: interval, at a level that allows for what was picked where `q` is below the level, else of 95 %.
    `slices` and the `effective` number of them; `also`: counters that move with this one.
    """

    metric: str
    unit: str
    domain: str
    source: str
    r: float
    low: float
    high: float
    p: float
    q: float
    slices: int
    effective: float
    also: tuple[str, ...] = ()

    @property
    def is_found(self) -> bool:
        """There is evidence that it moves with latency."""
        return self.q < FOUND


@dataclass(frozen=True, slots=True)
class WithinRuns:
    """What moves with latency within the runs of one case.

    `spread`: standard deviation of the log of latency of a slice around the mean of its run. `parts`: share of its
    variance by part; None: not known. `family`: counters that were tested; `found`: those with evidence, the strongest
    first; `tested`: all. `why`: why nothing was tested; empty: something was.
    """

    slices: int
    runs: int
    spread: float
    parts: Mapping[str, float] | None
    without_waiting: bool
    family: int
    tested: tuple[Comovement, ...]
    why: str = ""

    @property
    def found(self) -> tuple[Comovement, ...]:
        """Those with evidence; of several that are not distinguishable the strongest, with the others' names."""
        return tuple(c for c in self.tested if c.is_found)


@dataclass(frozen=True, slots=True)
class _Slices:
    """The slices of one window. `latency_ns`, `waiting_ns`, `cpu_ns` per inference; NaN: not counted."""

    order: tuple[int, ...]  # begin of each slice
    latency_ns: Floats
    waiting_ns: Floats
    cpu_ns: Floats
    values: Mapping[Key, Floats]


def estimate(runs: Iterable[Run]) -> WithinRuns | None:
    """Of all rounds of one case; None: no run has slices."""
    windows = [
        [_of_window(run, w, w.slices) for w in run.windows if w.slices is not None and _is_whole(w, w.slices)]
        for run in runs
        if run.failure is None and run.kind is Kind.NATIVE
    ]
    windows = [several for several in windows if several]
    if not windows:
        return None
    slices = sum(len(w.order) for several in windows for w in several)
    split = all(np.isfinite(w.waiting_ns).all() and np.isfinite(w.cpu_ns).all() for s in windows for w in s)
    latencies = [[_log(w.latency_ns) for w in several] for several in windows]
    centred = np.concatenate([v - np.nanmean(v) for several in latencies for v in several if np.isfinite(v).any()])
    spread = float(np.nanstd(centred)) if len(centred) else 0.0
    parts = _parts([w for several in windows for w in several]) if split else None
    empty = WithinRuns(slices, len(windows), spread, parts, split, 0, ())
    if slices < LEAST_SLICES:
        return replace(empty, why=f"of {LEAST_SLICES} slices that it takes there are {slices}")
    targets = [[_log(w.latency_ns - w.waiting_ns) if split else _log(w.latency_ns) for w in s] for s in windows]
    found = {key: c for key in _keys(windows) if (c := correlate(list(_series(windows, targets, key)))) is not None}
    if not found:
        return replace(empty, why="no counter varied from slice to slice")
    tested = _family(found)
    return replace(empty, family=len(found), tested=tested)


def _family(found: Mapping[Key, SerialCorrelation]) -> tuple[Comovement, ...]:
    """The strongest first; those with evidence that are not distinguishable from a stronger one are its `also`."""
    q = benjamini_hochberg(np.array([c.p for c in found.values()]))
    level = 1 - FOUND * max(1, int((q < FOUND).sum())) / len(found)
    made: list[tuple[Comovement, SerialCorrelation]] = []
    for (key, c), one in sorted(zip(found.items(), q, strict=True), key=lambda item: (item[0][1].p, item[0][0])):
        name = key[0] + (":u" if key[2] == "user" else "")
        low, high = c.interval(level if one < FOUND else 0.95)
        new = Comovement(name, *key[1:], c.r, low, high, c.p, float(one), c.n, c.effective)
        twin = next((i for i, (m, d) in enumerate(made) if one < FOUND and m.is_found and _alike(c, d)), None)
        if twin is None:
            made.append((new, c))
        else:
            made[twin] = replace(made[twin][0], also=(*made[twin][0].also, name)), made[twin][1]
    return tuple(m for m, _ in made)


def _alike(a: SerialCorrelation, b: SerialCorrelation) -> bool:
    """Whether two counters change alike; those of other slices can't be compared."""
    if [len(x) for x in a.x] != [len(x) for x in b.x]:
        return False
    x, y = np.concatenate(a.x), np.concatenate(b.x)
    return abs(float(x @ y)) >= ALIKE * math.sqrt(float(x @ x) * float(y @ y))


def _keys(windows: Sequence[Sequence[_Slices]]) -> list[Key]:
    return list(dict.fromkeys(key for several in windows for w in several for key in w.values))


def _series(
    windows: Sequence[Sequence[_Slices]], targets: Sequence[Sequence[Floats]], key: Key
) -> Iterator[tuple[Floats, Floats]]:
    """(counter, latency) of each run in the order of time, the means of windows taken out: counting costs time."""
    for several, logs in zip(windows, targets, strict=True):
        order: list[int] = []
        columns: list[tuple[Floats, Floats]] = []
        for w, log in zip(several, logs, strict=True):
            if key in w.values:
                known = np.isfinite(w.values[key]) & np.isfinite(log)
                if known.any():
                    x, y = w.values[key][known], log[known]
                    columns.append((x - x.mean(), y - y.mean()))
                    order += [at for at, ok in zip(w.order, known, strict=True) if ok]
        if columns:
            at = np.argsort(np.array(order), kind="stable")
            yield np.concatenate([x for x, _ in columns])[at], np.concatenate([y for _, y in columns])[at]


def _parts(windows: Sequence[_Slices]) -> dict[str, float] | None:
    """Shares of the variance of latency within runs; None where it does not vary."""
    sums = np.zeros(3)
    whole = 0.0
    for w in windows:
        rest = w.latency_ns - w.waiting_ns - w.cpu_ns
        around = w.latency_ns - w.latency_ns.mean()
        sums += [float(around @ part) for part in (w.waiting_ns, w.cpu_ns, rest)]
        whole += float(around @ around)
    return dict(zip((WAITING, ON_CPU, REST), (sums / whole).tolist(), strict=True)) if whole > 0 else None


def _is_whole(window: Window, slices: Slices) -> bool:
    """Whether each slice has inferences, and each of these its latency."""
    return min(slices.iterations, default=0) > 0 and sum(slices.iterations) == len(window.latencies_ns)


def _of_window(run: Run, window: Window, slices: Slices) -> _Slices:
    inferences = np.asarray(slices.iterations, dtype=np.float64)
    ends = np.cumsum(slices.iterations)
    sums = np.add.reduceat(np.asarray(window.latencies_ns, dtype=np.float64), np.concatenate([[0], ends[:-1]]))
    nothing = np.full(len(inferences), np.nan)
    columns = {(c.metric, c.unit, c.domain, c.source): c for c in slices.counts}
    raw = {
        key: np.array([np.nan if v is None else v for v in c.raw], dtype=np.float64) * c.scale
        for key, c in columns.items()
    }
    alone = run.case.threads == 1
    waiting, cpu = (
        next((1e9 * raw[key] / inferences for key in raw if alone and key[0] == name), nothing)
        for name in (Name.RUN_QUEUE_WAIT, Name.RUN_TIME)
    )
    own_s = (sums - np.where(np.isfinite(waiting), waiting, 0.0) * inferences) / 1e9
    values: dict[Key, Floats] = {}
    for key, c in columns.items():
        if key[0] in POSITIONS:
            continue
        metric = metric_of(key[0], {"unit": key[1], "per": "level" if c.shape is Shape.LEVEL else "frame"})
        if metric.kind is MetricKind.TIMER:  # so many per second, whatever is computed
            with np.errstate(divide="ignore", invalid="ignore"):
                values[key] = raw[key] / own_s
        elif metric.kind is MetricKind.EXPLANATORY or key[0] == Name.INSTRUCTIONS:
            values[key] = raw[key] / inferences
        elif metric.kind is MetricKind.GAUGE:
            values[key] = raw[key]
    others = _gauges(run, slices, {key[0] for key in values})
    return _Slices(slices.t0_ns, sums / inferences, waiting, cpu, values | _clocks(raw) | others)


def _clocks(raw: Mapping[Key, Floats]) -> dict[Key, Floats]:
    """Cycles over CPU time of the same mode, in Hz."""
    made: dict[Key, Floats] = {}
    for key, cycles in raw.items():
        if key[0] == Name.CYCLES and key[2] == "user+kernel":
            clock = next((raw[k] for k in raw if k[0] == Name.TASK_CLOCK), None)
            if clock is not None:
                with np.errstate(divide="ignore", invalid="ignore"):
                    made[CLOCK, "Hz", key[2], "cycles / task-clock"] = 1e9 * cycles / clock
    return made


def _gauges(run: Run, slices: Slices, known: Collection[str]) -> dict[Key, Floats]:
    """Levels that were sampled from outside, at the middle of each slice between two samples around it.

    Of cores only those of the case; nothing that is read at the edges of slices (`known`) anyway.
    """
    ours = {f"cpu{cpu}" for cpu in run.case.cpus}
    middle = (np.asarray(slices.t0_ns, dtype=np.float64) + np.asarray(slices.t1_ns, dtype=np.float64)) / 2
    made: dict[Key, Floats] = {}
    for series in run.series:
        kind = metric_of(series.metric, {"unit": series.unit, "per": "level"}).kind
        elsewhere = bool(ours) and series.label.startswith("cpu") and series.label not in ours
        if series.cumulative or kind is not MetricKind.GAUGE or elsewhere or series.metric in (*known, *POSITIONS):
            continue
        sampled = samples(series)
        if len(sampled) < 2:
            continue
        at, values = (np.array(column, dtype=np.float64) for column in zip(*sampled, strict=True))
        name = f"{series.metric}[{series.label}]" if series.label else series.metric
        own = np.interp(middle, at, values, left=np.nan, right=np.nan)
        made[name, series.unit, "system", series.source] = own
    return made


def _log(values: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(values > 0, np.log(values), np.nan)
