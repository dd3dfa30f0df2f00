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
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass, field, replace

from hwprof.collectors.perf import abi
from hwprof.collectors.perf.events import Event
from hwprof.collectors.perf.names import ANCHORS, NEVER_ZERO, NEVER_ZERO_IN_TRIAL
from hwprof.collectors.perf.opening import Countable, Opener, OpenFailed
from hwprof.collectors.protocol import Unavailable
from hwprof.records import Snapshot

Members = tuple[Countable, ...]
# Keeps this thread on one kind of core while it is tried; gives False where it may not run there.
Pin = Callable[[str], AbstractContextManager[bool]]
_TRIALS = 3


def _nowhere_else(cluster: str) -> AbstractContextManager[bool]:
    return nullcontext(True)


@dataclass(frozen=True, slots=True)
class Layout:
    """Core groups of each pass; the software group; groups of other PMUs and tracepoints, which every pass has."""

    passes: tuple[tuple[Members, ...], ...]
    software: Members
    others: tuple[Members, ...]
    unavailable: Mapping[str, Unavailable]
    sums: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # metric -> those of each kind of core


FULL = Unavailable(
    "does not fit on the counters beside the anchors",
    "ask for it alone, without braces, or allow multiplexing",
)


class Planner:
    """Finds the layout for a set of events by trying."""

    def __init__(self, opener: Opener, multiplex: bool = False, pin: Pin = _nowhere_else) -> None:
        self._opener = opener
        self._multiplex = multiplex
        self._pin = pin
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
        others: tuple[Members, ...] = tuple((c,) for c in found.values() if c.event.kind == "other")
        core_anchors = tuple(c for c in found.values() if c.event.kind == "core" and _is_anchor(c))
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
        software = self._kept(software)
        others = tuple(kept for group in others if (kept := self._kept(group)))
        if not passes and (software or others):
            passes = ((),)
        sums = self._sums(e for unit in units for e in unit)
        asked |= {e.whole for unit in units for e in unit}
        unavailable = {m: u for m, u in self._unavailable.items() if m in asked}
        return Layout(passes, software, others, unavailable, {**sums, **self._sums(anchors.values())})

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
        if why := self.trial(members):
            self._refuse(members, why)
            return ()
        return members

    def _refuse(self, members: Iterable[Countable], why: Unavailable) -> None:
        self._unavailable.update((c.metric, why) for c in members)

    def _multiplexed(self, anchors: Members, units: Sequence[Members]) -> tuple[tuple[Members, ...], ...]:
        """One pass, in which the kernel rotates the groups. Only opening can be tried: running less is the deal."""
        groups: dict[str, list[Members]] = {}
        left = [part for unit in (anchors, *units) for part in clusters(unit)]
        while left:
            members = left.pop(0)
            try:
                self._opener.group(members).close()
            except OpenFailed as error:
                if len(members) > 1 and members[0] in anchors:  # nobody asked for them together
                    left[:0] = [(member,) for member in members]
                else:
                    self._refuse(members, self._why(error, members))
                continue
            groups.setdefault(members[0].event.cluster, []).append(members)
        if len(groups) > 1:
            groups = {cluster: self._timed(here, anchors) for cluster, here in groups.items()}
        return (tuple(members for here in groups.values() for members in here),) if groups else ()

    def _timed(self, groups: Sequence[Members], anchors: Members) -> list[Members]:
        """The groups of one kind of core with one of them pinned, which tells how long the threads are on that kind.

        Pinned are the anchors, or cycles alone where both leave no counter for the others. None, where that does not
        either.
        """
        first, *others = groups
        for size in (len(first), 1) if first[0] in anchors else (len(first),):
            pinned = tuple(replace(member, flags=member.flags | abi.PINNED) for member in first[:size])
            rest = [*filter(None, (first[size:],)), *others]
            if all(self._runs_beside(pinned, members) for members in rest):
                return [pinned, *rest]
        return [*groups]

    def _runs_beside(self, pinned: Members, members: Members) -> bool:
        """Whether a pinned group runs all the time and leaves counters for another, on the kind of core of both."""
        for _ in range(_TRIALS):
            try:
                read = self._count(pinned, members)
            except OpenFailed:
                return False
            if not read:
                return len(pinned) == 1  # not tried: the least there is
            (_, clock), (_, other) = read
            if 0 < clock.enabled_ns == clock.running_ns and other.running_ns > 0:
                return True
        return False

    def _packed(self, anchors: Members, units: Sequence[Members]) -> tuple[tuple[Members, ...], ...]:
        anchors, left = self._working(anchors)
        packed = self._halved(anchors, [*left, *units])
        if anchors and not any(members[0] is anchors[0] for members in packed):
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
        if self.trial(anchors) is None:
            return anchors, []
        alone = []
        for member in anchors:
            if why := self.trial((member,)):
                self._refuse((member,), why)
            else:
                alone.append(member)
        return tuple(alone[:1]), [(member,) for member in alone[1:]]

    def _halved(self, anchors: Members, units: Sequence[Members]) -> list[Members]:
        if not units:
            return []
        members = (*anchors, *(c for unit in units for c in unit))
        failed = {group[0].event.cluster: why for group in clusters(members) if (why := self.trial(group))}
        if not failed:
            return [members]
        if len(units) > 1:
            middle = (len(units) + 1) // 2
            return self._halved(anchors, units[:middle]) + self._halved(anchors, units[middle:])
        found: list[Members] = []
        for part in clusters(units[0]):
            why = failed.get(part[0].event.cluster)
            # What the anchors leave no counter for (a PMU with one for instructions, and instructions:u) counts without
            # them.
            if why and anchors and why is not FULL and self.trial(part) is None:
                found.append(part)
            elif why:
                self._refuse(part, why)
        kept = tuple(c for c in units[0] if c.event.cluster not in failed)
        return [(*anchors, *kept), *found] if kept else found

    def trial(self, members: Members) -> Unavailable | None:
        """Count a busy loop with the group; None: it counts. Several tries: somebody else may hold the counters."""
        why: Unavailable | None = None
        for _ in range(_TRIALS):
            try:
                read = self._count(members)
            except OpenFailed as error:
                return self._why(error, members)
            why = next((found for group in read if (found := _judge(*group))), None)
            if why is None:
                break
        return why

    def _count(self, *groups: Members) -> list[tuple[Members, Snapshot]]:
        """What groups of one kind of core read over a busy loop, each with its members in order. Raises OpenFailed.

        Empty where this thread can't go there to try: the target may.
        """
        with ExitStack() as stack:
            opened = [stack.enter_context(closing(self._opener.group(members))) for members in groups]
            if not stack.enter_context(self._pin(groups[0][0].event.cluster)):
                return []
            for group in opened:
                group.switch(True)
            self._opener.kernel.spin()
            for group in opened:
                group.switch(False)
            return [(group.members, group.snapshot()) for group in opened]

    def _why(self, error: OpenFailed, members: Members) -> Unavailable:
        # Each event opened alone, so a refusal inside a group is the group's: too many for the counters.
        if error.code in (errno.EINVAL, errno.ENOSPC) and len(members) > 1:
            return FULL
        return self._opener.explain(error.event, error.code)


def clusters(members: Members) -> tuple[Members, ...]:
    """Members by the kind of core they count on: PMUs share no group. One kind: one group."""
    found: dict[str, list[Countable]] = {}
    for member in members:
        found.setdefault(member.event.cluster, []).append(member)
    return tuple(tuple(group) for group in found.values())


def _is_anchor(member: Countable) -> bool:
    return (member.event.whole or member.metric) in ANCHORS


def _judge(members: Members, read: Snapshot) -> Unavailable | None:
    """Why what a group read over a busy loop cannot be true; None: it can."""
    raw, enabled_ns, running_ns = read.raw, read.enabled_ns, read.running_ns
    if None in raw:
        return Unavailable("opened, but could not be read")
    if enabled_ns <= 0:
        return Unavailable("opened, but could not be enabled")
    if running_ns <= 0:
        return Unavailable("opened, but the kernel never ran it")
    share = running_ns / enabled_ns
    if not any(raw) and any(c.event.base in NEVER_ZERO and c.event.kind == "core" for c in members):
        return Unavailable(f"opened and ran {share:.2%} of a trial, but read 0 for all, anchors included")
    if running_ns < enabled_ns:
        return Unavailable(
            f"ran only {share:.1%} of a trial: too many events, or another user of the counters",
            "sudo sysctl kernel.nmi_watchdog=0 frees a counter; stop other profilers; or allow multiplexing",
        )
    zero = [c.metric for c, value in zip(members, raw, strict=True) if not value and _must_count(c)]
    if zero:
        return Unavailable(f"{', '.join(zero)} read 0 over a busy loop: the counter lies")
    if not any(raw) and members[0].event.kind == "core":
        return Unavailable("read 0 in a trial, and no cycles or instructions count here to check it by")
    return None


def _must_count(member: Countable) -> bool:
    # Cycles in the kernel alone may well be few.
    return member.event.base in NEVER_ZERO_IN_TRIAL and "user" in member.domain
