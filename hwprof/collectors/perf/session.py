"""Open counters of one target: select a pass, read, look over what was read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from hwprof.collectors.perf import abi
from hwprof.collectors.perf.hybrid import combine_kinds
from hwprof.collectors.perf.opening import KernelGroup
from hwprof.collectors.perf.tool_events import ToolGroup
from hwprof.collectors.protocol import Group, Pass, Unavailable
from hwprof.collectors.review import review_counts
from hwprof.machine.virtual import BOARD_COUNTS
from hwprof.records import Counter, Exactness, Reading, Snapshot

OpenGroup = KernelGroup | ToolGroup
_UNPROVEN = "read 0, and was never seen to count: its PMU has no cycles or instructions to check it by"


class PerfSession:
    """Counters of this process or of the tasks of another; a `hwprof.collectors.protocol.Session`.

    `tasks_at_open` are the observed threads (empty: this process, whose later threads inherit the counters).
    """

    def __init__(
        self,
        by_pass: Sequence[Sequence[OpenGroup]],
        unavailable: Mapping[str, Unavailable],
        sums: Mapping[str, tuple[str, ...]] | None = None,
        multiplexed: bool = False,
    ) -> None:
        self.unavailable: Mapping[str, Unavailable] = dict(unavailable)
        self._by_pass = tuple(tuple(groups) for groups in by_pass)
        self._sums, self._multiplexed = dict(sums or {}), multiplexed
        members = [m for groups in by_pass for g in groups for m in g.members]
        self._clusters = {m.metric: m.event.cluster for m in members}
        self._pinned = frozenset(m.metric for m in members if m.flags & abi.PINNED)
        self._unproven = {m.metric for m in members if not m.proven}
        self.groups: Sequence[Group] = tuple(
            Group(tuple(m.counter for m in group.members), index)
            for index, groups in enumerate(self._by_pass)
            for group in groups
        )
        self.passes: Sequence[Pass] = tuple(
            Pass(index, self._metrics(m.metric for group in groups for m in group.members))
            for index, groups in enumerate(self._by_pass)
        )
        # In the order of `groups`; the software group stands there once for each pass.
        self._flat = tuple(group for groups in self._by_pass for group in groups)
        self._unique = tuple(dict.fromkeys(self._flat))

    def _metrics(self, counted: Iterable[str]) -> tuple[str, ...]:
        """Metrics of a pass: what its groups count, and the sums of it over kinds of core."""
        names = tuple(counted)
        return (*names, *(whole for whole, parts in self._sums.items() if set(parts) <= set(names)))

    def select(self, pass_: Pass | None) -> None:
        """Enable exactly this pass's groups; None: all disabled."""
        wanted = self._by_pass[pass_.index] if pass_ is not None and pass_.index < len(self._by_pass) else ()
        for group in self._unique:
            if group.enabled and group not in wanted:
                group.switch(False)
        for group in wanted:
            if not group.enabled:
                group.switch(True)

    def read(self) -> tuple[Snapshot, ...]:
        """One snapshot per group, in the order of `groups`. Disabled groups cost nothing."""
        if len(self._unique) == 1:
            return (self._unique[0].snapshot(),) * len(self._flat)
        taken = {group: group.snapshot() for group in self._unique}
        return tuple([taken[group] for group in self._flat])

    def readers(self, pass_: Pass) -> list[tuple[tuple[Counter, ...], Callable[[], tuple[int, ...]]]]:
        """What reads each of a pass's kernel groups after every inference, see `KernelGroup.reader`."""
        groups = [group for group in self._by_pass[pass_.index] if isinstance(group, KernelGroup)]
        found = ((tuple(m.counter for m in group.members), group.reader()) for group in groups)
        return [(counters, reader) for counters, reader in found if reader is not None]

    def review(self, readings: Sequence[Reading]) -> Sequence[Reading]:
        """Readings of one window: the counts of several kinds of core together, what can't be true marked.

        Zero from a PMU without anchors that was never seen to count is SUSPECT.
        """
        self._unproven -= {r.metric for r in readings if r.value}
        readings = [self._proven(r) for r in readings]
        readings = combine_kinds(readings, self._clusters, self._sums, self._multiplexed, self._pinned)
        return review_counts(readings, os.environ.get(BOARD_COUNTS) == "ticks")

    def _proven(self, reading: Reading) -> Reading:
        if reading.value is None or reading.metric not in self._unproven:
            return reading
        return replace(reading, exactness=Exactness.SUSPECT, why=_UNPROVEN)

    def close(self) -> None:
        """Close all descriptors."""
        for group in self._unique:
            group.close()
