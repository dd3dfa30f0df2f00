"""What the slowest 1 % of inferences have that the others don't: a reason for p99, from counts of each inference.

The excess of a slow inference is its latency less the median of its run's others. It is split first: waiting for a
CPU, own CPU time, and the rest (sleep; steal and interrupts where the kernel takes them out of CPU time), each less
its median in the others. Of several threads own CPU time is not separable from the rest. Shares are sums over the slow
ones; their interval is a bootstrap over these.

Events are then asked about latency without waiting, for preemption would hide all else: of the slowest 1 % by that,
the ranks of an event against those of the others. Both are taken against the median of their 50 neighbours: what
drifts is no property of a single inference. Neighbours are alike all the same, so the test turns the series of the
event against that of latency, by random steps around each run: what both keep of their own order is then in every
draw. One family of all events of the case (Benjamini and Hochberg).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hwprof.analysis.correlation.metrics import MetricKind, metric_of
from hwprof.analysis.over_time.comovement import CLOCK, ON_CPU, REST, WAITING
from hwprof.analysis.statistics.partial import FOUND, benjamini_hochberg
from hwprof.collectors.vocabulary import Name
from hwprof.records import Kind, Role, Run, Shape, SliceCounts, Window

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SLOW = 0.01
LEAST_INFERENCES = 500  # of all rounds: five slow ones
LEAST_OF_RUN = 100
CPU, MIGRATION = "cpu", "migration"
UNSPLIT = "own CPU time and the rest"
NEIGHBOURS = 50
SAME = 0.8  # share of the slow inferences from which on two events are not distinguishable
TURNS = 1999  # random steps of the test
BOOTSTRAPS = 1000
MOSTLY = 0.5  # share of the excess from which on a part is the reason


@dataclass(frozen=True, slots=True)
class ExcessShare:
    """A share of the excess of the slow inferences, with a 95 % interval within these runs."""

    name: str
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class SlowEvent:
    """An event in the slowest inferences by latency without waiting, against the others.

    `slow`, `others`: share of them in which it is above the median of the others (below it, where `less`); `ratio`: of
    the means, None where the others have none. `excess`: of the whole excess of p99, the share that is not waiting and
    in inferences that have it.
    """

    metric: str
    slow: float
    others: float
    ratio: float | None
    less: bool
    excess: float
    p: float
    q: float
    also: tuple[str, ...] = ()

    @property
    def is_found(self) -> bool:
        """There is evidence that slow inferences have more of it, or less."""
        return self.q < FOUND


@dataclass(frozen=True, slots=True)
class Tail:
    """The slowest inferences of one case, over its rounds. Times in ns; `p99_ns`: median over runs.

    `alone`: of one thread; else waiting is that of the calling one. `parts`: the split of the excess, the largest share
    first; empty: waiting was not counted. `between`: share of waiting that fell between inferences. `steal_s`: CPU time
    that the hypervisor took from the case's CPUs meanwhile, None: not counted. `tested`: how many events were;
    `events`: those, the smallest p first, one of several that are found in the same inferences. `why`: why nothing is
    known; empty: something is.
    """

    inferences: int
    slow: int
    runs: int
    median_ns: float
    p99_ns: float
    alone: bool = True
    parts: tuple[ExcessShare, ...] = ()
    between: float = 0.0
    steal_s: float | None = None
    tested: int = 0
    events: tuple[SlowEvent, ...] = ()
    why: str = ""

    @property
    def reason(self) -> ExcessShare | None:
        """The part that is more than half of the excess, its whole interval."""
        return next((part for part in self.parts if part.low > MOSTLY), None)

    @property
    def found(self) -> tuple[SlowEvent, ...]:
        """Events with evidence, those that explain most of the excess first."""
        return tuple(sorted((e for e in self.events if e.is_found), key=lambda e: -e.excess))


@dataclass(frozen=True, slots=True)
class _Recorded:
    """One window. `excess`, `waiting`, `cpu`: ns above the median of those that are not slow; None: not counted."""

    latency: Floats
    slow: NDArray[np.bool_]
    excess: Floats
    waiting: Floats | None
    cpu: Floats | None
    own_slow: NDArray[np.bool_]  # by latency without waiting
    waited: tuple[float, float]  # ns within inferences and between them
    events: Mapping[str, Floats]


def estimate(runs: Iterable[Run]) -> Tail | None:
    """Of all rounds of one case; None: none was asked to record counts of each inference."""
    good = [r for r in runs if r.failure is None and r.kind is Kind.NATIVE]
    windows = [w for r in good for w in r.windows if w.role is Role.RECORDED and w.inferences]
    if not windows:
        refused = [why for r in good if (why := _refusal(r))]
        return Tail(0, 0, len(good), 0.0, 0.0, why=refused[0]) if refused else None
    alone = good[0].case.threads == 1
    found = [_of_window(w, alone) for w in windows if len(w.latencies_ns) >= LEAST_OF_RUN]
    total = sum(len(r.latency) for r in found)
    if total < LEAST_INFERENCES:
        known = np.concatenate([np.asarray(w.latencies_ns, dtype=np.float64) for w in windows])
        why = f"of {LEAST_INFERENCES} inferences that it takes there are {len(known)}"
        return Tail(len(known), 0, len(windows), float(np.median(known)), float(np.percentile(known, 99)), why=why)
    tail = Tail(
        total,
        sum(int(r.slow.sum()) for r in found),
        len(found),
        float(np.median([np.median(r.latency) for r in found])),
        float(np.median([np.percentile(r.latency, 99) for r in found])),
    )
    tested, events = _events_of(found)
    inside, waited = (sum(r.waited[i] for r in found) for i in (0, 1))
    between = (waited - inside) / waited if waited > 0 else 0.0
    steal = _steal_s(good)
    return replace(tail, alone=alone, parts=_parts(found), between=between, steal_s=steal, tested=tested, events=events)


def _steal_s(runs: Iterable[Run]) -> float | None:
    """Of the measured CPUs in the recorded windows."""
    stolen = [
        reading.value
        for run in runs
        for window in run.windows
        if window.role is Role.RECORDED
        for reading in window.readings
        if reading.value is not None and reading.metric in {f"{Name.CPU_STEAL}[cpu{cpu}]" for cpu in run.case.cpus}
    ]
    return sum(stolen) if stolen else None


def _refusal(run: Run) -> str:
    """Why a run that was asked for counts of each inference has none."""
    facts = run.facts.get("per_iteration")
    return str(facts.get("why", "")) if isinstance(facts, dict) else ""


def _of_window(window: Window, alone: bool) -> _Recorded:
    latency = np.asarray(window.latencies_ns, dtype=np.float64)
    counts = {c.metric: c for c in window.inferences}
    slow = _slowest(latency)
    waiting = _above(counts.get(Name.RUN_QUEUE_WAIT), slow)
    cpu = _above(counts.get(Name.TASK_CLOCK), slow) if alone else None  # of all threads
    excess, waited = latency - np.median(latency[~slow]), (0.0, 0.0)
    if waiting is not None:  # what was waited for between two inferences is no part of one
        whole = float(np.maximum(waiting, 0.0).sum())
        waiting = np.minimum(waiting, np.maximum(excess, 0.0))
        waited = float(np.maximum(waiting, 0.0).sum()), whole
    own = latency if waiting is None else latency - waiting
    return _Recorded(latency, slow, excess, waiting, cpu, _slowest(_local(own)), waited, _events(window.inferences))


def _slowest(latency: Floats) -> NDArray[np.bool_]:
    """The slowest hundredth, at least one; of equal ones the earlier."""
    count = max(1, math.floor(SLOW * len(latency)))
    chosen = np.zeros(len(latency), dtype=np.bool_)
    chosen[np.argsort(-latency, kind="stable")[:count]] = True
    return chosen


def _local(values: Floats) -> Floats:
    """Values less the median of the neighbours of each, with itself."""
    half = NEIGHBOURS // 2
    around = np.lib.stride_tricks.sliding_window_view(np.pad(values, half, mode="reflect"), 2 * half + 1)
    return np.asarray(values - np.median(around, axis=1), dtype=np.float64)


def _above(counts: SliceCounts | None, slow: NDArray[np.bool_]) -> Floats | None:
    if counts is None:
        return None
    values = _values(counts)
    return np.asarray(values - np.median(values[~slow]), dtype=np.float64)


def _values(counts: SliceCounts) -> Floats:
    return np.array([np.nan if v is None else v for v in counts.raw], dtype=np.float64) * counts.scale


def _events(recorded: Sequence[SliceCounts]) -> dict[str, Floats]:
    """What may be asked: no part of the time itself. A migration is an inference that ended on another CPU."""
    known = {c.metric: _values(c) for c in recorded}
    found: dict[str, Floats] = {}
    for c in recorded:
        if c.metric == CPU:
            cpus = known[CPU]
            found[MIGRATION] = np.concatenate([[0.0], (np.diff(cpus) != 0).astype(np.float64)])
        elif c.shape is Shape.COUNT:
            kind = metric_of(c.metric, {"unit": c.unit, "per": "frame"}).kind
            if kind in (MetricKind.EXPLANATORY, MetricKind.TIMER) or c.metric == Name.INSTRUCTIONS:
                found[c.metric] = known[c.metric]
    found = {name: values for name, values in found.items() if np.isfinite(values).all()}
    cycles, clock = known.get(Name.CYCLES), known.get(Name.TASK_CLOCK)
    if cycles is not None and clock is not None and (clock > 0).all():
        found[CLOCK] = cycles / clock
    return found


def _parts(found: Sequence[_Recorded]) -> tuple[ExcessShare, ...]:
    """The split, where every run counted waiting; of CPU time too, where every one counted that."""
    split = all(r.cpu is not None for r in found)
    slow: list[Floats] = []
    for r in found:
        if r.waiting is None:
            return ()
        cpu = np.zeros(len(r.excess)) if r.cpu is None or not split else r.cpu
        parts = np.stack([r.waiting, cpu, r.excess - r.waiting - cpu, r.excess], axis=1)
        slow.append(parts[r.slow])
    table = np.concatenate(slow)
    if not table[:, 3].sum() > 0:
        return ()
    rng = np.random.default_rng(0)
    draws = table[rng.integers(0, len(table), (BOOTSTRAPS, len(table)))].sum(axis=1)
    draws = draws[draws[:, 3] > 0]
    shares = table[:, :3].sum(axis=0) / table[:, 3].sum()
    low, high = np.percentile(draws[:, :3] / draws[:, 3:], (2.5, 97.5), axis=0)
    names = (WAITING, ON_CPU, REST) if split else (WAITING, "", UNSPLIT)
    rows = zip(names, shares.tolist(), low.tolist(), high.tolist(), strict=True)
    return tuple(sorted((ExcessShare(*row) for row in rows if row[0]), key=lambda part: -part.share))


def _events_of(found: Sequence[_Recorded]) -> tuple[int, tuple[SlowEvent, ...]]:
    """(how many were tested, all events that vary in any run, those with the smallest p first)"""
    names = dict.fromkeys(name for r in found for name, values in r.events.items() if np.ptp(values) > 0)
    if not names:
        return 0, ()
    made = [_event(name, found) for name in names]
    q = benjamini_hochberg(np.array([e.p for e in made]))
    ordered = sorted((replace(e, q=float(one)) for e, one in zip(made, q, strict=True)), key=lambda e: (e.p, -e.excess))
    kept: list[SlowEvent] = []
    for one in ordered:
        twin = next((i for i, k in enumerate(kept) if one.is_found and k.is_found and _same(k, one, found)), None)
        if twin is None:
            kept.append(one)
        else:
            kept[twin] = replace(kept[twin], also=(*kept[twin].also, one.metric))
    return len(made), tuple(kept)


def _same(a: SlowEvent, b: SlowEvent, found: Sequence[_Recorded]) -> bool:
    """Whether two events are in the same slow inferences of the runs that counted both."""
    both = [r for r in found if a.metric in r.events and b.metric in r.events]
    if not both:
        return False
    first, second = (np.concatenate([_present(r, e.metric, e.less)[r.own_slow] for r in both]) for e in (a, b))
    return bool((first == second).mean() >= SAME)


def _present(r: _Recorded, name: str, less: bool) -> NDArray[np.bool_]:
    values = r.events[name]
    middle = np.median(values[~r.own_slow])
    return np.asarray(values < middle if less else values > middle)


def _event(name: str, found: Sequence[_Recorded]) -> SlowEvent:
    having = [r for r in found if name in r.events]
    ranks = [_ranks(_local(r.events[name])) for r in having]
    places = [np.flatnonzero(r.own_slow) for r in having]
    seen = sum(float(own[at].sum()) for own, at in zip(ranks, places, strict=True))
    rng = np.random.default_rng(0)
    turned = np.zeros(TURNS)
    for own, at in zip(ranks, places, strict=True):
        steps = rng.integers(1, len(own), TURNS)
        turned += own[(at[None, :] + steps[:, None]) % len(own)].sum(axis=1)
    p = (1 + int((np.abs(turned) >= abs(seen) - 1e-9).sum())) / (1 + TURNS)
    less = seen < 0
    slow = np.concatenate([_present(r, name, less)[r.own_slow] for r in having])
    others = np.concatenate([_present(r, name, less)[~r.own_slow] for r in having])
    own_mean = float(np.concatenate([r.events[name][r.own_slow] for r in having]).mean())
    mean = float(np.concatenate([r.events[name][~r.own_slow] for r in having]).mean())
    return SlowEvent(
        name,
        float(slow.mean()),
        float(others.mean()),
        own_mean / mean if mean > 0 else None,
        less,
        _excess(name, less, found),
        p,
        1.0,
    )


def _excess(name: str, less: bool, found: Sequence[_Recorded]) -> float:
    """Share of the excess of p99 outside waiting, in the slow inferences that have the event."""
    whole = sum(float(r.excess[r.slow].sum()) for r in found)
    own = 0.0
    for r in found:
        if name in r.events:
            outside = r.excess if r.waiting is None else r.excess - r.waiting
            own += float(np.maximum(outside, 0.0)[r.slow & _present(r, name, less)].sum())
    return own / whole if whole > 0 else 0.0


def _ranks(values: Floats) -> Floats:
    """Ranks with mean 0; equal values share the mean of theirs."""
    ordered = np.sort(values)
    below, up_to = np.searchsorted(ordered, values, "left"), np.searchsorted(ordered, values, "right")
    found = (below + up_to + 1) / 2
    return np.asarray(found - found.mean(), dtype=np.float64)
