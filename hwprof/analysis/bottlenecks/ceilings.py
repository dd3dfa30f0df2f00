"""Rules that set a case against the machine's measured ceilings: arithmetic and the bandwidth of memory."""

from __future__ import annotations

import math
from dataclasses import replace

from hwprof.analysis.bottlenecks.certainty import (
    LOWER,
    Limits,
    State,
    Sure,
    against,
    certainty,
    grade,
    least,
    of_rounds,
    product,
)
from hwprof.analysis.bottlenecks.needs import BANDWIDTH, MACS, OPERATIONS, PEAK, TOP_DOWN
from hwprof.analysis.bottlenecks.verdicts import (
    UNDISTURBED,
    Context,
    Number,
    Verdict,
    abstain,
    caution,
    refuse_emulated,
    weaken,
)
from hwprof.analysis.estimator import Estimator
from hwprof.analysis.factors import cycles
from hwprof.analysis.roofline import ABOVE, MEMORY
from hwprof.collectors.vocabulary import Name
from hwprof.networks.stored_precision import arithmetic
from hwprof.speed import Interval
from hwprof.store.columns import last_level_bytes

LIMITS: Limits = (0.35, 0.6)  # of a ceiling: not bound by it below the first, bound by it from the second on
LINE = 64
FLOAT = 4


def _flop_rate(context: Context) -> Interval | None:
    """FLOP/s by the graph's MACs (two each); an algorithm such as Winograd computes fewer."""
    if not context.evidence.macs or not math.isfinite(context.rate):
        return None
    return product(context.rates, 2.0 * context.evidence.macs)


def _per(context: Context) -> str:
    """What a rate per second is of, where it is not of all the time."""
    return " of CPU time" if context.estimator is Estimator.CPU_TIME else ""


def _sharing(context: Context) -> str:
    return f"{context.sharing}; caches and clock were not its own" if context.is_shared else ""


def _not_denied(verdict: Verdict, context: Context) -> Verdict:
    """No verdict that a rate is low where something lowered it."""
    if not context.lowered or verdict.state is State.YES:
        return verdict
    because = f"{context.lowered}; {verdict.because}"
    return replace(verdict, state=State.UNKNOWN, because=because, sure=Sure.LOW, missing=(UNDISTURBED,), weight=0.0)


def _certainty(context: Context, share: Interval) -> Sure:
    """One step less sure where the ceilings are of other cores than the case ran on, and where others used the core:
    caches and clock were then not its own."""
    sure = certainty(share, LIMITS)
    sure = LOWER[sure] if context.roof_doubt else sure
    return LOWER[sure] if context.is_shared else sure


def compute_bound(context: Context) -> Verdict:
    """The arithmetic of the graph against the machine's measured peak; else the share of slots that retire."""
    code, e = "compute-bound", context.evidence
    if (no := refuse_emulated(code, e)) is not None:
        return no
    advice = "fewer MACs or a narrower type (INT8, FP16): this framework already uses the arithmetic units"
    computed = arithmetic(e.case.precision, e.facts.get("computed"))
    rate, peak = _flop_rate(context), context.roof.compute.get(computed) if context.roof else None
    if rate is not None and peak and context.roof:
        share = against(rate, peak, context.roof.bounds.get(computed))
        numbers = (
            Number("FLOP/s", rate.value, f"{rate.value / 1e9:.1f} GFLOP/s{_per(context)} by MACs", _sharing(context)),
            Number("peak", peak, f"{peak / 1e9:.1f} GFLOP/s measured on this machine", context.roof_doubt),
        )
        because = f"{100 * share.value:.0f} % of the measured peak"
        if share.value > ABOVE:
            because += ": an algorithm with fewer multiplications than MACs (Winograd), or a peak that is too low"
            return Verdict(code, State.UNKNOWN, because, numbers, missing=(OPERATIONS,))
        state, sure = grade(share.value, LIMITS), _certainty(context, share)
        if state is not State.NO:  # MACs are the most that is computed: a low share can't be of them, a high one can
            sure = least(sure, Sure.MEDIUM)
        figure = f"{100 * share.value:.0f} % of peak"
        verdict = Verdict(code, state, because, numbers, sure, advice, weight=min(1.0, share.value), figure=figure)
        return _not_denied(verdict, context)
    top = cycles.top_down(e)
    if top is None:
        need = PEAK if rate is not None else MACS
        return abstain(code, need, TOP_DOWN, because=f"not measured: {need}, nor top-down events")
    shown = (Number("retiring", top.retiring, f"{100 * top.retiring:.0f} % of the slots retire", top.caution),)
    state = State.PARTLY if top.retiring >= LIMITS[1] else State.NO
    because = "by top-down slots alone: retiring slots may be useful arithmetic or not"
    missing, figure = (PEAK,), f"{100 * top.retiring:.0f} % retiring slots"
    return Verdict(code, state, because, shown, Sure.LOW, advice, missing, top.retiring, figure)


def bandwidth_bound(context: Context) -> Verdict:
    """Bytes per second from counters, else the weights that must be read, against the measured bandwidth."""
    code, e = "memory-bandwidth-bound", context.evidence
    if (no := refuse_emulated(code, e)) is not None:
        return no
    roof, limit = context.roof, context.roof.bandwidth.get(MEMORY) if context.roof else None
    misses = e.best(Name.LLC_MISSES, simulated=False)
    cached = last_level_bytes(e.machine)
    weights = e.params * FLOAT / e.case.batch if e.params else None
    if roof is None or limit is None:
        return abstain(code, BANDWIDTH)
    advice = "a larger batch shares the weights between frames; a narrower type; fusing layers that only move data"
    ceiling = Number("bandwidth", limit, f"{limit / 1e9:.1f} GB/s measured on this machine", context.roof_doubt)
    if misses is not None:
        rate = product(of_rounds(misses.rounds or (misses.value,)), context.rates, LINE)
        share = against(rate, limit, roof.bounds.get(MEMORY))
        text = (
            f"{rate.value / 1e9:.2f} GB/s{_per(context)} by last-level misses x {LINE} B "
            "(prefetched lines may be missing: at least)"
        )
        state = grade(share.value, LIMITS)
        most = Sure.MEDIUM if state is not State.NO else Sure.LOW  # what was prefetched is not in it
        sure = weaken(least(_certainty(context, share), most), misses)
        shown = (Number("bytes/s", rate.value, text, caution(misses) or _sharing(context)), ceiling)
        because = f"at least {100 * share.value:.0f} % of the bandwidth"
        figure = f"{100 * share.value:.0f} % of bandwidth"
        return _not_denied(
            Verdict(code, state, because, shown, sure, advice, (), min(1.0, share.value), figure),
            context,
        )
    if weights is not None and cached is not None and weights * e.case.batch > cached:
        rate = product(context.rates, weights)
        share = against(rate, limit, roof.bounds.get(MEMORY))
        text = (
            f"{rate.value / 1e9:.2f} GB/s{_per(context)} for the weights alone, which don't fit into the last-level "
            "cache (no counter)"
        )
        shown = (Number("bytes/s", rate.value, text, "compulsory traffic of the model, not counted"), ceiling)
        state = grade(share.value, LIMITS)
        if state is not State.NO:
            because = f"at least {100 * share.value:.0f} % of the bandwidth"
            figure = f"{100 * share.value:.0f} % of bandwidth"
            sure = least(_certainty(context, share), Sure.MEDIUM)
            return _not_denied(
                Verdict(code, state, because, shown, sure, advice, (), min(1.0, share.value), figure),
                context,
            )
        because = f"weights alone take {100 * share.value:.0f} %; activations weren't counted"
        return Verdict(code, State.UNKNOWN, because, shown, missing=(Name.LLC_MISSES,))
    return abstain(code, Name.LLC_MISSES)
