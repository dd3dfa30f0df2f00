"""`with hwprof.Profile(events=[...]) as profile: ...` counts what this process does inside the block.

Threads that exist already are counted, one descriptor per thread, and those they start. The block is counted as a
whole: hwprof can't cut what it does not call into slices. Standard library only.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from hwprof.collectors.perf.abi import Kernel
from hwprof.collectors.perf.counters import PerfCollector, TaskSession
from hwprof.collectors.readings import readings_between
from hwprof.errors import UnknownNameError, UsageError
from hwprof.machine.clock import clock_ns
from hwprof.printable import sentence
from hwprof.records import Doubt, Exactness, Reading, Snapshot, missing


class Profile:
    """Counts of a block of code, usable again and again; each use replaces the last one's readings.

    `events` as `hwprof run -e` takes them, "auto": this CPU's best set. `multiplex`: count what does not fit on the
    counters together by turns (SCALED); without it that is MISSING, for a block runs once. Raises UnknownEvent and
    UsageError on construction.
    """

    def __init__(
        self,
        events: str | Sequence[str] = "auto",
        *,
        root: Path | str = Path("/"),
        kernel: Kernel | None = None,
        multiplex: bool = False,
    ) -> None:
        self._requests = (events,) if isinstance(events, str) else tuple(events)
        if not self._requests:
            raise UsageError("no events to count", 'omit events, or name some: events=["page-faults"]')
        self._collector = PerfCollector(Path(root), kernel, multiplex)
        self._asked = [e.metric for unit in self._collector.parser.parse(self._requests) for e in unit]
        self._stack: ExitStack | None = None
        self._session: TaskSession | None = None
        self._before: tuple[Snapshot, ...] = ()
        self._start_ns = 0
        self.readings: tuple[Reading, ...] = ()
        self.doubts: tuple[Doubt, ...] = ()
        self.elapsed_s: float | None = None

    def __enter__(self) -> Profile:
        if self._stack is not None:
            raise UsageError("this Profile is already counting", "use a second Profile for a block inside the first")
        self.readings, self.doubts, self.elapsed_s = (), (), None
        stack = ExitStack()
        try:
            session = stack.enter_context(self._collector.open_tasks(os.getpid(), self._requests))
            if session.passes:
                session.select(session.passes[0])
            self._before = session.read()
        except BaseException:
            stack.close()
            raise
        self._stack, self._session = stack, session
        self._start_ns = clock_ns()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end_ns = clock_ns()
        stack, session = self._stack, self._session
        if stack is None or session is None:
            raise UsageError("this Profile is not counting", "use it in a with statement")
        self._stack = self._session = None
        with stack:
            after = session.read()
            session.select(None)
            changed = session.tasks_changed()
        self.elapsed_s = (end_ns - self._start_ns) / 1e9
        self.doubts = (Doubt("threads-changed"),) if changed else ()
        self.readings = self._readings(session, after)

    def _readings(self, session: TaskSession, after: tuple[Snapshot, ...]) -> tuple[Reading, ...]:
        counted = readings_between(session.groups, self._before, after, 0)
        found = {r.metric: r for r in session.review(counted)}
        for pass_ in session.passes[1:]:
            for metric in pass_.metrics:
                why = sentence("no free counter: a block runs once", "fewer events, or multiplex=True")
                found.setdefault(metric, missing(metric, why))
        for metric, unavailable in session.unavailable.items():
            found[metric] = missing(metric, sentence(unavailable.reason, unavailable.remedy))
        order = [m for m in self._asked if m in found]
        return tuple(found[m] for m in [*order, *(m for m in found if m not in self._asked)])

    def __iter__(self) -> Iterator[Reading]:
        return iter(self.readings)

    def __getitem__(self, metric: str) -> Reading:
        """The reading of one metric; UnknownNameError for one that was not asked for."""
        for reading in self.readings:
            if reading.metric == metric:
                return reading
        raise UnknownNameError(metric, [r.metric for r in self.readings])

    def __str__(self) -> str:
        """A table as perf stat prints it, each value with its exactness; missing ones with their reason."""
        if self.elapsed_s is None:
            return "nothing counted yet"
        reasons: dict[str, int] = {}
        for reading in self.readings:
            if reading.value is None:
                reasons.setdefault(reading.why, len(reasons) + 1)
        rows = [_row(r, self.elapsed_s, reasons) for r in self.readings]
        width = max((len(row[0]) for row in rows), default=0)
        name = max((len(row[1]) for row in rows), default=0)
        lines = [f"  {value:>{width}}  {metric:<{name}}  {note}".rstrip() for value, metric, note in rows]
        lines += [f"  # ({number}) {reason}" for reason, number in reasons.items()]
        lines += ["", f"  {self.elapsed_s:.6f} seconds elapsed"]
        if self.doubts:
            lines.append("  threads started or ended during the block: some of their work may not be counted")
        return "\n".join(lines)


def _row(reading: Reading, elapsed_s: float, reasons: Mapping[str, int]) -> tuple[str, str, str]:
    """Value, name and remark of one line; a reason is a number, for many lines share one."""
    if reading.value is None:
        return "<not available>", reading.metric, f"missing  # ({reasons[reading.why]})"
    notes = []
    if reading.metric.startswith(("task-clock", "cpu-clock")) and elapsed_s > 0:
        notes.append(f"{reading.value / 1e9 / elapsed_s:.2f} CPUs")
    if reading.domain != "user+kernel":
        notes.append(f"{reading.domain} only")
    if reading.exactness is Exactness.SCALED and reading.running is not None:
        notes.append(f"ran {reading.running:.0%} of the time")
    notes.extend(filter(None, [reading.why]))
    value, unit = (f"{reading.value / 1e6:,.2f}", " ms") if reading.unit == "ns" else (f"{reading.value:,.0f}", "")
    if reading.unit and not unit:
        value, unit = f"{reading.value:,.6g}", f" {reading.unit}"
    remark = f"{reading.exactness.value}" + (f"    # {', '.join(notes)}" if notes else "")
    return value, reading.metric + unit, remark
