"""Time that others took from a process: what its threads waited for a CPU, less what they waited for each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def cpus_allowed(cpus: Sequence[int], host_state: Mapping[str, Any]) -> float:
    """How many CPUs a case may use: those that it is bound to, within the CPU limit of its control groups.

    Infinite: neither is known.
    """
    quota, _, period = str(host_state.get("cgroup_cpu_max", "")).partition(" ")
    limit = int(quota) / int(period) if quota.isdigit() and period.isdigit() else math.inf
    return min(len(cpus) or math.inf, limit)


def share_taken(
    waited_s: ArrayLike,
    used_s: ArrayLike,
    elapsed_s: ArrayLike,
    threads: ArrayLike,
    allowed: ArrayLike,
    busy_s: ArrayLike = math.nan,
) -> NDArray[np.float64]:
    """Share of its time that others took from a process, at most; NaN where `waited_s` is.

    `waited_s`: that its threads were ready and had no CPU; `used_s`: its CPU time; `busy_s`: of its CPUs, with what
    the hypervisor stole; NaN: not known. Ready threads beyond the `allowed` CPUs wait for each other. What others took
    is no more than the CPU time that was allowed and that it did not use, nor than what they used. The share is of the
    CPU time that it could have had.
    """
    used, elapsed = np.asarray(used_s, dtype=np.float64), np.asarray(elapsed_s, dtype=np.float64)
    waited, limit = np.asarray(waited_s, dtype=np.float64), np.asarray(allowed, dtype=np.float64)
    most = np.fmin(limit * elapsed - used, np.asarray(busy_s, dtype=np.float64) - used)  # NaN where neither is known
    lost = np.where(np.isnan(waited), np.nan, np.fmin(waited, np.maximum(0.0, most)))
    return np.asarray(lost / (np.minimum(np.maximum(threads, 1), limit) * elapsed), dtype=np.float64)
