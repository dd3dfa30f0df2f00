"""The clock of every measurement."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], int]


def clock_ns() -> int:
    """CLOCK_MONOTONIC_RAW in ns: not slewed by NTP."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
