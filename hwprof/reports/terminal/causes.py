"""What reruns showed of possible causes, apart from all that is association."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from hwprof.analysis.explain.explanation import Explanation
from hwprof.analysis.explain.verdicts import MARGIN, CauseState, CauseVerdict
from hwprof.analysis.explain.wording import CAUSES, bounded
from hwprof.printable import plural, printable, sentence
from hwprof.reports.terminal.style import wrap

SMALL = 0.05  # of the log ratio: what closes less is not told as a share


def of_pairs(found: Sequence[tuple[Explanation, Sequence[CauseVerdict]]], columns: int) -> list[str]:
    """A line for each possible cause of each gap; [] without any rerun."""
    lines = []
    several = len({e.a.evidence.case.network for e, _ in found}) > 1
    for e, verdicts in found:
        where = f"{printable(e.a.evidence.case.network)}: " if several else ""
        lines += [
            line for one in verdicts for line in wrap(where + words(one, e.a.label, e.b.label), columns, "  ", "    ")
        ]
    return [*_head(sum(len(verdicts) for _, verdicts in found), columns), *lines] if lines else []


def of_case(verdicts: Sequence[CauseVerdict], columns: int) -> list[str]:
    """A line for each possible cause of one case's time; [] without any rerun."""
    lines = [line for one in verdicts for line in wrap(words(one), columns, "  ", "    ")]
    return [*_head(len(verdicts), columns), *lines] if lines else []


def _head(tests: int, columns: int) -> list[str]:
    together = f"95 % intervals of {plural(tests, 'test')} together" if tests > 1 else "95 % interval"
    return wrap(f"Causes, by reruns with one thing changed; {together}", columns, "", "  ")


def words(one: CauseVerdict, a: str = "", b: str = "") -> str:
    """One verdict in a sentence."""
    cause = CAUSES[one.kind]
    if one.state is CauseState.UNDECIDED or one.effect is None:
        seen = "" if one.effect is None else f", {bounded(one.effect)}"
        return sentence(f"undecided: {cause}{seen}: {one.why}")
    if one.state is CauseState.RULED_OUT:
        return sentence(f"ruled out: {cause}: {bounded(one.effect)} is within {100 * (MARGIN - 1):.0f} % of nothing")
    if one.gap is None:
        return sentence(f"confirmed: with {cause} it is {bounded(one.effect)} as fast")
    share = one.share
    left = one.gap / one.effect.ratio
    if share is not None and share < 0:
        return sentence(
            f"confirmed: {cause}, against the gap: without, {a} over {b} is {left:.2f}x, not {one.gap:.2f}x"
        )
    part = f" ({share:.0%} of it)" if share is not None and abs(math.log(one.gap)) > SMALL and share <= 1 else ""
    gap = f"the {one.gap:.2f}x between {a} and {b}{part}"
    return sentence(f"confirmed: {cause}: {bounded(one.effect)} of {gap}; {left:.2f}x is left without")


def document(verdicts: Sequence[CauseVerdict]) -> list[dict[str, Any]]:
    """For --json."""
    return [
        {
            "kind": one.kind,
            "state": one.state.value,
            "effect": None
            if one.effect is None
            else {"ratio": one.effect.ratio, "low": one.effect.low, "high": one.effect.high},
            "gap": one.gap,
            "share": one.share,
            "why": one.why,
        }
        for one in verdicts
    ]
