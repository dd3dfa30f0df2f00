"""The event names that Linux itself defines, with their numbers in include/uapi/linux/perf_event.h."""

from __future__ import annotations

from itertools import product

from hwprof.collectors.perf.cache_names import cache_name as cache_name
from hwprof.collectors.vocabulary import ANCHORS as ANCHORS
from hwprof.collectors.vocabulary import NEVER_ZERO as NEVER_ZERO

# name -> (config, what it counts). Aliases resolve to these, so that one thing has one name in every result.
HARDWARE: dict[str, tuple[int, str]] = {
    "cycles": (0, "core clock cycles"),
    "instructions": (1, "retired instructions"),
    "cache-references": (2, "cache accesses, of a level that depends on the CPU"),
    "cache-misses": (3, "cache misses, of a level that depends on the CPU"),
    "branches": (4, "branch instructions"),
    "branch-misses": (5, "mispredicted branches"),
    "bus-cycles": (6, "bus cycles"),
    "stalled-cycles-frontend": (7, "cycles without a new instruction to issue"),
    "stalled-cycles-backend": (8, "cycles in which nothing could be issued or retired"),
    "ref-cycles": (9, "cycles at a constant rate, independent of frequency"),
}
SOFTWARE: dict[str, tuple[int, str]] = {
    "task-clock": (1, "CPU time of the threads, kernel included"),
    "cpu-clock": (0, "CPU time by the CPU's high-resolution timer"),
    "page-faults": (2, "page faults, minor and major"),
    "minor-faults": (5, "page faults served without reading a disk"),
    "major-faults": (6, "page faults that read a disk"),
    "context-switches": (3, "switches to another thread"),
    "cpu-migrations": (4, "moves to another CPU"),
    "alignment-faults": (7, "unaligned accesses that the kernel had to mend"),
    "emulation-faults": (8, "instructions that the kernel had to emulate"),
    "cgroup-switches": (11, "switches to a thread of another cgroup"),
}
ALIASES = {
    "cpu-cycles": "cycles",
    "branch-instructions": "branches",
    "idle-cycles-frontend": "stalled-cycles-frontend",
    "idle-cycles-backend": "stalled-cycles-backend",
    "faults": "page-faults",
    "cs": "context-switches",
    "migrations": "cpu-migrations",
    "stalls-backend": "backend-stalls",
    "stalls-frontend": "frontend-stalls",
}
# Counted in the kernel's own code: with the kernel excluded they read 0 with running == enabled, a lie.
KERNEL_ONLY = frozenset({"context-switches", "cpu-migrations", "cgroup-switches"})
# The kernel's clocks pay no heed to exclusion: task-clock:u includes the kernel all the same.
CLOCKS = frozenset({"task-clock", "cpu-clock"})
# What a trial, which touches fresh pages, can leave at zero neither.
NEVER_ZERO_IN_TRIAL = NEVER_ZERO | {"page-faults", "minor-faults"}

_CACHES = {"L1-dcache": 0, "L1-icache": 1, "LLC": 2, "dTLB": 3, "iTLB": 4, "branch": 5, "node": 6}
_OPERATIONS = {"load": 0, "store": 1, "prefetch": 2}


def _cache_names() -> dict[str, tuple[int, str]]:
    """L1-dcache-loads, L1-dcache-load-misses, ...: config = cache | operation << 8 | result << 16."""
    found = {}
    for (cache, c), (operation, o) in product(_CACHES.items(), _OPERATIONS.items()):
        plural = "prefetches" if operation == "prefetch" else f"{operation}s"
        found[f"{cache}-{plural}"] = (c | o << 8, f"{plural} of {cache}")
        found[f"{cache}-{operation}-misses"] = (c | o << 8 | 1 << 16, f"{plural} of {cache} that missed")
    return found


CACHE: dict[str, tuple[int, str]] = _cache_names()


def is_own_spelling(name: str) -> bool:
    """Whether it is a name of Linux's events as we spell them."""
    return name in HARDWARE or name in SOFTWARE or name in CACHE


def is_linux_name(name: str) -> bool:
    """Whether it is one in any of perf's spellings."""
    return is_own_spelling(name) or name in ALIASES or bool(cache_name(name))


def describe(name: str) -> str:
    """What one of Linux's own names counts on any CPU; empty for other names."""
    return next((table[name][1] for table in (HARDWARE, SOFTWARE, CACHE) if name in table), "")


AUTO_SOFTWARE = (
    "task-clock",
    "page-faults",
    "minor-faults",
    "major-faults",
    "context-switches",
    "cpu-migrations",
    "alignment-faults",
    "emulation-faults",
)
# For a CPU without a table of its own.
AUTO_HARDWARE = (
    "cycles",
    "instructions",
    "branches",
    "branch-misses",
    "cache-references",
    "cache-misses",
    "L1-dcache-load-misses",
    "dTLB-load-misses",
)
