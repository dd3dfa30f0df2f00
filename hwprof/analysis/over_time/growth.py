"""Memory growth: the resident set against the inferences so far. A leak has a name and an interval.

The slope is Theil and Sen's over blocks of slices of both roles in the order of time. Residuals of a resident set are
not independent (what was allocated stays), so the interval is not theirs: it is that of the median increment of a
block (sign test), and a few steps at any time, as of a cache that fills, do not make growth.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwprof.analysis.over_time.drift import theil_sen
from hwprof.collectors.vocabulary import Name
from hwprof.records import Run
from hwprof.speed import median_interval

BLOCKS = 12
INFERENCES = "inferences"  # the column of slices that counts them, those that begin a turn too


@dataclass(frozen=True, slots=True)
class Growth:
    """Bytes of resident set per 1,000 inferences, with a 95 % interval within these runs.

    `page`: bytes of a page of that machine. `own`: what hwprof's own bookkeeping of slices may come to, at most a page
    for each.
    """

    value: float
    low: float
    high: float
    page: int
    own: float
    inferences: int

    @property
    def is_evident(self) -> bool:
        """Above 0, above a page per 1,000 inferences, and above what hwprof itself may take."""
        return self.low > max(self.page, self.own)


def estimate(runs: Iterable[Run]) -> Growth | None:
    """The growth of one case over its rounds; None: too few slices, or no resident set in them."""
    slopes: list[float] = []
    increments: list[float] = []
    inferences, slices, page = 0, 0, 0
    for run in runs:
        done, resident, unit = _levels(run)
        if len(done) < 2 * 6 or done[-1] <= done[0]:
            continue
        ends = np.unique(np.linspace(0, len(done) - 1, min(BLOCKS, len(done) // 2) + 1).round().astype(np.int64))
        x, y = done[ends], resident[ends]
        increments += (np.diff(y) / np.diff(x)).tolist()
        slopes.append(theil_sen(x, y).value)
        inferences += int(done[-1])
        slices += len(done)
        page = max(page, unit)
    if not slopes:
        return None
    value = statistics.median(slopes)
    _, low, high = median_interval(increments)
    if low is None or high is None:
        return None
    own = page * slices / inferences
    return Growth(1000 * value, 1000 * min(low, value), 1000 * max(high, value), page, 1000 * own, inferences)


def _levels(run: Run) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """(inferences so far, bytes) at the end of each slice of a run, in the order of time, and the bytes of a page.

    Empty: not recorded.
    """
    rows: list[tuple[int, float]] = []
    page = 0
    for window in run.windows:
        columns = {c.metric: c for c in window.slices.counts} if window.slices is not None else {}
        resident, done = columns.get(Name.RSS), columns.get(INFERENCES)
        if resident is not None and done is not None:
            both = zip(done.raw, resident.raw, strict=True)
            page = int(resident.scale)  # the kernel counts pages
            rows += [(n, raw * resident.scale) for n, raw in both if n is not None and raw is not None]
    rows.sort()
    return np.array([n for n, _ in rows], dtype=np.float64), np.array([level for _, level in rows]), page
