"""A Debian root file system for riscv64, enough to run Python and one framework in QEMU's user mode.

mmdebstrap only unpacks the packages (`--variant=extract`): no foreign program is run, no binfmt or chroot is needed.
What packages do when they are configured is therefore left undone; what of it is needed here is done by `finish`.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from hwprof import plugins
from hwprof.boards.image import SUITE, exclusive_lock, extract
from hwprof.cache import default_cache
from hwprof.errors import UsageError

ARCH = "riscv64"
# What a worker imports, and no more: the guests of hwprof.boards hold ten times as much.
BASE = ("libc6", "python3", "python3-minimal", "python3-numpy", "python3-onnx", "libopenblas0-pthread")
TRIPLET = "riscv64-linux-gnu"
# Raised whenever `finish` does something else.
FORMAT = 1


def packages(framework: str) -> tuple[str, ...]:
    """What a root file system for `framework` holds. Raises UsageError for one that Debian has no package of."""
    known: Mapping[str, tuple[str, ...]] = plugins.declarations("debian")
    if framework not in known:
        raise UsageError(
            f"Debian has no riscv64 package of {framework}", f"simulated on riscv64 can be: {', '.join(known)}"
        )
    return (*BASE, *known[framework])


def place(framework: str, cache: Path | None = None) -> Path:
    """Where the root file system of `framework` is or would be."""
    key = {"suite": SUITE, "packages": sorted(packages(framework)), "format": FORMAT}
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:20]
    return (cache or default_cache()) / "riscv64" / f"root-{framework}-{digest}"


def root(framework: str, cache: Path | None = None) -> Path:
    """The root file system, made at first use (100 to 400 MB to download, about a minute).

    Raises NotInstalled without mmdebstrap, NotAvailable and HwprofError where the packages can't be had.
    """
    made = place(framework, cache)
    if made.is_dir():
        return made
    made.parent.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(made.parent / f".lock-{made.name}"):
        if made.is_dir():
            return made
        print(f"hwprof: fetching Debian's riscv64 packages for {framework}, once", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix=".half-", dir=made.parent, ignore_cleanup_errors=True) as temporary:
            half = Path(temporary) / "root"
            extract(ARCH, packages(framework), SUITE, half, Path(temporary) / "mmdebstrap.log")
            finish(half)
            half.rename(made)
    return made


def finish(directory: Path) -> None:
    """The merged /usr that base-files would make, and symbolic links that stay below `directory`."""
    for name in ("lib", "bin", "sbin"):
        link = directory / name
        if not link.exists() and not link.is_symlink():
            link.symlink_to(f"usr/{name}")
    for parent, folders, files in os.walk(directory):
        for name in (*folders, *files):
            link = Path(parent) / name
            if not link.is_symlink():
                continue
            target = link.readlink()
            inside = directory / str(target).lstrip("/")
            # the host would follow an absolute link to a file of its own
            if target.is_absolute() and os.path.lexists(inside):
                link.unlink()
                link.symlink_to(os.path.relpath(inside, parent))


def library_path(directory: Path) -> str:
    """LD_LIBRARY_PATH for the emulated process: Debian chooses BLAS and LAPACK by alternatives, not set up here."""
    base = directory / "usr/lib" / TRIPLET
    return ":".join(str(base / name) for name in ("openblas-pthread", "blas", "lapack") if (base / name).is_dir())
