"""Top-down level 1 of cores whose PMU counts no shares of the slots: formulas over events of their table. Pure.

Intel's cores since Ice Lake count the four shares themselves (`vocabulary.LEVEL1`). Others count what the shares can be
worked out from; a table says how, and where that is from. Each formula gives slots: a share times all of them.
"""

from __future__ import annotations

import ast
import fnmatch
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

WITHIN = 0.05  # of all slots: events of several passes are counted at different times
SHOWN = 0.01  # of all slots: what less than it is not worth a word
_OPERATORS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class CountedSlots(NamedTuple):
    """What became of the slots. `shares`: in the order of LEVEL1, of the slots that were this thread's, adding up to 1.

    `other_thread`: share of all slots that the other thread of the core took. `total`: what all parts add up to, of all
    slots; `adds_up`: whether that is 1 within what is declared, with no part below 0.
    """

    shares: tuple[float, float, float, float]
    other_thread: float
    total: float
    adds_up: bool

    @property
    def cautions(self) -> tuple[str, ...]:
        """What weakens the shares, in words."""
        suspect = () if self.adds_up else (f"SUSPECT: the parts add up to {self.total:.0%} of the slots",)
        shared = self.other_thread >= SHOWN
        return (
            *suspect,
            *((f"{self.other_thread:.0%} of the slots went to the core's other thread",) if shared else ()),
        )


def count_slots(
    parts: Sequence[float], whole: float, other_thread: float = 0.0, within: float = WITHIN
) -> CountedSlots | None:
    """From slots of each part in the order of LEVEL1, all of them, and those of the core's other thread.

    None where they are of no work. `within`: by how much of all slots the parts may fail to add up to them.
    """
    own = [max(0.0, part) for part in parts]
    if whole <= 0 or sum(own) <= 0:
        return None
    total = (sum(parts) + other_thread) / whole
    adds_up = abs(total - 1) <= within and min(*parts, other_thread) >= -within * whole
    first, second, third, fourth = (part / sum(own) for part in own)
    return CountedSlots((first, second, third, fourth), other_thread / whole, total, adds_up)


@dataclass(frozen=True, slots=True)
class SlotFormulas:
    """Of cores whose full id matches one of `ids` (none: of all that the table is for), as arithmetic on event names.

    `slots`: all of them; `other_thread`: those of the core's other thread. `within`: see `count_slots`.
    """

    source: str
    slots: str
    retiring: str
    bad_speculation: str
    front_end: str
    back_end: str
    other_thread: str = "0"
    within: float = WITHIN
    ids: tuple[str, ...] = ()

    def fits(self, known: str) -> bool:
        """Whether they are for a core with this id in the facts of a machine."""
        return not self.ids or any(fnmatch.fnmatchcase(known, pattern) for pattern in self.ids)

    @property
    def events(self) -> tuple[str, ...]:
        """The events that all formulas need, each once."""
        formulas = (*self._parts, self.other_thread, self.slots)
        names = (n.id for f in formulas for n in ast.walk(ast.parse(f)) if isinstance(n, ast.Name))
        return tuple(dict.fromkeys(names))

    def count(self, counts: Mapping[str, float]) -> CountedSlots | None:
        """What counts of one stretch of work make of it; None where they are of no work. KeyError without an event."""
        try:
            whole, other, *parts = (_evaluate(f, counts) for f in (self.slots, self.other_thread, *self._parts))
        except ZeroDivisionError:
            return None
        return count_slots(parts, whole, other, self.within)

    @property
    def _parts(self) -> tuple[str, str, str, str]:
        return self.retiring, self.bad_speculation, self.front_end, self.back_end


def parse_formulas(entry: Mapping[str, Any]) -> SlotFormulas:
    """An entry of a table's `topdown`. ValueError for an unknown key or anything that is no arithmetic."""
    if unknown := set(entry) - {f.name for f in fields(SlotFormulas)}:
        raise ValueError(f"topdown: unknown key {', '.join(sorted(unknown))}")
    found = SlotFormulas(**{**entry, "ids": tuple(entry.get("ids", ()))})
    try:
        found.count(dict.fromkeys(found.events, 1.0))
    except SyntaxError as error:
        raise ValueError(f"topdown: {error.text} is no formula") from error
    return found


def _evaluate(formula: str, counts: Mapping[str, float]) -> float:
    return _value(ast.parse(formula, mode="eval").body, counts)


def _value(node: ast.expr, counts: Mapping[str, float]) -> float:
    match node:
        case ast.BinOp(left, sign, right) if type(sign) in _OPERATORS:
            return _OPERATORS[type(sign)](_value(left, counts), _value(right, counts))
        case ast.Name(name):
            return counts[name]
        case ast.Constant(value) if isinstance(value, int | float):
            return float(value)
    raise ValueError(f"topdown: {ast.unparse(node)} is no sum, product or quotient of events")
