"""Values of sensors in files of /sys, and what the kernel says where there is none."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hwprof.collectors.protocol import Unavailable

NOT_PERMITTED = (errno.EACCES, errno.EPERM)
NOT_THERE = (errno.ENOENT, errno.ENOTDIR)
MASKED = (
    "its links lead nowhere, as in a container that masks it",
    "docker run --security-opt systempaths=unconfined, or --privileged; "
    "podman run --security-opt unmask=/sys/devices/virtual/powercap",
)


def read_text(path: Path) -> str:
    """A file's text without the white space around it. Raises OSError."""
    return path.read_text(errors="replace").strip("\0 \n\t")


@dataclass(slots=True)
class SensorReader:
    """The product of the numbers of some files. After an answer of None, `fault` says what was wrong."""

    source: str
    paths: Sequence[Path]
    is_magnitude: bool = False
    fault: Unavailable | None = None

    def __call__(self) -> float | None:
        product = 1.0
        for path in self.paths:
            try:
                text = read_text(path)
            except OSError as error:
                self.fault = self._fault(path, error)
                return None
            try:
                value = float(text)
            except ValueError:
                value = math.nan
            if not math.isfinite(value):
                said = f"answered '{text[:40]}', which is no number" if text else "answered nothing"
                self.fault = Unavailable(f"{self.source} {said}")
                return None
            product *= value
        self.fault = None
        return abs(product) if self.is_magnitude else product

    def _fault(self, path: Path, error: OSError) -> Unavailable:
        if error.errno in NOT_THERE and any(part.is_symlink() and not part.exists() for part in (path, *path.parents)):
            return Unavailable(f"{self.source} is masked: {MASKED[0]}", MASKED[1])
        return fault_of(self.source, error, str(path))


def fault_of(source: str, error: OSError, path: str = "", is_root: bool | None = None) -> Unavailable:
    """Why a sensor gives no value, by the error that the kernel answered with, and what changes it."""
    said = os.strerror(error.errno or 0)
    if error.errno in NOT_THERE:
        return Unavailable(f"{source} is not there ({said})")
    if error.errno not in NOT_PERMITTED:
        return Unavailable(f"{source} can't be read: {said}", "dmesg may have more of it; load its driver anew")
    if os.geteuid() == 0 if is_root is None else is_root:
        remedy = "the container or a security module denies it: run hwprof outside of it, or with --privileged"
        return Unavailable(f"{source} may not be read, even by root ({said})", remedy)
    shown = "/sys/class/powercap/intel-rapl:*/energy_uj" if source.startswith("powercap:") else path
    return Unavailable(f"{source} can be read by root only ({said})", f"run as root, or: sudo chmod a+r {shown}")
