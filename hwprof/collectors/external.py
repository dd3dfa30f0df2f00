"""No counters in the worker: one pass that somebody outside counts, told the window's edges by the launcher.

What is read from clocks (perf's tool events) is read here all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from hwprof.collectors.perf.tool_events import ToolGroup, tool_names
from hwprof.collectors.protocol import Available, Group, Pass, Target, Unavailable, UnswitchedSession
from hwprof.records import Snapshot


class ExternalSession(UnswitchedSession):
    """Nothing open. `tools`: the tool events that are read in the counted window."""

    def __init__(self, tools: Sequence[str] = ()) -> None:
        self._clocks = ToolGroup(tools) if tools else None
        self.groups = [Group(self._clocks.counters, 0)] if self._clocks else []
        self.passes: Sequence[Pass] = (Pass(0, tuple(tools)),)

    def read(self) -> tuple[Snapshot, ...]:
        """The clocks."""
        return (self._clocks.snapshot(),) if self._clocks else ()


class External:
    """Stands in the perf collector's place."""

    name = "external"

    def probe(self, requests: Sequence[str]) -> Mapping[str, Available | Unavailable]:
        """It counts nothing itself."""
        return dict.fromkeys(requests, Unavailable("counted from outside the worker"))

    @contextmanager
    def open(self, target: Target, requests: Sequence[str]) -> Iterator[ExternalSession]:
        """Whatever else is requested is counted outside."""
        yield ExternalSession(tool_names(requests))
