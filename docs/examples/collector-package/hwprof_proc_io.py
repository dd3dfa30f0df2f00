"""Bytes and system calls of reading and writing, from /proc/PID/io (man 5 proc_pid_io)."""

from contextlib import contextmanager
from pathlib import Path
from time import CLOCK_MONOTONIC_RAW, clock_gettime_ns

from hwprof.collectors.protocol import Available, Group, Unavailable
from hwprof.records import Counter, Shape, Snapshot

# Of the frames, so per frame: Shape.COUNT, the default. What reaches the disk is written now and then: a TOTAL.
COUNTERS = {
    "syscr": Counter("read-calls", "", "process", "proc:io", "system calls that read"),
    "rchar": Counter("read-bytes", "B", "process", "proc:io", "bytes read, from the page cache too"),
    "write_bytes": Counter("disk-bytes", "B", "process", "proc:io", "bytes sent to the disk", shape=Shape.TOTAL),
}


class Session:
    """Open from the start; one group that is counted in every window."""

    passes = ()

    def __init__(self, file):
        self.file = file
        there = self.fields() or {}
        self.keys = [key for key in COUNTERS if key in there]
        self.groups = [Group(tuple(COUNTERS[key] for key in self.keys))] if self.keys else []
        why = Unavailable(f"{file} does not say it", "a kernel with CONFIG_TASK_IO_ACCOUNTING")
        self.unavailable = {c.metric: why for key, c in COUNTERS.items() if key not in self.keys}

    def fields(self):
        """Name -> number; None where the file can't be read."""
        try:
            lines = self.file.read_text().splitlines()
        except OSError:
            return None
        return {name: int(number) for name, number in (line.split(": ") for line in lines)}

    def select(self, pass_):
        """Nothing to switch."""

    def read(self):
        """One snapshot per group, numbers in the order of its counters; None for what could not be read."""
        found = self.fields() or {}
        now = clock_gettime_ns(CLOCK_MONOTONIC_RAW)
        return tuple(Snapshot(now, tuple(found.get(key) for key in self.keys), now, now) for _ in self.groups)

    def review(self, readings):
        """Taken as they are."""
        return readings


class ProcIo:
    """The collector; hwprof makes one without arguments in the process that it measures."""

    name = "proc-io"

    def __init__(self, root=Path("/")):
        self.file = root / "proc/self/io"

    def probe(self, requests):
        """Each metric with its source, or why it can't be had."""
        session = Session(self.file)
        there = {c.metric: Available(c.source, c.meaning) for group in session.groups for c in group.counters}
        return {**there, **session.unavailable}

    @contextmanager
    def open(self, target, requests):
        """Of this process; `requests` is empty, for event names are perf's."""
        yield Session(self.file)
