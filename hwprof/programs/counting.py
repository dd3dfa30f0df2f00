"""Counters on a process that is about to exec: opened before, enabled by the exec itself, read when it has ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from hwprof.collectors.perf import PerfCollector, abi
from hwprof.collectors.perf.abi import Attr
from hwprof.collectors.perf.events import Event
from hwprof.collectors.perf.opening import Opener, OpenFailed
from hwprof.collectors.perf.session import OpenGroup, PerfSession
from hwprof.collectors.perf.trials import Members
from hwprof.collectors.protocol import Unavailable
from hwprof.collectors.readings import readings_between
from hwprof.errors import NotAvailable
from hwprof.records import Reading, Snapshot


class Counting(Protocol):
    """Counters of one execution."""

    def finish(self) -> Sequence[Reading]:
        """The readings, after the end of the execution. Closes the counters."""

    def close(self) -> None:
        """Close the counters without reading them. Does no harm after `finish`."""


class Backend(Protocol):
    """A program or interface that counts. `stop`: the command must be stopped after its exec until it counts.

    `tools`: perf's tool events that are asked for, which whoever runs the command takes from clocks.
    """

    name: str
    stop: bool
    passes: int
    unavailable: Mapping[str, Unavailable]
    tools: Sequence[str]

    def attach(self, pid: int, pass_: int) -> Counting:
        """Open the counters of one pass on a process that waits. Raises NotAvailable."""


class ExecOpener(Opener):
    """Opens groups that the exec of their task enables, so that nothing before it is counted."""

    def attr(self, event: Event, flags: int, leader: bool = True) -> Attr:
        """As Opener's; members run when their leader does."""
        attr = super().attr(event, flags, leader)
        if leader:
            attr.flags |= abi.ENABLE_ON_EXEC
        return attr


class ExecCounting:
    """One pass on one process, inherited by all it starts."""

    def __init__(
        self, groups: Sequence[OpenGroup], sums: Mapping[str, tuple[str, ...]] | None = None, multiplex: bool = False
    ) -> None:
        self._session = PerfSession([groups], {}, sums, multiplex)
        for group in groups:
            group.enabled = True  # by the kernel, at exec: each reading is then a new one
        self._before = self._session.read()

    def mark(self) -> Sequence[Snapshot]:
        """What was counted until now, one snapshot per group."""
        return self._session.read()

    def finish(self, sums: Sequence[Snapshot] = ()) -> Sequence[Reading]:
        """Readings from exec to end, reviewed as those of any window. `sums`: of marked stretches in their place."""
        before, after = self._before, self._session.read()
        if sums:
            before, after = tuple(Snapshot(0, (0,) * len(one.raw), 0, 0) for one in sums), tuple(sums)
        found = readings_between(self._session.groups, before, after, 0)
        self.close()
        return self._session.review(found)

    def close(self) -> None:
        """Close all descriptors."""
        self._session.close()


class Native:
    """hwprof's own counters; one execution for each pass."""

    name = "native"
    stop = False

    def __init__(self, events: Sequence[str], multiplex: bool = False, collector: PerfCollector | None = None) -> None:
        self._multiplex = multiplex
        self._collector = collector or PerfCollector(multiplex=multiplex)
        self._layout = self._collector.layout(tuple(events))
        self._opener = ExecOpener(self._collector.kernel, self._collector.catalog, self._collector.rights)
        self.unavailable: Mapping[str, Unavailable] = self._layout.unavailable
        self.passes = max(1, len(self._layout.passes))
        self.tools: Sequence[str] = tuple(member.metric for member in self._layout.tools)

    def attach(self, pid: int, pass_: int) -> ExecCounting:
        """Open pass `pass_` on `pid`, to be enabled by its exec."""
        core: Sequence[Members] = self._layout.passes[pass_] if self._layout.passes else ()
        opened: list[OpenGroup] = []
        try:
            for members in filter(None, (*core, self._layout.software, *self._layout.others)):
                opened.append(self._opener.group(members, (pid,)))  # noqa: PERF401  those before a failure are closed
        except OpenFailed as error:
            for group in opened:
                group.close()
            why = self._opener.explain(error.event, error.code, foreign=True)
            raise NotAvailable(f"{error.event.metric}: {why.reason}", why.remedy) from error
        return ExecCounting(opened, self._layout.sums, self._multiplex)
