"""Boards without hardware: Debian 13 guests in QEMU whose kernels count real perf events.

    image = ensure_image("riscv64", sets_of(["onnxruntime"]))   # built once, cached; see frameworks/debian.py
    result = run_guest(image, folder, "hwprof doctor")   # boots, runs as root in /job, powers off

machines: the two virtual machines and their QEMU command lines; image: build and cache; bytecode: of its
Python modules, made at home; guest: boot, run one job.
What they count is the emulator's: its origin is EMULATED.
"""

from __future__ import annotations

from hwprof.boards.guest import GuestResult, run_guest
from hwprof.boards.image import PackageSet, ensure_image
from hwprof.boards.machines import MACHINES, Image

__all__ = ["MACHINES", "GuestResult", "Image", "PackageSet", "ensure_image", "run_guest"]
