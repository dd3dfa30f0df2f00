"""Latency by input sample: whether the cost of an inference depends on its data.

Inference i of the bare stretch used input i modulo the ring. A cycle of the ring is a block: ranks are taken within
it, so that drift can not look like an input (Friedman's test). The
slowest and the fastest input are chosen on every other cycle, and their ratio is taken on the cycles between, with
the interval of the median of paired differences: a maximum over 32 noisy medians would always be above 1. Neighbours
within a cycle correlate, which Friedman's test does not know: p is the larger one of it and of the sign test there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc, chdtrc

from hwprof.records import Role, Run
from hwprof.speed import median_interval

LEVEL = 0.001  # of one case; a sweep has tens of them
LEAST = 1.02
MIN_CYCLES = 12


@dataclass(frozen=True, slots=True)
class InputEffect:
    """Median latency with the slowest input over that with the fastest one, with a 95 % interval within these runs."""

    ratio: float
    low: float
    high: float
    slowest: int
    fastest: int
    p: float
    cycles: int

    @property
    def is_evident(self) -> bool:
        """The test says so, and the ratio lies above 1.02."""
        return self.p < LEVEL and self.low > LEAST


def estimate(runs: Iterable[Run]) -> InputEffect | None:
    """The effect of the input over all rounds of one case; None: one input, or too few cycles of the ring."""
    tables = [table for run in runs if (table := _cycles(run)) is not None]
    if not tables or len({table.shape[1] for table in tables}) > 1:
        return None
    logs = np.concatenate(tables)
    if len(logs) < MIN_CYCLES:
        return None
    ranks = _ranks(logs)
    cycles, ring = logs.shape
    deviations = ranks.sum(axis=0) - cycles * (ring + 1) / 2
    p = float(chdtrc(ring - 1, 12 / (cycles * ring * (ring + 1)) * float((deviations**2).sum())))
    medians = np.median(logs[::2], axis=0)
    slowest, fastest = int(np.argmax(medians)), int(np.argmin(medians))
    differences = logs[1::2, slowest] - logs[1::2, fastest]
    p = max(p, min(1.0, 2 * float(bdtrc(int((differences > 0).sum()) - 1, len(differences), 0.5))))
    middle, low, high = median_interval(differences)
    if low is None or high is None:
        return None
    return InputEffect(math.exp(middle), math.exp(low), math.exp(high), slowest, fastest, p, cycles)


def _ranks(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks within each row from 1 on; equal values share the mean of theirs."""
    ordered = np.sort(table, axis=1)
    below = np.array([np.searchsorted(o, row, "left") for o, row in zip(ordered, table, strict=True)])
    up_to = np.array([np.searchsorted(o, row, "right") for o, row in zip(ordered, table, strict=True)])
    return np.asarray((below + up_to + 1) / 2, dtype=np.float64)


def _cycles(run: Run) -> NDArray[np.float64] | None:
    """Logs of latencies, a row per whole cycle of the ring of the bare stretch."""
    ring = run.facts.get("ring", 1)
    window = next((w for w in run.windows if w.role is Role.BARE), None)
    if window is None or ring < 2 or run.failure is not None:
        return None
    latencies = np.asarray(window.latencies_ns, dtype=np.float64)
    rows = len(latencies) // ring
    if not rows or not (latencies > 0).all():
        return None
    return np.log(latencies[: rows * ring].reshape(rows, ring))
