"""What the cores of a case can do at most, and where it is under that roof (Williams, Waterman, Patterson 2009).

Ceilings are measured (`hwprof roofline --measure`) on named CPUs. `nearest_roof` chooses those of a case for the
roofline, the rules of `bottlenecks` and the bounds of `explain`.

Performance is 2 x MACs x frames per second; intensity is FLOP per byte. Ceilings are rates per second of CPU time, so
that frames of a case of one thread are too: whoever else runs on its CPU lowers neither. FPS can't be used there, since
a long inference contains its preemptions. What sleeps by itself, or has several threads, is placed by FPS, and by
throughput where FPS is off (`estimator`).

Bytes are the model's compulsory traffic: weights once per batch, inputs and outputs of convolutions and matrix products
once. That is a lower bound, so that the intensity is an upper one. No counter gives the bytes of a process: misses lack
what was prefetched, and the counters of a memory controller, which see it, count a whole socket.

Ceilings have an interval: the lowest and the highest of at least six repetitions hold their median with 97 % (sign
test). A case is called memory-bound, compute-bound or above the roof where the intervals allow nothing else.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hwprof.analysis.estimator import OFF, Estimator, choose, is_single_threaded, value
from hwprof.collectors.vocabulary import Name
from hwprof.records import Ceiling
from hwprof.speed import Interval, Speed, between_rounds

ELEMENT = {"fp32": 4, "fp16": 2, "bf16": 2, "int8": 1}
UNITS = {"fp32": "op/s", "fp16": "op/s", "int8": "op/s", "bandwidth": "B/s", "latency": "s"}
MEMORY = "DRAM"
# Miss event -> the level that answers it
ANSWERED_BY: Mapping[str, str] = {Name.L1D_MISSES: "L2", Name.L2_MISSES: "L3", Name.LLC_MISSES: MEMORY}
COMPULSORY = "compulsory traffic"
ABOVE = 1.05  # sessions differ by some percent: within it a case is not above the roof
SHARE = 0.95  # of their CPUs: with less, what measured the ceilings of caches and memory was disturbed
REPETITIONS = 6  # the sign test has no 95 % below: 2 x .5^5 = 6.3 %
COMPUTE, MEMORY_SIDE, UNDECIDED = "compute", "memory", "undecided"
NEAR_RIDGE = "undecided: near the ridge, or the ceilings have no interval"
ABOVE_THE_ROOF = (
    "above the roof: an algorithm with fewer multiplications (Winograd), caches that hold more than assumed, or "
    "ceilings measured on a busier machine"
)
ABOVE_UNSHOWN = "above the roof by its figure, which the intervals of its rounds and of the ceilings do not show"
LOWERED = "others used its cores and lowered it: not ranked"

Bounds = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Roof:
    """Ceilings of one affinity (`cpus` empty: not recorded). `compute`: arithmetic -> op/s, the best instruction set.

    `bandwidth`: level -> B/s; `capacity`: level -> bytes, without DRAM; `share` of their time in which the program had
    the CPUs; `latency`: level -> s; `kinds`: CPU -> kind of core, on a machine with several kinds. `bounds`: arithmetic
    or level of a bandwidth -> its interval, where it has one; a bandwidth of a disturbed calibration has no upper end.
    """

    machine: str
    cpus: tuple[int, ...]
    compute: Mapping[str, float]
    isa: Mapping[str, str]
    bandwidth: Mapping[str, float]
    capacity: Mapping[str, int]
    share: float = 1.0
    latency: Mapping[str, float] = field(default_factory=dict)
    kinds: Mapping[int, int] = field(default_factory=dict)
    bounds: Mapping[str, Bounds] = field(default_factory=dict)

    def kind(self, cpu: int) -> int | None:
        """Kind of a core; None: all are of one kind, or it is not known."""
        return self.kinds.get(cpu)

    def resembles(self, cpus: Sequence[int]) -> bool:
        """Its cores are of the kinds of (some of) these; not pinned: of any."""
        return not cpus or Counter(map(self.kind, self.cpus)) <= Counter(map(self.kind, cpus))


@dataclass(frozen=True, slots=True)
class RooflinePoint:
    """A case. `rate`: frames per second, of CPU time where `by` is that; `fps`, `throughput`, `cpu_s`: None: not known.

    `share_lost`: share of its time that others took, 0: not known. `bytes`: per frame; `footprint`: bytes that a frame
    keeps touching, which decides the level. `bounds`: of the rate, 95 % between rounds; None below two.
    """

    title: str
    rate: float
    macs: float
    precision: str
    bytes: float
    origin: str = COMPULSORY
    footprint: float | None = None
    by: Estimator = Estimator.FPS
    fps: float | None = None
    throughput: float | None = None
    cpu_s: float | None = None
    share_lost: float = 0.0
    bounds: Bounds | None = None

    @property
    def is_lowered(self) -> bool:
        """Whether others lowered `rate`."""
        return self.by is Estimator.THROUGHPUT or (self.by is Estimator.FPS and self.share_lost > OFF)


@dataclass(frozen=True, slots=True)
class Placement:
    """A point under a roof. `attainable` op/s = min(peak, intensity x bandwidth); `share` of it that was reached.

    `bounds`: of the share; None where speed or ceilings have no interval.
    """

    point: RooflinePoint
    performance: float
    intensity: float
    level: str
    peak: float
    bandwidth: float
    attainable: float
    share: float
    side: str  # compute | memory | undecided
    notes: tuple[str, ...] = ()
    bounds: Bounds | None = None


@dataclass(frozen=True, slots=True)
class UnplacedCase:
    """A case that can't be placed, and why."""

    title: str
    why: str


def rate_estimator(threads: int, rounds: Sequence[Speed]) -> Estimator:
    """What is set against ceilings per second of CPU time: CPU time of one thread that never sleeps, else FPS, and
    throughput where that is off."""
    if rounds and all(is_single_threaded(threads, s) for s in rounds):
        return Estimator.CPU_TIME
    found = choose((threads, s) for s in rounds).estimator
    return Estimator.THROUGHPUT if found is Estimator.CPU_TIME else found


def mean_rate(rounds: Sequence[Speed], estimator: Estimator) -> float | None:
    """Geometric mean over rounds of the speed by an estimator; None: not known."""
    known = rates(rounds, estimator)
    return statistics.geometric_mean(known) if known else None


def rates(rounds: Sequence[Speed], estimator: Estimator) -> list[float]:
    """Speed by an estimator of each round that has one."""
    return [v for s in rounds if (v := value(s, estimator)) is not None and v > 0]


def rate_bounds(rounds: Sequence[Speed], estimator: Estimator) -> Bounds | None:
    """95 % interval between rounds; None below two of them."""
    known = rates(rounds, estimator)
    found = between_rounds(known) if known else Interval(math.nan, None, None)
    return None if found.low is None or found.high is None else (found.low, found.high)


def level_of(footprint: float | None, capacity: Mapping[str, int], bandwidth: Mapping[str, float]) -> str:
    """The smallest cache that holds the footprint and has a bandwidth, else DRAM (also where it is unknown)."""
    for level, size in sorted(capacity.items(), key=lambda item: item[1]):
        if footprint is not None and footprint <= size and level in bandwidth:
            return level
    return MEMORY


def place(point: RooflinePoint, roof: Roof) -> Placement | UnplacedCase:
    """Under which part of the roof the point is, and how near."""
    peak = roof.compute.get(point.precision)
    if not point.precision:
        return UnplacedCase(point.title, "its framework does not report in which precision it computes")
    if peak is None:
        return UnplacedCase(point.title, f"no ceiling for {point.precision}: hwprof roofline --measure")
    level = level_of(point.footprint, roof.capacity, roof.bandwidth)
    bandwidth = roof.bandwidth.get(level)
    if bandwidth is None:
        return UnplacedCase(point.title, f"no bandwidth of {level} measured: hwprof roofline --measure")
    if min(point.rate, point.macs, point.bytes) <= 0:
        return UnplacedCase(point.title, "no speed, MACs or bytes")
    performance, intensity = 2 * point.macs * point.rate, 2 * point.macs / point.bytes
    attainable = min(peak, intensity * bandwidth)
    share = performance / attainable
    peaks, bandwidths = roof.bounds.get(point.precision), roof.bounds.get(level)
    side, bounds = UNDECIDED, None
    if peaks and bandwidths:
        side = side_of(intensity, peaks, bandwidths)
        least, most = (min(p, intensity * b) for p, b in zip(peaks, bandwidths, strict=True))
        if point.bounds:
            slow, fast = (2 * point.macs * rate for rate in point.bounds)
            bounds = (slow / most, fast / least)
    notes = []
    if share > ABOVE:
        notes.append(ABOVE_THE_ROOF if bounds is not None and bounds[0] > 1 else ABOVE_UNSHOWN)
    if side == UNDECIDED:
        notes.append(NEAR_RIDGE)
    if point.is_lowered:
        notes.append(LOWERED)
    return Placement(
        point, performance, intensity, level, peak, bandwidth, attainable, share, side, tuple(notes), bounds
    )


def side_of(intensity: float, peak: Bounds, bandwidth: Bounds) -> str:
    """Which part of the roof is lower at an intensity, wherever in their intervals the ceilings are; else undecided."""
    if intensity >= peak[1] / bandwidth[0]:
        return COMPUTE
    return MEMORY_SIDE if intensity < peak[0] / bandwidth[1] else UNDECIDED


def roofs(found: Sequence[Ceiling], facts: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Roof]]:
    """Stored ceilings by machine_id; `facts`: machine_id -> hardware, for the sizes of caches and the kinds of core."""
    groups: dict[tuple[str, tuple[int, ...]], list[Ceiling]] = defaultdict(list)
    for c in found:
        groups[c.machine_id, c.cpus].append(c)
    out: dict[str, list[Roof]] = defaultdict(list)
    for (machine, cpus), ceilings in groups.items():
        compute: dict[str, float] = {}
        isa: dict[str, str] = {}
        levels: dict[str, dict[str, float]] = {"bandwidth": {}, "latency": {}}
        chosen: dict[str, Ceiling] = {}
        for c in ceilings:
            value = c.value or 0.0
            if value <= 0 or c.unit != UNITS.get(c.what) or value <= compute.get(c.what, 0.0):
                continue
            if c.what in levels:
                levels[c.what][c.of] = value
            else:
                compute[c.what], isa[c.what] = value, c.of
            chosen[c.of if c.what == "bandwidth" else c.what] = c
        hardware = facts.get(machine, {})
        # an L1 of 32 KiB per CPU is one of 64 KiB to two threads, a shared L3 is what it is
        capacity = {
            f"L{c['level']}": int(c["kib"]) * 1024 * max(1, math.ceil(len(cpus) / max(1, int(c.get("shared_by", 1)))))
            for c in hardware.get("caches", ())
            if c.get("type") in ("Data", "Unified")
        }
        share = min((float(c.evidence.get("share", 1.0)) for c in ceilings), default=1.0)
        kinds = {cpu: number for number, kind in enumerate(hardware.get("kinds", ())) for cpu in kind["cpus"]}
        bounds = {name: own for name, c in chosen.items() if (own := _bounds(c)) and c.what != "latency"}
        label = ceilings[0].machine
        out[machine].append(
            Roof(label, cpus, compute, isa, levels["bandwidth"], capacity, share, levels["latency"], kinds, bounds)
        )
    return dict(out)


def _bounds(ceiling: Ceiling) -> Bounds | None:
    """The lowest and the highest repetition, where they are enough for an interval of 95 %."""
    e = ceiling.evidence
    if e.get("repetitions", 0) < REPETITIONS:
        return None
    is_disturbed = ceiling.what == "bandwidth" and e.get("share", 1.0) < SHARE
    return float(e["low"]), math.inf if is_disturbed else float(e["high"])


def nearest_roof(roofs: Sequence[Roof], cpus: Sequence[int], threads: int) -> tuple[Roof | None, str]:
    """The roof of the cores that a case used: as many of `cpus` as it has `threads`; no `cpus`: it was not pinned.

    Measured on these CPUs, else on as many of the same kinds, else on more or on CPUs that were not recorded; all but
    the first with a doubt in words. (None, why) for none.
    """
    used = min(len(cpus), threads) if cpus else threads
    named = ",".join(map(str, cpus)) or "any"
    same = next((r for r in roofs if cpus and r.cpus == tuple(cpus)), None)
    if same is not None and used == len(cpus):
        return same, ""
    for roof in roofs:
        if len(roof.cpus) == used and roof.resembles(cpus):
            return roof, f"the ceilings are of CPUs {','.join(map(str, roof.cpus))}, the case ran on {named}"
    if same is not None:
        return same, f"the ceilings are of CPUs {named} together, the case had {used} of them at a time"
    for roof in roofs:
        if not roof.cpus:
            return roof, "the CPUs of the ceilings were not recorded"
    return None, f"no ceilings for CPUs {named}: hwprof roofline --measure --cpus {named if cpus else 'N'}"


def latencies(roofs: Sequence[Roof], cpus: Sequence[int], hertz: float | None) -> dict[str, float]:
    """Miss event -> cycles that it costs at most on these CPUs at this clock, measured; without a clock none.

    A roof's latencies are of the first of its CPUs: one of the case's, else one of the same kind of core.
    """
    timed = [r for r in roofs if r.latency and (not cpus or not r.cpus or r.kind(r.cpus[0]) in map(r.kind, cpus))]
    if not timed or not hertz:
        return {}
    roof = max(timed, key=lambda r: (r.cpus == tuple(cpus), len({*r.cpus[:1]} & {*cpus})))
    return {event: roof.latency[level] * hertz for event, level in ANSWERED_BY.items() if level in roof.latency}
