"""The loop: warm-up until steady, then windows of back-to-back inferences, each latency kept.

Standard library only (numpy starts threads at import, and counters must be open before that).
Requests run one after the other; the next starts when the previous has finished.
"""

from __future__ import annotations

import gc
import statistics
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from hwprof.collectors.protocol import Pass, Session
from hwprof.collectors.readings import readings_between
from hwprof.machine.clock import Clock, clock_ns
from hwprof.records import Reading, Role, Window
from hwprof.worker.protocol import LoopSettings

# Warm-up is steady when the medians of two successive blocks differ by less than this.
STEADY = 0.02
BLOCK_S = 0.1
BLOCK_MIN = 5


@dataclass(frozen=True, slots=True)
class Loop:
    """Inference to be repeated: `infer(ring[i mod n])`."""

    infer: Callable[[Any], Any]
    ring: Sequence[Any]
    clock: Clock = clock_ns

    def run(
        self, iterations: int | None, seconds: float, at_least: int = 1, first: int = 0
    ) -> tuple[int, int, array[int]]:
        """Exactly `iterations`, or as many as begin within `seconds` but `at_least`; (t0_ns, t1_ns, latencies_ns).

        The ring's input `first` comes first.
        """
        first %= len(self.ring)
        infer, ring, clock = self.infer, [*self.ring[first:], *self.ring[:first]], self.clock
        size, count, latencies = len(ring), 0, array("q")
        append = latencies.append
        t0 = now = clock()
        deadline = t0 + int(seconds * 1e9)
        wanted = at_least if iterations is None else iterations
        while count < wanted or (iterations is None and now < deadline):
            bound = ring[count % size]
            start = clock()
            infer(bound)
            now = clock()
            append(now - start)
            count += 1
        return t0, now, latencies

    def run_watched(
        self, iterations: int | None, seconds: float, at_least: int, switches: Callable[[], int]
    ) -> tuple[int, int, array[int], tuple[int, ...]]:
        """As `run`, and the iterations within or right before which `switches` (involuntary ones) went up."""
        infer, ring, clock = self.infer, self.ring, self.clock
        size, count, latencies, disturbed = len(ring), 0, array("q"), array("q")
        append = latencies.append
        last = switches()
        t0 = now = clock()
        deadline = t0 + int(seconds * 1e9)
        wanted = at_least if iterations is None else iterations
        while count < wanted or (iterations is None and now < deadline):
            bound = ring[count % size]
            start = clock()
            infer(bound)
            now = clock()
            append(now - start)
            seen = switches()
            if seen != last:
                last = seen
                disturbed.append(count)
            count += 1
        return t0, now, latencies, tuple(disturbed)

    def run_recorded(
        self, seconds: float, most: int, width: int, read: Callable[[], Sequence[int]]
    ) -> tuple[int, int, array[int], array[int]]:
        """As many as begin within `seconds`, at most `most`, with what `read` says before the first and after each.

        (t0_ns, t1_ns, latencies_ns, rows of `width` numbers, one more than there are latencies). What is kept has its
        memory before the first one: pages that are new would be taken for the inference's.
        """
        infer, ring, clock = self.infer, self.ring, self.clock
        size, count, at = len(ring), 0, width
        latencies, rows = array("q", [1]) * most, array("q", [1]) * (width * (most + 1))
        rows[:width] = array("q", read())
        t0 = now = clock()
        deadline = t0 + int(seconds * 1e9)
        while count < most and (count == 0 or now < deadline):
            bound = ring[count % size]
            start = clock()
            infer(bound)
            now = clock()
            values = read()
            latencies[count] = now - start
            rows[at : at + width] = array("q", values)
            count += 1
            at += width
        return t0, now, latencies[:count], rows[:at]


@dataclass(frozen=True, slots=True)
class Warmup:
    """What the warm-up took. `steady` None: a fixed number of iterations was asked for.

    `first_ns`: latency of the very first inference (0: there was none); `medians_ns`: of each block.
    """

    iterations: int
    seconds: float
    steady: bool | None
    first_ns: int
    medians_ns: tuple[float, ...] = ()


def warm_up(loop: Loop, max_s: float, iterations: int | None = None) -> Warmup:
    """Repeat until the medians of two successive blocks agree within 2 %, or `max_s` is over, or as often as asked."""
    if iterations is not None:
        t0, t1, latencies = loop.run(iterations, 0.0)
        medians = (statistics.median(latencies),) if latencies else ()
        return Warmup(iterations, (t1 - t0) / 1e9, None, latencies[0] if latencies else 0, medians)
    start = loop.clock()
    total, steady, first = 0, False, 0
    blocks: list[float] = []
    while not steady:
        _, now, latencies = loop.run(None, BLOCK_S, BLOCK_MIN)
        first = first or latencies[0]
        total += len(latencies)
        blocks.append(statistics.median(latencies))
        steady = len(blocks) > 1 and abs(blocks[-1] - blocks[-2]) <= STEADY * blocks[-2]
        if (now - start) / 1e9 >= max_s:
            break
    return Warmup(total, (loop.clock() - start) / 1e9, steady, first, tuple(blocks))


def schedule(passes: Sequence[Pass], counted_first: bool) -> Iterator[tuple[Role, Pass | None]]:
    """Without slices: bare and counted windows in turn, one pair for each pass."""
    for pass_ in passes:
        pair: list[tuple[Role, Pass | None]] = [(Role.BARE, None), (Role.COUNTED, pass_)]
        yield from reversed(pair) if counted_first else pair
    if not passes:
        yield Role.BARE, None


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Collect now, and not before the end. Within another one it does nothing: what ran before is frozen already."""
    if not gc.isenabled():
        yield
        return
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def window(
    index: int,
    role: Role,
    pass_: Pass | None,
    loop: Loop,
    plan: LoopSettings,
    sessions: Sequence[Session],
    switches: Callable[[], int] | None = None,
) -> Window:
    """One window. `sessions` in the order slow to fast: the last one's edges lie closest to the loop.

    In a bare window the counters are open and disabled, and only those that cost nothing to leave on are read
    (groups of pass -1); in a closed one `sessions` holds no perf session at all.
    """
    chosen = -1 if pass_ is None else pass_.index
    with no_garbage_collection():  # its own work must lie before the first edge
        for session in sessions:
            session.select(pass_)
        before = [session.read() for session in sessions]
        disturbed = None
        if switches is None:
            t0, t1, latencies = loop.run(plan.iterations, plan.window_s, plan.min_iterations)
        else:
            t0, t1, latencies, disturbed = loop.run_watched(
                plan.iterations, plan.window_s, plan.min_iterations, switches
            )
        after = [session.read() for session in reversed(sessions)]
    after.reverse()
    for session in sessions:
        session.select(None)
    readings: list[Reading] = []
    for session, b, a in zip(sessions, before, after, strict=True):
        readings += session.review(readings_between(session.groups, b, a, chosen))
    return Window(index, role, chosen, t0, t1, tuple(latencies), tuple(readings), disturbed=disturbed)


def rehearse(pass_: Pass | None, loop: Loop, plan: LoopSettings, sessions: Sequence[Session]) -> None:
    """One inference as in a counted window, and discard it.

    What happens once before a first reading (page faults, the interpreter's specialised bytecode) is then over, and a
    run whose counted window comes first counts no more than one whose bare window does.
    """
    window(-1, Role.COUNTED, pass_, loop, replace(plan, iterations=1), sessions)
