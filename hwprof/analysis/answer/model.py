"""The records of an answer, and their JSON form. Ratios are of the faster framework over the slower one."""

from __future__ import annotations

import enum
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hwprof.analysis.estimator import EstimatorChoice
from hwprof.analysis.factors.identity import Factor
from hwprof.analysis.factors.ratio import Weight
from hwprof.records import Origin

FORMAT = 1  # of `document`: raised whenever a field changes its meaning


class Standing(enum.StrEnum):
    """What the measurements show of which of two frameworks is faster."""

    FASTER = "faster"  # the interval of the mean ratio excludes 1
    EVERYWHERE = "faster on every network"  # it does not, or there is none, but the interval of every network does
    TIED = "not distinguishable"
    ONE_ROUND = "no interval"  # one round on a side


class Level(enum.StrEnum):
    """How far an answer can be trusted."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class NetworkRatio:
    """Speed of the faster framework over the slower one on one network, over all of its cases.

    `decided`: 1 if it is faster there, -1 if the other one is, 0 if not distinguishable; None: no interval.
    `work`: the slower one's instructions per frame over the faster one's, with their origin; None: not counted of both.
    """

    network: str
    ratio: Factor
    decided: int | None
    work: float | None = None
    work_origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class FactorShare:
    """One factor of the ratio over the networks that have it; above 1 it makes the faster framework faster.

    The intervals of all factors of a pair hold together with 98 %. `origin`: of the counts behind it. `clue`: what else
    was counted that the factor is consistent with, half a sentence; an association, no cause.
    """

    factor: Factor
    weight: Weight
    origin: Origin
    clue: str = ""


@dataclass(frozen=True, slots=True)
class WorkRatio:
    """Instructions per frame of the slower framework over the faster one's, and the speed ratio on the same networks.

    A quantity beside the factors, never one of them: what simulated or emulated CPUs executed is no part of a native
    product.
    """

    factor: Factor
    beside: Factor
    networks: int
    origin: Origin
    tool: str  # the simulator; "" where it is no simulation


@dataclass(frozen=True, slots=True)
class PairAnswer:
    """Two frameworks on one machine. `networks`: largest ratio first; `wins`, `losses`: of the faster one, decided.

    `over`: what the interval of `ratio` is over: networks, or the sets, sessions or rounds of the only one. `factors`:
    over `factored` networks, on which the ratio is `beside`; `merged`: which of them are not separable, and why.
    `causes`: sentences on reruns that changed one thing. `emulated`: times are an emulator's, nothing is ranked.
    `others`: the largest share of the time of a run of either that other processes or the hypervisor took.
    """

    fast: str
    slow: str
    where: str
    standing: Standing
    ratio: Factor
    choice: EstimatorChoice
    over: str
    networks: tuple[NetworkRatio, ...]
    cases: int
    factors: tuple[FactorShare, ...]
    factored: int
    beside: Factor | None
    merged: str
    work: WorkRatio | None
    causes: tuple[str, ...]
    unfaithful: int
    incomparable: int
    conflicts: int
    apart: int  # cases that were not measured side by side
    emulated: bool = False
    others: tuple[float, float] = (0.0, 0.0)

    @property
    def wins(self) -> int:
        """Networks on which the faster one is faster."""
        return sum(n.decided == 1 for n in self.networks)

    @property
    def losses(self) -> int:
        """Networks on which the other one is faster."""
        return sum(n.decided == -1 for n in self.networks)

    @property
    def ranked(self) -> bool:
        """Whether one of the two is said to be faster."""
        return not self.emulated and self.standing in (Standing.FASTER, Standing.EVERYWHERE)


@dataclass(frozen=True, slots=True)
class Place:
    """A framework in a ranking: its speed over that of the fastest one, at most 1 but for ties.

    `tied`: with the one before it.
    """

    name: str
    ratio: Factor | None
    tied: bool


@dataclass(frozen=True, slots=True)
class Ranking:
    """Three and more frameworks on one machine, the fastest first. `unranked`: share no case with the fastest."""

    where: str
    places: tuple[Place, ...]
    unranked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrustReason:
    """A rule that lowers the trust to `at_most`; `change`: what would lift it."""

    code: str
    at_most: Level
    text: str
    change: str


@dataclass(frozen=True, slots=True)
class Trust:
    """How far the answer can be trusted, why no further, what is safe to conclude and what is not."""

    level: Level
    reasons: tuple[TrustReason, ...]
    safe: tuple[str, ...]
    unsafe: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NextCommand:
    """A command line to run next, and what it shows."""

    command: str
    shows: str


@dataclass(frozen=True, slots=True)
class Answer:
    """`verdict`: one clause without a full stop, the title of a page; `detail`: its interval and its networks; `why`:
    sentences, the first of which goes on from the verdict where there are pairs, and names the factors or says that
    they are not separable. `main`: the pair that the verdict is of, where it is of one.
    """

    verdict: str
    detail: str = ""
    why: tuple[str, ...] = ()
    trust: Trust | None = None
    commands: tuple[NextCommand, ...] = ()
    pairs: tuple[PairAnswer, ...] = ()
    rankings: tuple[Ranking, ...] = ()
    main: PairAnswer | None = None

    @property
    def paragraph(self) -> str:
        """Everything but the commands, as running text."""
        first = ", ".join(filter(None, (self.verdict, self.detail)))
        head = [f"{first}."]
        if self.why and (self.main is not None or self.rankings):
            reason = self.why[0] if self.main is not None else self.why[0][:1].lower() + self.why[0][1:]
            head = [f"{first}: {reason}", *self.why[1:]]
        else:
            head += self.why
        if self.trust is not None:
            reasons = "; ".join(r.text for r in self.trust.reasons) or "no rule lowers it"
            head.append(f"Trust: {self.trust.level} ({reasons}).")
            head += [f"Safe to conclude: {'; '.join(self.trust.safe)}."] if self.trust.safe else []
            head += [f"Not safe: {'; '.join(self.trust.unsafe)}."] if self.trust.unsafe else []
        return " ".join(head)


def inverse(f: Factor) -> Factor:
    """The same of the other one over this one."""
    low, high = (None if v is None else math.inf if v == 0 else 1 / v for v in (f.high, f.low))
    return Factor(f.name, 1 / f.ratio, low, high)


def document(answer: Answer) -> dict[str, Any]:
    """The answer as plain JSON values. `format`: FORMAT; a bound that has no number is null."""
    return {
        "format": FORMAT,
        "verdict": answer.verdict,
        "detail": answer.detail,
        "why": list(answer.why),
        "paragraph": answer.paragraph,
        "trust": None if answer.trust is None else _trust(answer.trust),
        "next": [{"command": c.command, "shows": c.shows} for c in answer.commands],
        "pairs": [_pair(p) for p in answer.pairs],
        "rankings": [_ranking(r) for r in answer.rankings],
    }


def _factor(f: Factor | None) -> dict[str, Any] | None:
    return None if f is None else {"ratio": f.ratio, "low": _finite(f.low), "high": _finite(f.high)}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _pair(p: PairAnswer) -> dict[str, Any]:
    work = p.work
    return {
        "fast": p.fast,
        "slow": p.slow,
        "where": p.where,
        "standing": p.standing.value,
        "ranked": p.ranked,
        "ratio": _factor(p.ratio),
        "estimator": p.choice.estimator.value,
        "why": p.choice.why,
        "over": p.over,
        "wins": p.wins,
        "losses": p.losses,
        "networks": [
            {
                "network": n.network,
                "ratio": _factor(n.ratio),
                "decided": n.decided,
                "work": n.work,
                "work_origin": _origin(n.work_origin),
            }
            for n in p.networks
        ],
        "factors": [
            {
                "name": s.factor.name,
                **(_factor(s.factor) or {}),
                "shown": s.weight.value,
                "origin": _origin(s.origin),
                "clue": s.clue,
            }
            for s in p.factors
        ],
        "factored": p.factored,
        "beside": _factor(p.beside),
        "merged": p.merged,
        "work": None
        if work is None
        else {
            "ratio": _factor(work.factor),
            "beside": _factor(work.beside),
            "networks": work.networks,
            "origin": _origin(work.origin),
            "tool": work.tool,
        },
        "causes": list(p.causes),
        "emulated": p.emulated,
        "others": list(p.others),
    }


def _origin(origin: Origin | None) -> str | None:
    return None if origin is None else origin.value


def _ranking(r: Ranking) -> dict[str, Any]:
    places: Sequence[Place] = r.places
    return {
        "where": r.where,
        "places": [{"name": p.name, "ratio": _factor(p.ratio), "tied": p.tied} for p in places],
        "unranked": list(r.unranked),
    }


def _trust(t: Trust) -> dict[str, Any]:
    return {
        "level": t.level.value,
        "reasons": [
            {"code": r.code, "at_most": r.at_most.value, "text": r.text, "change": r.change} for r in t.reasons
        ],
        "safe": list(t.safe),
        "unsafe": list(t.unsafe),
    }
