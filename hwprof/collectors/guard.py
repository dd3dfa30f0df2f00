"""A collector of the measured process that may fail: it costs its own counts and a doubt, never the run."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TypeVar

from hwprof import plugins
from hwprof.collectors.protocol import Collector, Group, Pass, Session, Target, Unavailable
from hwprof.machine.clock import clock_ns
from hwprof.printable import sentence
from hwprof.records import Counter, Doubt, Exactness, Reading, Snapshot, from_json, missing, to_json

T = TypeVar("T")


class GuardedSession:
    """The session of the collector at "module:attribute". After its first error all that it counts is MISSING.

    Its groups count in every window (pass -1): passes are perf's.
    """

    passes: Sequence[Pass] = ()

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self.groups: Sequence[Group] = ()
        self.unavailable: Mapping[str, Unavailable] = {}
        self.why = ""  # what it failed of
        self._closing = ExitStack()
        self._try(lambda: self._open(path))

    def _open(self, path: str) -> None:
        collector: Collector = plugins.load(path)()
        self._session: Session = self._closing.enter_context(collector.open(Target(), []))
        groups = [Group(tuple(group.counters), slow=group.slow) for group in self._session.groups]
        if not all(isinstance(counter, Counter) for group in groups for counter in group.counters):
            raise TypeError("its groups hold what is no Counter")
        self.unavailable = dict(self._session.unavailable)
        self.groups = groups

    def _try(self, action: Callable[[], T]) -> T | None:
        """What `action` gives; None where it raises, or something has raised before."""
        if self.why:
            return None
        try:
            return action()
        except Exception as error:  # noqa: BLE001  a third party's collector may raise anything
            self.why = " ".join(f"{type(error).__name__}: {error}".split())
            return None

    def select(self, pass_: Pass | None) -> None:
        """Tell it which pass is next; its groups are not switched by it."""
        self._try(lambda: self._session.select(pass_))

    def read(self) -> tuple[Snapshot, ...]:
        """One snapshot per group; without numbers where they can't be had."""
        found = self._try(self._read)
        now = clock_ns()
        return found or tuple(Snapshot(now, (None,) * len(group.counters), now, now) for group in self.groups)

    def _read(self) -> tuple[Snapshot, ...]:
        found = []
        for group, one in zip(self.groups, self._session.read(), strict=True):
            raw = tuple(None if value is None else operator.index(value) for value in one.raw)
            if len(raw) != len(group.counters):
                raise ValueError(f"{len(raw)} numbers for {len(group.counters)} counters")
            at_ns, enabled_ns, running_ns = map(operator.index, (one.at_ns, one.enabled_ns, one.running_ns))
            found.append(Snapshot(at_ns, raw, enabled_ns, running_ns))
        return tuple(found)

    def review(self, readings: Sequence[Reading]) -> Sequence[Reading]:
        """Its own look at its readings, and what it can't have; all MISSING once it has failed."""
        # by way of JSON, for that is how they leave this process
        found = self._try(lambda: [from_json(Reading, to_json(r)) for r in self._session.review(readings)])
        if found is None:
            lost = f"the collector failed: {self.why}"
            return [replace(r, value=None, exactness=Exactness.MISSING, why=lost, raw=None) for r in readings]
        absent = (
            missing(metric, sentence(why.reason, why.remedy), source=self.name)
            for metric, why in self.unavailable.items()
        )
        return [*found, *absent]

    def close(self) -> None:
        """Close what it opened."""
        self._try(self._closing.close)

    def doubts(self) -> list[Doubt]:
        """That it failed, and of what."""
        return [Doubt("collector-failed", {"collector": self.name, "reason": self.why})] if self.why else []
