"""A Debian root file system for riscv64, enough to run Python and one framework in QEMU's user mode.

A framework is of Debian's packages, or of wheels for riscv64 from pip's index. mmdebstrap only unpacks the packages
(`--variant=extract`): no foreign program is run, no binfmt or chroot is needed. What packages do when they are
configured is therefore left undone; what of it is needed here is done by `finish`.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from hwprof import plugins
from hwprof.boards.image import SUITE, exclusive_lock, extract
from hwprof.cache import default_cache
from hwprof.errors import NotAvailable, UsageError

ARCH = "riscv64"
# What a worker imports, and no more: the guests of hwprof.boards hold ten times as much.
BASE = ("libc6", "python3", "python3-minimal", "python3-numpy", "python3-onnx", "libopenblas0-pthread")
TRIPLET = "riscv64-linux-gnu"
# Debian 13's Python and C library, as the names of wheels have them
TAGS = {"--platform": "manylinux_2_39_riscv64", "--python-version": "3.13", "--implementation": "cp", "--abi": "cp313"}
MODULES = "usr/lib/python3/dist-packages"
ATTEMPTS = 3
# Raised whenever `finish` does something else.
FORMAT = 1


def packages(framework: str) -> tuple[str, ...]:
    """Debian's packages for `framework`. Raises UsageError for one that has neither a package nor a wheel."""
    known: Mapping[str, tuple[str, ...]] = plugins.declarations("debian")
    if framework not in known and not wheels(framework):
        able = ", ".join([*known, *plugins.declarations("riscv64_wheels")])
        raise UsageError(f"no riscv64 package or wheel of {framework}", f"simulated on riscv64 can be: {able}")
    return (*BASE, *known.get(framework, ()))


def wheels(framework: str) -> tuple[str, ...]:
    """What of pip's index is unpacked besides: `name==version`."""
    found: tuple[str, ...] = plugins.declarations("riscv64_wheels").get(framework, ())
    return found


def place(framework: str, cache: Path | None = None) -> Path:
    """Where the root file system of `framework` is or would be."""
    key = {"suite": SUITE, "packages": sorted(packages(framework)), "format": FORMAT}
    if wheels(framework):
        key["wheels"] = [*wheels(framework), *TAGS.values()]
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
        print(f"hwprof: fetching riscv64 packages for {framework}, once: for minutes", file=sys.stderr)
        with tempfile.TemporaryDirectory(prefix=".half-", dir=made.parent, ignore_cleanup_errors=True) as temporary:
            half = Path(temporary) / "root"
            extract(ARCH, packages(framework), SUITE, half, Path(temporary) / "mmdebstrap.log")
            finish(half)
            if found := wheels(framework):
                unpack_wheels(found, half / MODULES, Path(temporary) / "wheels")
            half.rename(made)
    return made


def unpack_wheels(found: Sequence[str], into: Path, folder: Path) -> None:
    """Download wheels for riscv64 with this interpreter's pip and unpack them. Raises NotAvailable."""
    words = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    words += ["--only-binary", ":all:", *(word for tag in TAGS.items() for word in tag), "--dest", str(folder), *found]
    for attempt in range(1, ATTEMPTS + 1):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            break
        if "No module named pip" in done.stderr:
            raise NotAvailable(
                "this Python has no pip, which fetches riscv64 wheels",
                "install hwprof into an environment that has pip",
            )
        if attempt == ATTEMPTS:
            last = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
            raise NotAvailable(f"no riscv64 wheel of {', '.join(found)}: {last}", "pip's index must be reachable")
    for wheel in sorted(folder.glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(into)


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
