"""Opening events: with which exclusion each can be counted here, and groups of them as the kernel has them."""

from __future__ import annotations

import errno
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hwprof.collectors.perf import abi
from hwprof.collectors.perf.abi import Attr, Circumstances, Kernel, Rights
from hwprof.collectors.perf.catalog import Catalog
from hwprof.collectors.perf.events import KERNEL_ONLY_REFUSAL, Event
from hwprof.collectors.perf.names import CLOCKS, KERNEL_ONLY
from hwprof.collectors.protocol import Unavailable
from hwprof.records import Counter, Snapshot

_USER_ONLY = abi.EXCLUDE_KERNEL | abi.EXCLUDE_HV
_READ_FORMAT = abi.FORMAT_GROUP | abi.FORMAT_TIME_ENABLED | abi.FORMAT_TIME_RUNNING
_HEAD = 3  # nr, time enabled, time running
_THIS_THREAD = (0,)
# The dead end of an unprivileged user: nothing but the right to count the kernel helps.
NO_EXCLUSION = Unavailable(
    "this PMU can't count user code alone, and this process has no right to count the kernel", abi.ALLOW_KERNEL
)


@dataclass(frozen=True, slots=True)
class Countable:
    """An event that this kernel opens, with the exclusion it took, and what is then counted (`domain`).

    `own_group`: it opens in no group with the cycles of its cores, as what another PMU counts. `proven`: cycles or
    instructions in its group, or a trial, show that its counter counts, so that 0 is a count.
    """

    event: Event
    flags: int
    domain: str
    note: str = ""
    own_group: bool = False
    proven: bool = True

    @property
    def metric(self) -> str:
        """Its name."""
        return self.event.metric

    @property
    def counter(self) -> Counter:
        """Its description for the records."""
        return Counter(
            metric=self.event.metric,
            unit=self.event.unit,
            domain=self.domain,
            source=self.event.source,
            meaning="; ".join(filter(None, (self.event.meaning, self.note))),
            origin=self.event.origin,
            scale=self.event.scale,
        )


class OpenFailed(Exception):
    """An event of a group could not be opened."""

    def __init__(self, event: Event, code: int) -> None:
        super().__init__(f"{event.metric}: errno {code}")
        self.event = event
        self.code = code


class Opener:
    """Opens events on one kernel."""

    def __init__(self, kernel: Kernel, catalog: Catalog, rights: Rights) -> None:
        self.kernel = kernel
        self.catalog = catalog
        self.rights = rights

    def attr(self, event: Event, flags: int, leader: bool = True) -> Attr:
        """What perf_event_open is given. Only a leader is disabled or pinned: its members then run when it does.

        Members that are disabled too and enabled with PERF_IOC_FLAG_GROUP were seen to read 0 with running == enabled
        (page-faults behind task-clock, Linux 6.18); and one switch for the whole group costs an eighth.
        """
        return Attr(
            type=event.type,
            config=event.config,
            config1=event.config1,
            config2=event.config2,
            config3=event.config3,
            read_format=_READ_FORMAT,
            flags=abi.INHERIT | (flags | abi.DISABLED if leader else flags & ~abi.PINNED),
        )

    def explain(self, event: Event, code: int, flags: int = 0, foreign: bool = False) -> Unavailable:
        """What an errno means for this event."""
        excluding = bool(flags & (abi.EXCLUDE_USER | abi.EXCLUDE_KERNEL))
        has_pmu = bool(self.catalog.core_pmus)
        return abi.explain(
            code, Circumstances(event.kind == "core", has_pmu, self.rights, foreign, excluding, event.per_socket)
        )

    def _try(self, event: Event, flags: int) -> int:
        """errno of opening the event on this thread, alone or behind the leader that it must have; 0: it opens."""
        fds: list[int] = []
        try:
            for member in filter(None, (event.leader, event)):
                attr, leader = self.attr(member, flags, leader=not fds), fds[0] if fds else -1
                fds.append(self.kernel.open(attr, 0, -1, leader, abi.FLAG_FD_CLOEXEC))
        except OSError as error:
            return error.errno or errno.EIO
        finally:
            self._close(fds)
        return 0

    def resolve(self, event: Event) -> Countable | Unavailable:
        """How the event can be counted here, found by opening it without others; or why it can't."""
        if event.refused:
            return event.refused
        if event.kind == "tool":
            return Countable(event, 0, "process")
        return self._resolve_modified(event) if event.modifiers else self._resolve_plain(event)

    def _resolve_modified(self, event: Event) -> Countable | Unavailable:
        exclusions = {"u": abi.EXCLUDE_USER, "k": abi.EXCLUDE_KERNEL, "h": abi.EXCLUDE_HV}
        flags = sum(bit for letter, bit in exclusions.items() if letter not in event.modifiers)
        names = {"u": "user", "k": "kernel", "h": "hypervisor"}
        domain = "+".join(names[m] for m in event.modifiers)
        code = self._try(event, flags)
        if code == 0:
            return Countable(event, flags, "user+kernel" if event.base in CLOCKS else domain)
        # A PMU without exclusion refuses it; whoever may count the kernel gets the whole, and is told so.
        if code == errno.EINVAL and event.kind == "core" and self._try(event, 0) == 0:
            return Countable(event, 0, "user+kernel", f"this PMU can't exclude: ':{event.modifiers}' had no effect")
        return self.explain(event, code, flags)

    def _resolve_plain(self, event: Event) -> Countable | Unavailable:
        code = self._try(event, 0)
        if code == 0:
            return Countable(event, 0, "user+kernel")
        if code != errno.EACCES or event.kind == "other":
            return self.explain(event, code)
        code = self._try(event, _USER_ONLY)
        if code == 0 and event.base in KERNEL_ONLY:
            return KERNEL_ONLY_REFUSAL
        if code == 0:
            return Countable(event, _USER_ONLY, "user+kernel" if event.base in CLOCKS else "user")
        if code == errno.EINVAL:
            return NO_EXCLUSION
        return self.explain(event, code, _USER_ONLY)

    def group(self, members: Sequence[Countable], tasks: Sequence[int] = _THIS_THREAD) -> KernelGroup:
        """One group on each task (0: this thread), disabled. Raises OpenFailed; an ended task is left out.

        A member that another one needs as its leader comes first.
        """
        leaders = {member.event.leader.metric for member in members if member.event.leader}
        members = sorted(members, key=lambda member: member.metric not in leaders)
        opened: list[tuple[int, ...]] = []
        try:
            for task in tasks:
                fds = self._open_on(members, task)
                if fds:
                    opened.append(fds)
        except OpenFailed:
            for fds in opened:
                self._close(fds)
            raise
        return KernelGroup(self.kernel, tuple(members), opened)

    def _open_on(self, members: Sequence[Countable], task: int) -> tuple[int, ...]:
        fds: list[int] = []
        for member in members:
            leader = fds[0] if fds else -1
            try:
                attr = self.attr(member.event, member.flags, leader=not fds)
                fds.append(self.kernel.open(attr, task, -1, leader, abi.FLAG_FD_CLOEXEC))
            except OSError as error:
                self._close(fds)
                if error.errno == errno.ESRCH and task:
                    return ()
                raise OpenFailed(member.event, error.errno or errno.EIO) from error
        return tuple(fds)

    def _close(self, fds: Sequence[int]) -> None:
        for fd in reversed(fds):
            self.kernel.close(fd)


class KernelGroup:
    """Events that the kernel puts on the counters together, once per observed task; read as the sum over tasks."""

    def __init__(self, kernel: Kernel, members: tuple[Countable, ...], fds: Sequence[tuple[int, ...]]) -> None:
        self.members = members
        self.enabled = False
        self._kernel = kernel
        self._fds = list(fds)
        self._leaders = [f[0] for f in fds]
        self._layout = struct.Struct(f"={_HEAD + len(members)}Q")
        self._nothing = Snapshot(0, (None,) * len(members), 0, 0)
        self._last: Snapshot | None = None

    def switch(self, on: bool) -> None:
        """Enable or disable the group, in inherited threads too."""
        request = abi.IOC_ENABLE if on else abi.IOC_DISABLE
        for leader in self._leaders:
            self._kernel.control(leader, request)
        self.enabled = on
        self._last = None

    def snapshot(self) -> Snapshot:
        """Read the group. While it is disabled nothing moves, so that the first reading after disabling is kept."""
        if self._last is None or self.enabled:
            self._last = self._read()
        return self._last

    def reader(self) -> Callable[[], tuple[int, ...]] | None:
        """What reads (number of events, ns enabled, ns running, *values) with no object beside; None: several tasks.

        It raises OSError or struct.error where the group can't be read.
        """
        if len(self._leaders) != 1:
            return None
        (leader,), size, read, unpack = self._leaders, self._layout.size, self._kernel.read, self._layout.unpack
        return lambda: unpack(read(leader, size))

    def _read(self) -> Snapshot:
        at_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC_RAW)
        size, kernel, unpack = self._layout.size, self._kernel, self._layout.unpack
        if len(self._leaders) == 1:
            try:
                words = unpack(kernel.read(self._leaders[0], size))
            except (OSError, struct.error):
                return self._nothing._replace(at_ns=at_ns)
            return Snapshot(at_ns, words[_HEAD:], words[1], words[2])
        rows = []
        for leader in self._leaders:
            try:
                rows.append(unpack(kernel.read(leader, size)))
            except (OSError, struct.error):
                return self._nothing._replace(at_ns=at_ns)
        if not rows:
            return self._nothing._replace(at_ns=at_ns)
        sums = [sum(column) for column in zip(*rows, strict=True)]
        return Snapshot(at_ns, tuple(sums[_HEAD:]), sums[1], sums[2])

    def close(self) -> None:
        """Close every descriptor; a second time does nothing."""
        for fds in self._fds:
            for fd in reversed(fds):
                self._kernel.close(fd)
        self._fds, self._leaders = [], []
