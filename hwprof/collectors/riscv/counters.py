"""The file that plugin.c counts into: its layout, reading it live, and what its classes add up to.

Standard library only: the launcher reads it from outside, the emulated worker from within (`InstructionSession`).
"""

from __future__ import annotations

import itertools
import mmap
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median_low

from hwprof.collectors.protocol import Group, Session, UnswitchedSession
from hwprof.errors import CaseFailed
from hwprof.machine.clock import clock_ns
from hwprof.printable import plural
from hwprof.records import Counter, Exactness, Origin, Reading, Shape, Snapshot, missing

# Tell the emulated worker where its counters are, and what they are called (`riscv64`, `riscv64-no-v`, ...).
VARIABLE = "HWPROF_QEMU_COUNTERS"
LABEL_VARIABLE = "HWPROF_QEMU_LABEL"
MODEL_VARIABLE = "HWPROF_QEMU_MODEL"  # what counts of modelled caches are called; unset: none are modelled
LABEL = "riscv64"

MAGIC = b"hwprofRV"
VERSION = 1
HEADER = struct.Struct("<8s8I2Q")  # struct header of plugin.c
SLOT_HEAD = 1  # u64 before the counts: vCPUs that had the slot
# Windows are long beside a read of the counters; what the reads cost is known to about a hundred instructions.
CALIBRATION = 16

# metric -> the classes that add up to it, and what the number means
METRICS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "instructions": (("instructions",), "RISC-V instructions executed in user space"),
    "vector-instructions": (
        ("vector-arith", "vector-load", "vector-store"),
        "RVV arithmetic, loads and stores; without vset*",
    ),
    "vector-loads": (("vector-load",), "RVV load instructions of any kind; each may read many elements"),
    "vector-stores": (("vector-store",), "RVV store instructions of any kind; each may write many elements"),
    "vset-instructions": (("vset",), "vsetvli, vsetivli and vsetvl"),
    "fp-instructions": (
        ("fp-arith",),
        "scalar floating-point instructions that compute, compare or convert; a fused one is one",
    ),
    "loads": (
        ("load", "fp-load", "vector-load", "atomic-load", "atomic-rmw"),
        "instructions that read memory: integer, floating-point, vector, atomic",
    ),
    "stores": (
        ("store", "fp-store", "vector-store", "atomic-store", "atomic-rmw"),
        "instructions that write memory: integer, floating-point, vector, atomic",
    ),
    "branches": (("branch", "jump", "jump-indirect"), "conditional branches, taken or not, and jumps of any kind"),
}
SHARE = "vector-share"
# The same of accesses to memory, where caches are modelled
MEMORY_METRICS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "l1d-misses": (
        ("l1d-load-misses", "l1d-store-misses"),
        "demand misses of the modelled L1 data cache: loads and stores, no prefetcher",
    ),
    "L1-dcache-load-misses": (("l1d-load-misses",), "loads that missed the modelled L1 data cache"),
    "L1-dcache-store-misses": (("l1d-store-misses",), "stores that missed the modelled L1 data cache"),
    "l2-misses": (("l2-misses",), "misses of the L1 data cache that missed the modelled L2 too"),
    "vector-elements": (("vector-elements",), "elements that RVV loads and stores moved"),
    "vector-bytes": (("vector-bytes",), "bytes that RVV loads and stores moved"),
    "scalar-bytes": (("scalar-bytes",), "bytes that all other loads and stores moved"),
}
FOREIGN = "foreign"  # accesses of other threads than the first, which are in no cache


@dataclass(frozen=True, slots=True)
class Thread:
    """One slot. `vcpus`: vCPUs that had it one after the other (QEMU gives an ended thread's number to the next)."""

    vcpus: int
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """The whole file at one moment. Threads that run meanwhile are read one after the other."""

    names: tuple[str, ...]
    threads: tuple[Thread, ...]
    lost: int  # threads that had no slot and were not counted
    forks: int  # child processes, which are not counted

    def total(self) -> dict[str, int]:
        """Class -> instructions, summed over threads."""
        sums = [sum(column) for column in zip(*(t.counts for t in self.threads), strict=True)]
        return dict(zip(self.names, sums or [0] * len(self.names), strict=True))


class CounterFile:
    """A mapping of the file. Raises CaseFailed where it is none, not yet one, or of another edition."""

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                if os.fstat(file.fileno()).st_size < HEADER.size:
                    raise CaseFailed(f"{path}: the emulator has not begun to count")
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise CaseFailed(f"the emulator left no counters: {path}: {error.strerror}") from error
        magic, version, self._counters, self._slots, names_at, self._at, self._stride, name_bytes, per, *_ = (
            HEADER.unpack_from(self._map)
        )
        if magic != MAGIC or version != VERSION:
            self._map.close()
            raise CaseFailed(f"{path}: not a counter file of this edition", "remove the cached plugin")
        self.per_instruction = bool(per)
        raw = (self._map[names_at + i * name_bytes :][:name_bytes] for i in range(self._counters))
        self.names = tuple(r.split(b"\0", 1)[0].decode() for r in raw)
        self._slot = struct.Struct(f"<{SLOT_HEAD + self._counters}Q")

    def read(self) -> Counts:
        """Everything as it stands now. QEMU numbers threads without gaps: the first unused slot ends the list."""
        *_, lost, forks = HEADER.unpack_from(self._map)
        threads = []
        for index in range(self._slots):
            vcpus, *counts = self._slot.unpack_from(self._map, self._at + index * self._stride)
            if not vcpus:
                break
            threads.append(Thread(vcpus, tuple(counts)))
        return Counts(self.names, tuple(threads), lost, forks)

    def close(self) -> None:
        """Let go of the mapping."""
        self._map.close()


def readings(counts: Mapping[str, int], lost: int = 0, label: str = LABEL, model: str = "") -> list[Reading]:
    """Metrics from class counts; where threads were lost every one is MISSING, for nobody knows what they did.

    `model`: of the caches; with it counts of memory follow, MISSING where other threads than the first used it.
    """
    memory = MEMORY_METRICS if model and FOREIGN in counts else {}
    if lost:
        why = f"not counted for want of a slot in the counter file: {plural(lost, 'thread')}"
        absent = [missing(metric, why, source=label, domain="user") for metric in (*METRICS, SHARE)]
        return absent + [missing(metric, why, source=model, domain="user") for metric in memory]
    made = [_sum(counts, metric, classes, meaning, label) for metric, (classes, meaning) in METRICS.items()]
    if memory and (others := counts[FOREIGN]):
        why = f"the caches are those of one thread, and {plural(others, 'access was', 'accesses were')} of others"
        found = [missing(metric, why, source=model, domain="user") for metric in memory]
    else:
        found = [_sum(counts, metric, classes, meaning, model) for metric, (classes, meaning) in memory.items()]
    return [*made, share(made, label), *found]


def _sum(counts: Mapping[str, int], metric: str, classes: Sequence[str], meaning: str, label: str) -> Reading:
    total = sum(counts[c] for c in classes)
    return Reading(
        metric,
        float(total),
        unit="B" if metric.endswith("-bytes") else "",
        origin=Origin.SIMULATED,
        domain="user",
        source=f"{label}:{'+'.join(classes)}",
        meaning=meaning,
        raw=total,
        shape=Shape.COUNT,
    )


def share(made: Sequence[Reading], label: str = LABEL) -> Reading:
    """vector-instructions / instructions, 0 to 1."""
    values = {r.metric: r.value for r in made}
    vector, all_ = values.get("vector-instructions"), values.get("instructions")
    if vector is None or not all_:
        return missing(SHARE, "no instructions were counted", source=label, domain="user")
    return Reading(
        SHARE,
        vector / all_,
        unit="ratio",
        origin=Origin.SIMULATED,
        domain="user",
        source=f"{label}:vector-instructions/instructions",
        meaning="share of the instructions that are RVV arithmetic, loads and stores",
        shape=Shape.LEVEL,
    )


class InstructionSession(UnswitchedSession):
    """Reads the counters from within the emulated process: the edges of a window lie right beside its loop.

    From the moment of one read to that of the next lies the work of one read: it is measured when opened, with nothing
    between them, and taken off (`overhead`, by class). Open it when no other thread runs.
    """

    def __init__(self, path: Path, label: str = LABEL, model: str = "") -> None:
        self._file = CounterFile(path)
        self._label, self._model = label, model
        self.groups = (
            Group(
                tuple(
                    Counter(name, domain="user", source=f"{label}:{name}", origin=Origin.SIMULATED)
                    for name in self._file.names
                )
            ),
        )
        self._lost = 0
        reads = [self._file.read().total() for _ in range(CALIBRATION)]
        steps = [[b[n] - a[n] for n in self._file.names] for a, b in itertools.pairwise(reads)]
        # the interpreter specialises its bytecode within the first few
        self.overhead = dict(
            zip(self._file.names, map(median_low, zip(*steps[CALIBRATION // 2 :], strict=True)), strict=True)
        )

    def read(self) -> tuple[Snapshot, ...]:
        """One snapshot of the sums over all threads."""
        counts = self._file.read()
        self._lost = counts.lost
        now = clock_ns()
        return (Snapshot(now, tuple(counts.total().values()), now, now),)

    def totals(self) -> tuple[int, ...]:
        """Running totals by class, in the order of the group's counters."""
        counts = self._file.read()
        self._lost = counts.lost
        return tuple(counts.total().values())

    def readings_of(self, counts: Mapping[str, int]) -> list[Reading]:
        """Metrics of a part of the process's work, from its counts by class."""
        return readings(counts, self._lost, self._label, self._model)

    def review(self, readings_: Sequence[Reading]) -> Sequence[Reading]:
        """Classes to metrics; other sessions' readings pass through."""
        names = set(self._file.names)
        ours = {r.metric: r for r in readings_ if r.metric in names}
        rest = [r for r in readings_ if r.metric not in names]
        wrong = [r.why for r in ours.values() if r.exactness is Exactness.MISSING]
        if wrong:
            absent = {**dict.fromkeys((*METRICS, SHARE), self._label)}
            absent |= dict.fromkeys(MEMORY_METRICS if self._model else (), self._model)
            return [*rest, *(missing(m, wrong[0], source=of, domain="user") for m, of in absent.items())]
        own = {name: max(0, (r.raw or 0) - self.overhead[name]) for name, r in ours.items()}
        return [*rest, *readings(own, self._lost, self._label, self._model)]

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


@contextmanager
def open_sessions() -> Iterator[Sequence[Session]]:
    """The session of this process where an emulator counts for it (`VARIABLE` is set), else none."""
    path = os.environ.get(VARIABLE)
    if not path:
        yield []
        return
    label, model = os.environ.get(LABEL_VARIABLE, LABEL), os.environ.get(MODEL_VARIABLE, "")
    session = InstructionSession(Path(path), label, model)
    try:
        yield [session]
    finally:
        session.close()
