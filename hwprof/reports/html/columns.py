"""Which columns of a table are of second rank: the page hides them where the table would be wider than its box."""

from __future__ import annotations

from collections.abc import Sequence

# The first is hidden first. A column that is not named here is always shown.
SECOND_RANK = (
    *("kind", "p90/p10", "reliability", "group", "CPUs", "load ms", "peak RSS MiB", "r raw", "same sign", "level"),
    *("input", "precision", "ruled out", "controlling for", "N (cases)", "frameworks", "round", "bytes", "ranked by"),
    *("not decided", "p99 ms", "threads", "batch", "extent", "origin", "N", "95 % of it", "waits", "run", "by"),
    *(
        "r controlling for MACs",
        "without one network",
        "latency ms",
        "FLOP/byte",
        "measurement overhead",
        "tail latency",
        "frames/s",
    ),
    *(
        "p family-wise",
        "elasticity",
        "note",
        "+10 % of it with",
        "95 %",
        "CPU time per frame",
        "try",
        "slower",
        "faster",
    ),
)
KEPT = 3  # columns that are shown in any case: the first ones


def ranks(header: Sequence[str]) -> list[int]:
    """For each column 0 if it is of first rank; else the higher, the sooner it is hidden."""
    places = {name: len(SECOND_RANK) - place for place, name in enumerate(SECOND_RANK)}
    found = [places.get(name, 0) for name in header]
    shown = sum(rank == 0 for rank in found)
    for index in range(len(header)):
        if shown >= min(KEPT, len(header)):
            break
        if found[index]:
            found[index], shown = 0, shown + 1
    return found
