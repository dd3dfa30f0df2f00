"""Limits of this process: its cgroup's CPU quota and memory, and ulimits."""

from __future__ import annotations

import re
from pathlib import Path

from hwprof.machine import files
from hwprof.machine.cpus import cpu_list
from hwprof.machine.files import ROOT

UNLIMITED = 1 << 60  # version 1 writes the largest page-aligned number for no limit


def memory_limit(root: Path = ROOT) -> int | None:
    """Bytes of memory that the process's control group and those above leave it; None: no limit is seen."""
    top, found = root / "sys/fs/cgroup", []
    for line in (files.read(root / "proc/self/cgroup") or "").splitlines():
        number, controllers, path = [*line.split(":", 2), "", ""][:3]
        if number == "0":
            base, name = top, "memory.max"
        elif "memory" in controllers.split(","):
            base, name = top / "memory", "memory.limit_in_bytes"
        else:
            continue
        folder = base / path.lstrip("/")
        # Inside a container the path may be the host's and the mount the container's: then only the top is there.
        for place in (folder, *folder.parents):
            text = files.read(place / name) or ""
            if text.isdigit() and int(text) < UNLIMITED:
                found.append(int(text))
            if place == base:
                break
    return min(found, default=None)


def allowed_cores(root: Path = ROOT) -> tuple[int, ...]:
    """Cores that affinity and cpuset leave this process; empty where /proc does not say."""
    found = re.search(r"^Cpus_allowed_list:\s*(\S+)", files.read(root / "proc/self/status") or "", re.MULTILINE)
    return cpu_list(found[1]) if found else ()


def filtered(root: Path = ROOT) -> bool:
    """Whether a seccomp filter watches this process's system calls."""
    found = re.search(r"^Seccomp:\s*(\d)", files.read(root / "proc/self/status") or "", re.MULTILINE)
    return found is not None and found[1] == "2"


def can_exclude(root: Path = ROOT) -> bool | None:
    """Whether the PMU can tell user code from the kernel; None where that is not told by the CPU's own words.

    RISC-V can with Sscofpmf, and T-Head's and Andes's cores in a way of their own.
    """
    cpuinfo = files.read(root / "proc/cpuinfo") or ""
    isa = re.search(r"^isa\s*:\s*(\S+)", cpuinfo, re.MULTILINE)
    if not isa:
        return None
    vendor = re.search(r"^mvendorid\s*:\s*(\S+)", cpuinfo, re.MULTILINE)
    return "sscofpmf" in isa[1].split("_") or bool(vendor and vendor[1] in ("0x5b7", "0x31e"))


def cgroup(root: Path, pid: int | None) -> Path | None:
    """Folder of the process's own control group (version 2; version 1: that of the cpu controller)."""
    content = files.read(root / "proc" / ("self" if pid is None else str(pid)) / "cgroup")
    for line in (content or "").splitlines():
        number, controllers, path = line.split(":", 2)
        relative = path.lstrip("/")
        if number == "0":
            folder = root / "sys/fs/cgroup" / relative
        elif "cpu" in controllers.split(","):
            folder = root / "sys/fs/cgroup/cpu" / relative
        else:
            continue
        while not (folder / "cpu.stat").exists() and folder != root / "sys/fs/cgroup" and folder != root:
            folder = folder.parent  # inside a container the path is the host's, the mount the container's
        if (folder / "cpu.stat").exists():
            return folder
    return None
