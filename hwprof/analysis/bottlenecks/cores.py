"""Rules on what the cores do: compute, memory, front end, speculation, vectors."""

from __future__ import annotations

import math
from dataclasses import replace

from hwprof.analysis.bottlenecks.verdicts import (
    LOWER,
    OWN_CORES,
    Context,
    Number,
    State,
    Sure,
    Verdict,
    abstain,
    refuse_emulated,
    weaken,
)
from hwprof.analysis.estimator import Estimator
from hwprof.analysis.factors import cycles
from hwprof.analysis.factors.evidence import Evidence
from hwprof.analysis.roofline import MEMORY
from hwprof.collectors.vocabulary import Name

HIGH, LOW = 0.6, 0.35  # of a ceiling: bound by it; not bound by it
LINE = 64
FLOAT = 4


def _flop_rate(context: Context) -> float | None:
    """FLOP/s by the graph's MACs (two each); an algorithm such as Winograd computes fewer."""
    if not context.evidence.macs or not math.isfinite(context.rate):
        return None
    return 2.0 * context.evidence.macs * context.rate


def _per(context: Context) -> str:
    """What a rate per second is of, where it is not of all the time."""
    return " of CPU time" if context.estimator is Estimator.CPU_TIME else ""


def _sharing(context: Context) -> str:
    return f"{context.sharing}; caches and clock were not its own" if context.is_shared else ""


def _not_denied(verdict: Verdict, context: Context) -> Verdict:
    """No verdict that a rate is low where others lowered it."""
    if not context.lowered or verdict.state is State.YES:
        return verdict
    because = f"{context.lowered}; {verdict.because}"
    return replace(verdict, state=State.UNKNOWN, because=because, sure=Sure.LOW, missing=(OWN_CORES,), weight=0.0)


def _certainty(context: Context, sure: Sure) -> Sure:
    """One step less sure where the ceilings are of other cores than the case ran on, and where others used the core:
    caches and clock were then not its own."""
    sure = LOWER[sure] if context.roof_doubt else sure
    return LOWER[sure] if context.is_shared else sure


def compute_bound(context: Context) -> Verdict:
    """The arithmetic of the graph against the machine's measured peak; else the share of slots that retire."""
    code, e = "compute-bound", context.evidence
    if (no := refuse_emulated(code, e)) is not None:
        return no
    advice = "fewer MACs or a narrower type (INT8, FP16): this framework already uses the arithmetic units"
    rate, peak = _flop_rate(context), context.roof.compute.get(e.case.precision) if context.roof else None
    if rate is not None and peak:
        share = rate / peak
        numbers = (
            Number("FLOP/s", rate, f"{rate / 1e9:.1f} GFLOP/s{_per(context)} by the graph's MACs", _sharing(context)),
            Number("peak", peak, f"{peak / 1e9:.1f} GFLOP/s measured on this machine", context.roof_doubt),
        )
        because = f"{share:.0%} of the measured peak"
        state = State.YES if share >= HIGH else State.NO if share < LOW else State.PARTLY
        sure = _certainty(context, Sure.HIGH)
        return _not_denied(Verdict(code, state, because, numbers, sure, advice, weight=min(1.0, share)), context)
    top = cycles.top_down(e)
    if top is None:
        need = "peak FLOP/s (hwprof calibrate)" if rate is not None else "MACs of the network"
        return abstain(code, need, "top-down events", because=f"not measured: {need}, nor top-down events")
    shown = (Number("retiring", top.retiring, f"{top.retiring:.0%} of the slots retire", top.caution),)
    state = State.PARTLY if top.retiring >= HIGH else State.NO
    because = "by top-down slots alone: retiring slots may be useful arithmetic or not"
    return Verdict(code, state, because, shown, Sure.LOW, advice, ("peak FLOP/s (hwprof calibrate)",), top.retiring)


def bandwidth_bound(context: Context) -> Verdict:
    """Bytes per second from counters, else the weights that must be read, against the measured bandwidth."""
    code, e = "memory-bandwidth-bound", context.evidence
    if (no := refuse_emulated(code, e)) is not None:
        return no
    limit = context.roof.bandwidth.get(MEMORY) if context.roof else None
    misses = e.best(Name.LLC_MISSES, simulated=False)
    cached = _last_level_bytes(e)
    weights = e.params * FLOAT / e.case.batch if e.params else None
    if limit is None:
        return abstain(code, "memory bandwidth (hwprof calibrate)")
    advice = "a larger batch shares the weights between frames; a narrower type; fusing layers that only move data"
    ceiling = Number("bandwidth", limit, f"{limit / 1e9:.1f} GB/s measured on this machine", context.roof_doubt)
    if misses is not None:
        rate = misses.value * LINE * context.rate
        share = rate / limit
        text = (
            f"{rate / 1e9:.2f} GB/s{_per(context)} by last-level misses x {LINE} B "
            "(prefetched lines may be missing: at least)"
        )
        state = State.YES if share >= HIGH else State.PARTLY if share >= LOW else State.NO
        sure = _certainty(context, weaken(Sure.MEDIUM if state is not State.NO else Sure.LOW, misses))
        shown = (Number("bytes/s", rate, text, misses.caution or _sharing(context)), ceiling)
        because = f"at least {share:.0%} of the bandwidth"
        return _not_denied(Verdict(code, state, because, shown, sure, advice, weight=min(1.0, share)), context)
    if weights is not None and cached is not None and weights * e.case.batch > cached:
        rate = weights * context.rate
        share = rate / limit
        text = (
            f"{rate / 1e9:.2f} GB/s{_per(context)} for the weights alone, which don't fit into the last-level cache "
            "(no counter)"
        )
        shown = (Number("bytes/s", rate, text, "compulsory traffic of the model, not counted"), ceiling)
        if share >= LOW:
            state = State.YES if share >= HIGH else State.PARTLY
            because = f"at least {share:.0%} of the bandwidth"
            sure = _certainty(context, Sure.MEDIUM)
            return _not_denied(Verdict(code, state, because, shown, sure, advice, weight=min(1.0, share)), context)
        return Verdict(
            code,
            State.UNKNOWN,
            f"weights alone take {share:.0%}; activations weren't counted",
            shown,
            missing=(Name.LLC_MISSES,),
        )
    return abstain(code, Name.LLC_MISSES)


def _last_level_bytes(e: Evidence) -> int | None:
    found = [c for c in e.machine.get("caches", ()) if c.get("type") != "Instruction"]
    return max((c["kib"] * 1024 for c in found if c["level"] == max(x["level"] for x in found)), default=None)


def latency_bound(context: Context) -> Verdict:
    """Cache and TLB misses that can stand for many cycles while the bandwidth isn't used up."""
    code, e = "memory-latency-bound", context.evidence
    if (no := refuse_emulated(code, e)) is not None:
        return no
    metrics = (Name.L2_MISSES, Name.LLC_MISSES, Name.DTLB_MISSES)
    found = [b for m in metrics if (b := cycles.bound(e, m, context.latencies)) is not None]
    if not found:
        return abstain(code, *metrics, Name.CYCLES)
    back = cycles.stalls(e, Name.BACKEND_STALLS)
    top = cycles.top_down(e)
    stalled = top.backend if top is not None else back[0] if back is not None else None
    numbers = [
        Number(
            b.metric,
            b.share,
            f"{cycles.WHAT[b.metric]}: {b.mpki:.2f} per 1,000 instructions, consistent with up to "
            f"{b.share:.0%} of the cycles at {b.latency:.0f} cycles ({'measured' if b.measured else 'assumed'})",
            b.caution,
        )
        for b in found
    ]
    if stalled is not None:
        numbers.append(Number("back end", stalled, f"{stalled:.0%} of cycles or slots wait for the back end"))
    most = max(b.share for b in found)
    advice = "blocking that keeps the working set in cache, prefetching, huge pages where it is the TLB"
    used = bandwidth_bound(context)
    if most < 0.1:
        sure = Sure.HIGH if all(b.measured for b in found) else Sure.MEDIUM
        return Verdict(
            code, State.NO, f"misses can't stand for more than {most:.0%} of the cycles", tuple(numbers), sure
        )
    if used.state is State.YES:
        return Verdict(code, State.NO, "the bandwidth itself is used up", tuple(numbers), Sure.MEDIUM)
    if stalled is None:
        because = "misses could explain a large part, but no stall event says that cores wait"
        return Verdict(code, State.PARTLY, because, tuple(numbers), Sure.LOW, advice, (Name.BACKEND_STALLS,), most / 2)
    state = State.YES if most >= 0.3 and stalled >= 0.3 else State.PARTLY
    because = f"cores wait for the back end ({stalled:.0%}) and misses can explain up to {most:.0%} of the cycles"
    return Verdict(code, state, because, tuple(numbers), Sure.MEDIUM, advice, weight=min(most, stalled))


def front_end(context: Context) -> Verdict:
    """Slots or cycles that wait for instructions."""
    code, e = "front-end-bound", context.evidence
    if (no := refuse_emulated(code, e)) is not None:
        return no
    top, stalled = cycles.top_down(e), cycles.stalls(e, Name.FRONTEND_STALLS)
    if top is None and stalled is None:
        return abstain(code, Name.FRONTEND_STALLS, "top-down events")
    share, caution = (top.frontend, top.caution) if top is not None else stalled or (0.0, "")
    what = "slots" if top is not None else "cycles"
    numbers = [Number("front end", share, f"{share:.0%} of the {what} wait for the front end", caution)]
    numbers += [
        Number(metric, b.mpki, f"{cycles.WHAT[metric]}: {b.mpki:.2f} per 1,000 instructions", b.caution)
        for metric in (Name.L1I_MISSES, Name.ITLB_MISSES)
        if (b := cycles.bound(e, metric)) is not None
    ]
    state = State.YES if share >= 0.3 else State.PARTLY if share >= 0.15 else State.NO
    advice = "less code per frame: fewer distinct kernels, a smaller runtime between them, larger batches"
    sure = Sure.LOW if caution else Sure.MEDIUM
    return Verdict(code, state, f"{share:.0%} of the {what}", tuple(numbers), sure, advice, weight=share)


def bad_speculation(context: Context) -> Verdict:
    """Mispredicted branches: by top-down slots, else what they can stand for at most."""
    code, e = "bad-speculation", context.evidence
    if (no := refuse_emulated(code, e)) is not None:
        return no
    advice = "kernels without data-dependent branches; a fixed shape; sorting out which code by hwprof record"
    top = cycles.top_down(e)
    if top is not None:
        share = top.bad_speculation
        state = State.YES if share >= 0.15 else State.PARTLY if share >= 0.07 else State.NO
        number = Number("bad speculation", share, f"{share:.0%} of the slots are thrown away", top.caution)
        sure = Sure.LOW if top.caution else Sure.HIGH
        return Verdict(code, state, number.text, (number,), sure, advice, weight=share)
    b = cycles.bound(e, Name.BRANCH_MISSES)
    if b is None:
        return abstain(code, Name.BRANCH_MISSES, Name.CYCLES)
    text = (
        f"mispredicted branches: {b.mpki:.2f} per 1,000 instructions, consistent with up to {b.share:.0%} of the "
        f"cycles at {b.latency:.0f} cycles each (assumed)"
    )
    number = Number("branch-misses", b.share, text, b.caution)
    if b.share < 0.05:
        return Verdict(code, State.NO, "they can't cost much", (number,), Sure.LOW if b.caution else Sure.HIGH)
    state = State.PARTLY if b.share < 0.2 else State.YES
    return Verdict(code, state, "an upper bound", (number,), Sure.LOW, advice, ("top-down events",), b.share / 2)


def lanes(e: Evidence) -> int | None:
    """FP32 lanes of the widest vectors that the machine's flags name; None: not known."""
    has = {str(word).lower() for word in e.machine.get("extensions", ())}
    known = (("avx512f", 16), ("avx2", 8), ("avx", 8), ("neon", 4), ("asimd", 4), ("sse2", 4))
    return next((wide for word, wide in known if word in has), None)


def vectorisation(context: Context) -> Verdict:
    """Few vector instructions, or about as many instructions per MAC as scalar code needs."""
    code, e = "under-vectorised", context.evidence
    share, count = cycles.vector_share(e), e.best(Name.INSTRUCTIONS)
    advice = (
        "a build for this CPU's vectors (facts: hwprof doctor), another kernel library, a layout that suits it; "
        "hwprof explain A B --intervene simd shows what vectors are worth"
    )
    numbers = []
    if share is not None:
        text = f"vector instructions are {share[0]:.1%} of all" + (f" ({share[2]})" if share[2] else "")
        numbers.append(Number("vector share", share[0], text, share[1]))
    per_mac = None
    if count is not None and e.macs:
        per_mac = count.value / e.macs
        numbers.append(Number("instructions per MAC", per_mac, f"{per_mac:.2f} instructions per MAC", count.caution))
    if not numbers:
        return abstain(code, Name.VECTOR_INSTRUCTIONS, Name.INSTRUCTIONS)
    wide = lanes(e)
    sure = weaken(Sure.MEDIUM, count if share is None else None)
    if share is not None and share[1]:
        sure = Sure.LOW
    # A scalar multiply-add needs itself and at least one load; four lanes need a quarter of that.
    scalar = per_mac is not None and per_mac >= 1.5
    vector = per_mac is not None and per_mac <= 0.6
    if share is not None and share[0] < 0.05 and not vector:
        return Verdict(code, State.YES, "hardly any vector instructions", tuple(numbers), sure, advice, weight=0.5)
    if share is not None and share[0] >= 0.2 and not scalar:
        return Verdict(code, State.NO, "vectors do the work", tuple(numbers), sure)
    if share is None and vector:
        because = "fewer instructions per MAC than scalar code can do with"
        return Verdict(code, State.NO, because, tuple(numbers), sure, missing=(Name.VECTOR_INSTRUCTIONS,))
    if scalar:
        lane = f" where this CPU has {wide} FP32 lanes" if wide else ""
        because = f"as many instructions per MAC as scalar code needs{lane}; depthwise layers and overhead add to it"
        state = State.YES if share is None or share[0] < 0.05 else State.PARTLY
        return Verdict(code, state, because, tuple(numbers), sure, advice, weight=0.5)
    return Verdict(code, State.PARTLY, "between scalar and vector code", tuple(numbers), Sure.LOW, advice, weight=0.2)
