"""Hardware and kernel events through perf_event_open, by a wrapper of our own. Standard library only.

    with PerfCollector().open(Target(), ["auto"]) as session:    # before any thread exists
        for pass_ in session.passes:
            session.select(pass_)
            before = session.read()
            ...
            after = session.read()
            session.select(None)

abi: the system call; names, sysfs, catalog, events: from names to what is opened; opening: one event or group;
passes: what is counted together; trials: whether it counts; kinds, hybrid: cores of several kinds; session, counters:
the protocol's Session and Collector.
"""

from __future__ import annotations

from hwprof.collectors.perf.counters import PerfCollector as PerfCollector
