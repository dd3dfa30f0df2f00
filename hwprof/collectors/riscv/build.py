"""Builds the QEMU plugin with the host's C compiler and keeps it in the cache, named by all that it is made from."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from importlib import resources
from pathlib import Path

from hwprof.cache import default_cache
from hwprof.errors import HwprofError, NotAvailable, NotInstalled

SOURCES = ("plugin.c", "classify.h", "qemu_abi.h")
FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", "-fvisibility=hidden", "-pthread")
TIMEOUT_S = 120.0
# QEMU's version -> the interface it speaks, newest first (include/qemu/qemu-plugin.h of each)
INTERFACES = (((9, 2), 4), ((4, 2), 1))


def compiler() -> str:
    """CC, else cc. Raises NotInstalled."""
    asked = os.environ.get("CC", "cc")
    found = shutil.which(asked)
    if found is None:
        raise NotInstalled(
            f"a C compiler ('{asked}'), which builds the QEMU plugin,", "apt-get install gcc libc6-dev; or set CC"
        )
    return found


def interface(qemu: str) -> int:
    """Version of the plugin interface to build for, from what `qemu --version` says. Raises NotAvailable."""
    told = subprocess.run([qemu, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    match = re.search(r"version (\d+)\.(\d+)", told)
    if match is None:
        raise NotAvailable(f"{qemu} tells no version", "is it QEMU?")
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
    program = compiler()
    folder = resources.files(__package__)
    texts = {name: (folder / name).read_text() for name in SOURCES}
    said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    key = json.dumps({"sources": texts, "flags": FLAGS, "api": api, "compiler": said}, sort_keys=True)
    home = (cache or default_cache()) / "riscv64"
    made = home / f"plugin-{api}-{hashlib.sha256(key.encode()).hexdigest()[:20]}.so"
    if made.exists():
        return made
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HwprofError(f"cannot write {home}: {error.strerror}", "set HWPROF_CACHE to a folder with room") from error
    with tempfile.TemporaryDirectory(prefix=".half-", dir=home) as temporary:
        half = Path(temporary)
        for name, text in texts.items():
            (half / name).write_text(text)
        command = [program, *FLAGS, f"-DQEMU_API={api}", "plugin.c", "-o", "plugin.so"]
        done = subprocess.run(command, cwd=half, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()
            raise HwprofError(
                f"{program} can't build the QEMU plugin: {lines[0] if lines else 'no word'}",
                "apt-get install gcc libc6-dev; or set CC to another compiler",
            )
        (half / "plugin.so").replace(made)  # whole or not at all, also where two build at once
    return made
