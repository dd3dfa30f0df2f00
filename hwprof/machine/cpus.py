"""CPUs: lists of them, which are on, which are ours, and which a case gets by default."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from hwprof.errors import UsageError
from hwprof.machine.files import ROOT, read

# Linux is built for at most so many CPUs (NR_CPUS, arch/x86/Kconfig); longer lists are a slip of the keyboard.
MOST_CPUS = 8192


def cpu_list(text: str | None) -> tuple[int, ...]:
    """`0-3,8` as sysfs writes it; what is not understood is left out."""
    found: list[int] = []
    for match in re.finditer(r"(\d{1,18})(?:-(\d{1,18}))?", text or ""):
        found += range(int(match[1]), min(int(match[2] or match[1]) + 1, MOST_CPUS))
    return tuple(found)


def cpu_ranges(cpus: Iterable[int]) -> str:
    """(0, 2, 3) -> `0,2-3`."""
    runs: list[list[int]] = []
    for cpu in sorted(cpus):
        if runs and runs[-1][-1] == cpu - 1:
            runs[-1] = [runs[-1][0], cpu]
        else:
            runs.append([cpu])
    return ",".join("-".join(map(str, run)) for run in runs)


def online_cpus(root: Path = ROOT) -> tuple[int, ...]:
    """CPUs that are on."""
    text = read(root / "sys/devices/system/cpu/online")
    return parse_cpus(text) if text else ()


def parse_cpus(text: str) -> tuple[int, ...]:
    """`0,2-3` -> (0, 2, 3). Raises UsageError."""
    cpus: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,9})(?:-(\d{1,12}))?\s*", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first or last >= MOST_CPUS:  # before it is expanded: ten digits would fill the memory
            shown = text if len(text) < 60 else f"{text[:56]} ..."
            ways = f"as in --cpus 2 or 0,2-3, numbers below {MOST_CPUS}; or big, little, cluster1, kind=cortex-a76"
            raise UsageError(f"'{shown}' is no list of CPUs", ways)
        cpus |= set(range(first, last + 1))
    return tuple(sorted(cpus))


def allowed_cpus() -> tuple[int, ...]:
    """Cores this process may run on."""
    return tuple(sorted(os.sched_getaffinity(0)))


def _ours(allowed: Sequence[int] | None, root: Path) -> tuple[int, ...]:
    if allowed is not None:
        return tuple(allowed)
    # the affinity of this process says nothing about a recorded machine
    return allowed_cpus() if root == ROOT else online_cpus(root)


def check_cpus(cpus: Sequence[int], allowed: Sequence[int] | None = None, root: Path = ROOT, remedy: str = "") -> None:
    """Raise UsageError for a core that doesn't exist, is off, or isn't ours; `remedy`: in place of a list of ours."""
    ours = _ours(allowed, root)
    wrong = [cpu for cpu in cpus if cpu not in ours]
    if wrong:
        there = wrong[0] in online_cpus(root)
        fault = "isn't allowed here (affinity or cpuset)" if there else "doesn't exist or is off"
        raise UsageError(
            f"core {wrong[0]} {fault}", remedy if there and remedy else f"cores: {','.join(map(str, ours))}"
        )


def speed(root: Path, cpu: int) -> int:
    """A figure to rank cores by: the scheduler's capacity, else the highest clock in kHz; 0: unknown."""
    base = root / f"sys/devices/system/cpu/cpu{cpu}"
    text = read(base / "cpu_capacity") or read(base / "cpufreq/cpuinfo_max_freq") or ""
    return int(text) if text.isdigit() else 0


def default_cpus(threads: int, root: Path = ROOT, allowed: Sequence[int] | None = None) -> tuple[int, ...]:
    """Cores for a case: one per thread, and one left over for the sampler where there is one to spare.

    No SMT siblings while there are cores; the fastest kind first; within one cluster, else one socket, where they
    fit, so that no thread is far from the others' data; the highest numbers, since interrupts prefer the low ones.
    """
    ours = _ours(allowed, root)
    if threads >= len(ours):
        return tuple(ours)
    topology = {cpu: root / f"sys/devices/system/cpu/cpu{cpu}/topology" for cpu in ours}
    firsts: dict[str, int] = {}
    for cpu in sorted(ours):
        firsts.setdefault(read(topology[cpu] / "thread_siblings_list") or str(cpu), cpu)
    single = set(firsts.values())
    # cores of one kind differ a little in the boost they are allowed; another kind differs by more
    speeds = {cpu: speed(root, cpu) for cpu in ours}
    fastest = {cpu for cpu in ours if speeds[cpu] >= 0.85 * max(speeds.values())}
    order = sorted(ours, key=lambda cpu: (cpu not in single, cpu not in fastest, -cpu))
    for fields in (("physical_package_id", "cluster_id"), ("physical_package_id",)):
        groups: dict[tuple[str | None, ...], list[int]] = {}
        for cpu in (cpu for cpu in order if cpu in single & fastest):
            groups.setdefault(tuple(read(topology[cpu] / field) for field in fields), []).append(cpu)
        fitting = next((members for members in groups.values() if len(members) >= threads), None)
        if fitting:
            return tuple(sorted(fitting[:threads]))
    return tuple(sorted(order[:threads]))
