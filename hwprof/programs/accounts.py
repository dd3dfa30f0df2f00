"""What the kernel accounts to a command that has ended: CPU time, faults, memory, and how it ended."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Sequence
from typing import Any

from hwprof.collectors.cpu import RUSAGE
from hwprof.collectors.perf.tool_events import execution_readings
from hwprof.collectors.vocabulary import Name
from hwprof.printable import encodable
from hwprof.programs.child import ProcessEnd, Usage
from hwprof.programs.output import Search
from hwprof.records import Failure, Reading, Series, Window


def usage_readings(before: Usage, after: Usage) -> list[Reading]:
    """rusage of the command and the children it waited for, less the share of the process that waited."""

    def part(usage: Usage) -> tuple[float, ...]:
        times = (usage.ru_utime, usage.ru_stime)
        return (*times, usage.ru_minflt, usage.ru_majflt, usage.ru_nvcsw, usage.ru_nivcsw)

    children = "with the exec itself and children that were waited for"
    return [
        Reading(
            c.metric,
            max(0.0, late - early),
            unit=c.unit,
            domain=c.domain,
            source=c.source,
            meaning=c.meaning or children,
            shape=c.shape,
        )
        for c, early, late in zip(RUSAGE, part(before), part(after), strict=True)
    ]


def execution_times(tools: Sequence[str], elapsed_ns: int, before: Usage, after: Usage) -> Sequence[Reading]:
    """Those of perf's tool events that are asked for, of a whole execution."""
    used_s = (after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime)
    return execution_readings(tools, elapsed_ns, used_s)


def peak_rss(before: Usage, after: Usage, series: Sequence[Series], window: Window) -> dict[str, Any]:
    """Largest resident set in bytes. The kernel keeps one peak over exec: when that may be the waiting process's, the
    largest sample within the window is taken, and nothing where there is none.
    """
    if after.ru_maxrss > before.ru_maxrss:
        return {"peak_rss_bytes": after.ru_maxrss * 1024}
    sampled = [
        value
        for one in series
        if one.metric == Name.PEAK_RSS
        for at, value in zip(one.at_ns, one.values, strict=True)
        if value is not None and window.t0_ns < at < window.t1_ns
    ]
    return {"peak_rss_bytes": max(sampled), "peak_rss_sampled": True} if sampled else {}


def failure_of(word: str, ended: ProcessEnd) -> Failure | None:
    """The failure of a command that was killed or ended with a code other than 0."""
    if ended.signal:
        name = signal.Signals(ended.signal).name if ended.signal in set(signal.Signals) else f"signal {ended.signal}"
        remedy = "the kernel may have run out of memory (see dmesg)" if ended.signal == signal.SIGKILL else ""
        return Failure("killed", f"'{word}' was killed by {name}", remedy, "command")
    if ended.status:
        return Failure("exit", f"'{word}' ended with exit code {ended.exit_code}", "its output says why", "command")
    return None


def no_figure(search: Search) -> Failure | None:
    """The failure of a command whose output has no FPS where one was to be searched for."""
    if search.pattern is None or search.value is not None:
        return None
    if search.wrong:
        message = f"--fps-from took '{encodable(search.wrong)}' from the output, which is no speed"
    else:
        message = f"nothing the command printed matches --fps-from '{search.pattern.pattern}'"
    return Failure("no-fps", message, "try the expression on its output with grep -P", "output")


def join_series(parts: Sequence[Sequence[Series]]) -> tuple[Series, ...]:
    """Series of several executions as one per channel."""
    found: dict[tuple[str, str, str], Series] = {}
    for one in (one for part in parts for one in part):
        key = (one.metric, one.label, one.source)
        if key in found:
            first = found[key]
            one = dataclasses.replace(one, at_ns=first.at_ns + one.at_ns, values=first.values + one.values)
        found[key] = one
    return tuple(found.values())
