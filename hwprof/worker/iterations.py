"""Counters read after every inference, in a window of its own: what the slowest ones have that the others don't.

Reading lies outside the timed span. What would take more than 1 % of an inference all together is left out, the least
important first, and named. Interrupts (/proc/interrupts takes 64 us) and steal (counted in ticks of 10 ms) can't be
read so often. Nor may the kernel's CPU-time clocks (CLOCK_THREAD_CPUTIME_ID, and getrusage of the whole process): they
bring the scheduler's accounts up to date, which ends a time slice that is over. Preemptions then strike at the reading
(beside a busy loop, 1 to 4 % of waiting lay within inferences) and not in inferences as without (93 to 98 %).
Standard library only.
"""

from __future__ import annotations

import ctypes
import os
import resource
import statistics
import struct
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import sub
from typing import Any

from hwprof.collectors.perf.session import PerfSession
from hwprof.collectors.protocol import Session
from hwprof.machine.clock import Clock, clock_ns
from hwprof.records import Counter, Role, Shape, SliceCounts, Window
from hwprof.worker.loop import Loop
from hwprof.worker.protocol import Job, Link

SHARE = 0.01  # of an inference
WANTED = 2_000  # inferences: the slowest hundredth of them are twenty
LONGEST_S = 10.0
MOST = 20_000  # inferences whose counts are kept
TRIALS = 41  # readings from which the cost of one is taken
WAIT = Counter("run-queue-wait", "ns", "thread", "proc:schedstat", "the calling thread: ready, but waiting for a CPU")
USAGE = (
    Counter("rusage-minor-faults", "", "thread", "rusage"),
    Counter("rusage-major-faults", "", "thread", "rusage"),
    Counter("voluntary-switches", "", "thread", "rusage"),
    Counter("involuntary-switches", "", "thread", "rusage"),
)
TASK_CLOCK = "task-clock"
CPU = Counter("cpu", "", "thread", "sched_getcpu", "the CPU on which it ended", shape=Shape.LEVEL)
# A group of perf events begins with these: the number of events, ns enabled, ns running.
HEAD = (Counter("events"), Counter("enabled", "ns"), Counter("running", "ns"))

Read = Callable[[], Sequence[int]]


@dataclass(frozen=True, slots=True)
class Ledger:
    """What one reading tells: `counters` in the order of the numbers of `read`."""

    name: str
    counters: tuple[Counter, ...]
    read: Read


def add_window(link: Link, windows: list[Window], loop: Loop, job: Job, perf: Session) -> dict[str, Any]:
    """Measure the window when the launcher says so, and append it. What was left out, and the cost, as facts."""
    latency = statistics.median(windows[0].latencies_ns)
    pass_ = perf.passes[0] if perf.passes else None
    with open_ledgers(perf) as ledgers:
        chosen, omitted = choose(ledgers, latency)
        facts: dict[str, Any] = {"omitted": {one.name: f"takes {ns:.0f} ns" for one, ns in omitted}}
        if not chosen:
            return {"per_iteration": facts | {"why": "reading takes more than 1 % of an inference"}}
        index = len(windows)
        link.send({"say": "ready", "window": index, "role": Role.RECORDED.value, "pass": -1})
        seconds = min(LONGEST_S, max(job.plan.window_s, job.plan.alone_s, WANTED * latency / 1e9))
        seconds = max(seconds, float(link.receive().get("seconds", 0.0)))
        if job.plan.turn_warm_s:
            loop.run(None, job.plan.turn_warm_s)
        perf.select(pass_)
        t0 = loop.clock()
        try:
            window = record(loop, chosen, seconds, index)
        except (OSError, struct.error) as error:
            facts["why"] = f"a counter could not be read: {error}"
        else:
            windows.append(window)
            spent = window.t1_ns - window.t0_ns - sum(window.latencies_ns)
            facts |= {"read_share": spent / sum(window.latencies_ns), "read": [one.name for one in chosen]}
        perf.select(None)
        link.send({"say": "done", "window": index, "t0_ns": t0, "t1_ns": loop.clock()})
    return {"per_iteration": facts}


@contextmanager
def open_ledgers(perf: Session) -> Iterator[list[Ledger]]:
    """What can be read here, the most important first."""
    getrusage, thread = resource.getrusage, resource.RUSAGE_THREAD

    def usage() -> Sequence[int]:
        found = getrusage(thread)
        return found.ru_minflt, found.ru_majflt, found.ru_nvcsw, found.ru_nivcsw

    found: list[Ledger] = []
    events: list[Ledger] = []
    if isinstance(perf, PerfSession) and perf.passes:
        for counters, read in perf.readers(perf.passes[0]):
            events.append(Ledger(f"perf: {counters[0].metric}", (*HEAD, *counters), read))
    events.sort(key=lambda one: all(counter.metric != TASK_CLOCK for counter in one.counters))
    file = _schedstat()
    try:
        if file is not None:
            pread, opened = os.pread, file
            found.append(Ledger("schedstat", (WAIT,), lambda: (int(pread(opened, 64, 0).split()[1]),)))
        found += events[:1]
        found.append(Ledger("rusage", USAGE, usage))
        number = getattr(ctypes.CDLL(None), "sched_getcpu", None)
        if number is not None:
            found.append(Ledger("cpu", (CPU,), lambda: (number(),)))
        yield [*found, *events[1:]]
    finally:
        if file is not None:
            os.close(file)


def _schedstat() -> int | None:
    """The calling thread's account, kept open; None where the kernel keeps none."""
    try:
        file = os.open("/proc/thread-self/schedstat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    if len(os.pread(file, 64, 0).split()) == 3:
        return file
    os.close(file)
    return None


def choose(
    ledgers: Sequence[Ledger], latency_ns: float, clock: Clock = clock_ns
) -> tuple[list[Ledger], list[tuple[Ledger, float]]]:
    """(those that together take less than 1 % of an inference, the others with what one reading takes in ns)."""
    left, chosen, omitted = SHARE * latency_ns, [], []
    for ledger in ledgers:
        cost = cost_ns(ledger.read, clock)
        if cost < left:
            chosen.append(ledger)
            left -= cost
        else:
            omitted.append((ledger, cost))
    return chosen, omitted


def cost_ns(read: Read, clock: Clock = clock_ns) -> float:
    """Median time of a reading, that of the clock included."""
    costs = []
    for _ in range(TRIALS):
        start = clock()
        read()
        costs.append(clock() - start)
    return statistics.median(costs)


def record(loop: Loop, ledgers: Sequence[Ledger], seconds: float, index: int) -> Window:
    """The window. Raises OSError or struct.error where a counter can't be read any more."""
    reads = [ledger.read for ledger in ledgers]
    counters = [counter for ledger in ledgers for counter in ledger.counters]

    def read() -> Sequence[int]:
        numbers: list[int] = []
        for one in reads:
            numbers += one()
        return numbers

    loop.run_recorded(0.0, MOST, len(counters), read)  # page faults of the first time are not an inference's
    t0, t1, latencies, rows = loop.run_recorded(seconds, MOST, len(counters), read)
    columns = [rows[place :: len(counters)] for place in range(len(counters))]
    return Window(index, Role.RECORDED, -1, t0, t1, tuple(latencies), inferences=tuple(counts_of(ledgers, columns)))


def counts_of(ledgers: Sequence[Ledger], columns: Sequence[array[int]]) -> Iterator[SliceCounts]:
    """Differences from one reading to the next; events that did not count all of the time are left out."""
    place = 0
    for ledger in ledgers:
        own = columns[place : place + len(ledger.counters)]
        place += len(own)
        skipped = len(HEAD) if ledger.counters[: len(HEAD)] == HEAD else 0
        if skipped and own[1][-1] - own[1][0] != own[2][-1] - own[2][0]:
            continue
        for counter, column in zip(ledger.counters[skipped:], own[skipped:], strict=True):
            own_values = column[1:] if counter.shape is Shape.LEVEL else map(sub, column[1:], column)
            yield SliceCounts(
                counter.metric, tuple(own_values), counter.unit, counter.domain, counter.source, shape=counter.shape
            )
