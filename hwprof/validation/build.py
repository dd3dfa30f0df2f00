"""Compiles the programs of known answer; once for each compiler and text, then from the cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from hwprof.errors import HwprofError, NotInstalled

SOURCES = Path(__file__).resolve().parent / "programs"
FLAGS = ("-std=gnu11", "-O2", "-g0", "-Wall", "-Wextra", "-pthread")
TIMEOUT_S = 120
# Debian's cross compilers, for boards that are emulated.
CROSS = {
    "x86_64": "x86_64-linux-gnu-gcc",
    "aarch64": "aarch64-linux-gnu-gcc",
    "riscv64": "riscv64-linux-gnu-gcc",
}


def find_compiler(explicit: str | None = None) -> str:
    """Path of the C compiler: `explicit`, else the variable CC, else cc, gcc or clang. Raises NotInstalled."""
    named = explicit or os.environ.get("CC")
    for name in (named,) if named else ("cc", "gcc", "clang"):
        if found := shutil.which(name):
            return found
    raise NotInstalled(
        f"the C compiler {named}" if named else "a C compiler", "sudo apt-get install gcc libc6-dev, or set CC"
    )


def sources() -> tuple[Path, ...]:
    """The texts, headers among them, sorted by name."""
    return tuple(sorted((*SOURCES.glob("*.c"), *SOURCES.glob("*.h"))))


def build(folder: Path, compiler: str | None = None) -> Path:
    """The program `truth` below `folder`, compiled unless it is there already for this compiler and these texts.

    Static where the C library allows it, so that starting it is short and a guest needs nothing else. Raises
    NotInstalled without a compiler and HwprofError where it fails, with its first complaint.
    """
    path = find_compiler(compiler)
    digest = hashlib.sha256(_version(path).encode())
    for source in sources():
        digest.update(source.read_bytes())
    place = folder / digest.hexdigest()[:16] / "truth"
    if place.exists():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        made = Path(scratch) / "truth"
        complaint = _compile(path, made, ("-static",))
        if complaint:
            complaint = _compile(path, made, ())
        if complaint:
            raise HwprofError(
                f"{path} can't compile the programs of known answer: {complaint}",
                "sudo apt-get install libc6-dev (the C library's headers), or name another compiler in CC",
            )
        made.replace(place)
    return place


def _version(compiler: str) -> str:
    done = subprocess.run([compiler, "--version"], capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    return f"{compiler}\n{done.stdout}"


def _compile(compiler: str, target: Path, extra: tuple[str, ...]) -> str:
    """Empty, or what the compiler complained of first."""
    words = [compiler, *FLAGS, *extra, "-o", str(target), *(str(p) for p in sources() if p.suffix == ".c")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode == 0:
        return ""
    lines = [line for line in done.stderr.splitlines() if "error" in line or "cannot" in line]
    return (lines or done.stderr.splitlines() or [f"exit code {done.returncode}"])[0].strip()
