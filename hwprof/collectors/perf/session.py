"""Open counters of one target: select a pass, read, look over what was read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from hwprof.collectors.perf import abi
from hwprof.collectors.perf.hybrid import combine_kinds
from hwprof.collectors.perf.names import ANCHORS, NEVER_ZERO
from hwprof.collectors.perf.opening import KernelGroup
from hwprof.collectors.protocol import Group, Pass, Unavailable
from hwprof.collectors.readings import mark_suspect
from hwprof.machine.virtual import BOARD_COUNTS
from hwprof.records import Exactness, Origin, Reading, Snapshot

# Below this share of the window an extrapolation is a guess.
FEW = 0.01
_ZERO = "opened, but read 0 for all hardware events, anchors included"
_UNPROVEN = "read 0, and was never seen to count: its PMU has no cycles or instructions to check it by"

_TICKS = "the emulator runs without exact counts: this is a clock of its host"
_BY_HARDWARE = (Origin.HARDWARE, Origin.EMULATED)


class PerfSession:
    """Counters of this process or of the tasks of another; a `hwprof.collectors.protocol.Session`.

    `tasks_at_open` are the observed threads (empty: this process, whose later threads inherit the counters).
    """

    def __init__(
        self,
        by_pass: Sequence[Sequence[KernelGroup]],
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

    def review(self, readings: Sequence[Reading]) -> Sequence[Reading]:
        """Readings of one window: what can't be true becomes MISSING or SUSPECT, with the reason.

        All anchors of the hardware zero: none of the hardware's values is believed. One anchor zero: that one is not.
        Zero from an emulator's PMU or from one without anchors that never counted, ticks of an emulator's host or a
        share of the window below 1 %: SUSPECT. Where there are several kinds of core, the counts of each are within its
        own time, and their sums are added.
        """
        self._unproven -= {r.metric for r in readings if r.value}
        readings = [mark_suspect(r, _UNPROVEN) if r.metric in self._unproven else r for r in readings]
        readings = combine_kinds(readings, self._clusters, self._sums, self._multiplexed, self._pinned)
        hardware = [r for r in readings if r.origin in _BY_HARDWARE and r.value is not None]
        anchors = [r for r in hardware if _base(r) in ANCHORS and r.running != 0]  # 0: the threads were elsewhere
        ran = any(r.value for r in readings if _base(r) in ("task-clock", "cpu-clock")) or any(
            r.value for r in hardware
        )
        dead = bool(anchors) and not any(r.value for r in hardware) and (ran or len(hardware) > 1)
        return [self._look(r, dead, ran) for r in readings]

    def _look(self, reading: Reading, dead: bool, ran: bool) -> Reading:
        if reading.value is None or reading.origin not in _BY_HARDWARE:
            return reading
        if dead:
            return _missing(reading, _ZERO)
        if self._clusters.get(reading.metric) and reading.running == 0:
            return reading  # of the other kind of core: nothing ran there
        if reading.value == 0 and ran and _base(reading) in NEVER_ZERO and "user" in reading.domain:
            return _missing(reading, "read 0 in a window in which the program ran")
        if self._clusters.get(reading.metric) and reading.exactness is Exactness.EXACT:
            return reading
        if reading.running is not None and reading.running < FEW:
            return mark_suspect(reading, f"counted during only {reading.running:.2%} of the window")
        if reading.value == 0 and reading.origin is Origin.EMULATED:
            return mark_suspect(reading, "an emulator's PMU reads 0 for what it does not model")
        if reading.origin is Origin.EMULATED and _base(reading) in ANCHORS and os.environ.get(BOARD_COUNTS) == "ticks":
            return mark_suspect(reading, _TICKS)
        return reading

    def close(self) -> None:
        """Close all descriptors."""
        for group in self._unique:
            group.close()


def _base(reading: Reading) -> str:
    return reading.metric.partition("@")[0].partition(":")[0]


def _missing(reading: Reading, why: str) -> Reading:
    return replace(reading, value=None, exactness=Exactness.MISSING, why=why)
