"""perf's tool events: times that perf takes from clocks and from the kernel's accounts, not from a counter.

hwprof reads them itself, with either backend. perf stat 6.1 was asked for `duration_time` of a process that it counted
for 0.2 s and left disabled for 0.5 s: it printed 0.7 s, and `<not counted>` for the other two, which it takes from
wait4 of a command that it started itself.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hwprof.collectors.perf.syntax import split
from hwprof.machine.clock import clock_ns
from hwprof.machine.files import ROOT
from hwprof.records import Counter, Reading, Shape, Snapshot, missing

if TYPE_CHECKING:
    from hwprof.collectors.perf.opening import Countable

DURATION, USER, SYSTEM = "duration_time", "user_time", "system_time"
BY_HWPROF = "read by hwprof, not by a counter"
# name -> what it is
TOOL = {
    DURATION: f"wall-clock time of what is counted; {BY_HWPROF}",
    USER: f"CPU time in user code, as the kernel accounts it; {BY_HWPROF}",
    SYSTEM: f"CPU time in the kernel, as the kernel accounts it; {BY_HWPROF}",
}
_SOURCES = {DURATION: "clock:CLOCK_MONOTONIC_RAW", USER: "rusage:ru_utime", SYSTEM: "rusage:ru_stime"}
_STAT = {USER: 13, SYSTEM: 14}  # fields of /proc/PID/stat, the first is 0 (proc_pid_stat(5): utime, stime)
OF_STRETCHES = "the kernel accounts it to whole executions, and hwprof.h marked stretches of this one"


def source_of(name: str) -> str:
    """Where a tool event comes from in the process that is measured."""
    return _SOURCES[name]


def tool_names(requests: Iterable[str]) -> tuple[str, ...]:
    """The tool events among what is asked for, each once."""
    found = [item for request in requests for item in split(request.replace("{", "").replace("}", ""))]
    return tuple(dict.fromkeys(name for name in found if name in TOOL))


def counter_of(name: str) -> Counter:
    """A tool event as a counter, in ns."""
    return Counter(name, "ns", "process", source_of(name), TOOL[name], shape=Shape.COUNT)


class ToolGroup:
    """Tool events of one process, in the form of a group of counters. They run all the time.

    `pid` None: this process, from getrusage. Of another one, its accounts in /proc, in ticks of 10 ms on most kernels;
    they can't be read once it has been waited for.
    """

    def __init__(
        self, names: Sequence[str], pid: int | None = None, root: Path = ROOT, members: tuple[Countable, ...] = ()
    ) -> None:
        self.members = members
        self.counters = tuple(counter_of(name) for name in names)
        self.enabled = False
        self._names = tuple(names)
        self._stat = None if pid is None or pid == os.getpid() else root / "proc" / str(pid) / "stat"

    def switch(self, on: bool) -> None:
        """Clocks have no switch."""
        self.enabled = on

    def snapshot(self) -> Snapshot:
        """The clocks now; None where the process's account can't be read."""
        times = self._other() if self._stat else self._own()
        now = clock_ns()
        return Snapshot(now, tuple(now if n == DURATION else times.get(n) for n in self._names), now, now)

    def _own(self) -> dict[str, int]:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return {USER: round(usage.ru_utime * 1e6) * 1000, SYSTEM: round(usage.ru_stime * 1e6) * 1000}

    def _other(self) -> dict[str, int]:
        assert self._stat is not None
        tick_ns = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
        try:
            fields = self._stat.read_text(errors="replace").rpartition(")")[2].split()  # the name may have blanks
            return {name: int(fields[place - 2]) * tick_ns for name, place in _STAT.items()}
        except (OSError, IndexError, ValueError):
            return {}

    def close(self) -> None:
        """Nothing is open."""


def execution_readings(
    names: Sequence[str], elapsed_ns: int, usage_s: tuple[float, float] | None
) -> tuple[Reading, ...]:
    """Readings of a finished execution. `usage_s`: its user and system time; None: only stretches of it count."""
    found = []
    for name in names:
        counter = counter_of(name)
        common = {"unit": counter.unit, "domain": counter.domain, "meaning": counter.meaning, "shape": counter.shape}
        if name == DURATION:
            found.append(Reading(name, float(elapsed_ns), source=counter.source, **common))  # type: ignore[arg-type]
        elif usage_s is None:
            found.append(missing(name, OF_STRETCHES, source=counter.source, **common))
        else:
            value = float(round(1e9 * max(0.0, usage_s[name == SYSTEM])))
            found.append(Reading(name, value, source=counter.source, **common))  # type: ignore[arg-type]
    return tuple(found)
