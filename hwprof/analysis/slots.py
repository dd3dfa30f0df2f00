"""Where the cycles went: top-down level 1 where its events were counted, stall shares, and bounds from misses.

A regression of cycles on collinear misses would give any answer. A miss costs at most its latency, so that its share
of the cycles lies within [0, min(1, misses x latency / cycles)]: "consistent with up to".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hwprof.analysis.evidence import Evidence, Quantity

# Cycles that a miss may cost at most, where the machine's own latency was not measured: typical of current cores.
ASSUMED_CYCLES: Mapping[str, float] = {
    "l1d-misses": 15.0,
    "l2-misses": 60.0,
    "llc-misses": 300.0,
    "l1i-misses": 20.0,
    "dtlb-misses": 40.0,
    "itlb-misses": 40.0,
    "branch-misses": 20.0,
}
WHAT: Mapping[str, str] = {
    "l1d-misses": "L1D misses",
    "l2-misses": "L2 misses",
    "llc-misses": "last-level misses",
    "l1i-misses": "L1I misses",
    "dtlb-misses": "DTLB misses",
    "itlb-misses": "ITLB misses",
    "branch-misses": "mispredicted branches",
}


@dataclass(frozen=True, slots=True)
class Slots:
    """Shares of all issue slots, adding up to 1. `caution`: what weakens them."""

    retiring: float
    bad_speculation: float
    frontend: float
    backend: float
    caution: str = ""


@dataclass(frozen=True, slots=True)
class Bound:
    """A miss event: per 1,000 instructions, and the largest share of the cycles that it can stand for."""

    metric: str
    mpki: float
    share: float
    latency: float  # cycles, at most
    measured: bool  # the latency is this machine's own
    caution: str = ""


def level1(evidence: Evidence) -> Slots | None:
    """Top-down level 1 by the perf metrics of Ice Lake and later, or by the events of Skylake; None without them.

    Yasin, A Top-Down Method for Performance Analysis and Counters Architecture, 2014.
    """
    metrics = _all(evidence, "topdown-retiring", "topdown-bad-spec", "topdown-fe-bound", "topdown-be-bound")
    if metrics:
        retiring, bad, front, back = (q.value for q in metrics)
        whole = retiring + bad + front + back
        if whole > 0:
            return Slots(retiring / whole, bad / whole, front / whole, back / whole, cautions(*metrics))
    events = _all(
        evidence,
        "cycles",
        "idq_uops_not_delivered.core",
        "uops_retired.retire_slots",
        "uops_issued.any",
        "int_misc.recovery_cycles",
    )
    if events:
        cycles, starved, retired, issued, recovery = (q.value for q in events)
        slots = 4 * cycles
        front, retiring = starved / slots, retired / slots
        bad = max(0.0, (issued - retired + 4 * recovery) / slots)
        return Slots(retiring, bad, front, max(0.0, 1 - front - retiring - bad), cautions(*events))
    return None


def _all(evidence: Evidence, *names: str) -> list[Quantity] | None:
    """All of them in one domain, or None."""
    for suffix in ("", ":u"):
        found = [evidence.quantities.get(name + suffix) for name in names]
        if all(q is not None for q in found):
            return [q for q in found if q is not None]
    return None


def stalls(evidence: Evidence, name: str) -> tuple[float, str] | None:
    """Share of cycles stalled: `frontend-stalls` or `backend-stalls` over cycles; with what weakens it."""
    generic = {"frontend-stalls": "stalled-cycles-frontend", "backend-stalls": "stalled-cycles-backend"}[name]
    pair = evidence.pair(name, "cycles") or evidence.pair(generic, "cycles")
    if pair is None or evidence.emulated:
        return None
    return pair[0].value / pair[1].value, cautions(*pair)


def bound(evidence: Evidence, metric: str, latencies: Mapping[str, float] | None = None) -> Bound | None:
    """The largest share of cycles that a miss event can stand for. `latencies`: metric -> cycles, measured here.

    None without the event, cycles and instructions of one domain; never from simulated or emulated counts.
    """
    misses, cycles = evidence.pair(metric, "cycles") or (None, None)
    pair = evidence.pair(metric, "instructions")
    if misses is None or cycles is None or pair is None or "@" in misses.name or evidence.emulated:
        return None
    measured = (latencies or {}).get(metric)
    latency = measured if measured is not None else ASSUMED_CYCLES[metric]
    return Bound(
        metric,
        1000 * misses.value / pair[1].value,
        min(1.0, misses.value * latency / cycles.value),
        latency,
        measured is not None,
        cautions(misses, cycles),
    )


def bounds(evidence: Evidence, latencies: Mapping[str, float] | None = None) -> list[Bound]:
    """Every bound there is, the largest first."""
    found = [b for metric in ASSUMED_CYCLES if (b := bound(evidence, metric, latencies)) is not None]
    return sorted(found, key=lambda b: -b.share)


def cautions(*quantities: Quantity | None) -> str:
    """What weakens these, each once."""
    return "; ".join(dict.fromkeys(q.caution for q in quantities if q is not None and q.caution))


def vector_share(evidence: Evidence) -> tuple[float, str, str] | None:
    """(share of vector instructions, caution, what the event means); None where they were not counted.

    Simulated shares (`vector-share@riscv64`) count where nothing else does, and their name says so.
    """
    pair = evidence.pair("vector-instructions", "inst_spec") or evidence.pair("vector-instructions", "instructions")
    if pair is None:
        return None
    return pair[0].value / pair[1].value, cautions(*pair), pair[0].meaning


def scalar_fp_share(evidence: Evidence) -> tuple[float, str] | None:
    """(share of scalar floating-point instructions, caution); vectors are taken out where the event counts them too."""
    pair = evidence.pair("fp-instructions", "instructions")
    if pair is None:
        return None
    fp, whole = pair
    scalar, used = fp.value, [fp, whole]
    if "scalar and" in fp.meaning:
        vector = evidence.quantities.get(fp.name.replace("fp-", "vector-"))
        if vector is None:
            return None
        scalar, used = max(0.0, fp.value - vector.value), [*used, vector]
    return scalar / whole.value, cautions(*used)
