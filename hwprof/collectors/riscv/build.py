"""Builds the QEMU plugin with the host's C compiler and keeps it in the cache, named by all that it is made from."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from hwprof.cache import default_cache
from hwprof.errors import NotAvailable
from hwprof.machine import compiler

PROGRAMS = Path(__file__).resolve().parent
SOURCES = ("plugin.c", "classify.h", "hierarchy.h", "qemu_abi.h")
FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden", "-pthread")
# QEMU's version -> the interface it speaks, newest first (include/qemu/qemu-plugin.h of each)
INTERFACES = (((9, 2), 4), ((4, 2), 1))


def interface(qemu: str) -> int:
    """Version of the plugin interface to build for, from what `qemu --version` says. Raises NotAvailable."""
    told = subprocess.run([qemu, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    match = re.search(r"version (\d+)\.(\d+)", told)
    if match is None:
        raise NotAvailable(f"{qemu} reports no version", "is it QEMU?")
    version = (int(match[1]), int(match[2]))
    for since, number in INTERFACES:
        if version >= since:
            # 9.0 and 9.1 speak 2 and 3 alone; Debian has shipped neither in a release
            if number == 1 and version >= (9, 0):
                break
            return number
    raise NotAvailable(f"QEMU {version[0]}.{version[1]} has no plugin interface that hwprof knows", "QEMU 7.2 or 10 do")


def plugin(api: int, cache: Path | None = None) -> Path:
    """The plugin for QEMU's interface `api`, compiled at first use (a second).

    Raises NotInstalled without a C compiler and HwprofError with what the compiler said.
    """
    folder = (cache or default_cache()) / "riscv64"
    sources = [PROGRAMS / name for name in SOURCES]
    flags = (*FLAGS, f"-DQEMU_API={api}")
    return compiler.find().build(folder, sources, {"plugin.so": ()}, flags, "the QEMU plugin") / "plugin.so"
