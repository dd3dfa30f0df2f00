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
