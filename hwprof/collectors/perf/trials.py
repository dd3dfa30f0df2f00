"""Groups tried out over a busy loop, before what they count is believed."""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext

from hwprof.collectors.perf.names import NEVER_ZERO, NEVER_ZERO_IN_TRIAL
from hwprof.collectors.perf.opening import Countable, Opener, OpenFailed
from hwprof.collectors.protocol import Unavailable
from hwprof.records import Snapshot

Members = tuple[Countable, ...]
# Keeps this thread on one kind of core while it is tried; gives False where it may not run there.
Pin = Callable[[str], AbstractContextManager[bool]]
REPEATS = 3  # somebody else may hold the counters

FULL = Unavailable(
    "does not fit on the counters beside the anchors",
    "ask for it alone, without braces, or allow multiplexing",
)
SILENT = Unavailable("read 0 in a trial, and no cycles or instructions count here to check it by")


def _nowhere_else(cluster: str) -> AbstractContextManager[bool]:
    return nullcontext(True)


class Trials:
    """Trials of groups on this thread. `seen`: metrics that were not 0; `silent`: kinds of core whose anchors were."""

    def __init__(self, opener: Opener, pin: Pin = _nowhere_else) -> None:
        self.seen: set[str] = set()
        self.silent: set[str] = set()
        self._opener = opener
        self._pin = pin

    def check(self, *groups: Members) -> Unavailable | None:
        """Why groups of one kind of core do not all count a busy loop at one time; None: they do."""
        why: Unavailable | None = None
        for _ in range(REPEATS):
            try:
                read = self.count(*groups)
            except OpenFailed as error:
                return self.explain(error, groups[0])
            why = next((found for group in read if (found := _judge(*group) or self._silence(*group))), None)
            if why is None:
                self.seen |= {c.metric for members, at in read for c, raw in zip(members, at.raw, strict=True) if raw}
                break
        return why

    def runs_beside(self, pinned: Members, members: Members) -> bool:
        """Whether a pinned group runs all the time and leaves counters for another, on the kind of core of both."""
        for _ in range(REPEATS):
            try:
                read = self.count(pinned, members)
            except OpenFailed:
                return False
            if not read:
                return len(pinned) == 1  # not tried: the least there is
            (_, clock), (_, other) = read
            if 0 < clock.enabled_ns == clock.running_ns and other.running_ns > 0:
                return True
        return False

    def _silence(self, members: Members, read: Snapshot) -> Unavailable | None:
        """Why a 0 of a PMU is not believed whose cycles or instructions don't count either."""
        if any(read.raw) or members[0].event.cluster not in self.silent or members[0].own_group:
            return None
        return None if members[0].event.kind != "core" else SILENT

    def count(self, *groups: Members) -> list[tuple[Members, Snapshot]]:
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

    def explain(self, error: OpenFailed, members: Members) -> Unavailable:
        """Why a group did not open."""
        # Each event opened alone, so a refusal inside a group is the group's: too many for the counters.
        if error.code in (errno.EINVAL, errno.ENOSPC) and len(members) > 1:
            return FULL
        return self._opener.explain(error.event, error.code)


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
        return Unavailable(f"{', '.join(zero)} read 0 over a busy loop: the counter miscounts")
    return None


def _must_count(member: Countable) -> bool:
    # Cycles in the kernel alone may well be few.
    return member.event.base in NEVER_ZERO_IN_TRIAL and "user" in member.domain
