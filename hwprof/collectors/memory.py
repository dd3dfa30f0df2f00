"""Memory of the measured process: resident, proportional, peak, swapped; and how much the machine has left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hwprof.collectors.gauge import Sensors
from hwprof.collectors.protocol import Channel, Gauge
from hwprof.machine import files
from hwprof.machine.files import ROOT
from hwprof.machine.limits import memory_left

STATUS = {"VmRSS": "rss", "VmHWM": "peak-rss", "VmSwap": "swap"}


def gauges(pid: int | None, root: str = "/") -> Sequence[Gauge]:
    """Resident set, its peak and swap of one process, from /proc/PID/status; bytes."""
    if pid is None:
        return []
    path = Path(root) / "proc" / str(pid) / "status"
    channels = [Channel(metric, "B", source="proc:status", scale=1024) for metric in STATUS.values()]
    # one small file: reading it once for each of three channels costs less than keeping a copy in step
    readers = [lambda key=key: files.fields(files.read(path)).get(key) for key in STATUS]
    return [Sensors("memory", channels, readers)]


def pss(pid: int, root: Path = ROOT) -> Mapping[str, int]:
    """Proportional and unique set of a process in bytes, from smaps_rollup; empty where it can't be read.

    The kernel walks every page table for it (10 ms on 2 GiB): only between windows.
    """
    found = files.fields(files.read(root / "proc" / str(pid) / "smaps_rollup"))
    if "Pss" not in found:
        return {}
    unique = found.get("Private_Clean", 0) + found.get("Private_Dirty", 0)
    return {"pss_bytes": found["Pss"] * 1024, "uss_bytes": unique * 1024}


def headroom(root: Path = ROOT) -> int | None:
    """Bytes that can still be used: the lesser of what the kernel calls available and what control groups leave."""
    meminfo = files.fields(files.read(root / "proc/meminfo"))
    left = [meminfo["MemAvailable"] * 1024] if "MemAvailable" in meminfo else []
    if (within := memory_left(root)) is not None:
        left.append(within)
    return min(left, default=None)
