"""What holds this process back that is not the machine: memory and cores of its control group, system call filters."""

from __future__ import annotations

import re
from pathlib import Path

from hwprof.collectors import files
from hwprof.collectors.perf.sysfs import cpu_list

ROOT = Path("/")
UNLIMITED = 1 << 60  # version 1 writes the largest page-aligned number for no limit


def memory_limit(root: Path = ROOT) -> int | None:
    """Bytes of memory that the process's control group and those above leave it; None: no limit is seen."""
    top, found = root / "sys/fs/cgroup", []
    for line in (files.text(root / "proc/self/cgroup") or "").splitlines():
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
            text = files.text(place / name) or ""
            if text.isdigit() and int(text) < UNLIMITED:
                found.append(int(text))
            if place == base:
                break
    return min(found, default=None)


def allowed_cores(root: Path = ROOT) -> tuple[int, ...]:
    """Cores that affinity and cpuset leave this process; empty where /proc does not say."""
    found = re.search(r"^Cpus_allowed_list:\s*(\S+)", files.text(root / "proc/self/status") or "", re.MULTILINE)
    return cpu_list(found[1]) if found else ()


def filtered(root: Path = ROOT) -> bool:
    """Whether a seccomp filter watches this process's system calls."""
    found = re.search(r"^Seccomp:\s*(\d)", files.text(root / "proc/self/status") or "", re.MULTILINE)
    return found is not None and found[1] == "2"


def can_exclude(root: Path = ROOT) -> bool | None:
    """Whether the PMU can tell user code from the kernel; None where that is not told by the CPU's own words.

    RISC-V can with Sscofpmf, and T-Head's and Andes's cores in a way of their own.
    """
    cpuinfo = files.text(root / "proc/cpuinfo") or ""
    isa = re.search(r"^isa\s*:\s*(\S+)", cpuinfo, re.MULTILINE)
    if not isa:
        return None
    vendor = re.search(r"^mvendorid\s*:\s*(\S+)", cpuinfo, re.MULTILINE)
    return "sscofpmf" in isa[1].split("_") or bool(vendor and vendor[1] in ("0x5b7", "0x31e"))
