"""Input and output of a rule of `bottlenecks`: a case in its context, and a verdict with its numbers and certainty."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from hwprof.analysis.bottlenecks.certainty import LOWER, State, Sure
from hwprof.analysis.estimator import OFF, Estimator
from hwprof.analysis.factors import clues
from hwprof.analysis.factors.evidence import Evidence, Quantity
from hwprof.analysis.roofline import Roof, mean_rate, rate_bounds, rate_estimator
from hwprof.records import Layer, Origin
from hwprof.speed import Interval, Speed

UNDISTURBED = "a run on cores that nothing else uses, without a limit on its CPU time and without throttling"


@dataclass(frozen=True, slots=True)
class Number:
    """One number that a verdict rests on. `text`: as it is shown; `caution`: what weakens it."""

    name: str
    value: float
    text: str
    caution: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule on one case. `weight`: roughly the share of time it concerns, to order findings by (0: not known).

    `figure`: the one number that it stands on, in a few words for a table; "" where the rule has none.
    """

    code: str
    state: State
    because: str
    numbers: tuple[Number, ...] = ()
    sure: Sure = Sure.LOW
    advice: str = ""
    missing: tuple[str, ...] = ()
    weight: float = 0.0
    figure: str = ""

    @property
    def cautions(self) -> tuple[str, ...]:
        """What weakens it, each once."""
        return tuple(dict.fromkeys(n.caution for n in self.numbers if n.caution))


@dataclass(frozen=True, slots=True)
class Spin:
    """A stored rerun with spin-waiting off: speed and CPU time per frame with it over those without."""

    speed: Interval
    cpu: Interval


class TakenTime(NamedTuple):
    """Shares of a case's time that others took: `waiting` in the run queue, `stolen` by the hypervisor (None: not
    known)."""

    waiting: float
    stolen: float | None

    @property
    def share(self) -> float:
        """Both together."""
        return self.waiting + (self.stolen or 0.0)

    @property
    def text(self) -> str:
        """`50 % of the time in the run queue, 3 % stolen by the hypervisor`."""
        stolen = f", {100 * self.stolen:.0f} % stolen by the hypervisor" if self.stolen else ""
        return f"{100 * self.waiting:.0f} % of the time in the run queue{stolen}"


@dataclass(frozen=True, slots=True)
class Context:
    """One case with all that rules may look at.

    `speeds`: of each round, without counting; `threads`: throughput of each round per thread count; `one_thread`: CPU s
    per frame with one thread, per round; `batches`: seconds per inference of each round per batch, of CPU time where
    `batches_by` is that; `peers`: the same case in other frameworks; `layers`: of a run that profiled its layers;
    `latencies`: cycles per miss event, measured here. `roof`: of the cores that it ran on; `roof_doubt`: why that is
    not sure.
    """

    evidence: Evidence
    speeds: Sequence[Speed] = ()
    roof: Roof | None = None
    roof_doubt: str = ""
    threads: Mapping[int, Sequence[float]] = field(default_factory=dict)
    one_thread: Sequence[float] = ()
    batches: Mapping[int, Sequence[float]] = field(default_factory=dict)
    batches_by: Estimator = Estimator.THROUGHPUT
    peers: Mapping[str, Evidence] = field(default_factory=dict)
    layers: Sequence[Layer] = ()
    spin: Spin | None = None
    latencies: Mapping[str, float] = field(default_factory=dict)

    @property
    def estimator(self) -> Estimator:
        """What frames per second are of: CPU time where the case has one thread, which others then don't lower."""
        found = rate_estimator(self.evidence.case.threads, self.speeds)
        return found if found is Estimator.CPU_TIME else Estimator.THROUGHPUT

    @property
    def rate(self) -> float:
        """Frames per second by `estimator`; NaN: not known."""
        if self.estimator is Estimator.CPU_TIME:
            return mean_rate(self.speeds, Estimator.CPU_TIME) or math.nan
        return self.evidence.throughput

    @property
    def rates(self) -> Interval:
        """`rate` with its 95 % interval between rounds without counting; no bounds below two."""
        bounds, middle = rate_bounds(self.speeds, self.estimator), mean_rate(self.speeds, self.estimator)
        if bounds is None or middle is None:
            return Interval(self.rate, None, None)
        return Interval(self.rate, *(self.rate * b / middle for b in bounds))

    @property
    def taken(self) -> TakenTime | None:
        """What others took of its time, without counting where that is known; None: not known."""
        waits = [s.waiting for s in self.speeds if s.waiting is not None]
        if waits:
            steals = [s.stolen for s in self.speeds if s.stolen is not None]
            return TakenTime(min(1.0, statistics.fmean(waits)), statistics.fmean(steals) if steals else None)
        waiting = clues.waiting_share(self.evidence)
        if waiting is None:
            return None
        return TakenTime(waiting, clues.steal_share(self.evidence))

    @property
    def is_shared(self) -> bool:
        """Whether others took so much of its time that a low rate per second says nothing of the framework."""
        return self.taken is not None and self.taken.share > OFF

    @property
    def lowered(self) -> str:
        """What lowered `rate` (others, a limit, heat), in words; "": nothing did, or could."""
        if "throttled" in self.evidence.doubts:
            return "the CPU reported throttling"
        if self.estimator is Estimator.CPU_TIME:
            return ""
        if "container-limit" in self.evidence.doubts:
            return "its control group ran out of CPU time"
        return self.sharing if self.is_shared else ""

    @property
    def sharing(self) -> str:
        """`the core is shared: 50 % of the time in the run queue`."""
        several = "the core is" if self.evidence.case.threads == 1 else "the cores are"
        return f"{several} shared: {self.taken.text}" if self.taken is not None else ""


def abstain(code: str, *missing: str, because: str = "") -> Verdict:
    """Not decided: what would be needed."""
    return Verdict(code, State.UNKNOWN, because or f"not measured: {', '.join(missing)}", missing=missing)


def weaken(sure: Sure, *quantities: Quantity | None) -> Sure:
    """One step less sure for each kind of caution among the numbers (suspect, simulated, emulated, scaled), and for an
    event of the hardware that counted 0: one that does not count has 0 too."""
    known = [q for q in quantities if q is not None]
    kinds = {(q.exactness, q.origin) for q in known if q.caution}
    for _ in range(len(kinds) + any(map(_is_silent, known))):
        sure = LOWER[sure]
    return sure


def caution(*quantities: Quantity) -> str:
    """What weakens these numbers, each reason once."""
    zeros = [f"{q.name} counted nothing" for q in quantities if _is_silent(q)]
    return "; ".join(dict.fromkeys([*(q.caution for q in quantities if q.caution), *zeros]))


def _is_silent(quantity: Quantity) -> bool:
    return quantity.value == 0 and quantity.origin is Origin.HARDWARE


def refuse_emulated(code: str, evidence: Evidence) -> Verdict | None:
    """No verdict on time on an emulated machine."""
    if not evidence.emulated:
        return None
    return Verdict(code, State.UNKNOWN, "EMULATED: times and cycles are the emulator's; they say nothing of a real CPU")
