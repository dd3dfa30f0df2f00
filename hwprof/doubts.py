"""Reasons to distrust a run: found by pure functions, each with its advice."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from hwprof.machine.contention import cpus_allowed, share_taken
from hwprof.records import TEST_EQUIPMENT, Doubt, Exactness, Role, Run, Window

# code -> (what it says, with {fields} of the doubt's detail, what to do)
ADVICE: Mapping[str, tuple[str, str]] = {
    "not-steady": ("the warm-up ended before latency was steady", "a longer warm-up (warmup_max_s, -w)"),
    "threads-changed": (
        "threads of the framework: {before} before the windows, {after} after",
        "counts of threads that came later are included, but their start is too",
    ),
    "multiplexed": (
        "{count} events shared counters and were scaled up",
        "ask for fewer events, or omit --multiplex",
    ),
    "user-only": (
        "hardware events count user space only",
        "sysctl kernel.perf_event_paranoid=1 (or CAP_PERFMON) adds the kernel's share",
    ),
    "noisy": (
        "latency scattered: p90 is {ratio:.2f} times the median",
        "a quiet machine, a pinned core (--cpus), more rounds (-r)",
    ),
    "disturbed": (
        "nothing is ranked by FPS, which is {ratio:.2f} times the throughput: {why}",
        "a core that nothing else uses (--cpus), or compare by throughput and CPU time per frame",
    ),
    "drift": (
        "the speed changed by {percent:.1f} % while it was measured",
        "stop what else runs; a fixed clock (cpupower frequency-set -g performance); more rounds (-r)",
    ),
    "overhead": (
        "counting adds {percent:.1f} % [{low:.1f}, {high:.1f}] to the latency (95 % over {pairs} pairs of {of})",
        "fewer events per pass, or a larger batch",
    ),
    "spin-waiting": (
        "{cpus:.2f} CPUs busy throughout for {threads} threads: threads may be spinning while they wait",
        "compare with spin = false; counts per frame include the spinning",
    ),
    "container-limit": (
        "the CPU limit of a control group held the process back {times:.1f} times in a window",
        "raise it (docker --cpus, systemd CPUQuota=), also of the groups above it",
    ),
    "swapped": ("part of the process is in swap ({mib:.0f} MiB)", "free memory, or a smaller batch"),
    "throttled": ("the CPU throttled itself while measuring", "cool it, or lower the clock"),
    "hot": (
        "measured before the machine had cooled down ({waited_s:.0f} s): {why}",
        "a longer --cooldown (measure.cooldown_s), a heat sink or fan, or a lower fixed clock",
    ),
    "frequency-drift": ("the clock moved between {low_ghz:.2f} and {high_ghz:.2f} GHz", "fix the governor"),
    "sampler-shares-core": (
        "no core to spare: the sampler of power and memory runs on the measured cores",
        "leave one core free (--cpus), or lower gauges.hz",
    ),
    "ran-while-stopped": (
        "{case} used {ms:.1f} ms of CPU time while it was stopped and others were measured",
        "measure it by itself: something continues processes that hwprof has stopped",
    ),
    "slow-sampling": (
        "sensors were read {kept:.2g} times a second, not {hz:g} (reading {sensors} of them takes {seconds:.2g} s)",
        "a lower gauges.hz, a core for the sampler, or cores named (--cpus): only those of the case are sampled",
    ),
    "gauge-failed": ("a sensor stopped answering: {reason}", "its values are missing"),
    "collector-failed": ("the collector {collector} failed: {reason}", "its values are missing"),
    "other-load": (
        "the process waited {percent:.1f} % of the window for a CPU that others used",
        "something else runs on its cores: stop it, or pin elsewhere (--cpus)",
    ),
    "steal": ("the hypervisor took {percent:.1f} % of CPU time away", "a quieter host; more rounds"),
    "passes-differ": (
        "the executions of a round, one per pass, differ by {percent:.1f} % in {anchor}",
        "counts of different passes don't belong to the same work: fewer events, or --multiplex",
    ),
    "wide-edges": (
        "perf stat counted a window shorter than {seconds:g} s from outside: its edges are a millisecond wide",
        "longer windows (--window), or hwprof's own counters (--backend native)",
    ),
    "threads-missed": (
        "threads came or went while counters were being opened on the process",
        "their work is missing from the counts; attach again when it has settled",
    ),
    "counters-lost": (
        "the counters saw {counted_ms:.1f} of {cpu_ms:.1f} ms of CPU time",
        "a program with set-uid or file capabilities, or that may not be read, loses its counters at exec: a copy "
        "without these (cp; getcap and ls -l show them), or hwprof run as root; else again on a quieter machine",
    ),
    "imported": (
        "measured by another program and imported ({format})",
        "its way of measuring is its own: compare imported runs with imported ones",
    ),
    "test-equipment": (
        "{events}: counted by test equipment, whose counts are made up",
        "they say nothing of this machine; unload the module of that PMU",
    ),
    "tuned-before": ("launch parameters were tuned with other versions ({changed})", "hwprof tune --again"),
    "few-iterations": ("only {count} iterations in a window", "longer windows (window_s) or --iterations"),
}


def text(doubt: Doubt) -> str:
    """One line: what is doubtful, and what to do."""
    says, advice = ADVICE.get(doubt.code, (doubt.code, ""))
    try:
        says = says.format(**doubt.detail)
    except (KeyError, ValueError, IndexError):  # written by another version: show what there is
        says = f"{doubt.code} {dict(doubt.detail)}"
    return f"{says}: {advice}" if advice else says


def of_run(run: Run, physical_cpus: int) -> list[Doubt]:
    """Doubts that follow from the windows of one run."""
    return [*_latency(run), *_counters(run.windows), *_contention(run, physical_cpus)]


def _latency(run: Run) -> list[Doubt]:
    found = []
    bare = [w.latencies_ns for w in run.windows if w.role is Role.BARE and w.latencies_ns]
    pooled = sorted(t for latencies in bare for t in latencies)
    if len(pooled) >= 10:
        ratio = pooled[int(0.9 * len(pooled))] / statistics.median(pooled)
        if ratio > 1.2:
            found.append(Doubt("noisy", {"ratio": ratio}))
    if pooled and min(len(w.latencies_ns) for w in run.windows) < 10:
        found.append(Doubt("few-iterations", {"count": min(len(w.latencies_ns) for w in run.windows)}))
    return found


def _counters(windows: Sequence[Window]) -> list[Doubt]:
    found = []
    readings = [r for w in windows for r in w.readings]
    scaled = {r.metric for r in readings if r.exactness is Exactness.SCALED}
    if scaled:
        found.append(Doubt("multiplexed", {"count": len(scaled), "metrics": sorted(scaled)}))
    if made_up := {r.metric.partition("@")[0] for r in readings if r.value is not None and TEST_EQUIPMENT in r.meaning}:
        found.append(Doubt("test-equipment", {"events": ", ".join(sorted(made_up))}))
    if any(r.domain == "user" and r.origin.value == "hardware" and r.value is not None for r in readings):
        found.append(Doubt("user-only", {}))
    return found


def _contention(run: Run, physical_cpus: int) -> list[Doubt]:
    found = []
    waits, watched, busy = [], [], []  # watched: waits where the use of the CPUs is known
    allowed = cpus_allowed(run.case.cpus, run.host_state)
    for w in run.windows:
        values = {r.metric: r.value for r in w.readings if r.value is not None}
        if w.elapsed_s <= 0:
            continue
        used = values.get("cpu-user-time", math.nan) + values.get("cpu-system-time", math.nan)
        if "run-queue-wait" in values:
            of_cpus = [f"{name}[cpu{cpu}]" for cpu in run.case.cpus for name in ("cpu-busy", "cpu-steal")]
            of_all = sum(values.get(name, math.nan) for name in of_cpus) if of_cpus else math.nan
            share = share_taken(values["run-queue-wait"], used, w.elapsed_s, run.case.threads, allowed, of_all)
            waits.append(float(share))
            watched += [] if math.isnan(of_all) else [float(share)]
        if not math.isnan(used):
            busy.append(used / w.elapsed_s)
    threads = run.case.threads
    if watched and threads > allowed:  # sensors don't resolve slices, in which idle CPUs are not told from others'
        waits = watched
    if waits and statistics.median(waits) > 0.02:
        found.append(Doubt("other-load", {"percent": 100 * statistics.median(waits)}))
    if threads > 1 and busy and statistics.median(busy) > 0.97 * min(threads, physical_cpus):
        found.append(Doubt("spin-waiting", {"cpus": statistics.median(busy), "threads": threads}))
    return found
