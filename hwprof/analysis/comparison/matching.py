"""Which runs of two sides are of one case, and why none is. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from hwprof.analysis.comparison.measured import RunSummary
from hwprof.store.columns import call_of

Key = tuple[object, ...]
# What other benchmarks record of one machine in one table and not in the next, or call by another name there.
NAMED_ANEW = ("architecture", "gpu")
# What a case is, by the words for it
ASPECTS: Mapping[str, Callable[[RunSummary], object]] = {
    "kind of run": lambda m: m.kind,
    "framework": lambda m: m.case.framework,
    "network": lambda m: m.case.network,
    "source of the network": lambda m: m.case.recipe,
    "size of the input": lambda m: (m.case.size, m.case.shape),
    "batch": lambda m: m.case.batch,
    "number of threads": lambda m: m.case.threads,
    "precision": lambda m: m.case.precision,
    "options": lambda m: m.case.options,
}


def matching(old: Sequence[RunSummary], new: Sequence[RunSummary]) -> tuple[Callable[[RunSummary], Key], list[str]]:
    """How cases of both sides are matched, and what must be said about it."""
    machine, several = machines(old, new)
    several_calls = {name for side in (old, new) for name in _with_several_calls(side)}

    def full(m: RunSummary) -> Key:
        call = call_of(m.software) if m.case.framework in several_calls else ""
        return (*(of(m) for of in ASPECTS.values()), machine(m) if several else "", call)

    cases = [{full(m) for m in side} for side in (old, new)]
    if len(cases[0]) == len(cases[1]) == 1 and cases[0] != cases[1]:
        return (lambda m: ()), ["one case on each side, and not the same one: see what differs"]
    notes = ["several machines: cases are matched machine by machine"] if several else []
    if several_calls:
        notes.append(f"{', '.join(sorted(several_calls))} was called in several ways: cases are matched call by call")
    return full, notes


def machines(old: Sequence[RunSummary], new: Sequence[RunSummary]) -> tuple[Callable[[RunSummary], str], bool]:
    """What tells machines from each other, and whether a side has several.

    An imported one is known by what other benchmarks always record of it, where that tells those of a side apart.
    """
    sides = [{_described(m) for m in side} for side in (old, new)]
    loose = [{_recorded(m) for m in side} for side in (old, new)]
    by = _recorded if all(len(a) == len(b) for a, b in zip(sides, loose, strict=True)) else _described
    return by, max(len(side) for side in sides) > 1


def _described(m: RunSummary) -> str:
    return repr(sorted(m.machine.items()))


def _recorded(m: RunSummary) -> str:
    left_out = NAMED_ANEW if m.machine.get("imported") else ()
    return repr(sorted((name, value) for name, value in m.machine.items() if name not in left_out))


def obstacles(old: Sequence[RunSummary], new: Sequence[RunSummary]) -> list[tuple[str, int]]:
    """What alone keeps the sides from having cases in common, and how many they would have without it."""
    machine, several = machines(old, new)
    aspects = {**ASPECTS, **({"machine": machine} if several else {})}
    found = []
    for name in aspects:
        rest = [of for other, of in aspects.items() if other != name]
        sides = [{tuple(of(m) for of in rest) for m in side} for side in (old, new)]
        if common := len(sides[0] & sides[1]):
            found.append((name, common))
    return found


def _with_several_calls(side: Sequence[RunSummary]) -> set[str]:
    """Frameworks that the runs of one side call in more than one way; such runs are never pooled."""
    calls: dict[str, set[str]] = defaultdict(set)
    for m in side:
        calls[m.case.framework].add(call_of(m.software))
    return {framework for framework, found in calls.items() if len(found) > 1}
