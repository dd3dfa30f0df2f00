"""Which configurations meet a reader's conditions, which nearly do, and what was not measured. Pure.

A condition is met where the whole 95 % interval meets it. It is nearly met where a part of the interval does, where the
value misses the limit by at most 10 %, and where there is no interval (one round) or the speed was disturbed. What was
not measured is never taken as 0 or as met.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from hwprof import speed
from hwprof.analysis.answer.model import NextCommand
from hwprof.analysis.configurations import best, measures
from hwprof.analysis.configurations.advice import absence_reason, commands
from hwprof.analysis.configurations.measures import AccuracyScore
from hwprof.analysis.configurations.model import Configuration
from hwprof.analysis.configurations.need import NeedCondition
from hwprof.printable import plural

NEAR = 0.10
UNFAITHFUL = "its outputs differ from those of the reference (UNFAITHFUL)"
EMULATED = "EMULATED: the time of an emulator is no machine's speed"
DISTURBED = "more than half of its rounds were disturbed"


class NeedOutcome(enum.StrEnum):
    """What becomes of a condition, or of all conditions of a configuration: the best first."""

    MEETS = "meets"
    NEARLY = "nearly meets"
    UNKNOWN = "not measured"
    FAILS = "does not meet"


# Of several conditions the first of these counts.
WORST = (NeedOutcome.FAILS, NeedOutcome.UNKNOWN, NeedOutcome.NEARLY, NeedOutcome.MEETS)


@dataclass(frozen=True, slots=True)
class ConditionResult:
    """`found`: in the quantity's unit, None: not measured. `miss`: the share of the limit by which its value misses."""

    condition: NeedCondition
    outcome: NeedOutcome
    found: speed.Interval | None
    reason: str = ""
    miss: float = 0.0


@dataclass(frozen=True, slots=True)
class NeedResult:
    """A configuration with the result of each condition. `reason`: why it can't meet them, whatever its values."""

    configuration: Configuration
    outcome: NeedOutcome
    conditions: tuple[ConditionResult, ...]
    reason: str = ""

    @property
    def miss(self) -> float:
        """The largest miss of its conditions."""
        return max((one.miss for one in self.conditions), default=0.0)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it does not meet them: `fps misses by 7 %`."""
        own = [f"{one.condition.quantity.name} {one.reason}" for one in self.conditions if one.reason]
        return tuple(filter(None, (self.reason, *own)))


@dataclass(frozen=True, slots=True)
class NeedAnswer:
    """Every configuration against the conditions: the best outcome first, then the smallest miss, then the fastest.

    `gaps`: quantity -> why some configurations lack it. `commands`: what would measure it.
    """

    conditions: tuple[NeedCondition, ...]
    results: tuple[NeedResult, ...]
    gaps: Mapping[str, str]
    commands: tuple[NextCommand, ...]

    @property
    def text(self) -> str:
        """`fps >= 25, power <= 5 W`."""
        return ", ".join(condition.text for condition in self.conditions)

    @property
    def is_met(self) -> bool:
        """Whether a configuration meets all conditions."""
        return bool(self.of(NeedOutcome.MEETS))

    def of(self, outcome: NeedOutcome) -> tuple[NeedResult, ...]:
        """The configurations with this outcome."""
        return tuple(one for one in self.results if one.outcome is outcome)


def judge(
    conditions: Sequence[NeedCondition], frame: pd.DataFrame, fps: pd.DataFrame, scores: Sequence[AccuracyScore] = ()
) -> NeedAnswer:
    """The answer of a results frame. `frame`: labelled; `fps`: its `speeds`; `scores`: accuracy from elsewhere."""
    every = best.configurations(frame, fps)
    quantities = {condition.quantity.name: condition.quantity for condition in conditions}
    values = {name: measures.values_of(quantity, frame, every, scores) for name, quantity in quantities.items()}
    inferences = measures.fewest_inferences(frame)
    results = []
    for one in every:
        is_off = best.is_mostly_disturbed(one.speed)
        found = tuple(
            judge_condition(
                condition,
                values[condition.quantity.name].get(one.key),
                _doubt(condition, is_off, inferences.get(one.key)),
            )
            for condition in conditions
        )
        results.append(_combine(one, found))
    results.sort(key=lambda r: (list(NeedOutcome).index(r.outcome), r.miss, -r.configuration.interval.value))
    gaps = {
        name: [one for one in every if one.key not in values[name] and not one.speed["emulated"]] for name in quantities
    }
    gaps = {name: several for name, several in gaps.items() if several}
    reasons = {name: absence_reason(name, frame) for name in gaps}
    near = next((r.configuration for r in results if r.outcome is NeedOutcome.NEARLY and not r.miss), None)
    return NeedAnswer(tuple(conditions), tuple(results), reasons, commands(gaps, near))


def judge_condition(condition: NeedCondition, found: speed.Interval | None, doubt: str = "") -> ConditionResult:
    """One condition against a value with its interval. `doubt`: why it can't be met for certain."""
    if found is None:
        return ConditionResult(condition, NeedOutcome.UNKNOWN, None, "was not measured")
    miss = condition.miss(found.value)
    ends = (found.low, found.high)
    known = [end for end in ends if end is not None]
    if condition.holds(found.value):
        if doubt:
            return ConditionResult(condition, NeedOutcome.NEARLY, found, doubt)
        if len(known) < len(ends):
            return ConditionResult(condition, NeedOutcome.NEARLY, found, "has one round, and so no interval")
        if all(map(condition.holds, known)):
            return ConditionResult(condition, NeedOutcome.MEETS, found)
        return ConditionResult(condition, NeedOutcome.NEARLY, found, "meets it, but not in all of its interval")
    words = f"misses by {percent(miss)} %" if miss < 1 else f"misses by a factor of {_factor(condition, found):.3g}"
    inside = any(map(condition.holds, known)) or (len(known) == 2 and known[0] < condition.limit < known[1])
    if inside:
        return ConditionResult(condition, NeedOutcome.NEARLY, found, f"{words}; its interval includes the limit", miss)
    outcome = NeedOutcome.NEARLY if miss <= NEAR else NeedOutcome.FAILS
    return ConditionResult(condition, outcome, found, words, miss)


def percent(share: float) -> str:
    """`7.1`, `23`."""
    return f"{100 * share:.0f}" if share >= 0.0995 else f"{100 * share:.1f}"


def _factor(condition: NeedCondition, found: speed.Interval) -> float:
    return max(found.value / condition.limit, condition.limit / found.value)


def _doubt(condition: NeedCondition, is_off: bool, inferences: int | None) -> str:
    quantity = condition.quantity
    if quantity.is_timed and is_off:
        return f"meets it, but {DISTURBED}"
    if quantity.least > 1 and inferences is not None and inferences < quantity.least:
        return f"is of {plural(inferences, 'inference')} a round; {quantity.least} are needed"
    return ""


def _combine(one: Configuration, found: tuple[ConditionResult, ...]) -> NeedResult:
    if one.speed["emulated"]:
        return NeedResult(one, NeedOutcome.UNKNOWN, found, EMULATED)
    if not one.speed["faithful"]:
        return NeedResult(one, NeedOutcome.FAILS, found, UNFAITHFUL)
    outcomes = {result.outcome for result in found}
    return NeedResult(one, next(outcome for outcome in WORST if outcome in outcomes), found)
