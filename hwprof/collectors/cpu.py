"""CPU time, context switches, waiting and stealing, from rusage and /proc: with no PMU and no permission at all.

Collectors live in the measured process (standard library only); `gauges` samples from outside.
"""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from hwprof.collectors.gauge import Sensors
from hwprof.collectors.protocol import (
    Available,
    Channel,
    Gauge,
    Group,
    Session,
    Target,
    Unavailable,
    UnswitchedSession,
)
from hwprof.machine import files
from hwprof.machine.clock import clock_ns
from hwprof.machine.files import ROOT
from hwprof.machine.limits import control_groups
from hwprof.records import Counter, Shape, Snapshot

RUSAGE = (
    Counter("cpu-user-time", "s", "process", "rusage", scale=1e-6),
    Counter("cpu-system-time", "s", "process", "rusage", scale=1e-6),
    Counter("rusage-minor-faults", "", "process", "rusage", "page faults served without reading from disk"),
    Counter("rusage-major-faults", "", "process", "rusage", "page faults that waited for the disk"),
    Counter("voluntary-switches", "", "process", "rusage", "the process waited for something"),
    Counter("involuntary-switches", "", "process", "rusage", "the scheduler took the CPU away"),
)
SCHEDULER = (
    Counter("run-queue-wait", "s", "process", "proc:schedstat", "ready to run, but waiting for a CPU", scale=1e-9),
    Counter("run-time", "s", "process", "proc:schedstat", scale=1e-9),
    Counter(
        "helper-run-time", "s", "process", "proc:schedstat", "run time of all threads but the first one", scale=1e-9
    ),
)
MIGRATIONS = (Counter("migrations", "", "process", "proc:sched", "moves to another CPU"),)


class TaskTimes:
    """The scheduler's account of every task of a process.

    The files stay open: opening them at each edge takes 4 times as long with one task, 15 times with forty. The folder
    is listed again only where the number of tasks has changed (the links of /proc/PID/task; Linux, proc_task_getattr)
    or one has ended: right after an inference, when nothing of it is cached, listing takes half of an edge.
    """

    def __init__(self, tasks: Path) -> None:
        self._folder = str(tasks)
        self._files: dict[str, int] = {}
        self._known: dict[str, tuple[int, int]] = {}  # task -> (ran, waited)
        self._ended = (0, 0)
        self._tasks = os.open(tasks, os.O_RDONLY | os.O_DIRECTORY)
        self._links = 0

    def read(self, first: str) -> tuple[int, int, int] | None:
        """(waited, ran, ran without task `first`) in ns over all tasks; None where the kernel keeps no such account.

        Of a task that has ended it is the last one that was read: sums never fall.
        """
        links = os.fstat(self._tasks).st_nlink
        # two of a folder's own; a file system that counts no folders within has one
        if links != self._links or links < 3 or not all(map(self._update, self._files)):
            self._list()
            self._links = links
        if not self._known:
            return None
        ran, waited = self._ended
        for task_ran, task_waited in self._known.values():
            ran += task_ran
            waited += task_waited
        return waited, ran, ran - self._known.get(first, (0, 0))[0]

    def _list(self) -> None:
        """Read the accounts of all tasks there are; close the files of those that have ended."""
        tasks = os.listdir(self._folder)  # noqa: PTH208  no Path per task: this is a slice's edge
        for task in tasks:
            self._update(task)
        for task in self._files.keys() - set(tasks):
            os.close(self._files.pop(task))
            self._ended = _sum(self._ended, self._known.pop(task, (0, 0)))

    def _update(self, task: str) -> bool:
        """Read one account; False where the task has just ended."""
        try:
            if task not in self._files:
                self._files[task] = os.open(f"{self._folder}/{task}/schedstat", os.O_RDONLY)
            ran, waited, _ = os.pread(self._files[task], 64, 0).split()
        except OSError:
            return False
        self._known[task] = int(ran), int(waited)
        return True

    def close(self) -> None:
        """Close the files."""
        for file in (self._tasks, *self._files.values()):
            os.close(file)
        self._files.clear()


def _sum(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return one[0] + other[0], one[1] + other[1]


class CpuSession(UnswitchedSession):
    """rusage and schedstat. Open from the start: nothing to enable, no passes."""

    def __init__(self, root: Path, pid: str) -> None:
        self._first = str(os.getpid()) if pid == "self" else pid  # it calls the inference
        self._times = TaskTimes(root / "proc" / pid / "task")
        self._scheduler = self._times.read(self._first) is not None
        self.groups = [Group(RUSAGE), *([Group(SCHEDULER)] if self._scheduler else [])]

    def read(self) -> tuple[Snapshot, ...]:
        """rusage, then the scheduler's own accounts of every task."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        raw = (
            round(usage.ru_utime * 1e6),
            round(usage.ru_stime * 1e6),
            usage.ru_minflt,
            usage.ru_majflt,
            usage.ru_nvcsw,
            usage.ru_nivcsw,
        )
        if not self._scheduler:
            return (snapshot(raw),)
        return snapshot(raw), snapshot(self._times.read(self._first) or (None, None, None))

    def close(self) -> None:
        """Close the files of the tasks."""
        self._times.close()


class MigrationsSession(UnswitchedSession):
    """Moves between CPUs, of every task. Reading one takes 25 us: too slow for the edges of slices."""

    def __init__(self, root: Path, pid: str) -> None:
        self._tasks = str(root / "proc" / pid / "task")
        self.groups = [Group(MIGRATIONS, slow=True)] if self._moved() is not None else []

    def read(self) -> tuple[Snapshot, ...]:
        """The sum over all tasks."""
        return (snapshot((self._moved(),)),) if self.groups else ()

    def _moved(self) -> int | None:
        total, found = 0, False
        for task in os.listdir(self._tasks):  # noqa: PTH208
            match = re.search(r"nr_migrations\s*:\s*(\d+)", files.read(Path(self._tasks, task, "sched")) or "")
            if match:
                total, found = total + int(match[1]), True
        return total if found else None


def snapshot(raw: tuple[int | None, ...]) -> Snapshot:
    """Counted all the time."""
    now = clock_ns()
    return Snapshot(now, raw, now, now)


def _probe(session: Session, counters: Iterable[Counter]) -> Mapping[str, Available | Unavailable]:
    there = {c.metric: c.source for group in session.groups for c in group.counters}
    return {
        counter.metric: Available(there[counter.metric], counter.meaning)
        if counter.metric in there
        else Unavailable(f"this kernel has no {counter.source.removeprefix('proc:')}")
        for counter in counters
    }


class CpuCollector:
    """Collector of the process's own accounts (rusage knows no other's)."""

    name = "cpu"

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root

    def probe(self, requests: Sequence[str]) -> Mapping[str, Available | Unavailable]:
        """All of them, whatever is asked for."""
        with self.open(Target(), requests) as session:
            return _probe(session, (*RUSAGE, *SCHEDULER))

    @contextmanager
    def open(self, target: Target, requests: Sequence[str]) -> Iterator[CpuSession]:
        """Of this process."""
        session = CpuSession(self._root, "self" if target.pid is None else str(target.pid))
        try:
            yield session
        finally:
            session.close()


class MigrationsCollector:
    """Collector of moves between CPUs."""

    name = "migrations"

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root

    def probe(self, requests: Sequence[str]) -> Mapping[str, Available | Unavailable]:
        """All of them, whatever is asked for."""
        with self.open(Target(), requests) as session:
            return _probe(session, MIGRATIONS)

    @contextmanager
    def open(self, target: Target, requests: Sequence[str]) -> Iterator[MigrationsSession]:
        """Of this process, or of another."""
        yield MigrationsSession(self._root, "self" if target.pid is None else str(target.pid))


# Of a control group's cpu.stat, in seconds: version 2 writes microseconds, version 1 nanoseconds.
THROTTLED_TIMES = {"throttled_usec": 1e-6, "throttled_time": 1e-9}
JIFFY_FIELDS = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")


def gauges(pid: int | None, root: str = "/") -> Sequence[Gauge]:
    """Busy and stolen time per core, and what the cgroup held back."""
    base = Path(root)
    found: list[Gauge] = []
    cpus = sorted(stat(base))
    tick = 1.0 / os.sysconf("SC_CLK_TCK")
    if cpus:
        reader = _Stat(base)
        channels, readers = [], []
        for cpu in cpus:
            for metric in ("cpu-busy", "cpu-steal"):
                channels.append(
                    Channel(metric, "s", cpu, "proc:stat", cumulative=True, scale=tick, interval_ns=round(1e9 * tick))
                )
                readers.append(partial(reader.get, cpu, metric))
        found.append(Sensors("cpu", channels, readers))
    found += _throttling(control_groups("cpu", base, pid))
    return found


def _throttling(groups: Sequence[Path]) -> list[Gauge]:
    """How often, and for how long, a CPU limit of the process's control group or of one above it held it back.

    The kernel counts in the group that has the limit. Times of several levels may overlap; since Linux 6.6 it also
    tells of each group how long limits of any level held it.
    """
    stats = [path for group in groups if "nr_throttled" in files.fields(files.read(path := group / "cpu.stat"))]
    if not stats:
        return []
    own = (
        path for group in groups if THROTTLED_TIMES.keys() & files.fields(files.read(path := group / "cpu.stat.local"))
    )
    local = next(own, None)
    times = stats if local is None else [local]
    source = f"cgroup:{times[0].name}"
    channels = [
        Channel("cgroup-throttled", "", "", "cgroup:cpu.stat", cumulative=True, shape=Shape.TOTAL),
        Channel("cgroup-throttled-time", "s", "", source, cumulative=True, shape=Shape.TOTAL),
    ]
    readers = [partial(_sum_of, stats, {"nr_throttled": 1.0}), partial(_sum_of, times, THROTTLED_TIMES)]
    return [Sensors("cgroup", channels, readers)]


def _sum_of(paths: Sequence[Path], units: Mapping[str, float]) -> float | None:
    """Sum over files of the fields in `units`, each times its unit; None where a file can't be read."""
    total = 0.0
    for path in paths:
        values = [value * units[key] for key, value in files.fields(files.read(path)).items() if key in units]
        if not values:
            return None
        total += sum(values)
    return total


class _Stat:
    """/proc/stat read once for all the channels of one sample."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._left: set[tuple[str, str]] = set()
        self._values: dict[str, dict[str, int]] = {}

    def get(self, cpu: str, metric: str) -> float | None:
        """Jiffies of one core; read anew when a channel asks a second time."""
        if (cpu, metric) in self._left or not self._values:
            self._values, self._left = stat(self._root), set()
        self._left.add((cpu, metric))
        times = self._values.get(cpu)
        if times is None:
            return None
        if metric == "cpu-steal":
            return times["steal"]
        return sum(times[name] for name in ("user", "nice", "system", "irq", "softirq"))


def stat(root: Path) -> dict[str, dict[str, int]]:
    """`cpu0` ... -> jiffies by kind, from /proc/stat (guest time is part of user time)."""
    found = {}
    for line in (files.read(root / "proc/stat") or "").splitlines():
        words = line.split()
        if re.fullmatch(r"cpu\d+", words[0] if words else ""):
            values = [int(w) for w in words[1 : 1 + len(JIFFY_FIELDS)]]
            values += [0] * (len(JIFFY_FIELDS) - len(values))
            found[words[0]] = dict(zip(JIFFY_FIELDS, values, strict=True))
    return found
