"""Exceptions of a worker as failure records: the class decides the code, the text the message."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hwprof.errors import CaseFailed, HwprofError, NotAvailable, NotInstalled, UnsupportedModel, UsageError
from hwprof.records import Failure

# Messages of the allocators of ONNX Runtime, PyTorch, OpenCV and C++'s new when memory is out.
OUT_OF_MEMORY = re.compile(
    r"allocate memory|not enough memory|out of memory|insufficient memory|bad_alloc", re.IGNORECASE
)


def describe(error: BaseException, stage: str) -> Failure:
    """A failure record of any exception: its class decides the code, its text the message."""
    text = str(error).strip() or type(error).__name__
    line = text.splitlines()[0][:400]
    if isinstance(error, HwprofError):
        codes: Sequence[tuple[type[HwprofError], str]] = (
            (NotInstalled, "not-installed"),
            (UnsupportedModel, "model"),
            (NotAvailable, "unavailable"),
            (UsageError, "usage"),
            (CaseFailed, "framework"),
        )
        code = next((c for kind, c in codes if isinstance(error, kind)), "framework")
        return Failure(code, error.message, error.remedy, stage)
    if isinstance(error, MemoryError) or OUT_OF_MEMORY.search(line):
        # the end of a line has the amount that was asked for
        end = line if len(line) <= 160 else f"... {line[-150:]}"
        return Failure("memory", f"out of memory: {end}", "a smaller batch or size needs less", stage)
    if isinstance(error, OSError) and error.errno == 28:
        return Failure("disk", f"no space left on the device: {error.filename or ''}", "free some space", stage)
    return Failure(
        "framework",
        f"{type(error).__name__}: {line}",
        "what the worker printed is in the results: --json shows it as log",
        stage,
    )
