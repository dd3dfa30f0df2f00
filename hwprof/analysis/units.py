"""What a ratio of two sides is averaged over: sets, sessions, or the rounds of one session. Pure.

What a session does to its rounds is in all of them alike (`comparison.sessions`): no number of rounds shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SETS, SESSIONS, ROUNDS = "sets", "sessions", "rounds"
# How an interval over rounds is qualified, wherever it is shown.
WITHIN = "within this session"


@dataclass(frozen=True, slots=True)
class Units:
    """What the ratio of two sides is averaged over: of each unit of either side the places of its rounds.

    `paired`: unit by unit. `over`: sessions, or the rounds of one session of each side, whose noise is in no interval.
    """

    x: tuple[tuple[int, ...], ...]
    y: tuple[tuple[int, ...], ...]
    over: str
    paired: bool


def choose_units(x: Sequence[str], y: Sequence[str]) -> Units:
    """The units of two sides, by the sessions of their rounds in order of time.

    Where both were measured in several same sessions: these, in pairs, so that their noise cancels. Else sessions of
    their own, where each side has several. Else the rounds of the last session that both have, or the last of each.
    """
    sides: list[dict[str, list[int]]] = [{}, {}]
    for side, sessions in zip(sides, (x, y), strict=True):
        for place, session in enumerate(sessions):
            side.setdefault(session, []).append(place)
    common = [name for name in sides[0] if name in sides[1]]
    if len(common) > 1 or min(map(len, sides)) > 1:
        chosen = [[side[name] for name in common] if len(common) > 1 else list(side.values()) for side in sides]
        first, second = (tuple(tuple(places) for places in side) for side in chosen)
        return Units(first, second, SESSIONS, len(common) > 1)
    last = [side[common[-1]] if common else list(side.values())[-1] for side in sides]
    first, second = (tuple((place,) for place in places) for places in last)
    return Units(first, second, ROUNDS, False)
