"""Small readers of /proc and /sys below any root, so that a recorded machine reads like a live one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

CPU_ROOT = "sys/devices/system/cpu"


def text(root: Path, path: str) -> str | None:
    """Content of a file without surrounding blanks and NULs; None where there is none or it can't be read.

    Sysfs answers some reads with EINVAL, ENODEV or EACCES: all of them mean "this machine does not say".
    """
    try:
        return (root / path).read_bytes().decode("utf-8", "replace").replace("\0", "\n").strip()
    except OSError:
        return None


def number(root: Path, path: str) -> int | None:
    """An integer file (decimal or 0x...), or None."""
    content = text(root, path)
    try:
        return int(content, 0) if content else None
    except ValueError:
        return None


def names(root: Path, path: str) -> tuple[str, ...]:
    """Sorted entries of a directory; empty where there is none."""
    try:
        return tuple(sorted(entry.name for entry in (root / path).iterdir()))
    except OSError:
        return ()


def parse_cpu_list(content: str | None) -> tuple[int, ...]:
    """`0-3,8` as the kernel writes it -> (0, 1, 2, 3, 8). Raises ValueError on anything else."""
    cpus: set[int] = set()
    for part in (content or "").replace("\n", "").split(","):
        first, dash, last = part.strip().partition("-")
        if first:
            cpus.update(range(int(first), int(last if dash else first) + 1))
    return tuple(sorted(cpus))


def format_cpu_list(cpus: Iterable[int]) -> str:
    """(0, 1, 2, 3, 8) -> `0-3,8`."""
    runs: list[list[int]] = []
    for cpu in sorted(set(cpus)):
        if runs and cpu == runs[-1][1] + 1:
            runs[-1][1] = cpu
        else:
            runs.append([cpu, cpu])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def cpu_list(root: Path, path: str) -> tuple[int, ...]:
    """A file with a list of CPUs; empty where there is none."""
    try:
        return parse_cpu_list(text(root, path))
    except ValueError:
        return ()


def fields(content: str | None) -> dict[str, str]:
    """`key : value` lines; the first of equal keys wins, as it does for the boot processor."""
    found: dict[str, str] = {}
    for line in (content or "").splitlines():
        key, colon, value = line.partition(":")
        if colon:
            found.setdefault(key.strip(), value.strip())
    return found


def cpuinfo(root: Path) -> dict[int, Mapping[str, str]]:
    """/proc/cpuinfo by processor number. What follows the last processor (Arm's `Serial`, ...) is left out."""
    processors: dict[int, Mapping[str, str]] = {}
    for block in (text(root, "proc/cpuinfo") or "").split("\n\n"):
        entry = fields(block)
        if entry.get("processor", "").isdigit():
            processors[int(entry["processor"])] = entry
    return processors


def status(root: Path) -> dict[str, str]:
    """/proc/self/status as a dictionary."""
    return fields(text(root, "proc/self/status"))


def meminfo_kib(root: Path) -> dict[str, int]:
    """/proc/meminfo in KiB."""
    found = {}
    for key, value in fields(text(root, "proc/meminfo")).items():
        amount = value.split()
        if amount and amount[0].isdigit():
            found[key] = int(amount[0])
    return found


def online(root: Path) -> tuple[int, ...]:
    """CPUs that are switched on."""
    return cpu_list(root, f"{CPU_ROOT}/online") or tuple(sorted(cpuinfo(root)))
