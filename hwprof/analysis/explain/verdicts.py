"""What reruns show of each possible cause of a gap: confirmed, ruled out, or undecided. Pure.

The unit is the set, in which A, B and their changed forms were measured side by side. Over the sets, the log ratio of A
to B less that of the changed pair is what the change closes of the gap, with a t interval at 95 % for all tests of one
command together (Bonferroni).
"""

from __future__ import annotations

import enum
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hwprof.analysis.estimator import Estimator
from hwprof.analysis.explain.explanation import Check, Explanation, Intervention
from hwprof.analysis.factors import ratio
from hwprof.analysis.factors.evidence import collect
from hwprof.analysis.factors.identity import Factor, Identity, LogDifference, difference
from hwprof.collectors.vocabulary import Name
from hwprof.records import Run
from hwprof.speed import CONFIDENCE

# An effect whose interval lies within 1/MARGIN and MARGIN is no cause worth a name.
MARGIN = 1.05
MIB = 1 << 20
FEWEST_FAULTS = 1.0  # per frame


class CauseState(enum.StrEnum):
    """What is known of a possible cause after its rerun."""

    CONFIRMED = "confirmed"
    RULED_OUT = "ruled out"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class CauseVerdict:
    """One possible cause. `effect`: the factor by which its change closes the gap of A over B, or of a case alone what
    it makes of the case's speed; its interval holds together with those of the other tests. `gap`: the whole ratio, of
    a case alone None. `why` it is undecided.
    """

    kind: str
    state: CauseState
    effect: Factor | None
    gap: float | None
    why: str = ""

    @property
    def share(self) -> float | None:
        """Part of the log ratio that the change closes: 1 is all of it, below 0 it widens the gap."""
        if self.effect is None or self.gap is None or not math.log(self.gap):
            return None
        return math.log(self.effect.ratio) / math.log(self.gap)


def gap_closed(sides: Sequence[Sequence[Identity]], by: Estimator) -> LogDifference | None:
    """Of A, B, changed A, changed B: log ratio before less that after; None where they were not side by side."""
    a, b, changed_a, changed_b = sides
    if not all(one.set for side in sides for one in side) or len({len(side) for side in sides}) > 1:
        return None
    before, after = (
        [x.whole(by) - y.whole(by) for x, y in zip(first, second, strict=True)]
        for first, second in ((a, b), (changed_a, changed_b))
    )
    return difference(before, after, paired=True)


def check(kind: str, before: Sequence[Run], after: Sequence[Run]) -> Check | None:
    """Whether the change happened, by what the runs recorded; None where nothing records it."""
    if kind == "pages":
        had, has = (_huge_pages(runs) for runs in (before, after))
        if had is None or has is None:
            return None
        return Check(has - had >= 2 * MIB, f"{had / MIB:,.0f} MiB in huge pages before, {has / MIB:,.0f} MiB after")
    if kind == "allocator":
        faulted, faults = (_faults(runs) for runs in (before, after))
        if faulted is None or faults is None:
            return None
        happened = faulted >= FEWEST_FAULTS and faults < faulted / 2
        return Check(happened, f"{faulted:,.1f} page faults per frame before, {faults:,.1f} after")
    return None


def _huge_pages(runs: Sequence[Run]) -> float | None:
    found = [run.facts.get("huge_pages_bytes") for run in runs if run.failure is None]
    known = [float(value) for value in found if isinstance(value, int)]
    return statistics.median(known) if known else None


def _faults(runs: Sequence[Run]) -> float | None:
    evidence = collect(runs)
    if evidence is None:
        return None
    count = evidence.best(Name.MINOR_FAULTS, False) or evidence.best(Name.RUSAGE_MINOR_FAULTS, False)
    return None if count is None else count.value


def of_interventions(several: Sequence[Sequence[Intervention]]) -> list[list[CauseVerdict]]:
    """What the reruns of each of several pairs show; all of them are one family of tests."""
    tests = sum(map(len, several))
    return [_in_order(_of_pair(done, tests) for done in own) for own in several]


def of_pairs(explanations: Sequence[Explanation]) -> list[tuple[Explanation, list[CauseVerdict]]]:
    """The same of explanations; those without a rerun are omitted."""
    found = of_interventions([e.interventions for e in explanations])
    return [(e, own) for e, own in zip(explanations, found, strict=True) if own]


def of_case(reruns: Sequence[Explanation]) -> list[CauseVerdict]:
    """What the reruns of one case show, one family of tests. Each is the case over its changed form."""
    return _in_order(_of_rerun(e, len(reruns)) for e in reruns if e.switched)


def _in_order(verdicts: Iterable[CauseVerdict]) -> list[CauseVerdict]:
    """What is decided first, causes before what is none."""
    return sorted(verdicts, key=lambda one: list(CauseState).index(one.state))


def _of_pair(done: Intervention, tests: int) -> CauseVerdict:
    contradiction = done.before.conflict or done.rerun.conflict
    checks = [effect.check for effect in done.effects if effect.check is not None]
    return _judge(done.kind, done.closes, done.before.whole.ratio, checks, contradiction, tests)


def _of_rerun(e: Explanation, tests: int) -> CauseVerdict:
    d = e.decomposition
    effect = None
    if sides := ratio.by_set(d.sides):
        unchanged, changed = ([one.whole(d.choice.estimator) for one in side] for side in sides)
        effect = difference(unchanged, changed, paired=True)
    return _judge(e.switched, effect, None, [e.check] if e.check else [], d.conflict, tests)


def _judge(
    kind: str,
    effect: LogDifference | None,
    gap: float | None,
    checks: Sequence[Check],
    contradiction: bool,
    tests: int,
) -> CauseVerdict:
    if effect is None or effect.error is None:
        return CauseVerdict(kind, CauseState.UNDECIDED, None, gap, "fewer than two sets were measured side by side")
    factor = effect.factor(kind, 1 - (1 - CONFIDENCE) / max(1, tests))
    if checks and not any(one.happened for one in checks):
        return CauseVerdict(kind, CauseState.UNDECIDED, factor, gap, f"nothing was changed: {checks[0].text}")
    if contradiction:
        return CauseVerdict(kind, CauseState.UNDECIDED, factor, gap, "slices and bare stretches contradict each other")
    assert factor.low is not None
    assert factor.high is not None
    if factor.low >= 1 / MARGIN and factor.high <= MARGIN:
        return CauseVerdict(kind, CauseState.RULED_OUT, factor, gap)
    if ratio.excludes_one(factor):
        return CauseVerdict(kind, CauseState.CONFIRMED, factor, gap)
    return CauseVerdict(kind, CauseState.UNDECIDED, factor, gap, "these rounds show neither an effect nor that none is")
