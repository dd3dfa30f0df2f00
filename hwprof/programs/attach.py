"""Observe a process that runs already: all its threads, and those they start later."""

from __future__ import annotations

import dataclasses
import os
import secrets
import selectors
import shlex
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwprof import doubts
from hwprof.collectors.perf.counters import PerfCollector, TaskSession
from hwprof.collectors.perf.hybrid import LinuxScheduler
from hwprof.collectors.perf.tables import bounds_of
from hwprof.collectors.perf.tool_events import ToolGroup
from hwprof.collectors.protocol import Group
from hwprof.collectors.readings import missing_readings, readings_between
from hwprof.collectors.review import facts_of, review
from hwprof.collectors.watcher import GaugeWatcher
from hwprof.errors import NotAvailable, UsageError
from hwprof.machine.clock import clock_ns, cpu_time_ns, utc_now
from hwprof.machine.facts import machine_facts, software
from hwprof.machine.session import begin_session
from hwprof.programs.command import FRAMEWORK, digest, name_of
from hwprof.programs.counting import Counting
from hwprof.programs.interrupts import Forwarding
from hwprof.programs.perfstat import PerfStat
from hwprof.records import Case, Doubt, Kind, Reading, Role, Run, Window

_TRIES = 5


@dataclass(frozen=True, slots=True)
class Observation:
    """What to observe. `duration_s` None: until the process ends, or Ctrl-C."""

    pid: int
    duration_s: float | None = None
    name: str = ""
    hz: float = 10.0
    meter: str = ""
    power_sensor: str = ""

    def __post_init__(self) -> None:
        if self.pid < 1:
            raise UsageError(f"--pid must be a process id, not {self.pid}")
        if self.duration_s is not None and self.duration_s <= 0:
            raise UsageError(f"--duration must be above 0, not {self.duration_s:g}")


class TaskCounting:
    """All events at once on the tasks of a process: it does not run a second time, so there are no passes.

    What does not fit on the counters is rotated by the kernel and SCALED.
    """

    def __init__(self, session: TaskSession) -> None:
        self.session = session
        self.missed = session.tasks_changed()  # some of their threads started before they were observed themselves
        session.select(session.passes[0] if session.passes else None)
        self._before = session.read()

    def finish(self) -> Sequence[Reading]:
        """Readings since it was opened. Closes the counters."""
        readings = self.session.review(readings_between(self.session.groups, self._before, self.session.read(), 0))
        self.close()
        return readings

    def close(self) -> None:
        """Close all descriptors."""
        self.session.close()


def counters(pid: int, events: Sequence[str], stack: ExitStack) -> TaskCounting:
    """Counters on every task of `pid`, opened anew while threads come and go; running when this returns."""
    cpus = LinuxScheduler().allowed(pid) or ()
    collector = PerfCollector(cpus=cpus)
    if len(collector.layout(tuple(events)).passes) > 1:
        collector = PerfCollector(multiplex=True, cpus=cpus)
    for left in reversed(range(_TRIES)):
        with ExitStack() as opening:
            session = opening.enter_context(collector.open_tasks(pid, list(events)))
            if not left or not session.tasks_changed():
                stack.push(opening.pop_all())
                break
    return TaskCounting(session)


def observe(what: Observation, events: Sequence[str], backend: PerfStat | None = None) -> Run:
    """Count from now until the process ends, the time is over, or Ctrl-C. Raises NotAvailable.

    `backend`: perf stat in the place of hwprof's own counters.
    """
    case = case_of(what.pid, what.name)
    facts = machine_facts()
    started = utc_now()
    with ExitStack() as stack:
        handle = pidfd(what.pid)
        stack.callback(os.close, handle)
        signals = stack.enter_context(Forwarding(0))
        watcher = stack.enter_context(GaugeWatcher(what.hz, (), what.meter, power_sensor=what.power_sensor))
        counting: Counting
        clocks = ToolGroup(())  # perf stat's; hwprof's own counters have them among their groups
        if backend is None:
            counting = own = counters(what.pid, events, stack)
            unavailable, missed = own.session.unavailable, own.missed
        else:
            counting, unavailable, missed = backend.attach(what.pid, 0), backend.unavailable, False
            stack.callback(counting.close)
            clocks = ToolGroup(backend.tools, what.pid)
        t0, used_before = clock_ns(), cpu_time_ns(what.pid)
        before = clocks.snapshot()
        watcher.started(what.pid)
        ended = wait_for_end(handle, signals, what.duration_s)
        t1, used_after = clock_ns(), cpu_time_ns(what.pid)
        after = clocks.snapshot()
        times = readings_between([Group(clocks.counters)], [before], [after], 0)
        readings = [*counting.finish(), *times, *missing_readings(unavailable)]
        watcher.__exit__(None, None, None)
    window = Window(0, Role.COUNTED, 0, t0, t1, (t1 - t0,))
    window = dataclasses.replace(window, readings=(*readings, *watcher.readings(window)))
    used = None if used_before is None or used_after is None else used_after - used_before
    hardware, series = facts["hardware"], watcher.series()
    known = facts_of((), hardware, facts["host_state"], bounds_of(hardware), cpu_ns=used, series=series)
    window, lost = review(window, known)
    execution: dict[str, Any] = {"pid": what.pid, "elapsed_ns": t1 - t0, "ended": ended, **watcher.facts()}
    if signals.received:
        execution["interrupted"] = signals.received
    run = Run(
        uid=secrets.token_hex(4),
        case=case,
        kind=Kind.COMMAND,
        started_utc=started,
        windows=(window,),
        series=series,
        facts={
            "session": begin_session(),
            "pid": what.pid,
            "backend": "native" if backend is None else backend.name,
            "fps": None,
            "fps_source": "",
            "throughput": None,
            "executions": [execution],
        },
        machine=hardware,
        host_state=facts["host_state"],
        software=software(),
    )
    found = [*watcher.doubts([window]), *lost, *doubts.of_run(run, os.cpu_count() or 1)]
    if missed:
        found.append(Doubt("threads-missed"))
    return dataclasses.replace(run, doubts=tuple(found))


def case_of(pid: int, name: str = "") -> Case:
    """The case that a running process is. Raises NotAvailable where there is none."""
    argv = command_line(pid)
    return Case(
        framework=FRAMEWORK,
        network=name or name_of(argv),
        recipe=f"file {digest(Path(f'/proc/{pid}/exe'))}",
        size=0,
        threads=0,
        precision="unknown",
        options=(("attached", True), ("command", shlex.join(argv))),
    )


def command_line(pid: int) -> tuple[str, ...]:
    """Its words; the kernel's own threads have a name only. Raises NotAvailable where there is no such process."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        if words == [b""]:
            words = [Path(f"/proc/{pid}/comm").read_bytes().strip()]
    except OSError as error:
        raise NotAvailable(f"there is no process {pid}", "look it up with ps or pgrep") from error
    return tuple(os.fsdecode(word) for word in words)


def pidfd(pid: int) -> int:
    """A descriptor that can be read when the process has ended. Raises NotAvailable, UsageError for a thread."""
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError as error:
        raise NotAvailable(f"there is no process {pid}", "look it up with ps or pgrep") from error
    except OSError as error:
        if error.errno == 22:
            raise UsageError(f"{pid} is a thread, not a process", f"--pid {_leader(pid)} has it") from error
        raise NotAvailable(f"process {pid} can't be followed: {error.strerror}") from error


def _leader(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("Tgid:"):
            return int(line.split()[1])
    return pid


def wait_for_end(process: int, signals: Forwarding, seconds: float | None) -> bool:
    """Whether the process ended before the time was over or a signal came."""
    deadline = None if seconds is None else clock_ns() + int(seconds * 1e9)
    with selectors.DefaultSelector() as selector:
        selector.register(process, selectors.EVENT_READ)
        selector.register(signals.wake, selectors.EVENT_READ)
        while not signals.received:
            left = None if deadline is None else (deadline - clock_ns()) / 1e9
            if left is not None and left <= 0:
                return False
            if process in {key.fd for key, _ in selector.select(left)}:
                return True
            signals.drain()
    return False
