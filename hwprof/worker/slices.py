"""Slices: bare and counted stretches of 20 to 50 ms in pairs of random order, in turns that the launcher lets begin.

A second is long enough for neighbours, clocks and the host to change; a pair of slices is not. Edges lie outside the
timed span. After a pause a turn begins with inferences that are not measured, until caches, clock and thread pools
are this case's again. Standard library only.
"""

from __future__ import annotations

import os
import random
import resource
import statistics
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from hwprof.collectors.protocol import Group, Pass, Session
from hwprof.collectors.readings import UNREAD, difference, readings_between
from hwprof.records import Counter, Reading, Role, Shape, SliceCounts, Slices, Snapshot, Window
from hwprof.worker.loop import Loop
from hwprof.worker.protocol import TURN_WARM_S, LoopSettings

# Below, the overhead has no interval (see analysis/overhead.py).
MIN_PAIRS = 7
# No unmeasured inferences where the pause before a turn was shorter than this share of an inference, as where no other
# process had its turn meanwhile and inferences are long.
SHORT_PAUSE = 0.01
# How long a case needs after others had the core is seen in its first turns, which begin with as many unmeasured
# inferences as fit in SETTLING_S: it has settled where the running median of latency is within SETTLED of its end. A
# cache that is shared fills slowly: OpenCV on one thread needs 40 inferences, ONNX Runtime five.
SETTLING_TURNS = 2
SETTLING_S = 0.3
SETTLED = 0.01
LEAST_SETTLING = 9  # inferences; where fewer fit, nothing is seen, and one is taken to suffice
WIDE = 1 << 64
UNKNOWN = -1 << 63  # no difference is
LOST = "could not be read at an edge of a slice, or ran backwards in one"
# Inferences of the turns so far at the end of a slice, those that are not measured too.
DONE = SliceCounts("inferences", (), "", "process", "loop", 1.0, Shape.LEVEL)
RESIDENT = SliceCounts("rss", (), "B", "process", "proc:statm", resource.getpagesize(), Shape.LEVEL)


@dataclass(frozen=True, slots=True)
class Slice:
    """One slice: its edges, its latencies, and what each group of each session counted in it."""

    turn: int
    t0_ns: int
    t1_ns: int
    latencies_ns: array[int]
    counted: tuple[tuple[Snapshot, ...], ...]
    resident_pages: int | None
    done: int


class SliceLog:
    """Slices of one role, kept in a file in memory that is not mapped.

    Two kilobytes a slice in the heap would look like a leak of the framework's. Integers in a row, since pickling takes
    five times as long right after an inference.
    """

    def __init__(self) -> None:
        self._file = os.fdopen(os.memfd_create("slices", os.MFD_CLOEXEC), "w+b")
        self._groups: list[list[int]] = []  # for each session, how many counters its groups have
        self.count, self.iterations, self.elapsed_ns = 0, 0, 0

    def append(self, slice_: Slice) -> None:
        """Write one."""
        if not self._groups:
            self._groups = [[len(snapshot.raw) for snapshot in snapshots] for snapshots in slice_.counted]
        latencies = slice_.latencies_ns
        numbers = [len(latencies), slice_.turn, slice_.t0_ns, slice_.t1_ns, slice_.done, slice_.resident_pages]
        for snapshots in slice_.counted:
            for at_ns, raw, enabled_ns, running_ns in snapshots:
                numbers += (at_ns, enabled_ns, running_ns, *raw)
        array("q", [UNKNOWN if number is None else number for number in numbers]).tofile(self._file)
        latencies.tofile(self._file)
        self.count += 1
        self.iterations += len(latencies)
        self.elapsed_ns += slice_.t1_ns - slice_.t0_ns

    def take(self) -> list[Slice]:
        """Read all, once, at the end."""
        with self._file as file:
            file.seek(0)
            return [self._next(file) for _ in range(self.count)]

    def _next(self, file: BinaryIO) -> Slice:
        def read(count: int) -> array[int]:
            numbers = array("q")
            numbers.fromfile(file, count)
            return numbers

        def snapshot(counters: int) -> Snapshot:
            (at_ns, enabled_ns, running_ns), raw = read(3), read(counters)
            return Snapshot(at_ns, tuple(None if n == UNKNOWN else n for n in raw), enabled_ns, running_ns)

        length, turn, t0_ns, t1_ns, done, resident = read(6)
        counted = tuple(tuple(map(snapshot, groups)) for groups in self._groups)
        return Slice(turn, t0_ns, t1_ns, read(length), counted, None if resident == UNKNOWN else resident, done)


@dataclass(slots=True)
class Pairs:
    """The pairs of one pass."""

    pass_: Pass | None
    bare: SliceLog = field(default_factory=SliceLog)
    counted: SliceLog = field(default_factory=SliceLog)
    orders: list[bool] = field(default_factory=list)  # whether the counted slice is first, of the pairs to come

    def is_complete(self, plan: LoopSettings) -> bool:
        """Whether bare slices make up what was asked for."""
        if plan.iterations is not None:
            return self.bare.iterations >= plan.iterations
        return self.bare.count >= MIN_PAIRS and self.bare.elapsed_ns >= plan.window_s * 1e9


def settling_s(latencies_ns: Sequence[int]) -> float:
    """Seconds after which inferences are as fast as in the last third of these; 0 for too few to tell.

    There the running median of a twelfth of them is first within SETTLED of that of the last third; at the middle of
    that twelfth, if it is not the first.
    """
    count = len(latencies_ns)
    if count < LEAST_SETTLING:
        return 0.0
    width = max(3, count // 12)
    enough = statistics.median(latencies_ns[-(count // 3) :]) * (1 + SETTLED)
    first = next(
        at for at in range(count) if statistics.median(latencies_ns[at : at + width]) <= enough or at + width >= count
    )
    return sum(latencies_ns[: first + width // 2 if first else 0]) / 1e9


class SlicedMeasurement:
    """The turns of one run. `sessions` in the order slow to fast: the last one's edges lie closest to the loop.

    Those that are too slow for the edges of slices are left out.
    """

    def __init__(self, loop: Loop, plan: LoopSettings, passes: Sequence[Pass], sessions: Sequence[Session]) -> None:
        self._loop, self._plan = loop, plan
        self._sessions = [s for s in sessions if not s.groups or not all(group.slow for group in s.groups)]
        self._rng = random.Random(plan.order)
        self._pairs = [Pairs(pass_) for pass_ in passes] or [Pairs(None)]
        self._statm = os.open("/proc/self/statm", os.O_RDONLY)
        self._latency_ns = self._done = 0
        self._ended_ns = loop.clock()
        self._settled: list[float] = []
        self.turns = 0
        self.interrupted = False  # a turn came after a pause

    @property
    def warm_s(self) -> float:
        """Seconds of unmeasured inferences at the beginning of a turn: as told, else the longest of the first turns."""
        told = self._plan.turn_warm_s
        return max(TURN_WARM_S, *self._settled, 0.0) if told is None else told

    def is_complete(self) -> bool:
        """Whether every pass has the pairs that it needs."""
        return all(pairs.is_complete(self._plan) for pairs in self._pairs)

    def run_turn(self) -> None:
        """Inferences that are not measured, then whole pairs of the pass that has the fewest."""
        pairs = min((p for p in self._pairs if not p.is_complete(self._plan)), key=lambda p: p.bare.count)
        pause_ns = self._loop.clock() - self._ended_ns
        if self.turns == 0 or pause_ns > SHORT_PAUSE * self._latency_ns:
            seeks = self._plan.turn_warm_s is None and len(self._settled) < SETTLING_TURNS
            _, _, latencies = self._loop.run(None, SETTLING_S if seeks else self.warm_s, 1, pairs.bare.count)
            if seeks:
                self._settled.append(settling_s(latencies))
            self._latency_ns = min(latencies)
            self._done += len(latencies)
        self.interrupted = self.interrupted or pause_ns > SHORT_PAUSE * self._latency_ns
        for _ in range(self._plan.turn_pairs):
            if not pairs.is_complete(self._plan):
                self._run_pair(pairs)
        self.turns += 1
        self._ended_ns = self._loop.clock()

    def _run_pair(self, pairs: Pairs) -> None:
        iterations, first = self._iterations(pairs), pairs.bare.count
        both = [(pairs.bare, None), (pairs.counted, pairs.pass_)] if pairs.pass_ is not None else [(pairs.bare, None)]
        if not pairs.orders:  # of two pairs one has either order: a clock that falls is no overhead
            pairs.orders = self._rng.sample([False, True], 2)
        if pairs.orders.pop():
            both.reverse()
        for slices, pass_ in both:
            slices.append(self._run_slice(pass_, iterations, first))

    def _iterations(self, pairs: Pairs) -> int | None:
        """Of the next slice; None: as many as begin in its time."""
        if self._plan.iterations is None:
            return None
        left = self._plan.iterations - pairs.bare.iterations
        return min(left, max(1, int(self._plan.slice_s * 1e9 / max(1, self._latency_ns))))

    def _run_slice(self, pass_: Pass | None, iterations: int | None, first: int) -> Slice:
        """One slice, which begins with the ring's input `first`; bare without a pass."""
        sessions = self._sessions
        for session in sessions:
            session.select(pass_)
        before = [session.read() for session in sessions]
        t0, t1, latencies = self._loop.run(iterations, self._plan.slice_s, 1, first)
        after = [session.read() for session in reversed(sessions)]
        for session in sessions:
            session.select(None)
        counted = tuple(
            differences(session.groups, b, a) for session, b, a in zip(sessions, before, reversed(after), strict=True)
        )
        self._done += len(latencies)
        return Slice(self.turns, t0, t1, latencies, counted, self._resident(), self._done)

    def _resident(self) -> int | None:
        try:
            return int(os.pread(self._statm, 128, 0).split()[1])
        except (OSError, IndexError, ValueError):
            return None

    def windows(self) -> list[Window]:
        """The bare slices of each pass as one window, the counted ones as another."""
        os.close(self._statm)
        found: list[Window] = []
        for pairs in self._pairs:
            for role, log in ((Role.PAIRED, pairs.bare), (Role.COUNTED, pairs.counted)):
                if slices := log.take():
                    found.append(self._window(len(found), role, pairs.pass_, slices))
        return found

    def _window(self, index: int, role: Role, pass_: Pass | None, slices: Sequence[Slice]) -> Window:
        chosen = -1 if pass_ is None or role is Role.PAIRED else pass_.index
        readings: list[Reading] = []
        counts: list[SliceCounts] = []
        for at, session in enumerate(self._sessions):
            counted = [s.counted[at] for s in slices]
            totals = tuple(total(snapshots) for snapshots in zip(*counted, strict=True))
            nothing = tuple(Snapshot(0, (0,) * len(group.counters), 0, 0) for group in session.groups)
            groups = [replace_modulus(group) for group in session.groups]
            sums = readings_between(groups, nothing, totals, chosen)
            readings += session.review([replace(r, why=LOST) if r.why == UNREAD else r for r in sums])
            counts += counts_of(session.groups, counted, totals, chosen)
        counts.append(replace(RESIDENT, raw=tuple(s.resident_pages for s in slices)))
        counts.append(replace(DONE, raw=tuple(s.done for s in slices)))
        columns = Slices(
            tuple(s.t0_ns for s in slices),
            tuple(s.t1_ns for s in slices),
            tuple(len(s.latencies_ns) for s in slices),
            tuple(s.turn for s in slices),
            tuple(counts),
        )
        latencies = tuple(t for s in slices for t in s.latencies_ns)
        return Window(index, role, chosen, slices[0].t0_ns, slices[-1].t1_ns, latencies, tuple(readings), columns)


def differences(groups: Sequence[Group], before: Sequence[Snapshot], after: Sequence[Snapshot]) -> tuple[Snapshot, ...]:
    """What each group counted between two snapshots, one wrap-around undone; None: could not be read."""
    return tuple(
        Snapshot(
            a.at_ns,
            tuple(map(difference, group.counters, b.raw, a.raw)),
            a.enabled_ns - b.enabled_ns,
            a.running_ns - b.running_ns,
        )
        for group, b, a in zip(groups, before, after, strict=True)
    )


def total(counted: Sequence[Snapshot]) -> Snapshot:
    """The sums of one group over slices; a counter that could not be read in one of them has none."""
    raw = tuple(
        None if any(value is None for value in column) else sum(v for v in column if v is not None)
        for column in zip(*(snapshot.raw for snapshot in counted), strict=True)
    )
    enabled, running = (sum(getattr(s, name) for s in counted) for name in ("enabled_ns", "running_ns"))
    return Snapshot(counted[-1].at_ns, raw, enabled, running)


def replace_modulus(group: Group) -> Group:
    """The same group for sums over slices, which do not wrap where its counters do."""
    return Group(tuple(replace(counter, modulus=WIDE) for counter in group.counters), group.pass_)


def counts_of(
    groups: Sequence[Group], counted: Sequence[Sequence[Snapshot]], totals: Sequence[Snapshot], pass_: int
) -> list[SliceCounts]:
    """The columns of those groups that count in pass `pass_`, as in `readings_between`."""
    return [
        column(counter, [snapshots[at].raw[place] for snapshots in counted])
        for at, group in enumerate(groups)
        if group.pass_ in (-1, pass_) and totals[at].enabled_ns > 0
        for place, counter in enumerate(group.counters)
    ]


def column(counter: Counter, raw: Sequence[int | None]) -> SliceCounts:
    """One counter's column."""
    return SliceCounts(
        counter.metric, tuple(raw), counter.unit, counter.domain, counter.source, counter.scale, counter.shape
    )


def switch_reader(latency_ns: float, threads: int) -> Callable[[], int] | None:
    """What reads the involuntary switches of this thread, of all threads where there are several.

    None where one reading takes more than 1 % of an inference.
    """
    from hwprof.machine.clock import clock_ns

    who = resource.RUSAGE_THREAD if threads == 1 else resource.RUSAGE_SELF
    getrusage = resource.getrusage

    def read() -> int:
        return getrusage(who).ru_nivcsw

    costs = []
    for _ in range(20):
        start = clock_ns()
        read()
        costs.append(clock_ns() - start)
    return read if 100 * sorted(costs)[10] < latency_ns else None
