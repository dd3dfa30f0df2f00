"""Buffers of a worker's output: what it printed reaches the log however it ends. Standard library only."""

from __future__ import annotations

import contextlib
import ctypes
import io
import sys
from collections.abc import Mapping
from typing import Any

from hwprof.worker.protocol import Link

LINE_BUFFERED = 1  # _IOLBF of stdio.h


class AnsweringLink(Link):
    """The worker's end of the link. It flushes the output before an answer, after which the launcher may kill it."""

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message."""
        if message["say"] in ("result", "failure"):
            flush()
        super().send(message)


def buffer_lines() -> None:
    """Write each line at its end: a crash or a kill would lose what Python and the C library have buffered."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    libc = ctypes.CDLL(None)
    libc.setvbuf(ctypes.c_void_p.in_dll(libc, "stdout"), None, LINE_BUFFERED, ctypes.c_size_t(0))


def flush() -> None:
    """Empty both buffers of stdout, Python's and the C library's, and Python's of stderr."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(ValueError, OSError, AttributeError):  # closed or replaced by the framework
            stream.flush()
    libc = ctypes.CDLL(None)
    libc.fflush(ctypes.c_void_p.in_dll(libc, "stdout"))
