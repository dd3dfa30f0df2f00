"""Bytecode of a guest's Python modules, made on the host.

Bytecode is the same on every architecture, and an emulated core takes minutes to compile what its programs import. What
compiles is the guest's own version of Python for the host's architecture: unpacked from the same suite, started by its
own loader, in an image of its own.
"""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import hwprof
from hwprof.errors import HwprofError

# platform.machine() -> Debian's name, its folder of libraries, the loader in it
HOSTS = {
    "x86_64": ("amd64", "x86_64-linux-gnu", "ld-linux-x86-64.so.2"),
    "aarch64": ("arm64", "aarch64-linux-gnu", "ld-linux-aarch64.so.1"),
}
PACKAGE = "python3-minimal"
Extract = Callable[[str, tuple[str, ...], str, Path, Path], None]

# Run by that Python, which has no more than the minimum: bytecode of every module below a folder (argument 1), which
# the guest sees elsewhere (2), goes below a third (3), as PYTHONPYCACHEPREFIX has it; a share of them (4 of 5).
COMPILE = """
import os, py_compile, sys
source, seen, target, part, parts = *sys.argv[1:4], int(sys.argv[4]), int(sys.argv[5])
number = 0
for folder, below, names in os.walk(source):
    below[:] = sorted(set(below) - {"test", "tests", "__pycache__", "idlelib", "ensurepip"})
    for name in sorted(names):
        if not name.endswith(".py") or not os.path.isfile(os.path.join(folder, name)):
            continue  # a link to what is below the guest's /etc leads nowhere here
        number += 1
        if number % parts != part:
            continue
        inside = os.path.normpath(os.path.join(seen, os.path.relpath(folder, source), name))
        made = f"{target}{inside[:-3]}.{sys.implementation.cache_tag}.pyc"
        try:
            py_compile.compile(os.path.join(folder, name), made, inside, doraise=True)
        except (py_compile.PyCompileError, UnicodeDecodeError):
            pass  # a template: importing it would fail as well
"""


@dataclass(frozen=True, slots=True)
class BytecodeCompiler:
    """A Python: the words that start it, and its prefix."""

    words: tuple[str, ...]
    prefix: Path


def python(home: Path, suite: str, extract: Extract) -> BytecodeCompiler | None:
    """The suite's Python for this host, unpacked below `home`; None: Debian has none for it.

    The caller holds the lock of the folder. Raises as `extract` does.
    """
    known = HOSTS.get(platform.machine())
    if known is None:
        return None
    arch, libraries, loader = known
    place = home / f"python-{suite}-{arch}"
    if not place.is_dir():
        half = home / f".half-{place.name}"
        extract(arch, (PACKAGE,), suite, half, home / f".{place.name}.log")
        (home / f".{place.name}.log").unlink(missing_ok=True)
        half.rename(place)
    program = sorted((place / "usr/bin").glob("python3.*"))[0]
    folder = place / "usr/lib" / libraries
    return BytecodeCompiler((str(folder / loader), "--library-path", str(folder), str(program)), place / "usr")


def compile_into(root: Path, compiler: BytecodeCompiler) -> None:
    """Bytecode of all modules of the unpacked guest at `root`, and of hwprof, below its /pyc. Raises HwprofError."""
    package = Path(hwprof.__file__).parent
    sources = [(folder, f"/usr/lib/{folder.name}") for folder in sorted((root / "usr/lib").glob("python3*"))]
    sources.append((package, "/control/python/hwprof"))
    environ = {"PYTHONHOME": str(compiler.prefix), "PATH": os.environ.get("PATH", "")}
    parts = os.cpu_count() or 1
    for source, seen in sources:
        words = [*compiler.words, "-P", "-S", "-c", COMPILE, str(source), seen, str(root / "pyc")]
        started = [
            subprocess.Popen([*words, str(part), str(parts)], env=environ, stderr=subprocess.PIPE, text=True)
            for part in range(parts)
        ]
        said = [process.communicate()[1] for process in started]
        if any(process.returncode for process in started):
            last = next(iter(" ".join(said).strip().splitlines()[-1:]), "no reason given")
            raise HwprofError(f"bytecode for the guest could not be made: {last}")
