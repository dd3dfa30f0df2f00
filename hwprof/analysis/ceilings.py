"""What this machine can do at most, out of its measured ceilings: FLOP/s, bytes/s, latencies.

Ceilings are found by unit and by words in their names (`fp32`, `int8`, `dram`, `l2`), so that more of them may come.
`evidence` says on which `cpus` one was measured (`hwprof calibrate`), or with how many `threads`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from hwprof.store.listing import Ceiling

RATES: Mapping[str, float] = {
    "flop/s": 1.0,
    "flops": 1.0,
    "gflop/s": 1e9,
    "gflops": 1e9,
    "op/s": 1.0,
    "ops": 1.0,
    "gop/s": 1e9,
    "gops": 1e9,
    "mac/s": 2.0,
    "gmac/s": 2e9,
}
BANDWIDTHS: Mapping[str, float] = {
    "b/s": 1.0,
    "byte/s": 1.0,
    "bytes/s": 1.0,
    "mb/s": 1e6,
    "gb/s": 1e9,
    "gib/s": float(1 << 30),
}
SECONDS: Mapping[str, float] = {"s": 1.0, "ns": 1e-9}
MEMORY = re.compile(r"dram|memory|\bmem\b|ram", re.IGNORECASE)
# miss event -> the level that answers it, as names of latency ceilings may have it
ANSWERED_BY: Mapping[str, re.Pattern[str]] = {
    "l1d-misses": re.compile(r"l2", re.IGNORECASE),
    "l2-misses": re.compile(r"l3|llc", re.IGNORECASE),
    "llc-misses": MEMORY,
}


def compute(ceilings: Sequence[Ceiling], precision: str, threads: int) -> float | None:
    """Peak FLOP/s (operations/s) of a precision at this number of threads; None: not measured."""
    word = {"fp32": r"fp32|f32|float32|single", "fp16": r"fp16|f16|half", "bf16": "bf16", "int8": "int8|i8"}.get(
        precision
    )
    if word is None:
        return None
    named = [c for c in ceilings if re.search(word, c.name, re.IGNORECASE)]
    return _best(named, RATES, threads)


def bandwidth(ceilings: Sequence[Ceiling], threads: int) -> float | None:
    """Bytes/s from and to memory at this number of threads; None: not measured."""
    return _best([c for c in ceilings if MEMORY.search(c.name)], BANDWIDTHS, threads)


def _best(found: Sequence[Ceiling], units: Mapping[str, float], threads: int) -> float | None:
    """The highest of those measured with this many threads; else, where none says its threads, of all."""
    usable = [(c, c.value * units[c.unit.lower()]) for c in found if c.unit.lower() in units]
    exact = [v for c, v in usable if _threads(c) == threads]
    silent = [v for c, v in usable if _threads(c) is None]
    return max(exact or silent, default=None)


def _threads(ceiling: Ceiling) -> int | None:
    told = ceiling.evidence
    return len(told["cpus"]) if told.get("cpus") else told.get("threads")


def latencies(ceilings: Sequence[Ceiling], hertz: float | None = None) -> dict[str, float]:
    """Miss event -> cycles that it costs at most, from measured latencies; those in ns need a clock."""
    out = {}
    for event, name in ANSWERED_BY.items():
        for c in ceilings:
            if not name.search(c.name) or not re.search("latency|chase", c.name, re.IGNORECASE):
                continue
            if c.unit.lower() in ("cycles", "cycle"):
                out[event] = c.value
            elif c.unit.lower() in SECONDS and hertz:
                out[event] = c.value * SECONDS[c.unit.lower()] * hertz
    return out
