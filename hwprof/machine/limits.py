"""Limits of this process: CPU time and memory of its control group and of those above it, and ulimits."""

from __future__ import annotations

import re
from pathlib import Path

from hwprof.machine import files
from hwprof.machine.cpus import cpu_list
from hwprof.machine.files import ROOT

UNLIMITED = 1 << 60  # version 1 writes the largest page-aligned number for no limit


def control_groups(controller: str, root: Path = ROOT, pid: int | None = None) -> tuple[Path, ...]:
    """Folders of a process's control group and of those above it, as far as they can be seen; the innermost first.

    Version 1 where the controller has a hierarchy of its own, else version 2. A limit holds for all that is below it.
    """
    top = root / "sys/fs/cgroup"
    found: tuple[Path, ...] = ()
    for line in (files.read(root / "proc" / ("self" if pid is None else str(pid)) / "cgroup") or "").splitlines():
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controller in controllers.split(","):
            base = next((p for p in (top / controllers, top / controller) if p.is_dir()), top)
        elif number == "0" and not found:
            hybrid = top / "unified"
            base = hybrid if (hybrid / "cgroup.controllers").exists() else top
        else:
            continue
        # Inside a container the path may be the host's and the mount the container's: then only the top is there.
        folder = base.joinpath(*(part for part in path.split("/") if part != ".."))
        found = tuple(place for place in (folder, *folder.parents) if place.is_relative_to(base) and place.is_dir())
    return found


def memory_limit(root: Path = ROOT) -> int | None:
    """Bytes of memory that the process's control group and those above leave it; None: no limit is seen."""
    groups = control_groups("memory", root)
    found = [files.number(group / name) for group in groups for name in ("memory.max", "memory.limit_in_bytes")]
    # version 1 tells the least of all levels, also of those that a container doesn't see
    found += [files.fields(files.read(group / "memory.stat")).get("hierarchical_memory_limit") for group in groups]
    return min((limit for limit in found if limit is not None and limit < UNLIMITED), default=None)


def memory_left(root: Path = ROOT) -> int | None:
    """Bytes of memory that can still be used within these limits; None: no limit is seen.

    Pages of files count as used, but go when they must.
    """
    left = []
    for group in control_groups("memory", root):
        uses = [files.number(group / name) for name in ("memory.current", "memory.usage_in_bytes")]
        about = files.fields(files.read(group / "memory.stat"))
        limits = (
            files.number(group / "memory.max"),
            files.number(group / "memory.limit_in_bytes"),
            about.get("hierarchical_memory_limit"),
        )
        # version 1 has a total of the groups below, version 2 nothing else
        reclaimable = about.get("total_inactive_file", about.get("inactive_file", 0))
        for used in uses:
            if used is not None:
                left += [limit - used + reclaimable for limit in limits if limit is not None and limit < UNLIMITED]
    return min(left, default=None)


def cpu_limit(root: Path = ROOT) -> str | None:
    """`quota period` in microseconds: the tightest of the process's control group and those above; None: no limit."""
    tightest: tuple[float, str] | None = None
    for group in control_groups("cpu", root):
        quota, period = files.read(group / "cpu.cfs_quota_us"), files.read(group / "cpu.cfs_period_us")  # version 1
        text = files.read(group / "cpu.max") or f"{quota} {period}"
        limit = re.fullmatch(r"(\d+) ([1-9]\d*)", text)  # no limit is "max" or -1
        if limit and (tightest is None or int(limit[1]) / int(limit[2]) < tightest[0]):
            tightest = int(limit[1]) / int(limit[2]), text
    return tightest[1] if tightest else None


def _value(root: Path, file: str, key: str) -> str:
    """First word after `key:` in a file of /proc; "" where there is none."""
    found = re.search(rf"^{key}\s*:\s*(\S+)", files.read(root / "proc" / file) or "", re.MULTILINE)
    return found[1] if found else ""


def allowed_cores(root: Path = ROOT) -> tuple[int, ...]:
    """Cores that affinity and cpuset leave this process; empty where /proc does not say."""
    return cpu_list(_value(root, "self/status", "Cpus_allowed_list"))


def has_seccomp_filter(root: Path = ROOT) -> bool:
    """Whether a seccomp filter checks this process's system calls (proc(5): mode 2)."""
    return _value(root, "self/status", "Seccomp") == "2"


def can_exclude(root: Path = ROOT) -> bool | None:
    """Whether the PMU can exclude the kernel from its counts; None where /proc/cpuinfo does not say so.

    RISC-V can with Sscofpmf; T-Head's and Andes's cores have a mechanism of their own.
    """
    isa = _value(root, "cpuinfo", "isa")
    if not isa:
        return None
    return "sscofpmf" in isa.split("_") or _value(root, "cpuinfo", "mvendorid") in ("0x5b7", "0x31e")
