"""Compiles the programs of known answer; once for each compiler and text, then from the cache."""

from __future__ import annotations

from pathlib import Path

from hwprof.machine import compiler

SOURCES = Path(__file__).resolve().parent / "programs"
FLAGS = ("-std=gnu11", "-O2", "-g0", "-Wall", "-Wextra", "-pthread")
# Debian's cross compilers, for boards that are emulated.
CROSS = {
    "x86_64": "x86_64-linux-gnu-gcc",
    "aarch64": "aarch64-linux-gnu-gcc",
    "riscv64": "riscv64-linux-gnu-gcc",
}


def sources() -> tuple[Path, ...]:
    """The texts, headers among them, sorted by name."""
    return tuple(sorted((*SOURCES.glob("*.c"), *SOURCES.glob("*.h"))))


def build(folder: Path, named: str | None = None) -> Path:
    """The program `truth` below `folder`, compiled unless it is there already for this compiler and these texts.

    `named`: the words of another compiler than the host's. Static where the C library allows it, so that starting it
    is short and a guest needs nothing else. Raises NotInstalled without a compiler, NotCompiled where it fails.
    """
    what, attempts = "the programs of known answer", (("-static",), ())
    return compiler.find(named).build(folder, sources(), {"truth": ()}, FLAGS, what, attempts) / "truth"
