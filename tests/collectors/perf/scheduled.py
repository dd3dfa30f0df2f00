"""A kernel that puts groups on counters as Linux does, and the machine whose PMUs those are.

What Linux 6.12 was seen to do with PMUs of known counts: a PMU's events run only while the thread is on its CPUs, those
of two PMUs share no group, and groups for which the counters are too few have them by turns of 4 ms, but for pinned
ones, which have them always or are in error.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hwprof.collectors.perf import PerfCollector, abi
from hwprof.collectors.perf.abi import Attr
from tests.collectors.perf.fake import SOFTWARE, FakeKernel, error

TURN_MS = 4
MS = 1_000_000
# What a PMU answers of PERF_TYPE_HARDWARE -> its own code; sysfs shows these names.
CYCLES, INSTRUCTIONS, MISSES, REFERENCES = 0, 1, 3, 2
SHOWN = {CYCLES: "cpu-cycles", INSTRUCTIONS: "instructions", MISSES: "cache-misses", REFERENCES: "cache-references"}


@dataclass(frozen=True)
class FakePmu:
    """`rates`: number of a generic event -> counts in a millisecond. `cpus`: None: no such file, and all of them.

    `taken`: counters that somebody else has.
    """

    name: str
    type: int
    counters: int
    rates: Mapping[int, int]
    cpus: tuple[int, ...] | None = None
    taken: int = 0

    def code(self, attr: Attr) -> int | None:
        """The generic event that is asked for; None: not of this PMU."""
        number, of = attr.config & 0xFFFFFFFF, attr.config >> 32
        if attr.type == self.type or (attr.type == 0 and of in (0, self.type)):
            return number if number in self.rates else None
        return None

    def counts_on(self, cpu: int) -> bool:
        """Whether its events run there."""
        return self.cpus is None or cpu in self.cpus


@dataclass
class ScheduledKernel(FakeKernel):
    """Also the scheduler, of one thread, which is on `cpu`. PMUs are asked in their order, as Linux does."""

    pmus: tuple[FakePmu, ...] = ()
    cpu: int = 0
    cpus: frozenset[int] = frozenset(range(4))
    _pmu: dict[int, str] = field(default_factory=dict)  # hardware event -> whose it is
    _lost: set[int] = field(default_factory=set)  # pinned leaders in error
    _now_ms: int = 0

    def __post_init__(self) -> None:
        self.counters = 99  # those of the PMUs count
        self.events = dict(SOFTWARE)

    def open(self, attr: Attr, pid: int, cpu: int, group_fd: int, flags: int) -> int:
        if attr.type == 1:
            return super().open(attr, pid, cpu, group_fd, flags)
        found = next(((p, code) for p in self.pmus if (code := p.code(attr)) is not None), None)
        if found is None:
            raise error(errno.ENOENT)
        pmu, code = found
        size = len(self.members(group_fd)) if group_fd >= 0 else 0
        if group_fd >= 0 and (attr.flags & abi.PINNED or self._pmu.get(group_fd) != pmu.name or size >= pmu.counters):
            raise error(errno.EINVAL)
        self.events[attr.type, attr.config] = pmu.rates[code]
        fd = super().open(attr, pid, cpu, group_fd, flags)
        self._pmu[fd] = pmu.name
        return fd

    def control(self, fd: int, request: int) -> None:
        super().control(fd, request)
        self._lost.discard(fd)

    def read(self, fd: int, size: int) -> bytes:
        return b"" if fd in self._lost else super().read(fd, size)

    def spin(self) -> None:
        self.run(1)

    def run(self, ms: int, cpu: int | None = None) -> None:
        """Time passes, on a CPU."""
        self.cpu = self.cpu if cpu is None else cpu
        for _ in range(ms):
            running = [fd for fd in self.times if fd in self.enabled and fd not in self._pmu]
            running += [fd for pmu in self.pmus if pmu.counts_on(self.cpu) for fd in self._on_counters(pmu)]
            for leader in self.enabled - self._lost:
                self.times[leader][0] += MS
            for leader in running:
                self.times[leader][1] += MS
                for member in self.members(leader):
                    self.opened[member].value += self.events[self.opened[member].key]
            self._now_ms += 1

    def write(self, name: str, code: int, number: int) -> None:
        """So many events happen at once on this CPU, of those that the PMU of this name counts."""
        for pmu in self.pmus:
            if pmu.name == name and pmu.counts_on(self.cpu):
                for member in [m for leader in self._on_counters(pmu) for m in self.members(leader)]:
                    if self.opened[member].key[1] & 0xFFFFFFFF == code:
                        self.opened[member].value += number

    def _on_counters(self, pmu: FakePmu) -> list[int]:
        mine = [fd for fd in sorted(self.enabled - self._lost) if self._pmu.get(fd) == pmu.name]
        pinned = [fd for fd in mine if self.opened[fd].flags & abi.PINNED]
        others = [fd for fd in mine if fd not in pinned]
        turn = self._now_ms // TURN_MS % len(others) if others else 0
        free, running = pmu.counters - pmu.taken, []
        for fd in (*pinned, *others[turn:], *others[:turn]):
            need = len(self.members(fd))
            if need <= free:
                free -= need
                running.append(fd)
            elif fd in pinned:
                self._lost.add(fd)
            else:
                break
        return running

    def allowed(self, pid: int | None) -> frozenset[int] | None:
        """As hwprof's scheduler."""
        return self.cpus

    def pin(self, cpus: frozenset[int]) -> None:
        """As hwprof's scheduler."""
        self.cpu = min(cpus)

    def collector(self, folder: Path, multiplex: bool = False) -> PerfCollector:
        """hwprof's collector on this machine, whose sysfs is made in `folder`."""
        write_sysfs(folder, self.pmus)
        return PerfCollector(folder, self, multiplex, scheduler=self)


def write_sysfs(folder: Path, pmus: tuple[FakePmu, ...]) -> None:
    """The PMUs as sysfs shows them."""
    for pmu in pmus:
        device = folder / "sys/bus/event_source/devices" / pmu.name
        (device / "events").mkdir(parents=True, exist_ok=True)
        (device / "format").mkdir(exist_ok=True)
        (device / "type").write_text(f"{pmu.type}\n")
        (device / "format/event").write_text("config:0-7\n")
        if pmu.cpus is not None:
            (device / "cpus").write_text(",".join(map(str, pmu.cpus)) + "\n")
        for code in pmu.rates:
            (device / "events" / SHOWN[code]).write_text(f"event={code:#x}\n")
