"""What stands behind each factor of a ratio: what was counted on both sides, said as strongly as it allows.

Nothing here is a cause: words of cause are for interventions (hwprof.analysis.interventions).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hwprof.analysis.factors import cycles as factors_cycles
from hwprof.analysis.factors import identity
from hwprof.analysis.factors.evidence import Evidence
from hwprof.analysis.factors.identity import CLOCK, IPC, PARALLELISM, WORK
from hwprof.analysis.factors.scaling import Scaling, scaling
from hwprof.collectors.vocabulary import Name


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

    `threads`: thread count -> throughput of each round; `alone`: CPU seconds per frame with one thread, per round.
    """

    label: str
    evidence: Evidence
    threads: Mapping[int, Sequence[float]] = field(default_factory=dict)
    alone: Sequence[float] = ()
    apart: bool = False  # other thread counts are of another experiment


def clues(a: Side, b: Side, latencies: Mapping[str, float] | None = None) -> list[Clue]:
    """All observations, in the order of the factors."""
    return [*parallelism(a, b), *clock(a, b), *ipc(a, b, latencies), *work(a, b)]


def _ratio(a: Side, b: Side, *names: Name) -> tuple[str, identity.Factor, str] | None:
    """(column, A / B, caution) of the first of these metrics that both sides have in one domain and origin."""
    for name in names:
        for column in sorted({*a.evidence.quantities} & {*b.evidence.quantities}):
            if column.partition("@")[0].partition(":")[0] != name:
                continue
            x, y = a.evidence.quantities[column], b.evidence.quantities[column]
            if min((*x.rounds, *y.rounds), default=0) <= 0 or x.meaning != y.meaning:
                continue
            p, q = [math.log(v) for v in x.rounds], [math.log(v) for v in y.rounds]
            return column, identity.factor(column, p, q), factors_cycles.cautions(x, y)
    return None


def _both(
    a: Side, b: Side, value: Callable[[Evidence], tuple[float, str] | None]
) -> tuple[float | None, float | None, str]:
    x, y = value(a.evidence), value(b.evidence)
    caution = "; ".join(dict.fromkeys(v[1] for v in (x, y) if v is not None and v[1]))
    return None if x is None else x[0], None if y is None else y[0], caution


def _said(a: Side, b: Side, x: float | None, y: float | None, form: str = "{:.0%}") -> str:
    parts = [f"{s.label} {form.format(v)}" for s, v in ((a, x), (b, y)) if v is not None]
    return ", ".join(parts)


def _aside(*texts: str) -> str:
    said = "; ".join(t for t in texts if t)
    return f" ({said})" if said else ""


# ---- work


def work(a: Side, b: Side) -> Iterator[Clue]:
    """Instructions, their mix, and what they are per MAC."""
    found = _ratio(a, b, Name.INSTRUCTIONS)
    if found is not None:
        column, ratio, caution = found
        simulated = "@" in column
        limit = (
            f"SIMULATED by {column.partition('@')[2]}, user mode; frameworks may take other code "
            "paths there than on this CPU"
            if simulated
            else caution
        )
        text = f"{a.label} executes x{ratio.ratio:.2f} as many instructions per frame as {b.label}{_aside(limit)}"
        yield Clue(WORK, "instructions", text, {column: ratio.ratio})
    of_a, of_b = (_per_mac(s.evidence) for s in (a, b))
    if of_a is not None and of_b is not None and of_a[0] == of_b[0]:
        text = "instructions per MAC of the network: " + _said(a, b, of_a[1], of_b[1], "{:.2f}")
        yield Clue(WORK, "per-mac", text, {a.label: of_a[1], b.label: of_b[1]})
    x, y, caution = _both(a, b, lambda e: v[:2] if (v := factors_cycles.vector_share(e)) is not None else None)
    if x is not None or y is not None:
        meaning = next((v[2] for s in (a, b) if (v := factors_cycles.vector_share(s.evidence)) is not None), "")
        text = f"vector instructions are {_said(a, b, x, y, '{:.1%}')} of all{_aside(meaning, caution)}"
        yield Clue(WORK, "vector-share", text, _numbers(a, b, x, y))
    x, y, caution = _both(a, b, factors_cycles.scalar_fp_share)
    if x is not None or y is not None:
        text = f"scalar floating point is {_said(a, b, x, y, '{:.1%}')} of all instructions{_aside(caution)}"
        yield Clue(WORK, "scalar-fp", text, _numbers(a, b, x, y))
    for metric in (Name.BRANCHES, Name.LOADS, Name.STORES):
        found = _ratio(a, b, metric)
        if found is not None:
            column, ratio, caution = found
            text = f"{metric} per frame: {a.label} x{ratio.ratio:.2f} of {b.label}{_aside(caution)}"
            yield Clue(WORK, metric, text, {column: ratio.ratio})


def _per_mac(evidence: Evidence) -> tuple[str, float] | None:
    """(who counted the instructions: a column, instructions per MAC)"""
    count = evidence.best(Name.INSTRUCTIONS)
    return (count.name, count.value / evidence.macs) if count is not None and evidence.macs else None


def _numbers(a: Side, b: Side, x: float | None, y: float | None) -> dict[str, float]:
    return {s.label: v for s, v in ((a, x), (b, y)) if v is not None}


# ---- IPC


def ipc(a: Side, b: Side, latencies: Mapping[str, float] | None = None) -> Iterator[Clue]:
    """Top-down slots, stalls, and what misses can stand for at most."""
    tops = [factors_cycles.level1(s.evidence) for s in (a, b)]
    for side, top in zip((a, b), tops, strict=True):
        if top is not None and not side.evidence.emulated:
            text = (
                f"{side.label}: {top.retiring:.0%} of the slots retire, {top.frontend:.0%} wait for the front end, "
                f"{top.backend:.0%} for the back end, {top.bad_speculation:.0%} are thrown away{_aside(top.caution)}"
            )
            shares = {"retiring": top.retiring, "frontend": top.frontend, "backend": top.backend}
            yield Clue(IPC, "top-down", text, {**shares, "bad speculation": top.bad_speculation})
    for name, what in zip(factors_cycles.STALLS, ("front end", "back end"), strict=True):
        x, y, caution = _both(a, b, lambda e, n=name: factors_cycles.stalls(e, n))  # type: ignore[misc]
        if x is not None or y is not None:
            text = f"cycles stalled in the {what}: {_said(a, b, x, y)}{_aside(caution)}"
            yield Clue(IPC, name, text, _numbers(a, b, x, y))
    for metric, what in factors_cycles.WHAT.items():
        found = [factors_cycles.bound(s.evidence, metric, latencies) for s in (a, b)]
        there = [(s, v) for s, v in zip((a, b), found, strict=True) if v is not None]
        if not there:
            continue
        per = ", ".join(f"{s.label} {v.mpki:.2f}" for s, v in there)
        most = ", ".join(f"{s.label} {v.share:.0%}" for s, v in there)
        first = there[0][1]
        assumed = f"{first.latency:.0f} cycles each, {'measured here' if first.measured else 'assumed'}"
        text = f"{what} per 1,000 instructions: {per}; consistent with up to this share of the cycles: {most}"
        text += _aside(assumed, *dict.fromkeys(v.caution for _, v in there))
        yield Clue(IPC, metric, text, {s.label: v.share for s, v in there})
    if not any(tops) and all(s.evidence.best(Name.CYCLES, simulated=False) is None for s in (a, b)):
        for metric in (Name.L1D_MISSES, Name.LLC_MISSES, Name.BRANCH_MISSES):
            item = _ratio(a, b, metric)
            if item is not None and "@" in item[0]:
                text = f"{factors_cycles.WHAT[metric]} per frame: {a.label} x{item[1].ratio:.2f} of {b.label}"
                yield Clue(
                    IPC, item[0], f"{text} (SIMULATED caches and predictor, not this CPU's)", {item[0]: item[1].ratio}
                )


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
    steal = stolen(a.evidence), stolen(b.evidence)
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
                f"{label}: CPU time per frame is x{value:.2f} that with one thread: spinning, waiting on memory "
                "that threads share, or work done twice; --intervene spin tells the first from the others"
            )
            yield Clue(PARALLELISM, "inflation", text, {"CPU time ratio": value})


def serial_part(found: Scaling) -> str:
    """Amdahl's serial share in words; where it lies outside of 0 to 1 the law doesn't describe what was seen."""
    share, low, high = found.serial
    if share > 1:
        text = "more threads made it slower, which no serial part explains"
    elif low is not None and high is not None and (low <= 0 and high >= 1):
        text = "these rounds don't determine a serial part"
    else:
        bounds = "" if low is None or high is None else f" [{max(0.0, low):.0%} ... {min(1.0, high):.0%}]"
        text = f"by Amdahl's law a serial part of {max(0.0, share):.0%}{bounds}"
    if found.usl is not None:
        text += f"; by the USL contention {found.usl[0]:.3f}, coherence {found.usl[1]:.4f}"
    return text


def inflation(side: Side) -> float | None:
    """CPU time per frame over that with one thread; None without both."""
    now = cpu_per_frame(side.evidence)
    if not side.alone or now is None or side.evidence.case.threads < 2:
        return None
    return now / statistics.geometric_mean(side.alone)


def cpu_per_frame(evidence: Evidence) -> float | None:
    """CPU seconds per frame, of all threads."""
    clock_ = evidence.get(Name.TASK_CLOCK)
    if clock_ is not None:
        return clock_.seconds
    user, system = evidence.get(Name.CPU_USER_TIME), evidence.get(Name.CPU_SYSTEM_TIME)
    return user.seconds + system.seconds if user is not None and system is not None else None


def hertz(evidence: Evidence) -> float | None:
    """The clock while counting: cycles per CPU second; None where they weren't counted in both modes, or emulated."""
    cycles, cpu = evidence.get(Name.CYCLES), cpu_per_frame(evidence)
    return cycles.value / cpu if cycles is not None and cpu and not evidence.emulated else None


def cpus_used(evidence: Evidence) -> float | None:
    """CPU seconds per second of wall time."""
    time = cpu_per_frame(evidence)
    return None if time is None else time * evidence.throughput


def stolen(evidence: Evidence) -> float:
    """Share of the case's cores' time that the hypervisor took."""
    cpus = evidence.case.cpus
    found = [
        q.per_second
        for n, q in evidence.quantities.items()
        if n.startswith(f"{Name.CPU_STEAL}[") and (not cpus or any(n == f"{Name.CPU_STEAL}[cpu{c}]" for c in cpus))
    ]
    return sum(found) / len(found) if found else 0.0


def _parallel(side: Side) -> Iterator[Clue]:
    evidence, case = side.evidence, side.evidence.case
    used = cpus_used(evidence)
    if case.threads > 1 and used is not None:
        text = f"{side.label}: {used:.2f} CPUs busy of {case.threads} threads"
        yield Clue(PARALLELISM, "cpus-used", text, {"CPUs": used, "threads": case.threads})
    every, beside = evidence.get(Name.RUN_TIME), evidence.get(Name.HELPER_RUN_TIME)
    if case.threads > 1 and every is not None and beside is not None:
        calling, share = every.per_second - beside.per_second, beside.per_second / (case.threads - 1)
        text = (
            f"{side.label}: the calling thread ran {calling:.0%} of the time, its helpers {share:.0%} each: "
            "at work, or spinning while they wait for it"
        )
        yield Clue(PARALLELISM, "helpers", text, {"calling thread": calling, "each helper": share})
    found = scaling(side.threads)
    if found is not None and case.threads in found.efficiency and case.threads > 1:
        share = found.serial.value
        times = found.efficiency[case.threads] * case.threads
        apart = "; one thread was measured apart from these" if side.apart else ""
        text = f"{side.label}: x{times:.2f} with {case.threads} threads over one; {serial_part(found)}{apart}"
        yield Clue(PARALLELISM, "serial", text, {"serial share": share, "efficiency": found.efficiency[case.threads]})
    waited = evidence.get(Name.RUN_QUEUE_WAIT)
    if waited is not None and waited.per_second / case.threads > 0.01:
        share = min(1.0, waited.per_second / case.threads)  # helpers beside the threads asked for wait too
        text = f"{side.label}: its threads were ready and waited for a CPU {share:.0%} of the time: other load"
        yield Clue(PARALLELISM, "run-queue-wait", text, {"share": share})
    if (taken := stolen(evidence)) > 0.01:
        text = f"{side.label}: the hypervisor took {taken:.0%} of its cores' time away"
        yield Clue(PARALLELISM, "steal", text, {"share": taken})
    held = evidence.get(Name.CGROUP_THROTTLED_TIME)
    if held is not None and held.per_second > 0.001:
        text = f"{side.label}: the control group's CPU limit held it back {held.per_second:.1%} of the time"
        yield Clue(PARALLELISM, "cgroup", text, {"share": held.per_second})
