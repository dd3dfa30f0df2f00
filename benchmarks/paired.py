"""What the paired benchmarks share: the interval of a ratio, the load beside it, and loops that take a core."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from hwprof.collectors.vocabulary import Name
from hwprof.records import Role

if TYPE_CHECKING:
    from hwprof.records import Run
    from hwprof.speed import Turns

CPU_TIMES = (Name.CPU_USER_TIME, Name.CPU_SYSTEM_TIME)

# Takes a core for 5 to 500 ms, leaves it for as long, and so on: what other people's work looks like from here.
BURSTS = """
import random, sys, time
rng = random.Random(sys.argv[1])
while True:
    end = time.monotonic() + rng.uniform(0.005, 0.5)
    while time.monotonic() < end:
        pass
    time.sleep(rng.uniform(0.005, 0.5))
"""


class Change(NamedTuple):
    """By how many percent one arm is above the other: median over pairs, with its 95 % interval."""

    percent: float
    low: float
    high: float
    pairs: int

    def __str__(self) -> str:
        return f"{self.percent:+6.2f} % [{self.low:+.2f} ... {self.high:+.2f}]"

    @property
    def covers_zero(self) -> bool:
        """Whether the interval holds "no change"."""
        return self.low <= 0 <= self.high


def change(ratios: Sequence[float]) -> Change:
    """The median of ratios of neighbouring slices, with the interval that hwprof gives the overhead of counting.

    Raises ValueError below 7 pairs, which have none.
    """
    from hwprof.analysis.overhead import SLICE_CONFIDENCE
    from hwprof.speed import median_interval

    middle, low, high = median_interval([math.log(ratio) for ratio in ratios], SLICE_CONFIDENCE)
    if low is None or high is None:
        raise ValueError(f"{len(ratios)} pairs are too few for an interval; it takes 7")
    percent, lower, upper = (100 * math.expm1(value) for value in (middle, low, high))
    return Change(percent, lower, upper, len(ratios))


def turns_of(run: Run) -> Turns:
    """The bare slices of a run by turn: latency, time and CPU time per frame."""
    from hwprof.speed import by_turn, slice_medians

    rows: list[tuple[int, float, int, float, int]] = []
    for window in run.windows:
        if window.role is Role.PAIRED and window.slices is not None:
            slices = window.slices
            counted = {counts.metric: counts for counts in slices.counts}
            cpu = [math.nan] * len(slices.turns)
            if set(CPU_TIMES) <= set(counted):
                raws = zip(*(counted[name].raw for name in CPU_TIMES), strict=True)
                scale = counted[CPU_TIMES[0]].scale
                cpu = [math.nan if None in raw else scale * sum(v for v in raw if v is not None) for raw in raws]
            medians = slice_medians(window.latencies_ns, slices.iterations)
            elapsed = [end - start for start, end in zip(slices.t0_ns, slices.t1_ns, strict=True)]
            rows += zip(slices.turns, medians, elapsed, cpu, slices.iterations, strict=True)
    columns = [[row[at] for row in rows] for at in range(5)]
    return by_turn(columns[0], columns[1], columns[2], columns[3], columns[4], run.case.batch)


def clopper_pearson(hits: int, of: int) -> tuple[float, float]:
    """Exact 95 % interval of a share."""
    from scipy.stats import beta

    low = 0.0 if hits == 0 else float(beta.ppf(0.025, hits, of - hits + 1))
    high = 1.0 if hits == of else float(beta.ppf(0.975, hits + 1, of - hits))
    return low, high


def share(hits: int, of: int) -> str:
    """`.052 (10 of 194) [.025 ... .093]`."""
    low, high = clopper_pearson(hits, of)
    return f"{hits / of:.3f} ({hits} of {of}) [{low:.3f} ... {high:.3f}]"


def load() -> str:
    """Runnable tasks, averaged over the last minute."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


@contextmanager
def started(programs: Sequence[Sequence[str]]) -> Iterator[None]:
    """Python programs (source, arguments ...) that run meanwhile.

    Each in a session of its own, as other people's are: the scheduler may share cores out between sessions.
    """
    running = [subprocess.Popen([sys.executable, "-P", "-c", *words], start_new_session=True) for words in programs]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def bursts(number: int) -> list[list[str]]:
    """So many neighbours for `started`, each with a rhythm of its own."""
    return [[BURSTS, str(seed)] for seed in range(number)]
