"""The perf collector: hardware and kernel events of this process, or of the threads another one has now."""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

from hwprof.collectors.perf import abi
from hwprof.collectors.perf.abi import Attr, Kernel, LinuxKernel, Type, read_rights
from hwprof.collectors.perf.catalog import Catalog
from hwprof.collectors.perf.events import Event, Parser
from hwprof.collectors.perf.hybrid import AnyCpu, LinuxScheduler, Scheduler, stay_on_kind
from hwprof.collectors.perf.names import ANCHORS
from hwprof.collectors.perf.opening import Countable, KernelGroup, Opener, OpenFailed
from hwprof.collectors.perf.passes import Layout, Planner
from hwprof.collectors.perf.session import OpenGroup, PerfSession
from hwprof.collectors.perf.tool_events import ToolGroup
from hwprof.collectors.perf.trials import Members, Trials
from hwprof.collectors.protocol import Available, Target, Unavailable
from hwprof.errors import HwprofError, NotAvailable
from hwprof.machine.files import ROOT


class TaskSession(PerfSession):
    """Counters of the threads that a process had when they were opened; threads those start are counted too."""

    def __init__(
        self, collector: PerfCollector, pid: int, before: tuple[int, ...], after: tuple[int, ...], base: PerfSession
    ) -> None:
        super().__init__(base._by_pass, base.unavailable, base._sums, base._multiplexed)
        self._kernel = collector.kernel
        self._pid = pid
        self._tasks = before
        self._moved = before != after

    def tasks_changed(self) -> bool:
        """Whether threads came or went since opening began: then some of their work may be missing from the counts."""
        self._moved = self._moved or self._kernel.tasks(self._pid) != self._tasks
        return self._moved


class PerfCollector:
    """Events by perf_event_open; a `hwprof.collectors.protocol.Collector`.

    `root`: where /proc and /sys are; `kernel`: who opens (a fake in tests); `multiplex`: let the kernel rotate events
    that do not fit together, which makes the values SCALED, instead of counting them in several passes; `scheduler`:
    who says which cores may be used (a fake in tests); `cpus`: where it will be counted (empty: wherever this process
    may run), which decides the table where cores of several kinds share one PMU.
    """

    name = "perf"

    def __init__(
        self,
        root: Path = ROOT,
        kernel: Kernel | None = None,
        multiplex: bool = False,
        scheduler: Scheduler | None = None,
        cpus: Collection[int] = (),
    ) -> None:
        self.catalog = Catalog(root, cpus=cpus)
        self.parser = Parser(self.catalog)
        self.kernel: Kernel = LinuxKernel() if kernel is None else kernel
        self.rights = read_rights(root)
        self._multiplex = multiplex
        self._opener = Opener(self.kernel, self.catalog, self.rights)
        self._scheduler: Scheduler = scheduler or (LinuxScheduler() if kernel is None else AnyCpu())
        self._layouts: dict[tuple[tuple[str, ...], frozenset[str]], Layout] = {}

    def probe(self, requests: Sequence[str], cpus: Collection[int] = ()) -> Mapping[str, Available | Unavailable]:
        """Each event opened alone on this thread; where there are several kinds of core, on each, and their sum.

        `cpus`: where it is to be counted, which may be on one kind alone; empty: wherever this process may run. Raises
        UnknownEvent, UsageError.
        """
        used = self._used_kinds(None, cpus)
        events = [event for unit in self.parser.parse(requests) for event in self._within(unit, used)]
        found = {event.metric: self.probe_event(event) for event in events}
        for event in events:
            if event.whole and not isinstance(found.get(event.whole), Unavailable):
                state = found[event.metric]
                if isinstance(state, Unavailable):
                    found[event.whole] = Unavailable(f"{event.metric}: {state.reason}", state.remedy)
                else:
                    found[event.whole] = Available("perf:sum over kinds of core", state.meaning)
        return found

    def permission(self) -> int:
        """errno of opening the least there is, this thread's CPU time in user code; 0: events may be opened."""
        attr = Attr(type=Type.SOFTWARE, config=1, flags=abi.DISABLED | abi.EXCLUDE_KERNEL | abi.EXCLUDE_HV)
        try:
            fd = self.kernel.open(attr, 0, -1, -1, abi.FLAG_FD_CLOEXEC)
        except OSError as error:
            return error.errno or errno.EIO
        self.kernel.close(fd)
        return 0

    def free_counters(self) -> Mapping[str, tuple[int, int]]:
        """PMU -> (counters that can be had now, counters it has), by trial; of kinds whose table says how many.

        Events of the table, none of which has a counter of its own, are counted together: fewer and fewer until they
        ran all the time.
        """
        trials = Trials(self._opener, self._pin)
        found = {}
        for kind in self.catalog.kinds:
            if kind.table is None or not kind.table.counters:
                continue
            names = [n for n, e in kind.table.events.items() if e.type == Type.RAW][: kind.table.counters]
            on = f"@{kind.name}" if self.catalog.hybrid else ""
            resolved = (self._opener.resolve(self.parser.event(name + on)) for name in names)
            members = tuple(m for m in resolved if not isinstance(m, Unavailable))
            while members and (why := trials.check(members)) and "read 0" not in why.reason:
                members = members[:-1]
            if members:
                found[kind.name] = (len(members), len(names))
        return found

    def probe_event(self, event: Event) -> Available | Unavailable:
        """One event opened alone on this thread."""
        found = self._opener.resolve(event)
        if isinstance(found, Unavailable):
            return found
        counter = found.counter
        restricted = "" if counter.domain in ("user+kernel", "process") else f"{counter.domain} only"
        return Available(counter.source, "; ".join(filter(None, (counter.meaning, restricted))))

    def countable(self, event: Event) -> Countable | Unavailable:
        """How one event can be counted here, found by opening it alone on this thread; or why it can't."""
        return self._opener.resolve(event)

    def group(self, members: Members, pid: int) -> KernelGroup:
        """One group on every thread that `pid` has now, disabled, and not tried out before. Raises OpenFailed."""
        return self._opener.group(members, self.kernel.tasks(pid))

    def why(self, error: OpenFailed) -> Unavailable:
        """Reason and remedy of a group that could not be opened on another process."""
        return self._opener.explain(error.event, error.code, foreign=True)

    def layout(self, requests: Sequence[str], pid: int | None = None) -> Layout:
        """Which events are counted together, by trial on this thread; found once for a set of requests.

        Where there are several kinds of core, those that the process may run on are counted.
        """
        used = self._used_kinds(pid)
        key = tuple(requests), used
        if key not in self._layouts:
            units = [self._within(unit, used) for unit in self.parser.parse(requests)]
            found = [self._within(self.parser.events(name), used) for name in ANCHORS]
            anchors = {event.metric: event for unit in found for event in unit}
            planner = Planner(self._opener, Trials(self._opener, self._pin), self._multiplex)
            self._layouts[key] = planner.plan([unit for unit in units if unit], anchors)
        return self._layouts[key]

    def _used_kinds(self, pid: int | None, cpus: Collection[int] = ()) -> frozenset[str]:
        allowed = frozenset(cpus) or self._scheduler.allowed(pid)
        kinds = self.catalog.kinds
        return frozenset(k.name for k in kinds if allowed is None or not k.cpus or allowed & set(k.cpus))

    def _within(self, unit: Sequence[Event], used: frozenset[str]) -> tuple[Event, ...]:
        """The unit without the kinds of core that are not used.

        Part of a sum is left out, what was named is refused.
        """
        kept = [e for e in unit if not e.cluster or e.cluster in used or not e.whole]
        why = "the process may not run on these cores"
        return tuple(
            replace(e, refused=Unavailable(why, "choose others with --cpus"))
            if e.cluster and e.cluster not in used
            else e
            for e in kept
        )

    def _pin(self, cluster: str) -> AbstractContextManager[bool]:
        return stay_on_kind(self._scheduler, self.catalog.kind(cluster) if cluster else None)

    def open(self, target: Target, requests: Sequence[str]) -> AbstractContextManager[PerfSession]:
        """Open what can be had, disabled; the rest is in `Session.unavailable`.

        For this process it must happen before the first thread is started (importing numpy starts some): HwprofError
        otherwise, for threads that exist would go uncounted. For a pid: the threads it has now; NotAvailable where it
        is gone or not to be observed. Raises UnknownEvent and UsageError for names.
        """
        if target.pid is None:
            return self._open_own(requests)
        return self.open_tasks(target.pid, requests)

    @contextmanager
    def _open_own(self, requests: Sequence[str]) -> Iterator[PerfSession]:
        tasks = self.kernel.tasks(None)
        if len(tasks) != 1:
            raise HwprofError(
                f"counters must be open before the first thread exists, and this process has {len(tasks)} threads",
                "open them before importing numpy or a framework; hwprof.Profile counts threads that exist",
            )
        session = self._session(self.layout(requests), (0,))
        try:
            yield session
        finally:
            session.close()

    @contextmanager
    def open_tasks(self, pid: int, requests: Sequence[str]) -> Iterator[TaskSession]:
        """Counters on every thread that `pid` has now, with inheritance; `tasks_changed()` says whether that held."""
        before = self.kernel.tasks(pid)
        layout = self.layout(requests, pid)
        if not before:
            raise NotAvailable(f"there is no process {pid}", "look it up with ps")
        base = self._session(layout, before, pid)
        session = TaskSession(self, pid, before, self.kernel.tasks(pid), base)
        try:
            yield session
        finally:
            session.close()

    def _session(self, layout: Layout, tasks: tuple[int, ...], pid: int | None = None) -> PerfSession:
        opened: list[KernelGroup] = []

        def group(members: Members) -> KernelGroup:
            opened.append(self._opener.group(members, tasks))
            return opened[-1]

        try:
            shared: list[OpenGroup] = [group(members) for members in (layout.software, *layout.others) if members]
            if layout.tools:
                names = [member.metric for member in layout.tools]
                shared.append(ToolGroup(names, pid, self.catalog.root, layout.tools))
            by_pass = [[*(group(members) for members in groups), *shared] for groups in layout.passes]
        except OpenFailed as error:
            for done in opened:
                done.close()
            why = self._opener.explain(error.event, error.code, foreign=tasks != (0,))
            raise NotAvailable(f"{error.event.metric}: {why.reason}", why.remedy) from error
        return PerfSession(by_pass, layout.unavailable, layout.sums, self._multiplex)
