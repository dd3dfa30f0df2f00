"""Geometry of the caches that callgrind models: this machine's own as sysfs has it, said to valgrind explicitly.

valgrind's own look at CPUID takes what a virtual machine offers: a last level of 256 MB, direct-mapped, was seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hwprof.machine.cpus import online_cpus
from hwprof.machine.files import ROOT, read

LARGEST = (1 << 31) - 1  # callgrind keeps the size in 32 bits with a sign
LINE_LEAST = 16  # MIN_LINE_SIZE of valgrind's cachegrind/cg_arch.h
KIB = 1024
# option of callgrind -> type of sysfs
TYPES = {"I1": "Instruction", "D1": "Data", "LL": "Unified"}


@dataclass(frozen=True, slots=True)
class Cache:
    """One modelled cache. `origin`: sysfs, sysfs rounded (callgrind takes powers of two), or default."""

    size: int
    ways: int
    line: int
    origin: str = "default"

    @property
    def text(self) -> str:
        """For people: 48 KiB 12-way."""
        size = f"{self.size // KIB} KiB" if self.size < KIB * KIB else f"{self.size / KIB / KIB:g} MiB"
        return f"{size} {self.ways}-way"


# Where sysfs has none (many Arm and RISC-V boards, some containers): a small desktop core's.
DEFAULTS = {
    "I1": Cache(32 * KIB, 8, 64),
    "D1": Cache(32 * KIB, 8, 64),
    "LL": Cache(8 * KIB * KIB, 16, 64),
}


def geometry(root: Path = ROOT) -> dict[str, Cache]:
    """I1, D1 and LL of the first CPU that is on; LL is its outermost unified cache. A default for what isn't there."""
    found: dict[str, tuple[int, Cache]] = {}
    for cpu in online_cpus(root)[:1]:
        for index in (root / f"sys/devices/system/cpu/cpu{cpu}/cache").glob("index*"):
            level, kind = int(read(index / "level") or 0), read(index / "type")
            option = next((o for o, t in TYPES.items() if t == kind and (o == "LL" or level == 1)), None)
            cache = _read(index)
            if option and cache and (option not in found or level > found[option][0]):
                found[option] = level, cache
    return {option: found[option][1] if option in found else DEFAULTS[option] for option in TYPES}


def _read(index: Path) -> Cache | None:
    """One cache of sysfs as callgrind can model it; None where its description is incomplete."""
    size, ways, line = (read(index / name) or "" for name in ("size", "ways_of_associativity", "coherency_line_size"))
    units = {"K": KIB, "M": KIB * KIB}
    if size[-1:] not in units or not (size[:-1].isdigit() and ways.isdigit() and line.isdigit()):
        return None
    return fit(int(size[:-1]) * units[size[-1]], int(ways), int(line))


def fit(size: int, ways: int, line: int) -> Cache | None:
    """The nearest cache that callgrind takes: number of sets and line a power of two, at least two lines.

    As valgrind's own maybe_tweak_LLc (cachegrind/cg-arch.c) the sets are rounded down and the ways made more, so that
    the size stays. `ways` 0 (sysfs: fully associative): one set. None for what is no cache.
    """
    if line < LINE_LEAST or line & (line - 1) or not 2 * line <= size <= LARGEST:
        return None
    ways = min(ways or size // line, size // line)
    sets = 1 << (size // (ways * line)).bit_length() - 1
    fitting = max(1, round(size / (sets * line)))
    exact = (sets * fitting * line, fitting) == (size, ways)
    return Cache(sets * fitting * line, fitting, line, "sysfs" if exact else "sysfs rounded")


def options(caches: Mapping[str, Cache]) -> list[str]:
    """callgrind's command line: --I1=SIZE,WAYS,LINE and so on."""
    return [f"--{name}={c.size},{c.ways},{c.line}" for name, c in caches.items()]


def facts(caches: Mapping[str, Cache]) -> dict[str, Any]:
    """For the run's record; bytes."""
    return {name: asdict(cache) for name, cache in caches.items()}


def describe(found: Mapping[str, Mapping[str, Any]]) -> str:
    """What `facts` recorded, for people; "" where nothing is recorded."""
    caches = {name: Cache(**found[name]) for name in TYPES if name in found}
    remarks = {"sysfs rounded": " (sets rounded to a power of two)", "default": " (a default: sysfs has none)"}
    return ", ".join(f"{name} {cache.text}{remarks.get(cache.origin, '')}" for name, cache in caches.items())
