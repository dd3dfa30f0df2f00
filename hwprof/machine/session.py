"""The session in which runs are measured: one invocation of hwprof on one boot of the machine."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path

from hwprof.machine.files import ROOT, read


def begin_session(root: Path = ROOT) -> Mapping[str, str]:
    """Facts of a new session: its `id`, and of which `boot` it is where the kernel has a number for that."""
    boot = read(root / "proc/sys/kernel/random/boot_id")
    return {"id": secrets.token_hex(4), **({"boot": boot.replace("-", "")[:12]} if boot else {})}
