"""Rules on what the system does to a case: clock and limits, other load, memory that comes late."""

from __future__ import annotations

from hwprof.analysis.bottlenecks.certainty import (
    Limits,
    State,
    Sure,
    certainty,
    grade,
    least,
    of_rounds,
    product,
)
from hwprof.analysis.bottlenecks.verdicts import (
    UNDISTURBED,
    Context,
    Number,
    Verdict,
    abstain,
    refuse_emulated,
    weaken,
)
from hwprof.analysis.estimator import OFF, Estimator, lost_share
from hwprof.analysis.factors.evidence import Quantity
from hwprof.collectors.vocabulary import Name
from hwprof.speed import Interval

TAKEN: Limits = (0.02, OFF)
FAULTS: Limits = (0.03, 0.1)  # of the time
# What a page fault costs, at least and at most: served from memory (a virtual machine pays most), from a disk
MINOR_S, MAJOR_S = (0.5e-6, 5e-6), (1e-4, 1e-2)


def throttling(context: Context) -> Verdict:
    """Heat, power and clock limits as sensors and counters tell; and the control group's CPU limit."""
    code, e = "throttled", context.evidence
    if (no := refuse_emulated(code, e)) is not None:
        return no
    numbers = []
    limited = e.get(Name.CGROUP_THROTTLED_TIME)
    share = limited.per_second if limited is not None else 0.0
    if limited is not None:
        numbers.append(Number("cgroup", share, f"the control group held it back {100 * share:.1f} % of the time"))
    clock = e.series.get(Name.CPU_FREQUENCY)
    if clock is not None:
        text = f"cores at {clock[0] / 1e9:.2f} to {clock[1] / 1e9:.2f} GHz"
        numbers.append(Number("clock", clock[0], text))
    heat = e.series.get(Name.TEMPERATURE)
    if heat is not None:
        numbers.append(Number("temperature", heat[1], f"up to {heat[1]:.0f} degrees Celsius"))
    if "throttled" in e.doubts:
        advice = "a heat sink or fan, a better supply, or a fixed lower clock, so that results repeat"
        lost = 1 - clock[0] / clock[1] if clock is not None and clock[1] > 0 else 0.1
        figure = f"down to {clock[0] / 1e9:.2f} GHz" if clock is not None else "reported by the CPU"
        because = "the CPU reported throttling"
        return Verdict(code, State.YES, because, tuple(numbers), Sure.HIGH, advice, weight=lost, figure=figure)
    if share > 0.005 or "container-limit" in e.doubts:
        advice = "raise cpu.max of the container, or ask for fewer threads than it has CPUs"
        return Verdict(
            code,
            State.YES,
            "its control group ran out of CPU time",
            tuple(numbers),
            Sure.HIGH,
            advice,
            weight=share,
            figure=f"held back {100 * share:.1f} %" if limited is not None else "CPU limit reached",
        )
    watched = {Name.THROTTLE_EVENTS, Name.THROTTLED} & {*e.series, *(n.partition("[")[0] for n in e.quantities)}
    if clock is None and not watched:
        return Verdict(
            code,
            State.UNKNOWN,
            "neither the clock nor throttle counters can be read here"
            + (", the control group's limit was not met" if limited else ""),
            tuple(numbers),
            missing=(Name.CPU_FREQUENCY, Name.THROTTLE_EVENTS),
        )
    if clock is not None and clock[0] < 0.9 * clock[1]:
        advice = "fix the governor: cpupower frequency-set -g performance"
        because = "the clock moved, whatever the reason"
        weight, figure = 1 - clock[0] / clock[1], f"{clock[0] / 1e9:.2f} to {clock[1] / 1e9:.2f} GHz"
        return Verdict(code, State.PARTLY, because, tuple(numbers), Sure.MEDIUM, advice, weight=weight, figure=figure)
    # counters may miss heat, and a steady clock may be a limit of power: certain where both were seen
    sure = Sure.HIGH if watched and clock is not None else Sure.MEDIUM
    return Verdict(code, State.NO, "no sensor reported it", tuple(numbers), sure)


def other_load(context: Context) -> Verdict:
    """Ready threads that waited for a CPU, and time that a hypervisor took: not the framework's doing."""
    code, taken = "other-load", context.taken
    if taken is None:
        return abstain(code, Name.RUN_QUEUE_WAIT)
    text = f"its threads waited for a CPU {100 * taken.waiting:.1f} % of the time"
    numbers = [Number("waiting", taken.waiting, text)]
    if taken.stolen is not None:
        numbers.append(Number("steal", taken.stolen, f"the hypervisor took {100 * taken.stolen:.1f} %"))
    if context.is_shared and not context.lowered:
        numbers.append(
            Number("rate", context.rate, f"{context.rate:.4g} frames per second of CPU time are not lowered")
        )
    state = grade(taken.share, TAKEN)
    because = context.sharing if state is not State.NO else f"{100 * taken.share:.1f} % of the time was taken by others"
    advice = "stop what else runs there, or pin elsewhere (--cpus)"
    # it is an account of the time that was measured, and not an estimate: certain where every round says the same
    rounds = {grade(lost_share(s), TAKEN) for s in context.speeds if s.waiting is not None}
    whole = taken.stolen is not None or state is State.YES
    sure = Sure.HIGH if whole and rounds == {state} else Sure.MEDIUM
    figure = f"{100 * taken.share:.0f} % of time taken"
    return Verdict(code, state, because, tuple(numbers), sure, advice, weight=taken.share, figure=figure)


def paging(context: Context) -> Verdict:
    """Waiting for the disk, swapping, and memory that is given back and faulted in again with every inference."""
    code, e = "paging", context.evidence
    major = e.get(Name.RUSAGE_MAJOR_FAULTS, Name.MAJOR_FAULTS)
    minor = e.get(Name.PAGE_FAULTS, Name.RUSAGE_MINOR_FAULTS, Name.MINOR_FAULTS)
    numbers = []
    if major is not None:
        numbers.append(
            Number("major faults", major.value, f"{major.value:.3g} page faults per frame waited for the disk")
        )
    if minor is not None:
        numbers.append(Number("faults", minor.value, f"{minor.value:.3g} page faults per frame", minor.caution))
    if "swapped" in e.doubts:
        mib = float(e.doubts["swapped"].get("mib", 0))
        numbers.append(Number("swap", mib, f"{mib:.0f} MiB of the process in swap"))
    disk = "free memory, a smaller batch or size; on a board, more RAM or no swap on a card"
    if "swapped" in e.doubts and major is None:
        because = "memory is in swap, and whether it was waited for is not known"
        figure = f"{mib:.0f} MiB in swap"
        return Verdict(code, State.YES, because, tuple(numbers), Sure.MEDIUM, disk, weight=0.5, figure=figure)
    if minor is None:
        return abstain(code, Name.PAGE_FAULTS)
    if e.emulated:
        return Verdict(code, State.UNKNOWN, "EMULATED: what a fault costs here says nothing", tuple(numbers))
    few, many = (product(_fault_s(minor, major, end), context.rates) for end in (0, 1))
    state = State.YES if few.value >= FAULTS[1] else State.NO if many.value < FAULTS[0] else State.PARTLY
    of = "its CPU time" if context.estimator is Estimator.CPU_TIME else "the time"
    costs = f"{MINOR_S[0] * 1e6:g} to {MINOR_S[1] * 1e6:g} us"
    costs += f", {MAJOR_S[0] * 1e3:g} to {MAJOR_S[1] * 1e3:g} ms from a disk" if major is not None else ""
    text = f"at {costs} each (assumed) they take {100 * few.value:.1f} % to {100 * many.value:.1f} % of {of}"
    numbers.append(Number("share", few.value, text))
    if state is State.NO:
        if context.lowered:
            return Verdict(code, State.UNKNOWN, context.lowered, tuple(numbers), missing=(UNDISTURBED,))
        sure = least(certainty(many, FAULTS[:1]), Sure.HIGH if major is not None else Sure.MEDIUM)
        return Verdict(code, state, "too few faults to matter", tuple(numbers), weaken(sure, minor))
    if major is not None and major.value * MAJOR_S[1] > minor.value * MINOR_S[1]:
        because, advice, most = "memory comes from the disk", disk, Sure.HIGH
    else:
        because, most = "memory is given back and taken anew", Sure.MEDIUM
        advice = "an allocator that keeps memory (tcmalloc, MALLOC_TRIM_THRESHOLD_), an arena, transparent huge pages"
    sure = least(certainty(few, FAULTS[1:]), most) if state is State.YES else Sure.LOW
    figure = f"{100 * few.value:.0f} to {100 * many.value:.0f} % of time"
    return Verdict(code, state, because, tuple(numbers), weaken(sure, minor), advice, weight=few.value, figure=figure)


def _fault_s(minor: Quantity, major: Quantity | None, end: int) -> Interval:
    """Seconds per frame that page faults take, at least (`end` 0) or at most (1)."""
    known = [(minor, MINOR_S[end]), *([(major, MAJOR_S[end])] if major is not None else [])]
    value = sum(q.value * cost for q, cost in known)
    if len({len(q.rounds) for q, _ in known}) > 1 or not minor.rounds:
        return Interval(value, None, None)
    rounds = zip(*(q.rounds for q, _ in known), strict=True)
    found = of_rounds([sum(n * cost for n, (_, cost) in zip(one, known, strict=True)) for one in rounds])
    return Interval(value, found.low, found.high)
