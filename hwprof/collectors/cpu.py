"""CPU time, context switches, waiting and stealing, from rusage and /proc: with no PMU and no permission at all.

`CpuCollector` lives in the measured process (standard library only). `gauges` samples from outside.
"""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from hwprof.collectors.gauge import Sensors
from hwprof.collectors.protocol import Available, Channel, Gauge, Group, Target, Unavailable, UnswitchedSession
from hwprof.machine import files
from hwprof.machine.clock import clock_ns
from hwprof.machine.files import ROOT
from hwprof.machine.limits import cgroup
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


class CpuSession(UnswitchedSession):
    """Open from the start: nothing to enable, no passes."""

    def __init__(self, root: Path, pid: str) -> None:
        self._tasks = root / "proc" / pid / "task"
        self._first = str(os.getpid()) if pid == "self" else pid  # it calls the inference
        groups = [Group(RUSAGE)]
        self._scheduler = self._sum("schedstat") is not None
        if self._scheduler:
            groups.append(Group(SCHEDULER))
        self._migrations = self._moved() is not None
        if self._migrations:
            groups.append(Group(MIGRATIONS))
        self.groups = groups

    def read(self) -> tuple[Snapshot, ...]:
        """rusage, then the scheduler's own accounts of every task."""
        usage = resource.getrusage(resource.RUSAGE_SELF)
        raw: tuple[int | None, ...] = (
            round(usage.ru_utime * 1e6),
            round(usage.ru_stime * 1e6),
            usage.ru_minflt,
            usage.ru_majflt,
            usage.ru_nvcsw,
            usage.ru_nivcsw,
        )
        snapshots = [self._snapshot(raw)]
        if self._scheduler:
            found = self._sum("schedstat")
            ran, waited, helpers = (None, None, None) if found is None else found
            snapshots.append(self._snapshot((waited, ran, helpers)))
        if self._migrations:
            snapshots.append(self._snapshot((self._moved(),)))
        return tuple(snapshots)

    @staticmethod
    def _snapshot(raw: tuple[int | None, ...]) -> Snapshot:
        now = clock_ns()
        return Snapshot(now, raw, now, now)

    def _sum(self, name: str) -> tuple[int, int, int] | None:
        """(ran, waited, ran without the first) in ns over all tasks; None where the kernel keeps no such account."""
        ran = waited = first = 0
        for task in os.listdir(self._tasks):  # noqa: PTH208  no Path per task: this is a window's edge
            content = files.read(self._tasks / task / name)
            if content is None:
                if task == os.listdir(self._tasks)[0]:  # noqa: PTH208
                    return None
                continue  # a thread that has just ended
            words = content.split()
            ran, waited = ran + int(words[0]), waited + int(words[1])
            first += int(words[0]) if task == self._first else 0
        return ran, waited, ran - first

    def _moved(self) -> int | None:
        total, found = 0, False
        for task in os.listdir(self._tasks):  # noqa: PTH208
            match = re.search(r"nr_migrations\s*:\s*(\d+)", files.read(self._tasks / task / "sched") or "")
            if match:
                total, found = total + int(match[1]), True
        return total if found else None


class CpuCollector:
    """Collector of the process's own accounts."""

    name = "cpu"

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root

    def probe(self, requests: Sequence[str]) -> Mapping[str, Available | Unavailable]:
        """All of them, whatever is asked for."""
        session = CpuSession(self._root, "self")
        there = {c.metric: c.source for group in session.groups for c in group.counters}
        state: dict[str, Available | Unavailable] = {}
        for counter in (*RUSAGE, *SCHEDULER, *MIGRATIONS):
            source = there.get(counter.metric)
            if source:
                state[counter.metric] = Available(source, counter.meaning)
            else:
                state[counter.metric] = Unavailable(f"this kernel has no {counter.source.removeprefix('proc:')}")
        return state

    @contextmanager
    def open(self, target: Target, requests: Sequence[str]) -> Iterator[CpuSession]:
        """Of this process (rusage knows no other)."""
        yield CpuSession(self._root, "self" if target.pid is None else str(target.pid))


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
                channels.append(Channel(metric, "s", cpu, "proc:stat", cumulative=True, scale=tick))
                readers.append(partial(reader.get, cpu, metric))
        found.append(Sensors("cpu", channels, readers))
    group = cgroup(base, pid)
    if group is not None and (group / "cpu.stat").exists():
        names = {"nr_throttled": ("cgroup-throttled", "", 1.0), "throttled_usec": ("cgroup-throttled-time", "s", 1e-6)}
        there = {k: v for k, v in names.items() if k in files.fields(files.read(group / "cpu.stat"))}
        found.append(
            Sensors(
                "cgroup",
                [
                    Channel(m, unit, "", "cgroup:cpu.stat", cumulative=True, scale=s, shape=Shape.TOTAL)
                    for m, unit, s in there.values()
                ],
                [partial(_field, group / "cpu.stat", key) for key in there],
            )
        )
    return found


def _field(path: Path, key: str) -> float | None:
    return files.fields(files.read(path)).get(key)


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
