"""Rules on what the cores do: memory latency, front end, speculation, vectors."""

from __future__ import annotations

from typing import NamedTuple

from hwprof.analysis.bottlenecks.ceilings import bandwidth_bound
from hwprof.analysis.bottlenecks.certainty import (
    State,
    Sure,
    certainty,
    grade,
    least,
    of_rounds,
    product,
    quotient,
)
from hwprof.analysis.bottlenecks.needs import TOP_DOWN
from hwprof.analysis.bottlenecks.verdicts import (
    Context,
    Number,
    Verdict,
    abstain,
    caution,
    refuse_emulated,
    weaken,
)
from hwprof.analysis.factors import cycles
from hwprof.analysis.factors.evidence import Evidence, Quantity
from hwprof.collectors.vocabulary import LEVEL1, Name
from hwprof.speed import Interval

MISSES = 0.1  # of the cycles, at most: below it misses are ruled out
WAITING = 0.3  # of the cycles or slots: cores wait for the back end
FRONT_END = (0.15, 0.3)
THROWN_AWAY = (0.07, 0.15)  # slots
MISPREDICTED = (
    0.05  # of the cycles, at most: below it ruled out, for certain where that holds at twice the assumed cost
)


class Waiting(NamedTuple):
    """A share of `what` (slots or cycles), and the counts that it rests on."""

    share: Interval
    what: str
    counts: tuple[Quantity, ...]


def latency_bound(context: Context) -> Verdict:
    """Cache and TLB misses that can stand for many cycles while the bandwidth isn't used up."""
    code, e = "memory-latency-bound", context.evidence
    if (no := refuse_emulated(code, e)) is not None:
        return no
    metrics = (Name.L2_MISSES, Name.LLC_MISSES, Name.DTLB_MISSES)
    found = [b for m in metrics if (b := cycles.bound(e, m, context.latencies)) is not None]
    if not found:
        return abstain(code, *metrics, Name.CYCLES)
    waits = _waiting(e, "back end", Name.BACKEND_STALLS)
    numbers = [
        Number(
            b.metric,
            b.share,
            f"{cycles.WHAT[b.metric]}: {b.mpki:.2f} per 1,000 instructions, consistent with up to "
            f"{100 * b.share:.0f} % of the cycles at {b.latency:.0f} cycles "
            f"({'measured' if b.measured else 'assumed'})",
            caution(*_counts(e, b.metric)),
        )
        for b in found
    ]
    if waits is not None:
        text = f"{100 * waits.share.value:.0f} % of {waits.what} wait for the back end"
        numbers.append(Number("back end", waits.share.value, text, caution(*waits.counts)))
    most = min(1.0, sum(b.share for b in found))
    advice = "blocking that keeps the working set in cache, prefetching, huge pages where it is the TLB"
    used = bandwidth_bound(context)
    if most < MISSES:
        because = f"misses can't stand for more than {100 * most:.0f} % of the cycles"
        if all(b.metric is not Name.LLC_MISSES for b in found):
            because += ", but those of the last level were not counted"
            return Verdict(code, State.UNKNOWN, because, tuple(numbers), missing=(Name.LLC_MISSES,))
        # a bound by the latency of an idle memory: only cores that don't wait make it certain
        sure, counts = Sure.MEDIUM, tuple(q for b in found for q in _counts(e, b.metric))
        if waits is not None and waits.share.value < MISSES:
            sure, counts = certainty(waits.share, (MISSES,)), (*counts, *waits.counts)
        sure = weaken(sure, *counts)
        return Verdict(code, State.NO, because, tuple(numbers), sure)
    if used.state is State.YES:
        return Verdict(code, State.NO, "the bandwidth itself is used up", tuple(numbers), least(used.sure, Sure.MEDIUM))
    if waits is None:
        because = "misses could explain a large part, but no stall event says that cores wait"
        figure = f"up to {100 * most:.0f} % of cycles"
        missing = (Name.BACKEND_STALLS,)
        return Verdict(code, State.PARTLY, because, tuple(numbers), Sure.LOW, advice, missing, most / 2, figure)
    stalled = waits.share.value
    state = State.YES if most >= WAITING and stalled >= WAITING else State.PARTLY
    because = (
        f"cores wait for the back end ({100 * stalled:.0f} %) and misses can stand for up to {100 * most:.0f} % of the "
        "cycles"
    )
    sure = weaken(least(certainty(waits.share, (WAITING,)), Sure.MEDIUM), *waits.counts)
    weight = min(most, stalled)
    figure = f"up to {100 * weight:.0f} % of cycles"
    return Verdict(code, state, because, tuple(numbers), sure, advice, weight=weight, figure=figure)


def _counts(e: Evidence, metric: Name) -> tuple[Quantity, ...]:
    """What a bound by a miss event rests on."""
    return e.pair(metric, Name.CYCLES) or ()


def _slots(e: Evidence, kind: str) -> Waiting | None:
    """Share of the slots of a kind, by the domain that `cycles.top_down` takes; None without all four kinds."""
    for suffix in ("", ":u"):
        found = {k: q for k, name in LEVEL1.items() if (q := e.quantities.get(name + suffix)) is not None}
        whole = sum(q.value for q in found.values())
        if len(found) == len(LEVEL1) and whole > 0:
            own, rounds = list(found).index(kind), [q.rounds for q in found.values()]
            share = Interval(found[kind].value / whole, None, None)
            if len({len(r) for r in rounds}) == 1 and rounds[0]:
                share = of_rounds([one[own] / sum(one) for one in zip(*rounds, strict=True)])
            return Waiting(share, "slots", tuple(found.values()))
    return None


def _waiting(e: Evidence, kind: str, stalls: Name) -> Waiting | None:
    """Share of the slots of a kind, else of the cycles that such a stall event counted; None: neither is there."""
    if (slots := _slots(e, kind)) is not None:
        return slots
    pair = e.pair(stalls, Name.CYCLES) or e.pair(cycles.STALLS[stalls], Name.CYCLES)
    return None if pair is None else Waiting(quotient(*pair), "cycles", pair)


def front_end(context: Context) -> Verdict:
    """Slots or cycles that wait for instructions."""
    code, e = "front-end-bound", context.evidence
    if (no := refuse_emulated(code, e)) is not None:
        return no
    waits = _waiting(e, "front end", Name.FRONTEND_STALLS)
    if waits is None:
        return abstain(code, Name.FRONTEND_STALLS, TOP_DOWN)
    share, because = waits.share, f"{100 * waits.share.value:.0f} % of the {waits.what}"
    numbers = [Number("front end", share.value, f"{because} wait for the front end", caution(*waits.counts))]
    numbers += [
        Number(metric, b.mpki, f"{cycles.WHAT[metric]}: {b.mpki:.2f} per 1,000 instructions", b.caution)
        for metric in (Name.L1I_MISSES, Name.ITLB_MISSES)
        if (b := cycles.bound(e, metric)) is not None
    ]
    advice = "less code per frame: fewer distinct kernels, a smaller runtime between them, larger batches"
    sure = weaken(least(certainty(share, FRONT_END), Sure.MEDIUM), *waits.counts)
    state = grade(share.value, FRONT_END)
    figure = because.replace("of the ", "of ")
    return Verdict(code, state, because, tuple(numbers), sure, advice, weight=share.value, figure=figure)


def bad_speculation(context: Context) -> Verdict:
    """Mispredicted branches: by top-down slots, else what they can stand for at most."""
    code, e = "bad-speculation", context.evidence
    if (no := refuse_emulated(code, e)) is not None:
        return no
    advice = "kernels without data-dependent branches; a fixed shape; sorting out which code by hwprof record"
    if (slots := _slots(e, "bad speculation")) is not None:
        share, text = slots.share, f"{100 * slots.share.value:.0f} % of the slots are thrown away"
        number = Number("bad speculation", share.value, text, caution(*slots.counts))
        sure = weaken(certainty(share, THROWN_AWAY), *slots.counts)
        state, figure = grade(share.value, THROWN_AWAY), f"{100 * share.value:.0f} % of slots"
        return Verdict(code, state, text, (number,), sure, advice, weight=share.value, figure=figure)
    b, counts = cycles.bound(e, Name.BRANCH_MISSES), e.pair(Name.BRANCH_MISSES, Name.CYCLES)
    if b is None or counts is None:
        return abstain(code, Name.BRANCH_MISSES, Name.CYCLES)
    text = (
        f"mispredicted branches: {b.mpki:.2f} per 1,000 instructions, consistent with up to "
        f"{100 * b.share:.0f} % of the "
        f"cycles at {b.latency:.0f} cycles each (assumed)"
    )
    number = Number("branch-misses", b.share, text, caution(*counts))
    if b.share < MISPREDICTED:
        twice = product(quotient(*counts), 2 * b.latency)
        sure = certainty(twice, (MISPREDICTED,)) if twice.value < MISPREDICTED else Sure.LOW
        return Verdict(code, State.NO, "they can't cost much", (number,), weaken(sure, *counts))
    because = "an upper bound, which can't show that they do"
    figure = f"up to {100 * b.share:.0f} % of cycles"
    return Verdict(code, State.PARTLY, because, (number,), Sure.LOW, advice, (TOP_DOWN,), b.share / 2, figure)


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
        "hwprof explain A --test simd shows what vectors are worth"
    )
    numbers = []
    if share is not None:
        text = f"vector instructions are {100 * share[0]:.1f} % of all" + (f" ({share[2]})" if share[2] else "")
        numbers.append(Number("vector share", share[0], text, share[1]))
    per_mac = None
    if count is not None and e.macs:
        per_mac = count.value / e.macs
        numbers.append(Number("instructions per MAC", per_mac, f"{per_mac:.2f} instructions per MAC", count.caution))
    if not numbers:
        return abstain(code, Name.VECTOR_INSTRUCTIONS, Name.INSTRUCTIONS)
    figure = f"{100 * share[0]:.1f} % vector" if share is not None else ""
    figure = f"{per_mac:.2f} instructions/MAC" if per_mac is not None else figure
    wide = lanes(e)
    sure = weaken(Sure.MEDIUM, count if share is None else None)
    if share is not None and (share[1] or share[0] == 0):  # an event that does not count has 0 too
        sure = Sure.LOW
    # A scalar multiply-add needs itself and at least one load; four lanes need a quarter of that.
    scalar = per_mac is not None and per_mac >= 1.5
    vector = per_mac is not None and per_mac <= 0.6
    if share is not None and share[0] < 0.05 and not vector:
        because = "hardly any vector instructions"
        return Verdict(code, State.YES, because, tuple(numbers), sure, advice, weight=0.5, figure=figure)
    if share is not None and share[0] >= 0.2 and not scalar:
        return Verdict(code, State.NO, "vectors do the work", tuple(numbers), sure)
    if share is None and vector:
        because = "fewer instructions per MAC than scalar code can do with"
        return Verdict(code, State.NO, because, tuple(numbers), sure, missing=(Name.VECTOR_INSTRUCTIONS,))
    if scalar:
        lane = f" where this CPU has {wide} FP32 lanes" if wide else ""
        because = f"as many instructions per MAC as scalar code needs{lane}; depthwise layers and overhead add to it"
        state = State.YES if share is None or share[0] < 0.05 else State.PARTLY
        return Verdict(code, state, because, tuple(numbers), sure, advice, weight=0.5, figure=figure)
    because = "between scalar and vector code"
    return Verdict(code, State.PARTLY, because, tuple(numbers), Sure.LOW, advice, weight=0.2, figure=figure)
