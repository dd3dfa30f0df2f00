"""Rules on how the case runs on the system: threads, spinning, clock, other load, memory, dispatch, conversion."""

from __future__ import annotations

import statistics
from collections import Counter

import numpy as np

from hwprof.analysis.bottlenecks.verdicts import (
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
from hwprof.analysis.factors import clues, scaling
from hwprof.analysis.factors.clues import cpu_per_frame, cpus_used, width
from hwprof.collectors.vocabulary import Name

NEARLY = 0.97
FAULT_S = 0.5e-6  # what a page fault served from memory costs at least, typically
# Operators that a converter folds into the convolution before them
FOLDABLE = ("batchnorm", "relu", "clip", "hardswish", "silu", "bias", "scale", "pad")


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
        because = f"{e.case.threads} threads had {most:g} CPU{'' if most == 1 else 's'}"
        return Verdict(code, State.UNKNOWN, because, missing=("a run with a CPU for each thread (--cpus)",))
    advice = "fewer threads and several processes, a larger batch, pinned cores; spinning and other load come first"
    found = scaling.scaling(context.threads)
    used = cpus_used(e)
    numbers = []
    if used is not None:
        numbers.append(Number("CPUs used", used, f"{used:.2f} CPUs busy of {e.case.threads} threads"))
    if found is not None and e.case.threads in found.efficiency:
        share = found.efficiency[e.case.threads]
        numbers.insert(
            0, Number("efficiency", share, f"x{share * e.case.threads:.2f} over one thread: {share:.0%} of ideal")
        )
        numbers.append(Number("serial share", found.serial.value, clues.serial_part(found)))
        state = State.YES if share < 0.6 else State.PARTLY if share < 0.8 else State.NO
        sure = Sure.HIGH if min(len(v) for v in context.threads.values()) > 1 else Sure.MEDIUM
        because = f"{share:.0%} of ideal scaling"
        if context.lowered and state is not State.NO:
            because = f"{context.lowered}; {because}"
            return Verdict(code, State.UNKNOWN, because, tuple(numbers), missing=(OWN_CORES,))
        if "other-load" in e.doubts or "steal" in e.doubts:
            sure = Sure.LOW
            numbers.append(Number("other load", 1.0, "something else ran on its cores", "other load while measuring"))
        return Verdict(code, state, because, tuple(numbers), sure, advice, weight=1 - share)
    if used is None:
        return abstain(code, "the same case with one thread", Name.TASK_CLOCK)
    share = used / e.case.threads
    missing = ("the same case with one thread",)
    if share < 0.6 and context.lowered:
        return Verdict(code, State.UNKNOWN, context.lowered, tuple(numbers), missing=(OWN_CORES, *missing))
    if share < 0.6:
        because = "threads are idle for a large part of the time"
        sure = Sure.LOW if {"other-load", "steal"} & {*e.doubts} else Sure.MEDIUM
        return Verdict(code, State.YES, because, tuple(numbers), sure, advice, missing, 1 - share)
    because = "all threads are busy, but with what? One thread was not measured"
    return Verdict(code, State.UNKNOWN, because, tuple(numbers), missing=missing)


def spinning(context: Context) -> Verdict:
    """Threads that burn CPU time while they wait: by a stored rerun, else by CPU time per frame over thread counts."""
    code, e = "spinning", context.evidence
    if e.case.threads < 2:
        return _one_thread(code)
    if (no := refuse_emulated(code, e)) is not None:
        return no
    advice = (
        "spinning costs energy and other programs' time; it may be worth its latency: hwprof "
        "explain A B --intervene spin"
    )
    if context.spin is not None:
        s = context.spin
        decided = s.speed_low is not None and s.speed_high is not None and not s.speed_low <= 1 <= s.speed_high
        speed = f"x{s.speed:.2f} the speed" if decided else "no difference in speed that the rounds can show"
        shown = (Number("CPU time", s.cpu, f"with spinning x{s.cpu:.2f} the CPU time per frame and {speed} (rerun)"),)
        state = State.YES if s.cpu > 1.2 else State.PARTLY if s.cpu > 1.05 else State.NO
        because = "shown by a rerun with spinning off"
        return Verdict(code, state, because, shown, Sure.HIGH, advice, weight=max(0.0, 1 - 1 / s.cpu))
    if e.facts.get("spin") is False:
        return Verdict(code, State.NO, "the framework says that spinning is off", sure=Sure.HIGH)
    used, cpu = cpus_used(e), cpu_per_frame(e)
    if used is None or cpu is None:
        return abstain(code, Name.TASK_CLOCK)
    numbers: tuple[Number, ...] = (Number("CPUs used", used, f"{used:.2f} CPUs busy of {e.case.threads} threads"),)
    if context.one_thread:
        inflated = cpu / statistics.geometric_mean(context.one_thread)
        text = f"CPU time per frame is x{inflated:.2f} that with one thread"
        numbers = (*numbers, Number("CPU time ratio", inflated, text))
        if inflated < 1.1:
            return Verdict(code, State.NO, "threads add hardly any CPU time", numbers, Sure.HIGH)
        full = used > 0.9 * width(e)
        state = State.YES if full and inflated > 1.3 else State.PARTLY
        because = "threads add CPU time: spinning, memory that they share, or work done twice"
        return Verdict(
            code, state, because, numbers, Sure.LOW, advice, ("a rerun with spinning off",), 1 - 1 / inflated
        )
    if context.lowered:
        return Verdict(code, State.UNKNOWN, context.lowered, numbers, missing=("the same case with one thread",))
    if used < NEARLY * width(e):
        because = "its threads sleep part of the time, and one thread was not measured"
        return Verdict(code, State.UNKNOWN, because, numbers, missing=("the same case with one thread",))
    missing = ("the same case with one thread", "a rerun with spinning off")
    return Verdict(
        code, State.UNKNOWN, "all CPUs busy throughout: work or spinning", numbers, missing=missing, advice=advice
    )


def throttling(context: Context) -> Verdict:
    """Heat, power and clock limits as sensors and counters tell; and the control group's CPU limit."""
    code, e = "throttled", context.evidence
    if (no := refuse_emulated(code, e)) is not None:
        return no
    numbers = []
    limited = e.get(Name.CGROUP_THROTTLED_TIME)
    share = limited.per_second if limited is not None else 0.0
    if limited is not None:
        numbers.append(Number("cgroup", share, f"the control group held it back {share:.1%} of the time"))
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
        return Verdict(code, State.YES, "the CPU reported throttling", tuple(numbers), Sure.HIGH, advice, weight=lost)
    if share > 0.005 or "container-limit" in e.doubts:
        advice = "raise cpu.max of the container, or ask for fewer threads than it has CPUs"
        return Verdict(
            code, State.YES, "its control group ran out of CPU time", tuple(numbers), Sure.HIGH, advice, weight=share
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
        return Verdict(code, State.PARTLY, because, tuple(numbers), Sure.MEDIUM, advice, weight=1 - clock[0] / clock[1])
    return Verdict(code, State.NO, "no sensor reported it", tuple(numbers), Sure.HIGH if watched else Sure.MEDIUM)


def other_load(context: Context) -> Verdict:
    """Ready threads that waited for a CPU, and time that a hypervisor took: not the framework's doing."""
    code, taken = "other-load", context.taken
    if taken is None:
        return abstain(code, Name.RUN_QUEUE_WAIT)
    numbers = [Number("waiting", taken.waiting, f"its threads waited for a CPU {taken.waiting:.1%} of the time")]
    if taken.stolen is not None:
        numbers.append(Number("steal", taken.stolen, f"the hypervisor took {taken.stolen:.1%}"))
    if context.is_shared and not context.lowered:
        numbers.append(
            Number("rate", context.rate, f"{context.rate:.4g} frames per second of CPU time are not lowered")
        )
    state = State.YES if context.is_shared else State.PARTLY if taken.share > 0.02 else State.NO
    because = context.sharing if state is not State.NO else f"{taken.share:.1%} of the time was taken by others"
    advice = "stop what else runs there, or pin elsewhere (--cpus)"
    return Verdict(code, state, because, tuple(numbers), Sure.HIGH, advice, weight=taken.share)


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
    if (major is not None and major.value > 0.01) or "swapped" in e.doubts:
        advice = "free memory, a smaller batch or size; on a board, more RAM or no swap on a card"
        return Verdict(code, State.YES, "memory comes from the disk", tuple(numbers), Sure.HIGH, advice, weight=0.5)
    if minor is None:
        return abstain(code, Name.PAGE_FAULTS)
    if e.emulated:
        return Verdict(code, State.UNKNOWN, "EMULATED: what a fault costs here says nothing", tuple(numbers))
    share = minor.value * FAULT_S * context.rate
    of = "its CPU time" if context.estimator is Estimator.CPU_TIME else "the time"
    text = f"at {FAULT_S * 1e6:g} us each (assumed) that is {share:.1%} of {of}"
    numbers.append(Number("share", share, text))
    advice = "an allocator that keeps memory (tcmalloc, MALLOC_TRIM_THRESHOLD_), an arena, transparent huge pages"
    state = State.YES if share > 0.1 else State.PARTLY if share > 0.03 else State.NO
    because = "memory is given back and taken anew" if state is not State.NO else "too few faults to matter"
    sure = weaken(Sure.MEDIUM if state is not State.NO else Sure.HIGH, minor)
    return Verdict(code, state, because, tuple(numbers), sure, advice, weight=share)


def dispatch(context: Context) -> Verdict:
    """What an inference costs whatever its batch: a line through time per inference over batches, at this one."""
    code, e = "dispatch-overhead", context.evidence
    if (no := refuse_emulated(code, e)) is not None:
        return no
    batches = {b: [v for v in values if v > 0] for b, values in context.batches.items()}
    batches = {b: v for b, v in batches.items() if v}
    layers = [x for x in context.layers if x.ns]
    numbers = []
    if layers:
        small = sum(1 for x in layers if (x.ns or 0) < 10_000)
        text = f"{len(layers)} layers, {small} of them shorter than 10 us"
        numbers.append(Number("layers", len(layers), text))
    if len(batches) < 2:
        why = "the same case at another batch"
        return Verdict(code, State.UNKNOWN, f"not measured: {why}", tuple(numbers), missing=(why,))
    fixed, frame = _line(batches)
    batch = e.case.batch
    share = max(0.0, fixed) / (fixed + frame * batch) if fixed + frame * batch > 0 else 0.0
    of = " of CPU time" if context.batches_by is Estimator.CPU_TIME else ""
    text = (
        f"{1e3 * fixed:.3g} ms{of} per inference + {1e3 * frame:.3g} ms per frame, over batches "
        f"{', '.join(map(str, sorted(batches)))}"
    )
    numbers.insert(0, Number("fixed share", share, text))
    if context.is_shared and context.batches_by is not Estimator.CPU_TIME:
        return Verdict(code, State.UNKNOWN, context.sharing, tuple(numbers), missing=(OWN_CORES,))
    state = State.YES if share > 0.3 else State.PARTLY if share > 0.15 else State.NO
    because = (
        f"{share:.0%} of an inference of batch {batch} doesn't depend on the batch: dispatch, "
        "waking threads, reading weights"
    )
    sure = Sure.MEDIUM if len(batches) > 2 else Sure.LOW
    advice = "larger batches; fusing layers, a compiled graph (inductor, XLA, TVM), fewer threads for small kernels"
    return Verdict(code, state, because, tuple(numbers), sure, advice, weight=share)


def _line(batches: dict[int, list[float]]) -> tuple[float, float]:
    """(fixed, per frame): least squares in relative errors of seconds per inference on the batch."""
    b = np.array([k for k, values in batches.items() for _ in values], dtype=float)
    t = np.array([v for values in batches.values() for v in values])
    (fixed, frame), *_ = np.linalg.lstsq(
        np.column_stack([np.ones_like(b), b]) / t[:, None], np.ones_like(b), rcond=None
    )
    return float(fixed), float(frame)


def conversion(context: Context) -> Verdict:
    """Operators that a converter usually folds away and that still take time.

    Else instructions beside other frameworks.
    """
    code, e = "conversion", context.evidence
    layers = [x for x in context.layers if x.ns]
    advice = "another conversion path or a newer converter; fuse BatchNormalization and activations before exporting"
    if layers:
        whole = sum(x.ns or 0 for x in layers)
        left = [x for x in layers if any(word in x.op.lower().replace("_", "") for word in FOLDABLE)]
        share = sum(x.ns or 0 for x in left) / whole
        kinds = ", ".join(f"{n} x {op}" for op, n in Counter(x.op for x in left).most_common(4))
        numbers = (Number("unfused", share, f"{share:.0%} of the layers' time in {kinds or 'none such'}"),)
        state = State.YES if share > 0.1 else State.PARTLY if share > 0.03 else State.NO
        because = "operators that are usually folded into their neighbours run on their own" if left else "all folded"
        return Verdict(code, state, because, numbers, Sure.HIGH, advice, weight=share)
    own = e.best(Name.INSTRUCTIONS)
    rivals = {}
    for name, peer in context.peers.items():
        count = peer.quantities.get(own.name) if own is not None else None
        if count is not None and count.value > 0:
            rivals[name] = count
    if own is None or not rivals:
        return abstain(code, "time per layer", "instructions of another framework on this network")
    name, best = min(rivals.items(), key=lambda item: item[1].value)
    times = own.value / best.value
    text = f"x{times:.2f} the instructions per frame of {name}"
    caution = own.caution or best.caution
    numbers = (Number("instructions", times, text, caution),)
    missing = ("time per layer",)
    if times > 1.5:
        because = "it executes many more instructions than another framework does for this network: graph or kernels"
        return Verdict(code, State.PARTLY, because, numbers, Sure.LOW, advice, missing, min(0.5, 1 - 1 / times))
    return Verdict(
        code, State.UNKNOWN, "no layers were measured; the instructions are not out of line", numbers, missing=missing
    )
