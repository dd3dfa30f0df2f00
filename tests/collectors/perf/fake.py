"""A kernel made of a dictionary: which events exist, how many fit, who lies. Time passes only in `spin`."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from hwprof.collectors.perf import abi
from hwprof.collectors.perf.abi import Attr

Key = tuple[int, int]  # attr.type, attr.config
SPIN_NS = 1_000_000

SOFTWARE: dict[Key, int] = {(1, n): 0 for n in range(12)} | {(1, 0): SPIN_NS, (1, 1): SPIN_NS, (1, 2): 16, (1, 5): 16}
HARDWARE: dict[Key, int] = {(0, 0): 2_000_000, (0, 1): 3_000_000, (0, 4): 400_000, (0, 5): 1_000, (0, 3): 70}


def error(code: int) -> OSError:
    return OSError(code, os.strerror(code))


@dataclass
class Opened:
    key: Key
    flags: int
    pid: int
    leader: int
    value: int = 0


@dataclass
class FakeKernel:
    """`events`: what each counts per spin. `counters`: core events that fit into one group."""

    events: dict[Key, int] = field(default_factory=lambda: SOFTWARE | HARDWARE)
    counters: int = 4
    refuse: Callable[[Attr, int], int] = lambda attr, pid: 0  # errno
    # share of the time a group of these events runs, and whether it counts at all
    behave: Callable[[tuple[Key, ...]], tuple[float, bool]] = lambda keys: (1.0, True)
    threads: tuple[int, ...] = (100,)
    most_files: int = 1000
    opened: dict[int, Opened] = field(default_factory=dict)
    times: dict[int, list[int]] = field(default_factory=dict)  # leader -> enabled, running
    enabled: set[int] = field(default_factory=set)
    attrs: list[Attr] = field(default_factory=list)
    _next: int = 3

    def members(self, leader: int) -> list[int]:
        return [fd for fd, e in self.opened.items() if fd == leader or e.leader == leader]

    def open(self, attr: Attr, pid: int, cpu: int, group_fd: int, flags: int) -> int:
        assert cpu == -1
        assert flags == abi.FLAG_FD_CLOEXEC
        if len(self.opened) >= self.most_files:
            raise error(errno.EMFILE)
        if code := self.refuse(attr, pid):
            raise error(code)
        key = (attr.type, attr.config)
        if key not in self.events:
            raise error(errno.ENOENT)
        if group_fd >= 0:
            core = [fd for fd in self.members(group_fd) if self.opened[fd].key[0] != 1]
            if attr.type != 1 and len(core) >= self.counters:
                raise error(errno.EINVAL)
        fd = self._next
        self._next += 1
        self.attrs.append(attr)
        self.opened[fd] = Opened(key, attr.flags, pid, group_fd)
        if group_fd < 0:
            self.times[fd] = [0, 0]
        return fd

    def control(self, fd: int, request: int) -> None:
        assert fd in self.times, "ioctl on a sibling"
        (self.enabled.add if request == abi.IOC_ENABLE else self.enabled.discard)(fd)

    def read(self, fd: int, size: int) -> bytes:
        values = [self.opened[m].value for m in self.members(fd)]
        return struct.pack(f"={3 + len(values)}Q", len(values), *self.times[fd], *values)

    def close(self, fd: int) -> None:
        del self.opened[fd]
        self.enabled.discard(fd)

    def tasks(self, pid: int | None) -> tuple[int, ...]:
        return self.threads

    def spin(self) -> None:
        for leader in self.enabled:
            members = self.members(leader)
            share, counts = self.behave(tuple(self.opened[m].key for m in members))
            self.times[leader][0] += SPIN_NS
            self.times[leader][1] += int(SPIN_NS * share)
            for member in members:
                if counts:
                    opened = self.opened[member]
                    opened.value = (opened.value + int(self.events[opened.key] * share)) % (1 << 64)
