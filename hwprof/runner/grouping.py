"""Which cases are measured side by side, and in which rounds a set is yet to be measured. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import TypeVar

from hwprof.plan.cases import PlannedCase
from hwprof.records import Case

Key = tuple[str, str, int]  # of a case, kind, round
Thing = TypeVar("Thing")

# The measured peaks together stay within this share of the memory that is left.
MEMORY_SHARE = 0.8
# The reference case of a set that doesn't fit into memory is measured once for each part of it. Its later runs of a
# round have numbers beyond those of rounds (`plan.bounds`).
SPARE_ROUND = 1_000_000


def workload(case: Case) -> tuple[str, str, int, str, int, int]:
    """What the cases of a set share: network, input, batch and threads. Framework, options and precision differ."""
    return case.network, case.recipe, case.size, case.shape, case.batch, case.threads


def sets_of(cases: Sequence[PlannedCase], one_set: bool, sliced: bool) -> list[tuple[int, ...]]:
    """Places of the cases that are measured side by side, each place once.

    A case with a declared runner is by itself, and without slices every case is. `one_set`: the others together.
    """
    found: dict[object, list[int]] = {}
    for place, planned in enumerate(cases):
        if planned.runner is not None or not sliced:
            found[place] = [place]
        else:
            found.setdefault("one" if one_set else workload(planned.case), []).append(place)
    return [tuple(places) for places in found.values()]


def in_order(groups: Sequence[tuple[int, ...]], order: Sequence[int]) -> list[tuple[int, ...]]:
    """The sets in the order in which their first case comes in `order`, and so the cases within each."""
    rank = {place: at for at, place in enumerate(order)}
    return sorted((tuple(sorted(group, key=rank.__getitem__)) for group in groups), key=lambda group: rank[group[0]])


def rounds_left(
    places: Collection[tuple[str, str]],
    rounds: int,
    done: Collection[Key],
    failed: Mapping[Key, int],
    attempts: int | None,
) -> list[int]:
    """Numbers of the rounds in which a set is yet to be measured. `places`: key and kind of each of its cases.

    A round is over where each case has a good run, or has failed `attempts` times (None: is tried again and again), or
    was left out since it has only ever failed. One in which a case is missing is repeated as a whole: under a new
    number where others have a good run, since a late run belongs to no set.
    """
    out = {key[:2] for key in failed} - {key[:2] for key in done}

    def is_over(number: int) -> bool:
        missing = [(case, kind, number) for case, kind in places if (case, kind, number) not in done]
        if attempts is None:
            return not missing
        return all(failed[key] >= attempts if key in failed else key[:2] in out for key in missing)

    tried = {number for case, kind, number in (*done, *failed) if (case, kind) in places}
    over = {number for number in tried if is_over(number)}
    good = {number for case, kind, number in done if (case, kind) in places}
    free = (number for number in itertools.count() if number not in over and number not in good)
    return list(itertools.islice(free, max(0, rounds - len(over))))


def chunks(things: Sequence[Thing], size: int) -> list[Sequence[Thing]]:
    """The things in parts of at most `size`, of about equal length."""
    if not things:
        return []
    parts = -(-len(things) // size)
    edges = [len(things) * part // parts for part in range(parts + 1)]
    return [things[low:high] for low, high in itertools.pairwise(edges)]
