"""Which events are counted together: as few passes as the counters allow, each tried out before it is believed.

A pass is one group of core events, led by cycles and instructions, beside one group of the kernel's own events, led
by task-clock. Both are enabled in the same window, so that the identity of throughput has its factors from one window.
They are two kernel groups on purpose: when a PMU lies or is taken by somebody else, the software events still count.
The software group is opened once and belongs to every pass.

A group is believed only if in a trial over a busy loop it ran all the time that it was enabled, and what can't be zero
(cycles, instructions, branches, page faults) is not. Else the events are halved, down to one beside the anchors, and
at last to one without them.

Multiplexed, all is one pass whose groups have the counters by turns. Of each of several kinds of core one group is
pinned then: it shows how long the threads were there, to which the counts of the others are scaled.
"""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hwprof.collectors.perf import abi
from hwprof.collectors.perf.events import Event
from hwprof.collectors.perf.names import ANCHORS
from hwprof.collectors.perf.opening import Countable, Opener, OpenFailed
from hwprof.collectors.perf.trials import FULL, Members, Trials
from hwprof.collectors.protocol import Unavailable

Pool = tuple[str, bool]  # the counters that events share: their kind of core, and whether another PMU counts them


@dataclass(frozen=True, slots=True)
class Layout:
    """Core groups of each pass; the software group; groups of other PMUs and tracepoints, which every pass has."""

    passes: tuple[tuple[Members, ...], ...]
    software: Members
    others: tuple[Members, ...]
    unavailable: Mapping[str, Unavailable]
    sums: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # metric -> those of each kind of core
    tools: Members = ()  # of every pass: they are read, not opened


class Planner:
    """Finds the layout for a set of events by trying."""

    def __init__(self, opener: Opener, trials: Trials, multiplex: bool = False) -> None:
        self._opener = opener
        self._multiplex = multiplex
        self._trials = trials
        self._unavailable: dict[str, Unavailable] = {}

    def plan(self, units: Sequence[tuple[Event, ...]], anchors: Mapping[str, Event]) -> Layout:
        """Layout for the asked units. `anchors` by name are counted too where they can be, asked for or not."""
        asked = {e.metric for unit in units for e in unit}
        found: dict[str, Countable] = {}
        for event in (*anchors.values(), *(e for unit in units for e in unit)):
            if event.metric in found or event.metric in self._unavailable:
                continue
            result = self._opener.resolve(event)
            if isinstance(result, Countable):
                found[event.metric] = result
            else:
                self._unavailable[event.metric] = result

        software = tuple(c for c in found.values() if c.event.kind == "software")
        tools = tuple(c for c in found.values() if c.event.kind == "tool")
        others: tuple[Members, ...] = tuple((c,) for c in found.values() if c.event.kind == "other")
        core_anchors = tuple(c for c in found.values() if c.event.kind == "core" and _is_anchor(c))
        found = {m: replace(c, own_group=self._needs_own_group(c, core_anchors)) for m, c in found.items()}
        taken = {c.metric for c in core_anchors}
        core_units = []
        for unit in units:
            members = tuple(found[e.metric] for e in unit if e.metric in found and e.metric not in taken)
            members = tuple(c for c in members if c.event.kind == "core")
            if members:
                core_units.append(members)
        passes = (
            self._multiplexed(core_anchors, core_units) if self._multiplex else self._packed(core_anchors, core_units)
        )
        vouched = {c.event.cluster for groups in passes for group in groups for c in group if _is_anchor(c)}
        passes = tuple(tuple(self._proven(members, vouched) for members in groups) for groups in passes)
        software = self._kept(software)
        others = tuple(kept for group in others if (kept := self._kept(group)))
        if not passes and (software or others or tools):
            passes = ((),)
        sums = self._sums(e for unit in units for e in unit)
        asked |= {e.whole for unit in units for e in unit}
        unavailable = {m: u for m, u in self._unavailable.items() if m in asked}
        return Layout(passes, software, others, unavailable, {**sums, **self._sums(anchors.values())}, tools)

    def _needs_own_group(self, member: Countable, anchors: Members) -> bool:
        """Whether an event that opens alone opens in no group with the anchor of its cores."""
        anchor = next((a for a in anchors if a.event.cluster == member.event.cluster), None)
        if anchor is None or member.event.kind != "core" or member in anchors or member.event.leader:
            return False
        try:
            self._opener.group((anchor, member)).close()
        except OpenFailed as error:
            return error.code == errno.EINVAL
        return False

    def _proven(self, members: Members, vouched: Collection[str]) -> Members:
        """Members of a core group, marked where nothing shows that its PMU counts. `vouched`: kinds with anchors."""
        if not members[0].own_group and members[0].event.cluster in vouched:
            return members
        seen = not self._trials.seen.isdisjoint(c.metric for c in members)
        return members if seen else tuple(replace(c, proven=False) for c in members)

    def _sums(self, events: Iterable[Event]) -> dict[str, tuple[str, ...]]:
        """What is the sum over kinds of core, and of what; a part that can't be counted leaves no sum."""
        parts: dict[str, dict[str, None]] = {}
        for event in events:
            if event.whole:
                parts.setdefault(event.whole, {})[event.metric] = None
        for whole, metrics in parts.items():
            lost = next((m for m in metrics if m in self._unavailable), None)
            if lost:
                why = self._unavailable[lost]
                self._unavailable[whole] = Unavailable(f"{lost}: {why.reason}", why.remedy)
        return {whole: tuple(metrics) for whole, metrics in parts.items() if whole not in self._unavailable}

    def _kept(self, members: Members) -> Members:
        """The group, or nothing (with the reason kept) where it can't be opened or does not run."""
        if not members:
            return ()
        if why := self._trials.check(members):
            self._refuse(members, why)
            return ()
        return members

    def _refuse(self, members: Iterable[Countable], why: Unavailable) -> None:
        self._unavailable.update((c.metric, why) for c in members)

    def _multiplexed(self, anchors: Members, units: Sequence[Members]) -> tuple[tuple[Members, ...], ...]:
        """One pass, in which the kernel rotates the groups. Only opening can be tried: running less is the deal."""
        groups: list[Members] = []
        left = [part for unit in (anchors, *units) for part in clusters(unit)]
        while left:
            members = left.pop(0)
            try:
                self._opener.group(members).close()
            except OpenFailed as error:
                if len(members) > 1 and members[0] in anchors:  # nobody asked for them together
                    left[:0] = [(member,) for member in members]
                else:
                    self._refuse(members, self._trials.explain(error, members))
                continue
            groups.append(members)
        kinds = _by_cluster(groups)
        if len(kinds) > 1:
            groups = [members for here in kinds for members in self._timed(here, anchors)]
        return (tuple(groups),) if groups else ()

    def _timed(self, groups: Sequence[Members], anchors: Members) -> list[Members]:
        """The groups of one kind of core with one of them pinned, which tells how long the threads are on that kind.

        Pinned are the anchors, or cycles alone where both leave no counter for the others. None, where that does not
        either.
        """
        first, *others = groups
        for size in (len(first), 1) if first[0] in anchors else (len(first),):
            pinned = tuple(replace(member, flags=member.flags | abi.PINNED) for member in first[:size])
            rest = [*filter(None, (first[size:],)), *others]
            if all(self._trials.runs_beside(pinned, members) for members in rest):
                return [pinned, *rest]
        return [*groups]

    def _packed(self, anchors: Members, units: Sequence[Members]) -> tuple[tuple[Members, ...], ...]:
        anchors, left = self._working(anchors)
        packed = self._halved(anchors, [*left, *units])
        if not set(anchors) <= {member for members in packed for member in members}:
            packed.append(anchors)
        return tuple(clusters(members) for members in packed)

    def _working(self, anchors: Members) -> tuple[Members, list[Members]]:
        """The anchors that count together, and those that count only without the others; for each kind of core."""
        together: Members = ()
        left: list[Members] = []
        for members in clusters(anchors):
            first, rest = self._working_on(members)
            together += first
            left += rest
        return together, left

    def _working_on(self, anchors: Members) -> tuple[Members, list[Members]]:
        if self._trials.check(anchors) is None:
            return anchors, []
        alone = []
        for member in anchors:
            if why := self._trials.check((member,)):
                self._refuse((member,), why)
                self._trials.silent.add(member.event.cluster)
            else:
                alone.append(member)
        return tuple(alone[:1]), [(member,) for member in alone[1:]]

    def _halved(self, anchors: Members, units: Sequence[Members]) -> list[Members]:
        if not units:
            return []
        members = (*anchors, *(c for unit in units for c in unit))
        failed = self._failed(members)
        if not failed:
            return [members]
        if len(units) > 1:
            middle = (len(units) + 1) // 2
            return self._halved(anchors, units[:middle]) + self._halved(anchors, units[middle:])
        return self._without(anchors, units[0], failed)

    def _without(self, anchors: Members, unit: Members, failed: Mapping[Pool, Unavailable]) -> list[Members]:
        """The pass of a unit that fails beside the anchors, without those of the cores in question.

        What these leave no counter for (a PMU with one for instructions, and instructions:u) counts so. In braces it
        stands for being counted together with them.
        """
        kept = tuple(c for c in unit if _pool(c) not in failed)
        bare: Members = ()
        for part in clusters(unit):
            if (why := failed.get(_pool(part[0]))) is None:
                continue
            beside = any(c.event.cluster == part[0].event.cluster for c in kept)
            if anchors and not beside and (why is not FULL or len(part) == 1) and self._counts_alone(part):
                bare += part
            else:
                self._refuse(part, why)
        dropped = {c.event.cluster for c in bare}
        members = (*(a for a in anchors if a.event.cluster not in dropped), *kept, *bare)
        return [members] if kept or bare else []

    def _counts_alone(self, members: Members) -> bool:
        """Whether a group counts that failed beside anchors which count: what then reads 0 is not believed."""
        return self._trials.check(members) is None and (
            members[0].own_group or not self._trials.seen.isdisjoint(c.metric for c in members)
        )

    def _failed(self, members: Members) -> dict[Pool, Unavailable]:
        """Groups of a pass that fail in a trial -> why. Of groups that fail only at one time, the first is kept."""
        groups = clusters(members)
        failed = {_pool(group[0]): why for group in groups if (why := self._trials.check(group))}
        if failed:
            return failed
        for first, *others in _by_cluster(groups):
            if others and (why := self._trials.check(first, *others)):
                failed |= {_pool(group[0]): why for group in others}
        return failed


def _is_anchor(member: Countable) -> bool:
    return (member.event.whole or member.metric) in ANCHORS


def clusters(members: Members) -> tuple[Members, ...]:
    """Members by the PMU that counts them, for PMUs share no group. One kind of core and no other PMU: one group."""
    found: dict[Pool, list[Countable]] = {}
    for member in members:
        found.setdefault(_pool(member), []).append(member)
    return tuple(tuple(group) for group in found.values())


def _by_cluster(groups: Iterable[Members]) -> list[list[Members]]:
    found: dict[str, list[Members]] = {}
    for members in groups:
        found.setdefault(members[0].event.cluster, []).append(members)
    return list(found.values())


def _pool(member: Countable) -> Pool:
    return member.event.cluster, member.own_group
