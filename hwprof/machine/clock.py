"""The clock of every measurement."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable

Clock = Callable[[], int]


def clock_ns() -> int:
    """CLOCK_MONOTONIC_RAW in ns: not slewed by NTP."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)


def cpu_time_ns(pid: int) -> int | None:
    """CPU time of a process with all threads it has and had; None where it is gone.

    By its CPU-time clock, whose id follows from the process id (clock_getcpuclockid(3); Linux CPUCLOCK_SCHED).
    """
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)
    except OSError:
        return None


def utc_now() -> str:
    """The date and time to the second, as records keep it (ISO 8601)."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
