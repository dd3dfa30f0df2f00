"""Where the cycles went: top-down level 1 where its events were counted, stall shares, and bounds from misses.

A regression of cycles on collinear misses would give any answer. A miss costs at most its latency, so that its share
of the cycles lies within [0, min(1, misses x latency / cycles)]: "consistent with up to".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hwprof.analysis.factors.evidence import Evidence, Quantity
from hwprof.collectors.perf.slots import SlotFormulas, count_slots
from hwprof.collectors.perf.tables import slot_formulas
from hwprof.collectors.vocabulary import LEVEL1, SLOTS, Name

# Cycles that a miss may cost at most, where the machine's own latency was not measured: typical of current cores.
ASSUMED_CYCLES: Mapping[Name, float] = {
    Name.L1D_MISSES: 15.0,
    Name.L2_MISSES: 60.0,
    Name.LLC_MISSES: 300.0,
    Name.L1I_MISSES: 20.0,
    Name.DTLB_MISSES: 40.0,
    Name.ITLB_MISSES: 40.0,
    Name.BRANCH_MISSES: 20.0,
}
WHAT: Mapping[Name, str] = {
    Name.L1D_MISSES: "L1D misses",
    Name.L2_MISSES: "L2 misses",
    Name.LLC_MISSES: "last-level misses",
    Name.L1I_MISSES: "L1I misses",
    Name.DTLB_MISSES: "DTLB misses",
    Name.ITLB_MISSES: "ITLB misses",
    Name.BRANCH_MISSES: "mispredicted branches",
}
# A table's event -> the kernel's own of the same meaning.
STALLS: Mapping[Name, Name] = {
    Name.FRONTEND_STALLS: Name.STALLED_CYCLES_FRONTEND,
    Name.BACKEND_STALLS: Name.STALLED_CYCLES_BACKEND,
}


@dataclass(frozen=True, slots=True)
class SlotShares:
    """Shares of all issue slots, adding up to 1. `caution`: what weakens them."""

    retiring: float
    bad_speculation: float
    frontend: float
    backend: float
    caution: str = ""


@dataclass(frozen=True, slots=True)
class Bound:
    """A miss event: per 1,000 instructions, and the largest share of the cycles that it can stand for."""

    metric: Name
    mpki: float
    share: float
    latency: float  # cycles, at most
    measured: bool  # the latency is this machine's own
    caution: str = ""


def top_down(evidence: Evidence) -> SlotShares | None:
    """Top-down level 1: by the four shares that a core counts, else by the formulas of its table.

    None without all of their events in one domain. Yasin, A Top-Down Method for Performance Analysis and Counters
    Architecture, 2014.
    """
    formulas = slot_formulas(evidence.machine)
    for suffix in ("", ":u"):
        found = [q for name in LEVEL1.values() if (q := evidence.quantities.get(name + suffix)) is not None]
        if len(found) == len(LEVEL1):
            all_slots = evidence.quantities.get(SLOTS + suffix)
            values = [q.value for q in found]
            counted = count_slots(values, sum(values) if all_slots is None else all_slots.value)
        elif isinstance(formulas, SlotFormulas):
            named = {n: q for n in formulas.events if (q := evidence.quantities.get(n + suffix)) is not None}
            found, values_by_name = list(named.values()), {n: q.value for n, q in named.items()}
            counted = formulas.count(values_by_name) if len(named) == len(formulas.events) else None
        else:
            counted = None
        if counted is not None:
            return SlotShares(*counted.shares, "; ".join(filter(None, (cautions(*found), *counted.cautions))))
    return None


def stalls(evidence: Evidence, name: Name) -> tuple[float, str] | None:
    """Share of cycles stalled: a key of STALLS over cycles; with what weakens it."""
    pair = evidence.pair(name, Name.CYCLES) or evidence.pair(STALLS[name], Name.CYCLES)
    if pair is None or evidence.emulated:
        return None
    return pair[0].value / pair[1].value, cautions(*pair)


def bound(evidence: Evidence, metric: Name, latencies: Mapping[str, float] | None = None) -> Bound | None:
    """The largest share of cycles that a miss event can stand for. `latencies`: metric -> cycles, measured here.

    None without the event, cycles and instructions of one domain; never from simulated or emulated counts.
    """
    misses, cycles = evidence.pair(metric, Name.CYCLES) or (None, None)
    pair = evidence.pair(metric, Name.INSTRUCTIONS)
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


def cautions(*quantities: Quantity | None) -> str:
    """What weakens these, each once."""
    return "; ".join(dict.fromkeys(q.caution for q in quantities if q is not None and q.caution))


def vector_share(evidence: Evidence) -> tuple[float, str, str] | None:
    """(share of vector instructions, caution, what the event means); None where they were not counted.

    Simulated shares (`vector-share@riscv64`) count where nothing else does, and their name says so.
    """
    vector = Name.VECTOR_INSTRUCTIONS
    pair = evidence.pair(vector, Name.INST_SPEC) or evidence.pair(vector, Name.INSTRUCTIONS)
    if pair is None:
        return None
    return pair[0].value / pair[1].value, cautions(*pair), pair[0].meaning


def scalar_fp_share(evidence: Evidence) -> tuple[float, str] | None:
    """(share of scalar floating-point instructions, caution); vectors are taken out where the event counts them too."""
    pair = evidence.pair(Name.FP_INSTRUCTIONS, Name.INSTRUCTIONS)
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
