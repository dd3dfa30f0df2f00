"""Which observations on a pair say most: those on the factors that are shown, the largest difference first."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hwprof.analysis.explain.explanation import Explanation
from hwprof.analysis.factors import cycles
from hwprof.analysis.factors.clues import Clue
from hwprof.analysis.factors.identity import PARALLELISM, WORK
from hwprof.analysis.factors.ratio import Weight

# Numbers that are shares of time, slots or cycles, and codes whose numbers are; all others are compared as ratios.
SHARES = frozenset(
    ("retiring", "frontend", "backend", "bad speculation", "calling thread", "each helper", "share", "serial share")
)
SHARE_CODES = frozenset((*cycles.WHAT, *cycles.STALLS, "vector-share", "scalar-fp"))
SELF_EVIDENT = {"throttled": 1.0}  # codes without a number, and as which share of the time they count
CONTEXT = frozenset(("temperature",))  # follows from the load as much as it explains anything
WHOLE = "instructions"  # comes before the kinds of instructions that are its parts
PER_MAC = "per-mac"  # the same count once more, per MAC of the same network
REPEATS = {WORK: WHOLE, PARALLELISM: "cpus-used"}  # factor -> the code that says the same once more
LEAST = 0.02  # a smaller difference is no evidence worth a line


class ClueGroup(NamedTuple):
    """All clues of one kind on one factor, of one side or both. `strength`: the size of what they show, as a log ratio
    or a difference of shares; 0: they are context alone."""

    factor: str
    code: str
    clues: tuple[Clue, ...]
    strength: float


def observations(e: Explanation) -> list[ClueGroup]:
    """Every clue, those of one kind together, in the order in which they were found."""
    grouped: dict[tuple[str, str], list[Clue]] = {}
    for clue in e.clues:
        grouped.setdefault((clue.factor, clue.code), []).append(clue)
    labels = e.a.label, e.b.label
    return [ClueGroup(*key, tuple(own), _strength(own, labels)) for key, own in grouped.items()]


def strongest(e: Explanation, most: int = 3) -> list[ClueGroup]:
    """The observations on factors that the rounds show, the strongest first: of the largest factor, then of the next.

    None where no factor is shown: there is then nothing that they could be evidence on.
    """
    d = e.decomposition
    shown = [f for f in d.factors if d.parts[f.name].weight is not Weight.HIDDEN]
    shown.sort(key=lambda f: (d.parts[f.name].weight is not Weight.MAINLY, -abs(math.log(f.ratio))))
    found = [o for o in observations(e) if o.strength >= LEAST]
    chosen: list[ClueGroup] = []
    for factor in shown:
        own = [o for o in found if o.factor in factor.name.split(" x ") and not _repeats(o, factor.name)]
        chosen += sorted(own, key=lambda o: (o.code != WHOLE, -o.strength))
    return chosen[:most]


def _repeats(o: ClueGroup, factor: str) -> bool:
    """Whether it says no more than the factor, or than the instructions beside it."""
    return o.code in (REPEATS.get(factor), PER_MAC)


def _strength(own: Sequence[Clue], labels: tuple[str, str]) -> float:
    """The largest difference that clues of one kind show."""
    code = own[0].code
    if code in SELF_EVIDENT or code in CONTEXT:
        return SELF_EVIDENT.get(code, 0.0)
    return max((_difference(*one) for one in _compared(own, labels)), default=0.0)


def _compared(own: Sequence[Clue], labels: tuple[str, str]) -> Iterator[tuple[bool, float, float]]:
    """(whether it is a share, the number of A, that of B) of every number; NaN: not known of that side."""
    first, (a, b) = own[0], labels
    if a in first.numbers or b in first.numbers:
        yield first.code in SHARE_CODES, first.numbers.get(a, math.nan), first.numbers.get(b, math.nan)
    for name, value in first.numbers.items() if not {a, b} & {*first.numbers} else ():
        share = name in SHARES
        alone = 0.0 if share else 1.0  # one clue on both sides has their ratio, one on a side what the other lacks
        yield share, value, own[1].numbers.get(name, math.nan) if len(own) > 1 else alone


def _difference(share: bool, a: float, b: float) -> float:
    """Of two shares their difference, of two other numbers the log of their ratio; 0 where one is not known."""
    if math.isnan(a) or math.isnan(b):
        return 0.0
    if share:
        return abs(a - b)
    return abs(math.log(a / b)) if a > 0 and b > 0 else 0.0
