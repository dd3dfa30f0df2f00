"""What names this one machine or its user: host and user names, folders, serial numbers; for hiding only."""

from __future__ import annotations

import os
import pwd
import sys
from collections.abc import Mapping
from pathlib import Path

from hwprof.machine import ids
from hwprof.machine.files import ROOT, read

# Names that many machines share: they tell nobody who measured, and are words of other texts.
COMMON = frozenset({"root", "localhost", "localdomain", "user", "home", "local", "none", "unknown"})
SHORTEST = 2  # letters; a single one stands in any text
SERIALS = (
    "proc/device-tree/serial-number",
    "sys/firmware/devicetree/base/serial-number",
    *(f"sys/class/dmi/id/{name}_serial" for name in ("product", "board", "chassis")),
    "sys/class/dmi/id/product_uuid",
    "etc/machine-id",
    "var/lib/dbus/machine-id",
)
HOSTS = ("proc/sys/kernel/hostname", "etc/hostname")


def private_words(root: Path = ROOT, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Text that must not leave the machine -> what stands for it, the longest first.

    A name that belongs to many machines (root, localhost) is no one's, and one that is a word of the board's own name
    (a VisionFive called visionfive) says nothing more than that: both are kept.
    """
    found: dict[str, str] = {}

    def add(word: str | None, mark: str) -> None:
        word = (word or "").strip("\0 \n\t")
        if len(word) >= SHORTEST and word.lower() not in COMMON and set(word) - set("0:.- "):
            found.setdefault(word, mark)

    for folder, mark in ((environ.get("HOME"), "~"), (os.fspath(Path.cwd()), "[folder]"), (sys.prefix, "[python]")):
        if folder and len(Path(folder).parts) > 2:
            add(folder, mark)
    for file in SERIALS:
        add(read(root / file), "[serial]")
    for block in ids.blocks(read(root / "proc/cpuinfo") or ""):
        add(block.get("Serial"), "[serial]")
    for path in sorted((root / "sys/class/net").glob("*/address")):
        add(read(path), "[address]")
    model = (read(root / "proc/device-tree/model") or "").lower().split()
    for name in (*(read(root / file) for file in HOSTS), os.uname().nodename if root == ROOT else None):
        for part in dict.fromkeys((name or "", (name or "").partition(".")[0])):
            if part.lower() not in model:
                add(part, "[host]")
    for user in (*(environ.get(key) for key in ("USER", "LOGNAME", "SUDO_USER")), _login() if root == ROOT else None):
        add(user, "[user]")
    return dict(sorted(found.items(), key=lambda item: -len(item[0])))


def _login() -> str | None:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return None
