"""Evidence on each factor of a ratio: what was counted on both sides, with its cautions.

These are associations. Only an intervention shows a cause (hwprof explain --test).
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hwprof.analysis.factors import cycles
from hwprof.analysis.factors.evidence import Evidence, Quantity
from hwprof.analysis.factors.identity import CLOCK, IPC, PARALLELISM, WORK
from hwprof.analysis.factors.scaling import Scaling, scaling
from hwprof.collectors.vocabulary import Name
from hwprof.machine.contention import cpus_allowed, share_taken
from hwprof.printable import plural
from hwprof.records import Origin


@dataclass(frozen=True, slots=True)
class Clue:
    """One observation. `factor`: which one it belongs to; `numbers`: what it rests on, by name."""

    factor: str
    code: str
    text: str
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two: its name for sentences, its evidence, and the same case at every thread count there is.

    `threads`: thread count -> throughput of each round; `one_thread`: CPU seconds per frame with one thread, per round.
    """

    label: str
    evidence: Evidence
    threads: Mapping[int, Sequence[float]] = field(default_factory=dict)
    one_thread: Sequence[float] = ()
    other_experiment: bool = False  # other thread counts are of another experiment


def clues(a: Side, b: Side, latencies: Mapping[str, float] | None = None) -> list[Clue]:
    """All observations, in the order of the factors."""
    return [*parallelism(a, b), *clock(a, b), *ipc(a, b, latencies), *work(a, b)]


def _ratio(a: Side, b: Side, name: Name) -> tuple[Quantity, float, str] | None:
    """(what A counted, A / B, caution) of a metric that both sides have in one domain and origin."""
    for column in sorted({*a.evidence.quantities} & {*b.evidence.quantities}):
        if column.partition("@")[0].partition(":")[0] != name:
            continue
        x, y = a.evidence.quantities[column], b.evidence.quantities[column]
        if min((*x.rounds, *y.rounds), default=0) <= 0 or x.meaning != y.meaning:
            continue
        means = [statistics.fmean(map(math.log, q.rounds)) for q in (x, y)]
        return x, math.exp(means[0] - means[1]), cycles.cautions(x, y)
    return None


Share = tuple[float, str] | None  # with its caution


def _shares(
    factor: str,
    code: str,
    a: Side,
    b: Side,
    share: Callable[[Evidence], Share],
    sentence: str,
    form: str,
    note: str = "",
) -> Iterator[Clue]:
    """A share on the sides that have it. `sentence`: with {} for the shares; `note`: about the event."""
    found = [(s.label, v) for s in (a, b) if (v := share(s.evidence)) is not None]
    if found:
        values = ", ".join(f"{label} {value:{form}}" for label, (value, _) in found)
        cautions = "; ".join(dict.fromkeys(caution for _, (_, caution) in found if caution))
        text = sentence.format(values) + _note(note, cautions)
        yield Clue(factor, code, text, {label: value for label, (value, _) in found})


def _note(*texts: str) -> str:
    text = "; ".join(t for t in texts if t)
    return f" ({text})" if text else ""


# ---- work


def work(a: Side, b: Side) -> Iterator[Clue]:
    """Instructions, their mix, and what they are per MAC."""
    found = _ratio(a, b, Name.INSTRUCTIONS)
    if found is not None:
        count, ratio, limit = found
        if count.origin is Origin.SIMULATED:
            limit = (
                f"SIMULATED by {count.name.partition('@')[2]}, user mode; frameworks may take other code "
                "paths there than on this CPU"
            )
        text = f"{a.label} executes {ratio:.2f}x as many instructions per frame as {b.label}{_note(limit)}"
        yield Clue(WORK, "instructions", text, {count.name: ratio})
    of_a, of_b = (_per_mac(s.evidence) for s in (a, b))
    if of_a is not None and of_b is not None and of_a[0] == of_b[0]:
        text = f"instructions per MAC of the network: {a.label} {of_a[1]:.2f}, {b.label} {of_b[1]:.2f}"
        yield Clue(WORK, "per-mac", text, {a.label: of_a[1], b.label: of_b[1]})
    vectors = [v for s in (a, b) if (v := cycles.vector_share(s.evidence)) is not None]
    meaning = vectors[0][2] if vectors else ""
    sentence = "vector instructions are {} of all"
    yield from _shares(
        WORK, "vector-share", a, b, lambda e: (cycles.vector_share(e) or ())[:2] or None, sentence, ".1%", meaning
    )
    sentence = "scalar floating point is {} of all instructions"
    yield from _shares(WORK, "scalar-fp", a, b, cycles.scalar_fp_share, sentence, ".1%")
    for metric in (Name.BRANCHES, Name.LOADS, Name.STORES):
        found = _ratio(a, b, metric)
        if found is not None:
            count, ratio, caution = found
            text = f"{metric} per frame: {a.label} {ratio:.2f}x of {b.label}{_note(caution)}"
            yield Clue(WORK, metric, text, {count.name: ratio})


def _per_mac(evidence: Evidence) -> tuple[str, float] | None:
    """(who counted the instructions: a column, instructions per MAC)"""
    count = evidence.best(Name.INSTRUCTIONS)
    return (count.name, count.value / evidence.macs) if count is not None and evidence.macs else None


# ---- IPC


def ipc(a: Side, b: Side, latencies: Mapping[str, float] | None = None) -> Iterator[Clue]:
    """Top-down slots, stalls, and what misses can stand for at most."""
    tops = [cycles.top_down(s.evidence) for s in (a, b)]
    for side, top in zip((a, b), tops, strict=True):
        if top is not None and not side.evidence.emulated:
            text = (
                f"{side.label}: {100 * top.retiring:.0f} % of the slots retire, {100 * top.frontend:.0f} % wait for "
                f"the front end, {100 * top.backend:.0f} % for the back end, {100 * top.bad_speculation:.0f} % are "
                f"thrown away{_note(top.caution)}"
            )
            shares = {"retiring": top.retiring, "frontend": top.frontend, "backend": top.backend}
            yield Clue(IPC, "top-down", text, {**shares, "bad speculation": top.bad_speculation})
    for name, what in zip(cycles.STALLS, ("front end", "back end"), strict=True):
        stalled = functools.partial(cycles.stalls, name=name)
        yield from _shares(IPC, name, a, b, stalled, f"cycles stalled in the {what}: {{}}", ".0%")
    for metric, what in cycles.WHAT.items():
        found = [cycles.bound(s.evidence, metric, latencies) for s in (a, b)]
        bounds = [(s, v) for s, v in zip((a, b), found, strict=True) if v is not None]
        if not bounds:
            continue
        per = ", ".join(f"{s.label} {v.mpki:.2f}" for s, v in bounds)
        most = ", ".join(f"{s.label} {100 * v.share:.0f} %" for s, v in bounds)
        first = bounds[0][1]
        assumed = f"{first.latency:.0f} cycles each, {'measured here' if first.measured else 'assumed'}"
        text = f"{what} per 1,000 instructions: {per}; consistent with up to this share of the cycles: {most}"
        text += _note(assumed, *dict.fromkeys(v.caution for _, v in bounds))
        yield Clue(IPC, metric, text, {s.label: v.share for s, v in bounds})
    if not any(tops) and all(s.evidence.best(Name.CYCLES, simulated=False) is None for s in (a, b)):
        for metric in (Name.L1D_MISSES, Name.LLC_MISSES, Name.BRANCH_MISSES):
            ratio = _ratio(a, b, metric)
            if ratio is not None and ratio[0].origin is Origin.SIMULATED:
                column, times = ratio[0].name, ratio[1]
                text = (
                    f"{cycles.WHAT[metric]} per frame: {a.label} {times:.2f}x of {b.label} "
                    "(SIMULATED caches and predictor, not this CPU's)"
                )
                yield Clue(IPC, column, text, {column: times})


# ---- clock


def clock(a: Side, b: Side) -> Iterator[Clue]:
    """Throttling, what the governor may do, and the frequencies that were seen."""
    for side in (a, b):
        doubts = side.evidence.doubts
        if "throttled" in doubts:
            yield Clue(CLOCK, "throttled", f"{side.label}: the CPU throttled itself while measuring")
        seen = side.evidence.series.get(Name.CPU_FREQUENCY)
        if seen is not None:
            low, high = seen[0] / 1e9, seen[1] / 1e9
            text = f"{side.label}: cores ran at {low:.2f} to {high:.2f} GHz"
            yield Clue(CLOCK, "frequency", text, {"low GHz": low, "high GHz": high})
        heat = side.evidence.series.get(Name.TEMPERATURE)
        if heat is not None:
            text = f"{side.label}: the warmest sensor went up to {heat[1]:.0f} degrees Celsius"
            yield Clue(CLOCK, "temperature", text, {"degC": heat[1]})
    governors = [tuple(s.evidence.host.get("governors", ())) for s in (a, b)]
    loose = sorted({g for several in governors for g in several} - {"performance"})
    if loose:
        yield Clue(CLOCK, "governor", f"governor {', '.join(loose)}: the clock may move with the load")
    steal = steal_share(a.evidence), steal_share(b.evidence)
    virtual = a.evidence.host.get("virtualisation") or b.evidence.host.get("virtualisation")
    if virtual and a.evidence.best(Name.CYCLES, simulated=False) is None and not any(steal):
        text = f"in a virtual machine ({virtual}) the clock can't be seen: the host decides it"
        yield Clue(CLOCK, "virtual", text)


# ---- parallelism


def parallelism(a: Side, b: Side) -> Iterator[Clue]:
    """CPUs used, serial part over thread counts, waiting for a CPU, what others and the container took away."""
    for side in (a, b):
        yield from _parallel(side)
    inflated = {s.label: v for s in (a, b) if (v := inflation(s)) is not None}
    for label, value in inflated.items():
        if value > 1.15:
            text = (
                f"{label}: CPU time per frame is {value:.2f}x that with one thread: spinning, waiting on memory "
                "that threads share, or work done twice; --test spin separates the first from the others"
            )
            yield Clue(PARALLELISM, "inflation", text, {"CPU time ratio": value})


def serial_part(found: Scaling) -> str:
    """Amdahl's serial share in words; outside of 0 to 1 the law does not describe the measurements."""
    share, low, high = found.serial
    if share > 1:
        text = "more threads made it slower, which no serial part explains"
    elif low is not None and high is not None and (low <= 0 and high >= 1):
        text = "these rounds don't determine a serial part"
    else:
        bounds = ""
        if low is not None and high is not None:
            bounds = f" [{100 * max(0.0, low):.0f} %, {100 * min(1.0, high):.0f} %]"
        text = f"by Amdahl's law a serial part of {100 * max(0.0, share):.0f} %{bounds}"
    if found.usl is not None:
        text += f"; by the USL contention {found.usl[0]:.3f}, coherence {found.usl[1]:.4f}"
    return text


def inflation(side: Side) -> float | None:
    """CPU time per frame over that with one thread; None without both."""
    now = cpu_per_frame(side.evidence)
    if not side.one_thread or now is None or side.evidence.case.threads < 2:
        return None
    return now / statistics.geometric_mean(side.one_thread)


def cpu_per_frame(evidence: Evidence) -> float | None:
    """CPU seconds per frame, of all threads."""
    clock_ = evidence.get(Name.TASK_CLOCK)
    if clock_ is not None:
        return clock_.seconds
    user, system = evidence.get(Name.CPU_USER_TIME), evidence.get(Name.CPU_SYSTEM_TIME)
    return user.seconds + system.seconds if user is not None and system is not None else None


def hertz(evidence: Evidence) -> float | None:
    """The clock while counting: cycles per CPU second; None where they weren't counted in both modes, or emulated."""
    count, cpu = evidence.get(Name.CYCLES), cpu_per_frame(evidence)
    return count.value / cpu if count is not None and cpu and not evidence.emulated else None


def cpus_used(evidence: Evidence) -> float | None:
    """CPU seconds per second of wall time."""
    time = cpu_per_frame(evidence)
    return None if time is None else time * evidence.throughput


def steal_share(evidence: Evidence) -> float | None:
    """Share of the case's cores' time that the hypervisor took; None: not known."""
    cpus = evidence.case.cpus
    found = [
        q.per_second
        for n, q in evidence.quantities.items()
        if n.startswith(f"{Name.CPU_STEAL}[") and (not cpus or any(n == f"{Name.CPU_STEAL}[cpu{c}]" for c in cpus))
    ]
    return sum(found) / len(found) if found else None


def width(evidence: Evidence) -> float:
    """How many CPUs its threads can use at once: as many as they are, or as are allowed."""
    return min(evidence.case.threads, cpus_allowed(evidence.case.cpus, evidence.host))


def waiting_share(evidence: Evidence) -> float | None:
    """Share of the time for which a thread was ready and others had its CPU; None: not known."""
    waited = evidence.get(Name.RUN_QUEUE_WAIT)
    if waited is None:
        return None
    case, used = evidence.case, cpus_used(evidence)
    allowed = cpus_allowed(case.cpus, evidence.host)
    share = share_taken(waited.per_second, math.nan if used is None else used, 1.0, case.threads, allowed)
    return min(1.0, float(share))  # threads beyond those requested wait too


def _parallel(side: Side) -> Iterator[Clue]:
    evidence, case = side.evidence, side.evidence.case
    used = cpus_used(evidence)
    if case.threads > 1 and used is not None:
        text = f"{side.label}: {used:.2f} CPUs busy of {plural(case.threads, 'thread')}"
        yield Clue(PARALLELISM, "cpus-used", text, {"CPUs": used, "threads": case.threads})
    every, helpers = evidence.get(Name.RUN_TIME), evidence.get(Name.HELPER_RUN_TIME)
    if case.threads > 1 and every is not None and helpers is not None:
        calling, share = every.per_second - helpers.per_second, helpers.per_second / (case.threads - 1)
        text = (
            f"{side.label}: the calling thread ran {100 * calling:.0f} % of the time, its helpers "
            f"{100 * share:.0f} % each: at work, or spinning while they wait for it"
        )
        yield Clue(PARALLELISM, "helpers", text, {"calling thread": calling, "each helper": share})
    found = scaling(side.threads)
    if found is not None and case.threads in found.efficiency and case.threads > 1:
        share = found.serial.value
        times = found.efficiency[case.threads] * case.threads
        note = "; one thread was measured apart from these" if side.other_experiment else ""
        text = f"{side.label}: {times:.2f}x with {plural(case.threads, 'thread')} over one; {serial_part(found)}{note}"
        yield Clue(PARALLELISM, "serial", text, {"serial share": share, "efficiency": found.efficiency[case.threads]})
    if (share := waiting_share(evidence) or 0.0) > 0.01:
        text = f"{side.label}: its threads were ready and waited for a CPU {100 * share:.0f} % of the time: other load"
        yield Clue(PARALLELISM, "run-queue-wait", text, {"share": share})
    if (share := steal_share(evidence) or 0.0) > 0.01:
        text = f"{side.label}: the hypervisor took {100 * share:.0f} % of its cores' time away"
        yield Clue(PARALLELISM, "steal", text, {"share": share})
    limited = evidence.get(Name.CGROUP_THROTTLED_TIME)
    if limited is not None and limited.per_second > 0.001:
        text = f"{side.label}: the control group's CPU limit held it back {100 * limited.per_second:.1f} % of the time"
        yield Clue(PARALLELISM, "cgroup", text, {"share": limited.per_second})
