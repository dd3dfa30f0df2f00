"""What varies with latency within the runs of a case, in sentences and as JSON: for the terminal and for the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwprof.analysis.over_time.comovement import ON_CPU, REST, WAITING, Comovement, WithinRuns
from hwprof.analysis.over_time.tail import SLOW, UNSPLIT, SlowEvent, Tail
from hwprof.printable import capital, plural
from hwprof.records import to_json

SHOWN = 3  # counters that are named; the document has all
ALSO = 3
BETWEEN = 0.2  # share of waiting between inferences from which on it is said
MEANING = {
    WAITING: "something else ran on its CPU",
    ON_CPU: "it computed for longer",
    REST: "it slept, or the host or an interrupt had its CPU",
    UNSPLIT: "nothing else had its CPU for most of that time",
}
NOT_RECORDED = (
    "What the slowest inferences have that others don't is not known: no counts of single inferences were recorded "
    "(`hwprof run --per-iteration` records them)."
)
NOT_SLICED = "not known: these runs have no slices (`hwprof run` measures in slices)"


def lines(found: WithinRuns | None, tail: Tail | None = None) -> list[str]:
    """A heading and sentences, on slices and then on the slowest inferences; also on what was not measured."""
    head, said = "Within runs", [f"{capital(NOT_SLICED)}."]
    if found is not None:
        head, said = heading(found), sentences(found)
    return [head, *said, *tail_sentences(tail)]


def heading(found: WithinRuns) -> str:
    """`Within runs (84 slices of 3 rounds; association, not causation)`."""
    of = f"{plural(found.slices, 'slice')} of {plural(found.runs, 'round')}"
    return f"Within runs ({of}; association, not causation)"


def sentences(found: WithinRuns) -> list[str]:
    """How much the latency of a slice varies within runs, which part of it does, and which counters move with it."""
    out = [f"Latency of a slice varies by {100 * found.spread:.1f} % (standard deviation around the mean of its run)."]
    if found.parts is not None:
        out.append(f"Of that variance {parts_words(found.parts)}.")
    if found.why:
        return [*out, f"{capital(found.why)}, so that no counter was tested."]
    quantity = "latency without waiting" if found.without_waiting else "latency"
    hits = found.found
    out += [f"{capital(quantity)} {comovement_words(one)}." for one in hits[:SHOWN]]
    if len(hits) > SHOWN:
        out.append(f"{capital(plural(len(hits) - SHOWN, 'more counter'))} of {found.family} moved with it.")
    if not hits:
        least = min(c.q for c in found.tested)
        out.append(f"No counter is known to move with {quantity} ({found.family} tested, smallest q {least:.2g}).")
    return out


def parts_words(parts: Mapping[str, float]) -> str:
    """`77 % is waiting for a CPU, 27 % own CPU time, -4 % the rest`."""
    (first, share), *others = parts.items()
    return ", ".join([f"{_percent(share)} is {first}", *(f"{_percent(own)} {name}" for name, own in others)])


def _percent(share: float) -> str:
    return f"{round(100 * share)} %"


def comovement_words(one: Comovement) -> str:
    """`rises with l2-misses (r +0.62 [0.40, 0.77], q 0.003, 84 slices that say as much as 61 independent ones)`."""
    direction = "rises" if one.r > 0 else "falls"
    bounds = f"r {one.r:+.2f} [{one.low:.2f}, {one.high:.2f}], q {one.q:.2g}"
    of = f"{plural(one.slices, 'slice')} that say as much as {one.effective:.0f} independent ones"
    also = f"; not distinguishable from it: {also_words(one)}" if one.also else ""
    return f"{direction} with {one.metric} ({bounds}, {of}{also})"


def also_words(one: Comovement) -> str:
    """Names of the counters that move with one."""
    more = f" and {len(one.also) - ALSO} more" if len(one.also) > ALSO else ""
    return ", ".join(one.also[:ALSO]) + more


def document(found: WithinRuns | None) -> dict[str, Any] | None:
    """All of it as plain JSON; None: no slices."""
    if found is None:
        return None
    tested = [{**to_json(one), "found": one.is_found} for one in found.tested]
    return {**to_json(found), "tested": tested}


def tail_sentences(tail: Tail | None) -> list[str]:
    """A reason for p99: the split of the excess of the slowest inferences, then the events that they have."""
    if tail is None:
        return [NOT_RECORDED]
    if not tail.inferences:
        return [f"The reason of p99 is not known: {tail.why}."]
    ratio = (
        f", {tail.p99_ns / tail.median_ns:.1f}x the median of {tail.median_ns / 1e6:.3f} ms" if tail.median_ns else ""
    )
    of = f"{plural(tail.inferences, 'inference', form=',')} of {plural(tail.runs, 'round')}, counters read after each"
    out = [f"p99 is {tail.p99_ns / 1e6:.3f} ms{ratio} ({of})."]
    if tail.why:
        return [*out, f"Its reason is not known: {tail.why}."]
    out += _split_sentences(tail)
    if tail.steal_s:
        out.append(
            f"The hypervisor took {tail.steal_s:.2f} s of its CPUs meanwhile: from which inferences is not known."
        )
    out += [f"{_without(tail)} {event_words(one)}." for one in tail.found[:SHOWN]]
    if not tail.found:
        least = min((e.q for e in tail.events), default=None)
        tested = "no event varied" if least is None else f"{tail.tested} tested, smallest q {least:.2g}"
        out.append(f"{_without(tail)} no event more often than the others, as far as is known ({tested}).")
    return out


def reason_words(tail: Tail | None) -> str:
    """`own CPU time: 97 % [94, 99] of its excess, page-faults in 80 %`, or why it is not known."""
    if tail is None:
        return "not recorded (--per-iteration)"
    if tail.why:
        return f"not known: {tail.why}"
    words = []
    if (part := tail.reason) is not None:
        bounds = f"[{round(100 * part.low)}, {round(100 * part.high)}]"
        words.append(f"{part.name}: {_percent(part.share)} {bounds} of its excess")
    words += [f"{e.metric} in {_percent(e.slow)}" for e in tail.found[:SHOWN]]
    return ", ".join(words) or "no part is more than half of it"


def _without(tail: Tail) -> str:
    by = "latency without waiting" if tail.parts else "latency"
    return f"By {by}, the slowest {100 * SLOW:g} % have"


def _split_sentences(tail: Tail) -> list[str]:
    if not tail.parts:
        return ["What it is made of is not known: waiting in the run queue was not recorded."]
    shares = ", ".join(
        f"{_percent(p.share)} [{round(100 * p.low)}, {round(100 * p.high)}] {p.name}" for p in tail.parts
    )
    whose = "" if tail.alone else " (waiting of the calling thread)"
    slow = f"the slowest {100 * SLOW:g} % ({plural(tail.slow, 'inference')})"
    reason = tail.reason
    first = (
        "No part is known to be more than half of it."
        if reason is None
        else f"Its reason is {reason.name}: {MEANING[reason.name]}."
    )
    return [
        first,
        *_between_sentences(tail),
        f"Of the excess of {slow} over the median of the others: {shares}{whose}.",
    ]


def _between_sentences(tail: Tail) -> list[str]:
    if tail.between < BETWEEN:
        return []
    return [
        f"{_percent(tail.between)} of all waiting fell between inferences, where counters are read: without reading, "
        "more of it may lie in inferences."
    ]


def event_words(one: SlowEvent) -> str:
    """`more page-faults: 80 % of them, 0.2 % of the others (q 0.001); such inferences carry ...`."""
    more = "fewer" if one.less else "more"
    times = "" if one.ratio is None else f", {one.ratio:.3g}x their mean"
    also = f"; not distinguishable from it: {', '.join(one.also[:ALSO])}" if one.also else ""
    return (
        f"{more} {one.metric}: {100 * one.slow:.0f} % of them, {100 * one.others:.1f} % of the others{times} "
        f"(q {one.q:.2g}{also}); without waiting, such inferences are {_percent(one.excess)} of the excess of p99"
    )


def tail_document(tail: Tail | None) -> dict[str, Any] | None:
    """All of it as plain JSON; None: not recorded."""
    if tail is None:
        return None
    reason = tail.reason
    events = [{**to_json(one), "found": one.is_found} for one in tail.events]
    return {**to_json(tail), "events": events, "reason": None if reason is None else reason.name}
