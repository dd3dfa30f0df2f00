"""How long a case's turns are: longer in later rounds where the measured ones were too short, else it goes alone."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hwprof.analysis.turns import MeasuredTurn, TurnEffect, by_predecessor, member_key, predecessor, trend, turns_of
from hwprof.records import Run
from hwprof.runner.members import Ticket
from hwprof.worker.protocol import SLICE_S, TURN_WARM_S

# Times as many pairs of slices, and as long a stretch of unmeasured inferences before them.
LONGER = 4


@dataclass(slots=True)
class _Turns:
    """Of one case: its turns of the present length, and what was decided."""

    turns: list[MeasuredTurn] = field(default_factory=list)
    before: list[tuple[str, float]] = field(default_factory=list)
    length: int = 1
    warm_s: float | None = None  # until it has settled, as its first run found
    alone: bool = False
    effects: list[TurnEffect] = field(default_factory=list)


@dataclass(slots=True)
class TurnLengths:
    """Learns from the sets that were measured. `shortest`: pairs of slices in a turn where nothing asks for more."""

    shortest: int = 1
    _cases: dict[str, _Turns] = field(default_factory=dict)

    def apply(self, ticket: Ticket, has_company: bool) -> Ticket:
        """The ticket with turns as long as its case needs; by itself no other takes the caches from it."""
        if not has_company or self.is_alone(ticket.key):
            return dataclasses.replace(ticket, turn_pairs=self.pairs(ticket.key), turn_warm_s=TURN_WARM_S)
        return dataclasses.replace(ticket, turn_pairs=self.pairs(ticket.key), turn_warm_s=self.warm_s(ticket.key))

    def pairs(self, key: str) -> int:
        """Pairs of slices in a turn of this case: at least a third of a turn is measured."""
        case = self._of(key)
        return max(self.shortest, math.ceil((case.warm_s or 0.0) / (4 * SLICE_S))) * case.length

    def warm_s(self, key: str) -> float | None:
        """Seconds of unmeasured inferences at the beginning of a turn; None: not known yet."""
        case = self._of(key)
        return None if case.warm_s is None else case.warm_s * case.length

    def is_alone(self, key: str) -> bool:
        """Whether this case is measured by itself, since longer turns did not help."""
        return self._of(key).alone

    def notes(self, key: str) -> Mapping[str, Any]:
        """What the decision follows from, as facts of a run; empty where turns are as short as can be."""
        effects = self._of(key).effects
        shown = [{"what": e.what, "effect": round(e.effect, 4), "p": e.p, "turns": e.turns} for e in effects]
        return {"effects": shown} if shown else {}

    def learn(self, runs: Sequence[Run]) -> None:
        """Take in the good runs of one round, and decide on the next."""
        sets: dict[str, list[Run]] = {}
        for run in runs:
            if run.failure is None and "set" in run.facts:
                sets.setdefault(run.facts["set"]["id"], []).append(run)
        for members in sets.values():
            self._add(members)
        for key in {member_key(run) for members in sets.values() for run in members}:
            self._decide(self._of(key))

    def _add(self, members: Sequence[Run]) -> None:
        for run in members:
            case = self._of(member_key(run))
            if run.facts["set"]["turn_pairs"] == self.pairs(member_key(run)):
                case.turns += turns_of(run)
        for key, before, value in by_predecessor(members):
            self._of(key).before.append((before, value))
        if len(members) > 1:
            for run in members:
                self._settle(member_key(run), run.facts.get("turn_warm_s"))

    def _settle(self, key: str, warm_s: float | None) -> None:
        case, before = self._of(key), self.pairs(key)
        if case.warm_s is None:
            case.warm_s = warm_s
        if self.pairs(key) != before:
            case.turns, case.before = [], []  # what short turns show says nothing of longer ones

    def _decide(self, case: _Turns) -> None:
        found = [effect for effect in (trend(case.turns), predecessor(case.before)) if effect is not None]
        found = [effect for effect in found if effect.matters]
        if not found or case.alone:
            return
        case.effects += found
        if case.length == 1:
            case.length = LONGER
            case.turns, case.before = [], []  # what short turns show says nothing of longer ones
        else:
            case.alone = True

    def _of(self, key: str) -> _Turns:
        return self._cases.setdefault(key, _Turns())
