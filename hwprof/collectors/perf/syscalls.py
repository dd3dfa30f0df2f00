"""How this process calls perf_event_open: the number, ioctls and bit order of its own ABI, not of the kernel's.

A 32-bit process has its architecture's 32-bit numbers, whatever kernel is below it. Numbers are those of the kernel's
tables (arch/*/kernel/syscalls/*.tbl, include/uapi/asm-generic/unistd.h). Standard library only.
"""

from __future__ import annotations

import platform
import re
import sys
import sysconfig
from collections.abc import Mapping

# What a kernel may call the machine -> its family. arm64 kernels say armv8l to 32-bit processes.
FAMILIES: Mapping[str, str] = {
    "x86": r"i[3-6]86|x86_64|amd64",
    "arm": r"aarch64.*|arm.*",
    "riscv": r"riscv(32|64)",
    "loongarch": r"loongarch(32|64)",
    "powerpc": r"ppc(64)?(le)?|powerpc.*",
    "s390": r"s390x?",
}
# family -> bits of a pointer -> number
NUMBERS: Mapping[str, Mapping[int, int]] = {
    "x86": {32: 336, 64: 298},
    "arm": {32: 364, 64: 241},
    "riscv": {32: 241, 64: 241},
    "loongarch": {32: 241, 64: 241},
    "powerpc": {32: 319, 64: 319},
    "s390": {32: 331, 64: 331},
}
X32 = 0x40000000 + 298  # pointers of 32 bits in the 64-bit mode of x86
# _IOC_NONE of an ioctl without an argument: 1 << 29 on PowerPC, 0 on the others here.
DIRECTIONS: Mapping[str, int] = {"powerpc": 1 << 29}


def family(machine: str) -> str:
    """The family of `uname -m`; empty: one that is not known here."""
    return next((name for name, words in FAMILIES.items() if re.fullmatch(words, machine)), "")


def call_number(machine: str, bits: int, multiarch: str = "") -> int | None:
    """The number of perf_event_open for a process whose pointers have `bits`; None: it is not known.

    `multiarch`: the triplet that Python was built for, which tells x32 from i386.
    """
    if family(machine) == "x86" and multiarch.endswith("x32"):
        return X32
    return NUMBERS.get(family(machine), {}).get(bits)


def own_number() -> int | None:
    """Of this process."""
    return call_number(platform.machine(), own_bits(), str(sysconfig.get_config_var("MULTIARCH") or ""))


def own_bits() -> int:
    """Bits of a pointer of this process."""
    return 64 if sys.maxsize > 1 << 32 else 32


def ioctl_number(request: int, machine: str) -> int:
    """The number of an ioctl without an argument on this machine."""
    return request | DIRECTIONS.get(family(machine), 0)


def bit_fields(flags: int, byteorder: str = sys.byteorder) -> int:
    """A 64-bit word of C's bit fields, the first one in bit 0, as compilers lay it out: the other way round where the
    machine is big-endian.
    """
    return flags if byteorder == "little" else int(f"{flags:064b}"[::-1], 2)
