"""Waiting for what is sure to come, only not when: a busy machine takes its time over the end of a process."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

LONG_S = 120.0


def until(condition: Callable[[], bool], seconds: float = LONG_S) -> bool:
    """Whether the condition comes true; looked at again and again for a time that no machine needs."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def command_lines() -> list[list[bytes]]:
    """The words of every process that lives; one that ends while it is looked at has none."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().split(b"\0"))
        except OSError:
            continue
    return found
