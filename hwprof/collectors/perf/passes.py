"""Which events are counted together: as few passes as the counters allow, each tried out before it is believed.

A pass is one group of core events, led by cycles and instructions, beside one group of the kernel's own events, led
by task-clock. Both are enabled in the same window, so that the identity of throughput has its factors from one window.
They are two kernel groups on purpose: when a PMU lies or is taken by somebody else, the software events still count.
The software group is opened once and belongs to every pass.

A group is believed only if in a trial over a busy loop it ran all the time that it was enabled, and what can't be zero
(cycles, instructions, branches, page faults) is not. Else the events are halved, down to one beside the anchors.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hwprof.collectors.perf.events import Event
from hwprof.collectors.perf.names import ANCHORS, NEVER_ZERO, NEVER_ZERO_IN_TRIAL
from hwprof.collectors.perf.opening import Countable, Opener, OpenFailed
from hwprof.collectors.protocol import Unavailable

Members = tuple[Countable, ...]
_TRIALS = 3


@dataclass(frozen=True, slots=True)
class Layout:
    """Core groups of each pass; the software group; groups of other PMUs and tracepoints, which every pass has."""

    passes: tuple[tuple[Members, ...], ...]
    software: Members
    others: tuple[Members, ...]
    unavailable: Mapping[str, Unavailable]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a trial said. `why` None: the group counts."""

    why: Unavailable | None
    values: tuple[int | None, ...] = ()


FULL = Unavailable(
    "does not fit on the counters beside the anchors",
    "ask for it alone, without braces, or allow multiplexing",
)


class Planner:
    """Finds the layout for a set of events by trying."""

    def __init__(self, opener: Opener, multiplex: bool = False) -> None:
        self._opener = opener
        self._multiplex = multiplex
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
        core_anchors = tuple(c for c in found.values() if c.event.kind == "core" and c.metric in ANCHORS)
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
        return Layout(passes, software, others, {m: u for m, u in self._unavailable.items() if m in asked})

    def _kept(self, members: Members) -> Members:
        """The group, or nothing (with the reason kept) where it can't be opened or does not run."""
        if not members:
            return ()
        verdict = self.trial(members)
        if verdict.why:
            self._refuse(members, verdict.why)
            return ()
        return members

    def _refuse(self, members: Iterable[Countable], why: Unavailable) -> None:
        self._unavailable.update((c.metric, why) for c in members)

    def _multiplexed(self, anchors: Members, units: Sequence[Members]) -> tuple[tuple[Members, ...], ...]:
        """One pass, in which the kernel rotates the groups. Only opening can be tried: running less is the deal."""
        groups = []
        for members in ((anchors,) if anchors else ()) + tuple(units):
            try:
                self._opener.group(members).close()
            except OpenFailed as error:
                self._refuse(members, self._why(error, members))
                continue
            groups.append(members)
        return (tuple(groups),) if groups else ()

    def _packed(self, anchors: Members, units: Sequence[Members]) -> tuple[tuple[Members, ...], ...]:
        anchors, left = self._working(anchors)
        packed = self._halved(anchors, [*left, *units])
        if not packed and anchors:
            packed = [anchors]
        return tuple((members,) for members in packed)

    def _working(self, anchors: Members) -> tuple[Members, list[Members]]:
        """The anchors that count together, and those that count only without the others."""
        if not anchors or self.trial(anchors).why is None:
            return anchors, []
        alone = []
        for member in anchors:
            verdict = self.trial((member,))
            if verdict.why:
                self._refuse((member,), verdict.why)
            else:
                alone.append(member)
        return tuple(alone[:1]), [(member,) for member in alone[1:]]

    def _halved(self, anchors: Members, units: Sequence[Members]) -> list[Members]:
        if not units:
            return []
        members = (*anchors, *(c for unit in units for c in unit))
        verdict = self.trial(members)
        if verdict.why is None:
            return [members]
        if len(units) > 1:
            middle = (len(units) + 1) // 2
            return self._halved(anchors, units[:middle]) + self._halved(anchors, units[middle:])
        self._refuse(units[0], verdict.why)
        return []

    def trial(self, members: Members) -> Verdict:
        """Count a busy loop with the group. A few tries: somebody else may hold the counters for a moment."""
        verdict = Verdict(None)
        for _ in range(_TRIALS):
            try:
                group = self._opener.group(members)
            except OpenFailed as error:
                return Verdict(self._why(error, members))
            try:
                group.switch(True)
                self._opener.kernel.spin()
                group.switch(False)
                snapshot = group.snapshot()
            finally:
                group.close()
            verdict = _judge(members, snapshot.raw, snapshot.enabled_ns, snapshot.running_ns)
            if verdict.why is None:
                break
        return verdict

    def _why(self, error: OpenFailed, members: Members) -> Unavailable:
        # Each event opened alone, so a refusal inside a group is the group's: too many for the counters.
        if error.code in (errno.EINVAL, errno.ENOSPC) and len(members) > 1:
            return FULL
        return self._opener.explain(error.event, error.code)


def _judge(members: Members, raw: tuple[int | None, ...], enabled_ns: int, running_ns: int) -> Verdict:
    """Whether what a group read over a busy loop can be true."""
    if None in raw:
        return Verdict(Unavailable("opened, but could not be read"), raw)
    if enabled_ns <= 0:
        return Verdict(Unavailable("opened, but could not be enabled"), raw)
    if running_ns <= 0:
        return Verdict(Unavailable("opened, but the kernel never ran it"), raw)
    if not any(raw) and any(c.event.base in NEVER_ZERO and c.event.kind == "core" for c in members):
        share = running_ns / enabled_ns
        return Verdict(Unavailable(f"opened and ran {share:.2%} of a trial, but read 0 for all, anchors included"), raw)
    if running_ns < enabled_ns:
        return Verdict(
            Unavailable(
                f"ran only {running_ns / enabled_ns:.1%} of a trial: too many events, or another user of the counters",
                "sudo sysctl kernel.nmi_watchdog=0 frees a counter; stop other profilers; or allow multiplexing",
            ),
            raw,
        )
    zero = [c.metric for c, value in zip(members, raw, strict=True) if not value and _must_count(c)]
    if zero:
        return Verdict(Unavailable(f"{', '.join(zero)} read 0 over a busy loop: the counter lies"), raw)
    if not any(raw) and members[0].event.kind == "core":
        return Verdict(Unavailable("read 0 in a trial, and no cycles or instructions count here to check it by"), raw)
    return Verdict(None, raw)


def _must_count(member: Countable) -> bool:
    # Cycles in the kernel alone may well be few.
    return member.event.base in NEVER_ZERO_IN_TRIAL and "user" in member.domain
