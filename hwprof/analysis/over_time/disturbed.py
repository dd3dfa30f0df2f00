"""Inferences of the bare stretch within which the scheduler took the CPU away, where that was watched."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hwprof.collectors.vocabulary import Name
from hwprof.records import Role, Run

UNWATCHED = "not watched: reading the switches would take more than 1 % of an inference"


@dataclass(frozen=True, slots=True)
class Disturbance:
    """`count` of `inferences` were disturbed. `latency_ns`: median of the others; None: there are none.

    `steal_s`: CPU time that the hypervisor took from the measured CPUs meanwhile; None: not counted. It is counted in
    ticks of 10 ms, so that which inferences it fell on is not known.
    """

    count: int
    inferences: int
    latency_ns: float | None
    steal_s: float | None

    @property
    def share(self) -> float:
        """Of the inferences."""
        return self.count / self.inferences


def estimate(runs: Iterable[Run]) -> Disturbance | None:
    """The disturbed inferences of all rounds of one case; None: not watched."""
    windows = [
        (run, w)
        for run in runs
        for w in run.windows
        if w.role is Role.BARE and w.disturbed is not None and w.latencies_ns
    ]
    if not windows:
        return None
    calm, count = [], 0
    stolen: list[float] = []
    for run, window in windows:
        mask = np.ones(len(window.latencies_ns), dtype=np.bool_)
        mask[list(window.disturbed or ())] = False
        calm.append(np.asarray(window.latencies_ns, dtype=np.float64)[mask])
        count += int((~mask).sum())
        ours = {f"{Name.CPU_STEAL}[cpu{cpu}]" for cpu in run.case.cpus}
        stolen += [r.value for r in window.readings if r.value is not None and r.metric in ours]
    others = np.concatenate(calm)
    inferences = sum(len(w.latencies_ns) for _, w in windows)
    latency = float(np.median(others)) if len(others) else None
    return Disturbance(count, inferences, latency, sum(stolen) if stolen else None)
