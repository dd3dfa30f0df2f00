"""Two accounts of the CPU time of one window: by how much they may differ where both are right."""

from __future__ import annotations

from hwprof.records import Reading

# Edges are not read at one instant: this share, and ns for each thread or CPU, may be missing or too much.
SHARE, LEAST_NS = 0.1, 20_000_000


def shortfall(
    counted_ns: float | None, cpu_ns: float | None, threads: int | None = None, edges_ns: float = 0.0
) -> bool:
    """Whether a time is far below the CPU time of the same span; never where one of them is not known.

    `threads`: how many could run beside the window's edges, where the account of CPU time is wider than the counts.
    `edges_ns`: CPU time that may have passed there, where it was measured. A task-clock above the CPU time is no
    shortfall: children that nobody waited for are in the counts alone.
    """
    if counted_ns is None or cpu_ns is None:
        return False
    return cpu_ns - counted_ns > max(SHARE * cpu_ns, LEAST_NS * max(1, threads or 1)) + edges_ns


def beyond_ns(account: Reading | None, other_ns: float | None, threads: int | None = None) -> float:
    """CPU time that `threads` may have used while one account was being kept and the other was not.

    An account of wall time `account.enabled_ns`, another of `other_ns`. Where a host takes a guest's CPU away between
    two reads of one edge, the guest's clock and its accounts run on: the wall time is the evidence of it.
    """
    if account is None or account.enabled_ns is None or other_ns is None:
        return 0.0
    return abs(account.enabled_ns - other_ns) * max(1, threads or 1)
