"""How long a case's turns are: longer in later rounds where the measured ones were too short, else it goes alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hwprof.analysis.turns import MeasuredTurn, TurnEffect, by_predecessor, member_key, predecessor, trend, turns_of
from hwprof.records import Run

# Times as many pairs of slices, and as long a warm-up before them.
LONGER = 4


@dataclass(slots=True)
class _Turns:
    """Of one case: its turns of the present length, and what was decided."""

    turns: list[MeasuredTurn] = field(default_factory=list)
    before: list[tuple[str, float]] = field(default_factory=list)
    length: int = 1
    alone: bool = False
    effects: list[TurnEffect] = field(default_factory=list)


@dataclass(slots=True)
class TurnLengths:
    """Learns from the sets that were measured. `shortest`: pairs of slices in a turn where nothing asks for more."""

    shortest: int = 1
    _cases: dict[str, _Turns] = field(default_factory=dict)

    def pairs(self, key: str) -> int:
        """Pairs of slices in a turn of this case."""
        return self.shortest * self._of(key).length

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
            if run.facts["set"]["turn_pairs"] == self.shortest * case.length:
                case.turns += turns_of(run)
        for key, before, value in by_predecessor(members):
            self._of(key).before.append((before, value))

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
