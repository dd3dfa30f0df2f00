"""Tracepoints, as tracefs lists them."""

from __future__ import annotations

from pathlib import Path

from hwprof.collectors.protocol import Unavailable
from hwprof.errors import UnknownEvent

TRACING = ("sys/kernel/tracing", "sys/kernel/debug/tracing")
NO_TRACEFS = Unavailable(
    "tracefs is not mounted, or not readable by this user",
    "sudo mount -t tracefs nodev /sys/kernel/tracing; tracepoints need root",
)


def find_id(root: Path, system: str, point: str) -> int | Unavailable:
    """The number of a tracepoint, which perf_event_open takes as config. Raises UnknownEvent where it isn't listed."""
    try:
        mounted = next(d for t in TRACING if (d := root / t / "events").is_dir())
    except (StopIteration, PermissionError):
        return NO_TRACEFS
    path: Path = mounted / system / point / "id"
    try:
        return int(path.read_text())
    except PermissionError:
        return NO_TRACEFS
    except ValueError:
        return Unavailable(f"{path} holds no number")
    except OSError:
        choices = [f"{system}:{p.name}" for p in (mounted / system).glob("*") if p.is_dir()]
        raise UnknownEvent(f"{system}:{point}", choices or [f"{d.name}:" for d in mounted.glob("*")]) from None
