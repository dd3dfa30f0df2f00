"""Measures cases side by side: all loaded, each stopped while it waits, slices in turn, and a stretch alone for each.

Processes measured one after another differ by more than most frameworks do: neighbours, clocks and the host change
within a second. Members of a set take turns of less than that. Sensors need a second, and what is published is of one
case at a time: each member's stretch alone gives those figures, while the others are stopped.
"""

from __future__ import annotations

import dataclasses
import math
import random
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from hwprof.collectors.cooldown import CoolDown
from hwprof.collectors.watcher import GaugeWatcher
from hwprof.records import Doubt, Kind, Run
from hwprof.runner.grouping import MEMORY_SHARE, SPARE_ROUND
from hwprof.runner.launcher import Launcher
from hwprof.runner.members import Member, Ticket
from hwprof.runner.runs import RunFactory
from hwprof.runner.workshop import Artifacts, PreparationFailed, Workshop

# Of CPU clocks of stopped processes: the end of a stop itself takes less.
STILL_NS = 1_000_000


@dataclass(slots=True)
class SetMeasurement:
    """Measures sets of one experiment. `stretch_s`: of each stretch alone; None: what its sensors need.

    `cooldown`: what waits before the first turn of a set, and before each stretch alone, while all are stopped.
    `peaks`: peak memory of the cases that were loaded so far, by key. `notes`: what else is known of a case's turns.
    """

    runs: RunFactory
    launcher: Launcher
    workshop: Workshop
    idle_w: Mapping[str, float] = field(default_factory=dict)
    stretch_s: float | None = None
    cooldown: CoolDown = field(default_factory=lambda: CoolDown(0.0))
    notes: Callable[[str], Mapping[str, Any]] = lambda key: {}
    peaks: dict[str, float] = field(default_factory=dict)
    budget: float = math.inf  # bytes that the members of a set may have together
    _paths: dict[str, Artifacts] = field(default_factory=dict)

    def measure(self, tickets: Sequence[Ticket], alone: bool = False) -> list[Run]:
        """The runs of one set, loaded in this order: good and failed ones, earlier attempts too.

        A case that fails before its first turn is tried once more at once. One that fails later ends the set, which is
        repeated with fresh processes; where it fails again the others go on without it. What doesn't fit into memory is
        left to another part, which begins with a fresh process of the first case. Late cases come first: where none of
        them can be loaded, nothing is measured.
        """
        found: list[Run] = []
        left = self._prepare(tickets, found)
        free = self.launcher.headroom()
        self.budget = math.inf if free is None else MEMORY_SHARE * free
        part, reference = 0, None
        while left:
            if reference is None:
                loading = _Part(self, part, left, alone)
            elif any(self._fits([reference, ticket]) for ticket in left):
                loading = _Part(self, part, [_spare(reference, part), *left], alone)
            else:  # nothing fits beside it
                loading = _Part(self, part, left[:1], alone=True)
            found += loading.measure()
            left = [ticket for ticket in left if ticket in loading.left or ticket not in loading.company]
            reference = reference or loading.reference
            part += 1
        return found

    def _prepare(self, tickets: Sequence[Ticket], found: list[Run]) -> list[Ticket]:
        """What the cases need on disk, before any worker lives; where that fails it is a failed run in `found`."""
        ready = []
        for ticket in tickets:
            planned = ticket.planned
            try:
                self._paths[ticket.key] = self.workshop.get(planned)
                ready.append(ticket)
            except PreparationFailed as error:
                blank = self.runs.blank(planned, ticket.number, ticket.attempt, Kind.NATIVE, planned.environ())
                found.append(dataclasses.replace(blank, failure=error.failure))
        return ready

    def member(self, ticket: Ticket) -> Member:
        """A member that is not started yet."""
        e, case = self.runs.experiment, ticket.planned.case
        watcher = GaugeWatcher(e.gauge_hz, case.cpus, e.meter, self.idle_w, power_sensor=e.power_sensor)
        return Member(ticket, self._paths[ticket.key], self.runs, self.launcher, watcher)

    def _fits(self, tickets: Sequence[Ticket]) -> bool:
        """Whether these cases fit into memory together, as far as their peaks are known."""
        return sum(self.peaks.get(ticket.key, 0) for ticket in tickets) <= self.budget


def _spare(reference: Ticket, part: int) -> Ticket:
    """The reference case once more, for another part of the set: its run has a round of its own."""
    return dataclasses.replace(reference, number=SPARE_ROUND * part + reference.number, attempt=1)


class _Part:
    """Those cases of a set that are loaded together. `left`: what does not fit beside the others."""

    def __init__(self, of: SetMeasurement, part: int, company: Sequence[Ticket], alone: bool) -> None:
        self.of, self.part, self.company, self.alone = of, part, tuple(company), alone
        self.rng = random.Random(f"turns {of.runs.experiment.seed}/{company[0].number}/{part}")
        self.left: list[Ticket] = []
        self.failed: list[Run] = []
        self.reference: Ticket | None = None  # the first of those that were loaded

    def measure(self) -> list[Run]:
        """Failed and good runs, all of one set."""
        company: Sequence[Ticket] = self.company
        while company:
            with ExitStack() as closing:
                members = self.load(company, closing)
                if self.part and [member.ticket for member in members] == [self.company[0]] and not self.alone:
                    return self.failed  # only the reference once more
                is_over = self.take_turns(members) and self.finish(members)
            failed = [member for member in members if member.run is not None and member.run.failure is not None]
            self.failed += [member.run for member in failed if member.run is not None]
            if is_over:
                return [*self.failed, *self.good(members)]
            lost = [member for member in failed if not member.may_retry]
            company = [m.ticket.again() if m in failed else m.ticket for m in members if m not in lost]
        return self.failed

    def load(self, company: Sequence[Ticket], closing: ExitStack) -> list[Member]:
        """Load one after another, the others stopped: load, first inference and peak memory are each one's own."""
        members: list[Member] = []
        budget, total = self.of.budget, 0.0
        for ticket in company:
            if not members and self.company[0].late and not ticket.late:
                return []
            if members and total + self.of.peaks.get(ticket.key, 0) > budget:
                self.left.append(ticket)
                continue
            member = self.try_to_load(ticket, closing, bool(members))
            if member is None:
                continue
            total += member.peak_bytes
            if members and (total > budget or member.starved):
                total -= member.peak_bytes
                member.close()
                self.left.append(ticket)
                continue
            members.append(member)
        if members:
            self.reference = self.reference or members[0].ticket
        return members

    def try_to_load(self, ticket: Ticket, closing: ExitStack, others: bool) -> Member | None:
        """The case, loaded and stopped, or ended since memory ran out beside others; None: it failed."""
        while True:
            member = self.of.member(ticket)
            closing.callback(member.close)
            member.load()
            if len(self.company) > 1:
                member.stop()
            if member.run is None or (member.starved and others):
                peak = math.inf if member.starved else float(member.peak_bytes)
                self.of.peaks[member.key] = max(peak, self.of.peaks.get(member.key, 0.0))
                return member
            self.failed.append(member.run)
            if not member.may_retry:
                return None
            ticket = ticket.again()

    def cool_down(self, members: Sequence[Member], before: str) -> None:
        """Wait until the machine is cool, with these members stopped too; what was waited is theirs."""

        def rest() -> None:
            for member in members:
                member.rest()

        cpus = sorted({cpu for member in members for cpu in member.ticket.planned.case.cpus})
        cooling = self.of.cooldown.wait(cpus, rest)
        for member in members:
            member.coolings[before] = cooling

    def take_turns(self, members: Sequence[Member]) -> bool:
        """Cycles of turns, each in another order; False as soon as one failed that is to be tried again."""
        if any(member.has_turns for member in members):
            self.cool_down(members, "before_turns")
        while waiting := [member for member in members if member.has_turns]:
            self.rng.shuffle(waiting)
            for member in waiting:
                member.take_turn(stop=len(members) > 1)
                if member.may_retry:
                    return False
        return True

    def finish(self, members: Sequence[Member]) -> bool:
        """Each alone, from its stretch to its end; False as in `take_turns`."""
        order = list(members)
        self.rng.shuffle(order)
        for member in order:
            if member.run is None:
                self.cool_down([member], "before_stretch")
            member.finish(self.of.stretch_s)
            if member.may_retry:
                return False
        return True

    def good(self, members: Sequence[Member]) -> list[Run]:
        """The good runs, with what is to be known of their set."""
        found, identity = [], secrets.token_hex(4)
        doubts = tuple(
            Doubt("ran-while-stopped", {"case": m.ticket.planned.case.title, "ms": m.moved_ns / 1e6})
            for m in members
            if m.moved_ns > STILL_NS
        )
        for member in members:
            run = member.run
            if run is None or run.failure is not None:
                continue
            facts = {
                "id": identity,
                "members": [m.ticket.planned.case.title for m in members],
                "group": self.part,
                "turn_pairs": member.ticket.turn_pairs,
                "alone": self.alone,
                "cpu_moved_ns": member.moved_ns,
                **self.of.notes(member.key),
            }
            found.append(dataclasses.replace(run, facts={**run.facts, "set": facts}, doubts=(*run.doubts, *doubts)))
        return found
