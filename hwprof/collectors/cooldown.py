"""Runs begin on a machine as cool as at the start: what is too hot, how long to wait, and what a run records of it."""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hwprof.collectors.thermal import Heat, heat
from hwprof.records import Doubt, Run

LIMIT_S = 60.0
BAND_C = 5.0  # above the temperature at the start
BAND_CLOCK = 0.05  # below the clock that was allowed at the start
# Less than SETTLED_C cooler than SETTLED_S ago: waiting on makes no difference.
SETTLED_S, SETTLED_C = 15.0, 1.0
EVERY_S = 0.5


class Decision(enum.StrEnum):
    """What follows from the samples so far."""

    WAIT = "wait"
    COOL = "cool"
    SETTLED = "settled"  # above the band, and no longer falling
    LIMIT = "limit"  # above the band when the time was over


def excess(start: Heat, now: Heat, cpus: Sequence[int]) -> list[str]:
    """What is outside the band, in words; `cpus`: of the case, none: all."""
    found = []
    if start.celsius is not None and now.celsius is not None and now.celsius > start.celsius + BAND_C:
        found.append(f"{now.celsius:.0f} degC, began at {start.celsius:.0f} ({now.zone})")
    return found + _lowered(start, now, cpus)


def _lowered(start: Heat, now: Heat, cpus: Sequence[int]) -> list[str]:
    """What holds the clock back that did not at the start."""
    ours = [c for c in start.limits_hz if c in now.limits_hz and (not cpus or c in cpus)]
    worst = min(ours, key=lambda cpu: now.limits_hz[cpu] / start.limits_hz[cpu], default=None)
    found = []
    if worst is not None and now.limits_hz[worst] < (1 - BAND_CLOCK) * start.limits_hz[worst]:
        limit, first = now.limits_hz[worst] / 1e9, start.limits_hz[worst] / 1e9
        found.append(f"core {worst} may run at {limit:.2f} GHz, began at {first:.2f}")
    if now.is_held_back and not start.is_held_back:
        found.append("the firmware holds the clock back")
    return found


def decide(start: Heat, samples: Sequence[tuple[float, Heat]], limit_s: float, cpus: Sequence[int] = ()) -> Decision:
    """Whether to wait on, from (seconds since waiting began, heat) of each look so far, the last one now."""
    now_s, now = samples[-1]
    if not excess(start, now, cpus):
        return Decision.COOL
    if now_s >= limit_s:
        return Decision.LIMIT
    earlier = [s.celsius for at, s in samples if at <= now_s - SETTLED_S and s.celsius is not None]
    if earlier and now.celsius is not None and not _lowered(start, now, cpus):
        return Decision.SETTLED if earlier[-1] - now.celsius < SETTLED_C else Decision.WAIT
    return Decision.WAIT


@dataclass(frozen=True, slots=True)
class Cooling:
    """One wait: how long, how it ended, and the heat at the start of the experiment and then."""

    waited_s: float
    decision: Decision
    start: Heat
    end: Heat
    why: tuple[str, ...] = ()  # what was outside the band at its end

    def facts(self) -> dict[str, Any]:
        """For the record of a run."""
        found = {"waited_s": round(self.waited_s, 1), "ended": self.decision.value, "zone": self.end.zone}
        return {**found, "celsius": self.end.celsius, "began_celsius": self.start.celsius}

    def doubts(self) -> list[Doubt]:
        """That a run began hot."""
        return [Doubt("hot", {"why": ", ".join(self.why), "waited_s": self.waited_s})] if self.why else []


@dataclass(slots=True)
class CoolDown:
    """Waits before a run until the machine is as cool as when this was made, `limit_s` at most; 0: never.

    Without sensors there is nothing to wait for. `notify`: told once where a wait begins.
    """

    limit_s: float = LIMIT_S
    notify: Callable[[str], None] = lambda text: None
    read: Callable[[], Heat] = lambda: heat()
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    start: Heat = field(init=False)

    def __post_init__(self) -> None:
        self.start = self.read() if self.limit_s > 0 else Heat()

    def wait(self, cpus: Sequence[int], rest: Callable[[], None] = lambda: None) -> Cooling | None:
        """Until a case on `cpus` may begin; `rest` is called where that takes time. None: nothing can be sensed."""
        if not self.start.is_known:
            return None
        begin, samples = self.clock(), list[tuple[float, Heat]]()
        while True:
            samples.append((self.clock() - begin, self.read()))
            decision, now = decide(self.start, samples, self.limit_s, cpus), samples[-1][1]
            if decision is not Decision.WAIT:
                return Cooling(samples[-1][0], decision, self.start, now, tuple(excess(self.start, now, cpus)))
            if len(samples) == 1:
                rest()
                self.notify(f"Cooling down: {', '.join(excess(self.start, now, cpus))}; {self.limit_s:g} s at most")
            self.sleep(EVERY_S)


def with_cooling(run: Run, coolings: Mapping[str, Cooling | None]) -> Run:
    """The run with what was waited before each of its parts, and a doubt about the last one that began hot."""
    known = {name: one for name, one in coolings.items() if one is not None}
    if not known or run.failure is not None:
        return run
    found = [doubt for one in known.values() for doubt in one.doubts()]
    facts = {**run.facts, "cooldown": {name: one.facts() for name, one in known.items()}}
    return replace(run, facts=facts, doubts=(*run.doubts, *found[-1:]))
