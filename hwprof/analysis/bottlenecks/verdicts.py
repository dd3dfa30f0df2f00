"""Input and output of a rule of `bottlenecks`: a case in its context, and a verdict with its numbers and certainty."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hwprof.analysis.factors.evidence import Evidence, Quantity
from hwprof.analysis.roofline import Roof
from hwprof.records import Layer


class State(enum.StrEnum):
    """What a rule found. UNKNOWN is never the same as NO."""

    YES = "yes"
    PARTLY = "partly"
    NO = "no"
    UNKNOWN = "can't tell"


class Sure(enum.StrEnum):
    """How much a verdict can be relied on."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


LOWER: Mapping[Sure, Sure] = {Sure.HIGH: Sure.MEDIUM, Sure.MEDIUM: Sure.LOW, Sure.LOW: Sure.LOW}


@dataclass(frozen=True, slots=True)
class Number:
    """One number that a verdict rests on. `text`: as it is shown; `caution`: what weakens it."""

    name: str
    value: float
    text: str
    caution: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule on one case. `weight`: roughly the share of time it concerns, to order findings by (0: not known)."""

    code: str
    state: State
    because: str
    numbers: tuple[Number, ...] = ()
    sure: Sure = Sure.LOW
    advice: str = ""
    missing: tuple[str, ...] = ()
    weight: float = 0.0

    @property
    def cautions(self) -> tuple[str, ...]:
        """What weakens it, each once."""
        return tuple(dict.fromkeys(n.caution for n in self.numbers if n.caution))


@dataclass(frozen=True, slots=True)
class Spin:
    """A stored rerun with spin-waiting off: speed and CPU time per frame with it over those without."""

    speed: float
    speed_low: float | None
    speed_high: float | None
    cpu: float


@dataclass(frozen=True, slots=True)
class Context:
    """One case with all that rules may look at.

    `threads`: throughput of each round per thread count; `one_thread`: CPU s per frame with one thread, per round;
    `batches`: seconds per inference of each round per batch; `peers`: the same case in other frameworks;
    `layers`: of a run that profiled its layers; `latencies`: cycles per miss event, measured here. `roof`: of the cores
    that it ran on; `roof_doubt`: why that is not sure.
    """

    evidence: Evidence
    roof: Roof | None = None
    roof_doubt: str = ""
    threads: Mapping[int, Sequence[float]] = field(default_factory=dict)
    one_thread: Sequence[float] = ()
    batches: Mapping[int, Sequence[float]] = field(default_factory=dict)
    peers: Mapping[str, Evidence] = field(default_factory=dict)
    layers: Sequence[Layer] = ()
    spin: Spin | None = None
    latencies: Mapping[str, float] = field(default_factory=dict)


def abstain(code: str, *missing: str, because: str = "") -> Verdict:
    """Not decided: what would be needed."""
    return Verdict(code, State.UNKNOWN, because or f"not measured: {', '.join(missing)}", missing=missing)


def weaken(sure: Sure, *quantities: Quantity | None) -> Sure:
    """One step less sure for each kind of caution among the numbers (suspect, simulated, emulated, scaled)."""
    kinds = {(q.exactness, q.origin) for q in quantities if q is not None and q.caution}
    for _ in kinds:
        sure = LOWER[sure]
    return sure


def refuse_emulated(code: str, evidence: Evidence) -> Verdict | None:
    """No verdict on time on an emulated machine."""
    if not evidence.emulated:
        return None
    return Verdict(code, State.UNKNOWN, "EMULATED: times and cycles are the emulator's; they say nothing of a real CPU")
