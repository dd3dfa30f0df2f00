"""perf_event_open: the structure, the numbers, the system call, and what each refusal means.

Own ctypes wrapper. Numbers are those of the kernel's public header include/uapi/linux/perf_event.h and of the
perf_event_open(2) manual page. Standard library only, no thread is started.
"""

from __future__ import annotations

import ctypes
import enum
import errno
import fcntl
import mmap
import os
import platform
import re
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hwprof.collectors.perf import syscalls
from hwprof.collectors.protocol import Unavailable
from hwprof.machine.files import ROOT, number, read


class Type(enum.IntEnum):
    """attr.type of the events every kernel has; other PMUs have the number their sysfs `type` file says."""

    HARDWARE = 0
    SOFTWARE = 1
    TRACEPOINT = 2
    HW_CACHE = 3
    RAW = 4


# attr.size of each published edition of the structure, oldest first (VER0 ... VER8).
ATTR_SIZES = (64, 72, 80, 96, 104, 112, 120, 128, 136)

# read_format
FORMAT_TIME_ENABLED = 1 << 0
FORMAT_TIME_RUNNING = 1 << 1
FORMAT_GROUP = 1 << 3

# bits of attr.flags
DISABLED = 1 << 0
INHERIT = 1 << 1
PINNED = 1 << 2
EXCLUDE_USER = 1 << 4
EXCLUDE_KERNEL = 1 << 5
EXCLUDE_HV = 1 << 6
ENABLE_ON_EXEC = 1 << 12

# _IO('$', n) where no direction is encoded; `syscalls.ioctl_number` has it for the others.
IOC_ENABLE = 0x2400
IOC_DISABLE = 0x2401

FLAG_FD_CLOEXEC = 1 << 3

SPIN_PAGES = 16


class Attr(ctypes.Structure):
    """struct perf_event_attr up to VER8 (136 bytes). The bit fields are one 64-bit word, `flags`."""

    _fields_ = (
        ("type", ctypes.c_uint32),
        ("size", ctypes.c_uint32),
        ("config", ctypes.c_uint64),
        ("sample_period", ctypes.c_uint64),
        ("sample_type", ctypes.c_uint64),
        ("read_format", ctypes.c_uint64),
        ("flags", ctypes.c_uint64),
        ("wakeup_events", ctypes.c_uint32),
        ("bp_type", ctypes.c_uint32),
        ("config1", ctypes.c_uint64),
        ("config2", ctypes.c_uint64),
        ("branch_sample_type", ctypes.c_uint64),
        ("sample_regs_user", ctypes.c_uint64),
        ("sample_stack_user", ctypes.c_uint32),
        ("clockid", ctypes.c_int32),
        ("sample_regs_intr", ctypes.c_uint64),
        ("aux_watermark", ctypes.c_uint32),
        ("sample_max_stack", ctypes.c_uint16),
        ("reserved_2", ctypes.c_uint16),
        ("aux_sample_size", ctypes.c_uint32),
        ("aux_action", ctypes.c_uint32),
        ("sig_data", ctypes.c_uint64),
        ("config3", ctypes.c_uint64),
    )


class Kernel(Protocol):
    """What this package asks of the machine it runs on. A test hands in its own."""

    def open(self, attr: Attr, pid: int, cpu: int, group_fd: int, flags: int) -> int:
        """perf_event_open; raises OSError."""

    def control(self, fd: int, request: int) -> None:
        """ioctl without an argument; raises OSError."""

    def read(self, fd: int, size: int) -> bytes:
        """read; raises OSError. Fewer bytes than asked: the counter is in error."""

    def close(self, fd: int) -> None:
        """close."""

    def tasks(self, pid: int | None) -> tuple[int, ...]:
        """Thread ids of a process (None: this one), sorted; empty when it is gone."""

    def spin(self) -> None:
        """Keep this thread busy for about a millisecond and fault some pages in: neither may then read zero."""


class LinuxKernel:
    """The real one. Raises OSError(ENOSYS) on opening where the architecture's system call number is unknown."""

    def __init__(self) -> None:
        self._number, self._machine = syscalls.own_number(), platform.machine()
        self._syscall = ctypes.CDLL(None, use_errno=True).syscall
        self._syscall.restype = ctypes.c_long

    def open(self, attr: Attr, pid: int, cpu: int, group_fd: int, flags: int) -> int:
        """perf_event_open(2). Sets attr.size; a smaller one is tried where the kernel asks for it.

        Where files run out (one for each event and thread), the soft limit is raised to the hard one, as perf does.
        """
        if self._number is None:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        attr.size = ctypes.sizeof(Attr)
        try:
            return self._open(attr, pid, cpu, group_fd, flags)
        except OSError as error:
            # On E2BIG the kernel leaves the size it knows in attr.size; that helps only if what it would not see is 0.
            smaller = error.errno == errno.E2BIG and fits(attr, attr.size)
            if not smaller and not (error.errno == errno.EMFILE and raise_file_limit()):
                raise
        return self._open(attr, pid, cpu, group_fd, flags)

    def _open(self, attr: Attr, pid: int, cpu: int, group_fd: int, flags: int) -> int:
        asked = Attr.from_buffer_copy(attr)
        asked.flags = syscalls.bit_fields(attr.flags)
        fd = self._syscall(
            ctypes.c_long(self._number or 0),
            ctypes.byref(asked),
            ctypes.c_int(pid),
            ctypes.c_int(cpu),
            ctypes.c_int(group_fd),
            ctypes.c_ulong(flags),
        )
        if fd < 0:
            code, attr.size = ctypes.get_errno(), asked.size
            raise OSError(code, os.strerror(code))
        return int(fd)

    def control(self, fd: int, request: int) -> None:
        """ioctl(2)."""
        fcntl.ioctl(fd, syscalls.ioctl_number(request, self._machine), 0)

    def read(self, fd: int, size: int) -> bytes:
        """read(2)."""
        return os.read(fd, size)

    def close(self, fd: int) -> None:
        """close(2)."""
        os.close(fd)

    def tasks(self, pid: int | None) -> tuple[int, ...]:
        """/proc/PID/task."""
        try:
            return tuple(sorted(int(p.name) for p in Path(f"/proc/{'self' if pid is None else pid}/task").iterdir()))
        except (FileNotFoundError, ProcessLookupError):
            return ()

    def spin(self) -> None:
        """About a millisecond of arithmetic, and the first write to each of a few pages."""
        with mmap.mmap(-1, SPIN_PAGES * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as area:
            for page in range(SPIN_PAGES):
                area[page * mmap.PAGESIZE] = 1
        total = 0
        for i in range(20_000):
            total += i & 3


# As this process was started. Programs that it starts get these, whatever was raised meanwhile.
FILE_LIMITS = resource.getrlimit(resource.RLIMIT_NOFILE)


def raise_file_limit() -> bool:
    """Raise this process's soft limit of open files to its hard one; False where it is there already."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return False
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return True


def fits(attr: Attr, size: int) -> bool:
    """Whether everything of `attr` beyond its first `size` bytes is zero, and `size` is a published one."""
    return size in ATTR_SIZES and not any(bytes(attr)[size:])


@dataclass(frozen=True, slots=True)
class Rights:
    """What decides whether counting is allowed: kernel.perf_event_paranoid (None: unreadable) and capabilities."""

    paranoid: int | None
    privileged: bool  # CAP_SYS_ADMIN, or up to level 2 CAP_PERFMON, is effective, and the machine's own

    @property
    def kernel(self) -> bool:
        """Whether events may include the kernel."""
        return self.privileged or (self.paranoid is not None and self.paranoid <= 1)


def read_rights(root: Path = ROOT) -> Rights:
    """Rights of this process from /proc below `root`."""
    paranoid = number(root / "proc/sys/kernel/perf_event_paranoid")
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", read(root / "proc/self/status") or "", re.MULTILINE)
    effective = int(found[1], 16) if found else 0
    cap_sys_admin, cap_perfmon = 21, 38
    # Debian's and Ubuntu's levels 3 and 4 refuse CAP_PERFMON too.
    enough = paranoid is None or paranoid <= 2
    capable = bool(effective & 1 << cap_sys_admin or (enough and effective & 1 << cap_perfmon))
    return Rights(paranoid, capable and not in_user_namespace(root))


def in_user_namespace(root: Path = ROOT) -> bool:
    """Whether this process's capabilities are those of a user namespace (a rootless container), void for perf."""
    mapping = read(root / "proc/self/uid_map")
    return mapping is not None and mapping.split() != ["0", "0", "4294967295"]


ALLOW_USER = "sudo sysctl kernel.perf_event_paranoid=2"
# A capability on a file takes the counters away from those that are observed while they exec it (fs/exec.c).
SETCAP = (
    "sudo setcap cap_perfmon+ep $(readlink -f $(which python3)) (then a wrapped command that starts this python, as a "
    "shell script does, loses its counters there; the sysctl has no such effect)"
)
ALLOW_KERNEL = f"sudo sysctl kernel.perf_event_paranoid=1, or give the interpreter the right: {SETCAP}"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Circumstances of a refused opening: they decide what an errno means."""

    hardware: bool  # a core PMU's event
    has_pmu: bool  # the machine has a core PMU at all
    rights: Rights
    foreign: bool = False  # another process's task
    excluding: bool = False  # exclude_user or exclude_kernel was set
    per_socket: bool = False  # an uncore PMU: counts a socket, not a task


_OPEN_FILES = Unavailable("too many open files", "ulimit -n 4096, or fewer events")
# What an errno of perf_event_open means whatever was asked for.
REFUSALS: Mapping[int, Unavailable] = {
    errno.ENOENT: Unavailable("this CPU and kernel do not count this event"),
    errno.EINVAL: Unavailable("the kernel refuses this combination of event and options"),
    errno.EMFILE: _OPEN_FILES,
    errno.ENFILE: _OPEN_FILES,
    errno.EOPNOTSUPP: Unavailable("this PMU does not support the event or option"),
    errno.ENODEV: Unavailable("this kernel lacks the PMU or the group's leader is gone"),
    errno.ESRCH: Unavailable("the process has ended"),
    errno.EBUSY: Unavailable("another user holds the counter exclusively", "stop the other profiler"),
    errno.ENOSPC: Unavailable("no counter is left", "fewer events at once, or stop the other profiler"),
    errno.E2BIG: Unavailable("this kernel is too old for the event's options (config3)", "a newer kernel"),
}


def no_call(machine: str, bits: int, number: int | None) -> Unavailable:
    """What ENOSYS means: the kernel lacks the call, or its number for such processes is not known here."""
    if number is not None:
        return Unavailable("this kernel has no perf_event_open", "a kernel with CONFIG_PERF_EVENTS")
    what = f"{bits}-bit processes on {machine or 'this machine'}"
    return Unavailable(f"how {what} call perf_event_open is not known", "`--backend perf` counts there")


def explain(code: int, asked: Circumstances) -> Unavailable:
    """Reason and remedy of an errno of perf_event_open (perf_event_open(2), and the kernel's kernel/events/core.c)."""
    paranoid = "unreadable" if asked.rights.paranoid is None else str(asked.rights.paranoid)
    match code:
        case errno.ENOENT | errno.EOPNOTSUPP if asked.hardware and not asked.has_pmu:
            return Unavailable(
                "no hardware counters here (a virtual machine without a vPMU, or a device tree without a PMU)",
                "give the guest a vPMU (QEMU: -cpu host,pmu=on), or run on the board itself",
            )
        case errno.EACCES if asked.foreign:
            return Unavailable(
                f"no permission to observe that process (kernel.perf_event_paranoid is {paranoid})",
                "run as its owner or as root",
            )
        case errno.EACCES:
            # Debian's level 3 is beyond CAP_PERFMON: only CAP_SYS_ADMIN or a lower level helps.
            strict = asked.rights.paranoid is not None and asked.rights.paranoid > 2
            return Unavailable(
                f"kernel.perf_event_paranoid is {paranoid} and this process has no right to count",
                ALLOW_USER if strict else ALLOW_KERNEL,
            )
        case errno.EPERM:
            return Unavailable(
                "perf_event_open is forbidden (a container's seccomp profile?)",
                "start the container with --cap-add PERFMON --security-opt seccomp=unconfined; a sysctl does not help",
            )
        case errno.EINVAL if asked.per_socket:
            return Unavailable("this PMU counts for a whole socket, never for one process")
        case errno.EINVAL if asked.excluding:
            return Unavailable(
                "this PMU does not separate user from kernel", "omit :u or :k, with the right to count both"
            )
    if code == errno.ENOSYS:
        return no_call(platform.machine(), syscalls.own_bits(), syscalls.own_number())
    return REFUSALS.get(code) or Unavailable(f"perf_event_open failed: {os.strerror(code)}")
