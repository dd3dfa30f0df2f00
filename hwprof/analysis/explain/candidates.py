"""Which causes of a gap, or of a case's time, are worth a rerun, and in which order. Pure.

A candidate has a reason among what was measured. The order is that of the largest factor that the rounds show, then of
what the counters say; nothing here is evidence of a cause.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hwprof.analysis.explain.verdicts import FEWEST_FAULTS, MIB
from hwprof.analysis.explain.wording import bounded, name_of
from hwprof.analysis.factors.clues import Side
from hwprof.analysis.factors.identity import PARALLELISM, Factor
from hwprof.analysis.factors.ratio import Decomposition, Weight
from hwprof.collectors.vocabulary import Name
from hwprof.frameworks.switches import KINDS
from hwprof.printable import plural

HUGE_PAGE = 2 * MIB
WEIGHT_BYTES = 4  # of one parameter in FP32
# Which part of the ratio a change would move.
COMPUTING = ("simd", "graph", "pages", "allocator")


@dataclass(frozen=True, slots=True)
class PossibleCause:
    """A kind of rerun, and what speaks for it. `score`: the log of the factor that it would explain; 0: none shown."""

    kind: str
    reason: str
    score: float


def candidates(sides: Sequence[Side], d: Decomposition | None) -> tuple[list[PossibleCause], Mapping[str, str]]:
    """The candidates of a pair (or of one case, without a ratio), the most promising first; why others are none."""
    waiting, computing = _scores(d)
    found: list[PossibleCause] = []
    none: dict[str, str] = {}
    for kind in KINDS:
        reason, why = _speaks_for(kind, sides)
        score = computing if kind in COMPUTING else waiting
        if why:
            none[kind] = why
        else:
            found.append(PossibleCause(kind, reason + _shown(d, kind), score))
    return sorted(found, key=lambda c: -c.score), none


def _scores(d: Decomposition | None) -> tuple[float, float]:
    """Log of the factors that the rounds show: of parallelism, and of all that is within CPU time."""
    if d is None:
        return 0.0, 0.0
    shown = [f for f in d.factors if d.parts[f.name].weight is not Weight.HIDDEN]
    waiting = sum(abs(math.log(f.ratio)) for f in shown if _is_waiting(f))
    return waiting, sum(abs(math.log(f.ratio)) for f in shown if not _is_waiting(f))


def _is_waiting(f: Factor) -> bool:
    return PARALLELISM in f.name.split(" x ")


def _shown(d: Decomposition | None, kind: str) -> str:
    """The largest shown factor that this kind of change would move, in words."""
    if d is None:
        return ""
    own = [
        f
        for f in d.factors
        if d.parts[f.name].weight is not Weight.HIDDEN and _is_waiting(f) is (kind not in COMPUTING)
    ]
    if not own:
        return ""
    largest = max(own, key=lambda f: abs(math.log(f.ratio)))
    return f"; {name_of(largest.name)} differs by {bounded(largest)}"


def _speaks_for(kind: str, sides: Sequence[Side]) -> tuple[str, str]:
    """(what speaks for it, why it is no candidate): one of the two is empty."""
    cases = [side.evidence.case for side in sides]
    if kind == "spin":
        most = max(case.threads for case in cases)
        return (plural(most, "thread"), "") if most > 1 else ("", "one thread waits for nobody")
    if kind == "allocator":
        faults = [f for side in sides if (f := _faults(side)) is not None]
        if not faults:
            return "", "page faults were not counted"
        most_faults = max(faults)
        if most_faults < FEWEST_FAULTS:
            return "", f"{most_faults:.2g} page faults per frame at most"
        return f"{most_faults:,.0f} page faults per frame", ""
    if kind == "pages":
        params = max((side.evidence.params or 0 for side in sides), default=0)
        size = params * WEIGHT_BYTES
        return (f"{size / MIB:,.0f} MiB of weights", "") if size >= HUGE_PAGE else ("", "its weights fit one huge page")
    return {"affinity": "other cores", "simd": "vector instructions", "graph": "what was fused and folded"}[kind], ""


def _faults(side: Side) -> float | None:
    found = side.evidence.best(Name.MINOR_FAULTS, False) or side.evidence.best(Name.RUSAGE_MINOR_FAULTS, False)
    return None if found is None else found.value
