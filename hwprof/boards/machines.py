"""The two virtual machines, their QEMU command lines, and the host programs that boards need."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hwprof.errors import NotInstalled, UnknownNameError

INSTALL = "tools/boards-packages.sh installs what boards need on Debian 12; by hand: "
# program -> what installs it
PACKAGES = {
    "mmdebstrap": "apt-get install mmdebstrap",
    "mke2fs": "apt-get install e2fsprogs",
    "cpio": "apt-get install cpio",
    "tar": "apt-get install tar",
    "qemu-system-riscv64": "apt-get install -t bookworm-backports qemu-system-riscv opensbi",
    "qemu-system-aarch64": "apt-get install -t bookworm-backports qemu-system-arm",
}
# QEMU 7.2, Debian 12's own, does not honour user-only counting.
OLDEST_QEMU = 10
# In an image's folder: the release of its kernel
RELEASE = "release"


class UnknownBoard(UnknownNameError):
    """An architecture that no emulated board has."""

    kind = "board"
    listing = "The emulated boards are riscv64 and arm64"


@dataclass(frozen=True, slots=True)
class BoardModel:
    """One architecture's virtual machine."""

    arch: str  # Debian's name
    program: str
    machine: str
    cpu: str
    # Of the CPU: `v`, `sscofpmf` and so on; what `run_guest` is given is laid over them.
    cpu_options: Mapping[str, str | int | bool]
    console: str
    triplet: str
    compiler: str


MACHINES: Mapping[str, BoardModel] = {
    "riscv64": BoardModel(
        arch="riscv64",
        program="qemu-system-riscv64",
        machine="virt",
        cpu="rv64",
        # Sscofpmf brings exclusion of the kernel and sampling; the vector length is the SpacemiT X60's. Physical memory
        # protection, which Linux does not see, takes a fifth of the emulator's time.
        cpu_options={"v": True, "vlen": 256, "sscofpmf": True, "pmp": False},
        console="ttyS0",
        triplet="riscv64-linux-gnu",
        compiler="riscv64-linux-gnu-gcc",
    ),
    "arm64": BoardModel(
        arch="arm64",
        program="qemu-system-aarch64",
        machine="virt,gic-version=3",
        cpu="max",
        # Pointer authentication takes most of the time of an emulated Arm kernel by the architecture's cipher, and a
        # sixth of it by QEMU's own; cores of common boards have none.
        cpu_options={"pauth": False},
        console="ttyAMA0",
        triplet="aarch64-linux-gnu",
        compiler="aarch64-linux-gnu-gcc",
    ),
}


def machine_of(arch: str) -> BoardModel:
    """The machine of an architecture. Raises UnknownBoard."""
    if arch not in MACHINES:
        raise UnknownBoard(arch, MACHINES)
    return MACHINES[arch]


@dataclass(frozen=True, slots=True)
class Image:
    """A built guest: `root` is an ext4 file system, `folder` holds all its files."""

    machine: BoardModel
    folder: Path
    packages: tuple[str, ...]

    @property
    def root(self) -> Path:
        """Disk image."""
        return self.folder / "root.ext4"

    @property
    def kernel(self) -> Path:
        """Linux image."""
        return self.folder / "kernel"

    @property
    def initrd(self) -> Path:
        """Initial RAM file system."""
        return self.folder / "initrd.cpio"

    @property
    def release(self) -> str:
        """What `uname -r` prints in the guest: modules must be built for exactly this kernel."""
        return (self.folder / RELEASE).read_text().strip()


@dataclass(frozen=True, slots=True)
class Hardware:
    """What the guest is given."""

    smp: int = 1
    icount: bool = True
    memory: str = "3G"
    cpu_options: Mapping[str, str | int | bool] = field(default_factory=dict)


def require(program: str) -> str:
    """Path of a host program. Raises NotInstalled with the package that has it."""
    # mke2fs is in /usr/sbin, which is not on every user's path
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if found is None:
        raise NotInstalled(program, INSTALL + PACKAGES.get(program, f"apt-get install {program}"))
    return found


def require_qemu(machine: BoardModel) -> str:
    """Path of the machine's emulator. Raises NotInstalled where there is none or one that is too old."""
    program = require(machine.program)
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"version (\d+)", told)
    if version is None or int(version[1]) < OLDEST_QEMU:
        said = version[1] if version else "of unknown version"
        raise NotInstalled(
            f"{machine.program} {OLDEST_QEMU} or later (there is {said})", INSTALL + PACKAGES[machine.program]
        )
    return program


def command(image: Image, hardware: Hardware, shares: Mapping[str, Path], writable: bool = False) -> list[str]:
    """QEMU's command line. `shares`: mount tag -> folder (9p). The disk forgets what is written, unless `writable`."""
    machine = image.machine
    options = {**machine.cpu_options, **hardware.cpu_options}
    cpu = ",".join([machine.cpu, *(f"{name}={_word(value)}" for name, value in options.items())])
    words = [require_qemu(machine), "-machine", machine.machine, "-cpu", cpu, "-m", hardware.memory]
    words += ["-smp", str(hardware.smp)]
    if hardware.icount:
        words += ["-icount", "shift=0"]
    words += ["-display", "none", "-monitor", "none", "-serial", "stdio", "-no-reboot", "-nic", "none"]
    words += ["-kernel", str(image.kernel), "-initrd", str(image.initrd)]
    words += ["-append", f"console={machine.console} quiet panic=-1"]
    disk = f"file={_escaped(image.root)},format=raw,if=none,id=disk,snapshot={'off' if writable else 'on'}"
    words += ["-drive", disk, "-device", "virtio-blk-device,drive=disk"]
    for tag, folder in shares.items():
        words += ["-fsdev", f"local,id={tag},path={_escaped(folder)},security_model=none"]
        words += ["-device", f"virtio-9p-device,fsdev={tag},mount_tag={tag}"]
    return words


def _word(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _escaped(path: Path) -> str:
    """QEMU's option lists double a comma."""
    return str(path).replace(",", ",,")
