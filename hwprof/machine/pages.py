"""Huge pages: what the kernel gives, whether the C library can ask for them, what a process has."""

from __future__ import annotations

import os
from pathlib import Path

from hwprof.machine.files import ROOT, fields, read

ENABLED = "sys/kernel/mm/transparent_hugepage/enabled"
# The first glibc whose malloc takes huge pages by a tunable (its NEWS for 2.35: glibc.malloc.hugetlb)
GLIBC = (2, 35)


def huge_pages_bytes(root: Path = ROOT) -> int | None:
    """Anonymous memory of this process that is in huge pages, in bytes; None where the kernel does not say."""
    kib = fields(read(root / "proc/self/smaps_rollup")).get("AnonHugePages")
    return None if kib is None else kib * 1024


def why_none_on_request(root: Path = ROOT) -> str:
    """Why malloc can't be made to take huge pages here; "": it can."""
    enabled = read(root / ENABLED)
    if enabled is None:
        return "this kernel has no transparent huge pages"
    if "[never]" in enabled:
        return "transparent huge pages are off (echo madvise > /sys/kernel/mm/transparent_hugepage/enabled)"
    if "[always]" in enabled:
        return "the kernel gives huge pages unasked (transparent_hugepage is 'always')"
    return why_no_tunable()


def why_no_tunable() -> str:
    """Why glibc's allocator has no such switch here; "": it has."""
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (ValueError, OSError):
        name = version = ""
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if name != "glibc" or len(numbers) < 2:
        return "the C library is not glibc"
    return "" if numbers >= GLIBC else f"glibc {version} has no such tunable (2.35 has)"
