"""CPU time that the counters did not see: they were taken away while the program ran. Pure functions but one.

At the exec of a program that gains privileges (set-uid, set-gid, file capabilities) or that its user may not read (mode
0111) the kernel removes the task's perf events, whoever opened them (`perf_event_exit_task` in begin_new_exec, Linux
fs/exec.c). Their counts stand still from then on, with running == enabled. task-clock, which every pass has, stands
still with them; the kernel's own account of CPU time goes on.
"""

from __future__ import annotations

import time
from dataclasses import replace

from hwprof.collectors.readings import mark_suspect
from hwprof.collectors.vocabulary import Name
from hwprof.records import Doubt, Reading, Window

# What may be missing without a word: the account begins before the exec and, of a worker, a little outside of the
# window. ns, for each thread that can run there.
LEAST_NS = 20_000_000
# ... and this share of the CPU time.
SHARE = 0.1
NS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
CAUSE = (
    "the kernel takes counters away at the exec of a program with set-uid or file capabilities, or without the right "
    "to be read"
)


def shortfall(counted_ns: float | None, cpu_ns: float | None, threads: int = 1) -> bool:
    """Whether task-clock is far below the CPU time of the same span; never where one of them is not known.

    A task-clock above the CPU time is no shortfall: children that nobody waited for are in the counts alone.
    """
    if counted_ns is None or cpu_ns is None:
        return False
    return cpu_ns - counted_ns > max(SHARE * cpu_ns, LEAST_NS * max(1, threads))


def judge(window: Window, threads: int = 1, cpu_ns: float | None = None) -> tuple[Window, list[Doubt]]:
    """The window with what perf counted SUSPECT, and a doubt, where the counters missed CPU time that was used.

    `threads`: how many could run beside the window's edges, where the account of CPU time is wider than the counts.
    `cpu_ns`: CPU time of the span; where it is not given, that of rusage in the window's own readings.
    """
    counted = _ns(window, Name.TASK_CLOCK)
    if cpu_ns is None:
        user, system = _ns(window, Name.CPU_USER_TIME), _ns(window, Name.CPU_SYSTEM_TIME)
        cpu_ns = None if user is None or system is None else user + system
    if counted is None or cpu_ns is None or not shortfall(counted, cpu_ns, threads):
        return window, []
    figures = {"counted_ms": counted / 1e6, "cpu_ms": cpu_ns / 1e6}
    why = f"counted during {figures['counted_ms']:.3f} of {figures['cpu_ms']:.3f} ms of CPU time: {CAUSE}"
    readings = tuple(mark_suspect(r, why) if is_perf_reading(r) else r for r in window.readings)
    return replace(window, readings=readings), [Doubt("counters-lost", figures, window.index)]


def is_perf_reading(reading: Reading) -> bool:
    """Whether a perf event gave it, by hwprof's own hand or by perf stat's."""
    return reading.source.startswith(("perf:", "perf-stat:"))


def cpu_time_ns(pid: int) -> int | None:
    """CPU time of a process with all threads it has and had; None where it is gone.

    By its CPU-time clock, whose id follows from the process id (clock_getcpuclockid(3); Linux CPUCLOCK_SCHED).
    """
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)
    except OSError:
        return None


def _ns(window: Window, metric: str) -> float | None:
    """A time of the window in ns; None where it is missing."""
    for reading in window.readings:
        if reading.metric.partition(":")[0] == metric and reading.value is not None and reading.unit in NS:
            return reading.value * NS[reading.unit]
    return None
