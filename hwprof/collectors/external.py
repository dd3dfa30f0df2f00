"""No counters in the worker: one pass that somebody outside counts, told the window's edges by the launcher."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from hwprof.collectors.protocol import Available, Pass, Target, Unavailable, UnswitchedSession
from hwprof.records import Snapshot


class ExternalSession(UnswitchedSession):
    """Nothing open, nothing read."""

    passes: Sequence[Pass] = (Pass(0, ()),)

    def read(self) -> tuple[Snapshot, ...]:
        """Nothing to read."""
        return ()


class External:
    """Stands in the perf collector's place."""

    name = "external"

    def probe(self, requests: Sequence[str]) -> Mapping[str, Available | Unavailable]:
        """It counts nothing itself."""
        return dict.fromkeys(requests, Unavailable("counted from outside the worker"))

    @contextmanager
    def open(self, target: Target, requests: Sequence[str]) -> Iterator[ExternalSession]:
        """Whatever is requested is counted outside."""
        yield ExternalSession()
