"""Where a case stands under its machine's roof (Williams, Waterman, Patterson 2009). Pure functions.

Performance is 2 x MACs x frames per second; intensity is FLOP per byte. Bytes are counted where the CPU has an honest
event (one that sees prefetches too), else they are the model's compulsory traffic: weights once per batch, inputs and
outputs of convolutions and matrix products once. That is a lower bound, so that the intensity is an upper one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

# Metrics that count what crosses the memory bus, prefetches included -> bytes of one count
HONEST: Mapping[str, float] = {
    "dram-bytes": 1.0,
    "dram-read-bytes": 1.0,
    "dram-write-bytes": 1.0,
    "uncore_imc/data_reads/": 64.0,
    "uncore_imc/data_writes/": 64.0,
    "uncore_imc/cas_count_read/": 64.0,
    "uncore_imc/cas_count_write/": 64.0,
}
ELEMENT = {"fp32": 4, "fp16": 2, "bf16": 2, "int8": 1}
ARITHMETIC = {"fp32": "fp32", "fp16": "fp16", "int8": "int8"}
COUNTED, COMPULSORY = "counted", "compulsory traffic"
ABOVE = 1.05


@dataclass(frozen=True, slots=True)
class Roof:
    """Ceilings of one affinity. `compute`: arithmetic -> op/s, the best instruction set; `bandwidth`: level -> B/s.

    `capacity`: level -> bytes, without DRAM. `shared`: measured with less than the whole CPU.
    """

    machine: str
    cpus: tuple[int, ...]
    compute: Mapping[str, float]
    isa: Mapping[str, str]
    bandwidth: Mapping[str, float]
    capacity: Mapping[str, int]
    share: float = 1.0


@dataclass(frozen=True, slots=True)
class Point:
    """A case. `bytes`: per frame; `footprint`: bytes that a frame keeps touching, which decides the level."""

    title: str
    fps: float
    macs: float
    precision: str
    bytes: float
    origin: str  # counted | compulsory traffic
    footprint: float | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """A point under a roof. `attainable` op/s = min(peak, intensity x bandwidth); `share` of it that was reached."""

    point: Point
    performance: float
    intensity: float
    level: str
    peak: float
    bandwidth: float
    attainable: float
    share: float
    side: str  # compute | memory
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A case that can't be placed, and why."""

    title: str
    why: str


def level_of(footprint: float | None, capacity: Mapping[str, int], bandwidth: Mapping[str, float]) -> str:
    """The smallest cache that holds the footprint and has a bandwidth, else DRAM (also where it is unknown)."""
    for level, size in sorted(capacity.items(), key=lambda item: item[1]):
        if footprint is not None and footprint <= size and level in bandwidth:
            return level
    return "DRAM"


def place(point: Point, roof: Roof) -> Placement | Unplaced:
    """Under which part of the roof the point is, and how near."""
    arithmetic = ARITHMETIC.get(point.precision)
    peak = roof.compute.get(arithmetic or "")
    if peak is None:
        return Unplaced(point.title, f"no ceiling for {point.precision}: hwprof calibrate")
    # what was counted on the memory bus is DRAM's by definition
    level = "DRAM" if point.origin == COUNTED else level_of(point.footprint, roof.capacity, roof.bandwidth)
    bandwidth = roof.bandwidth.get(level)
    if bandwidth is None:
        return Unplaced(point.title, f"no bandwidth of {level} measured: hwprof calibrate")
    if min(point.fps, point.macs, point.bytes) <= 0:
        return Unplaced(point.title, "no speed, MACs or bytes")
    performance, intensity = 2 * point.macs * point.fps, 2 * point.macs / point.bytes
    attainable = min(peak, intensity * bandwidth)
    share = performance / attainable
    notes = []
    if share > ABOVE:
        notes.append(
            "above the roof: an algorithm with fewer multiplications (Winograd), caches that hold more than assumed, "
            "or ceilings measured on a busier machine"
        )
    side = "compute" if peak <= intensity * bandwidth else "memory"
    return Placement(point, performance, intensity, level, peak, bandwidth, attainable, share, side, tuple(notes))


def counted_bytes(counts: Mapping[str, float]) -> float | None:
    """Bytes per frame out of a case's counts per frame; None where no honest event was counted."""
    found = [HONEST[n.partition("@")[0]] * v for n, v in counts.items() if n in HONEST and v == v and v > 0]
    return sum(found) if found else None


def nearest(roofs: Sequence[Roof], cpus: Sequence[int]) -> tuple[Roof | None, str]:
    """The roof measured on these CPUs, else one on as many, which must be said; (None, why) for none."""
    same = next((r for r in roofs if tuple(r.cpus) == tuple(cpus)), None)
    if same is not None:
        return same, ""
    alike = next((r for r in roofs if len(r.cpus) == max(1, len(cpus))), None)
    told = ",".join(map(str, cpus)) or "any"
    if alike is not None:
        return alike, f"the ceilings are of CPUs {','.join(map(str, alike.cpus))}, the case ran on {told}"
    return None, f"no ceilings for CPUs {told}: hwprof calibrate --cpus {told if cpus else 'N'}"
