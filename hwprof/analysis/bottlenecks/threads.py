"""Rules on threads: what several of them gain, and whether they spin while they wait."""

from __future__ import annotations

import math
import statistics

from hwprof.analysis.bottlenecks.certainty import Limits, State, Sure, certainty, grade, product
from hwprof.analysis.bottlenecks.needs import CPU_EACH, NO_SPIN, ONE_THREAD
from hwprof.analysis.bottlenecks.verdicts import UNDISTURBED, Context, Number, Verdict, abstain, refuse_emulated
from hwprof.analysis.factors import clues, scaling
from hwprof.analysis.factors.clues import cpu_per_frame, cpus_used, width
from hwprof.analysis.factors.identity import factor
from hwprof.collectors.vocabulary import Name
from hwprof.printable import plural
from hwprof.speed import Interval

NEARLY = 0.97
EFFICIENCY: Limits = (0.6, 0.8)  # below the first poor, from the second on good
ADDED: Limits = (1.05, 1.2)  # CPU time with spinning over that without
THREADS_ADD = 1.1  # CPU time over that of one thread: below it threads do not spin


def _one_thread(code: str) -> Verdict:
    return Verdict(code, State.NO, "one thread was asked for", sure=Sure.HIGH)


def poorly_parallel(context: Context) -> Verdict:
    """Throughput per thread against that of one thread; without it, CPUs used of those asked for."""
    code, e = "poorly-parallel", context.evidence
    if e.case.threads < 2:
        return _one_thread(code)
    if (no := refuse_emulated(code, e)) is not None:
        return no
    if (most := width(e)) < e.case.threads:
        because = f"{plural(e.case.threads, 'thread')} had {plural(most, 'CPU', form='g')}"
        return Verdict(code, State.UNKNOWN, because, missing=(CPU_EACH,))
    advice = "fewer threads and several processes, a larger batch, pinned cores; spinning and other load come first"
    found = scaling.scaling(context.threads)
    used = cpus_used(e)
    numbers = []
    if used is not None:
        numbers.append(Number("CPUs used", used, f"{used:.2f} CPUs busy of {plural(e.case.threads, 'thread')}"))
    if found is not None and e.case.threads in found.efficiency:
        efficiency = _efficiency(context)
        share = efficiency.value
        numbers.insert(
            0,
            Number(
                "efficiency",
                share,
                f"{share * e.case.threads:.2f}x over one thread: {100 * share:.0f} % of ideal",
            ),
        )
        numbers.append(Number("serial share", found.serial.value, clues.serial_part(found)))
        state = State.YES if share < EFFICIENCY[0] else State.PARTLY if share < EFFICIENCY[1] else State.NO
        sure = certainty(efficiency, EFFICIENCY)
        because = f"{100 * share:.0f} % of ideal scaling"
        if context.lowered and state is not State.NO:
            because = f"{context.lowered}; {because}"
            return Verdict(code, State.UNKNOWN, because, tuple(numbers), missing=(UNDISTURBED,))
        if "other-load" in e.doubts or "steal" in e.doubts:
            sure = Sure.LOW
            numbers.append(Number("other load", 1.0, "something else ran on its cores", "other load while measuring"))
        figure = f"{100 * share:.0f} % of ideal"
        return Verdict(code, state, because, tuple(numbers), sure, advice, weight=1 - share, figure=figure)
    if used is None:
        return abstain(code, ONE_THREAD, Name.TASK_CLOCK)
    share = used / e.case.threads
    missing = (ONE_THREAD,)
    if share < EFFICIENCY[0] and context.lowered:
        return Verdict(code, State.UNKNOWN, context.lowered, tuple(numbers), missing=(UNDISTURBED, *missing))
    if share < EFFICIENCY[0]:
        because = "threads are idle for a large part of the time"
        sure = certainty(Interval(share, None, None), EFFICIENCY[:1])
        sure = Sure.LOW if {"other-load", "steal"} & {*e.doubts} else sure
        figure = f"{used:.2f} CPUs of {e.case.threads} busy"
        return Verdict(code, State.YES, because, tuple(numbers), sure, advice, missing, 1 - share, figure)
    because = "all threads are busy, but with what? One thread was not measured"
    return Verdict(code, State.UNKNOWN, because, tuple(numbers), missing=missing)


def _efficiency(context: Context) -> Interval:
    """Throughput per thread over that of one thread, Welch's interval between rounds."""
    threads = context.evidence.case.threads
    many, one = ([math.log(v) for v in context.threads[n] if v > 0] for n in (threads, 1))
    found = factor("speed-up", many, one)
    return product(Interval(found.ratio, found.low, found.high), 1 / threads)


def spinning(context: Context) -> Verdict:
    """Threads that burn CPU time while they wait: by a stored rerun, else by CPU time per frame over thread counts."""
    code, e = "spinning", context.evidence
    if e.case.threads < 2:
        return _one_thread(code)
    if (no := refuse_emulated(code, e)) is not None:
        return no
    advice = "spinning costs energy and other programs' time; it may be worth its latency: hwprof explain A --test spin"
    if context.spin is not None:
        s = context.spin
        decided = s.speed.low is not None and s.speed.high is not None and not s.speed.low <= 1 <= s.speed.high
        speed = f"{s.speed.value:.2f}x the speed" if decided else "no difference in speed that the rounds can show"
        more = s.cpu.value
        shown = (Number("CPU time", more, f"with spinning {more:.2f}x the CPU time per frame and {speed} (rerun)"),)
        because = "by a rerun with spinning off, in turn with this one"
        sure = certainty(s.cpu, ADDED, margin=1.0)
        weight, figure = max(0.0, 1 - 1 / more), f"{more:.2f}x CPU time (rerun)"
        return Verdict(code, grade(more, ADDED), because, shown, sure, advice, weight=weight, figure=figure)
    if e.facts.get("spin") is False:
        return Verdict(code, State.NO, "the framework says that spinning is off", sure=Sure.MEDIUM)
    used, cpu = cpus_used(e), cpu_per_frame(e)
    if used is None or cpu is None:
        return abstain(code, Name.TASK_CLOCK)
    numbers: tuple[Number, ...] = (
        Number("CPUs used", used, f"{used:.2f} CPUs busy of {plural(e.case.threads, 'thread')}"),
    )
    if context.one_thread:
        ratio = _inflation(context, cpu)
        inflated = ratio.value
        text = f"CPU time per frame is {inflated:.2f}x that with one thread"
        numbers = (*numbers, Number("CPU time ratio", inflated, text))
        if inflated < THREADS_ADD:
            sure = certainty(ratio, (THREADS_ADD,))
            return Verdict(code, State.NO, "threads add hardly any CPU time", numbers, sure)
        full = used > 0.9 * width(e)
        state = State.YES if full and inflated > 1.3 else State.PARTLY
        because = "threads add CPU time: spinning, memory that they share, or work done twice"
        weight, figure = 1 - 1 / inflated, f"{inflated:.2f}x CPU time"
        return Verdict(code, state, because, numbers, Sure.LOW, advice, (NO_SPIN,), weight, figure)
    if context.lowered:
        return Verdict(code, State.UNKNOWN, context.lowered, numbers, missing=(ONE_THREAD,))
    if used < NEARLY * width(e):
        because = "its threads sleep part of the time, and one thread was not measured"
        return Verdict(code, State.UNKNOWN, because, numbers, missing=(ONE_THREAD,))
    missing = (ONE_THREAD, NO_SPIN)
    return Verdict(
        code, State.UNKNOWN, "all CPUs busy throughout: work or spinning", numbers, missing=missing, advice=advice
    )


def _inflation(context: Context, cpu: float) -> Interval:
    """CPU time per frame over that of one thread, Welch's interval between rounds."""
    value = cpu / statistics.geometric_mean(context.one_thread)
    clock = context.evidence.get(Name.TASK_CLOCK)
    if clock is None or min(clock.rounds, default=0.0) <= 0:
        return Interval(value, None, None)
    ours, one = ([math.log(v) for v in values] for values in (clock.rounds, context.one_thread))
    found = factor("cpu", ours, one)
    scale = value / found.ratio  # of units
    return product(Interval(found.ratio, found.low, found.high), scale)
