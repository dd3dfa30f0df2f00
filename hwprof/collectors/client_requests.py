"""Client requests: what a program inside valgrind asks of callgrind, without a compiler or valgrind's header.

A request is a sequence of instructions that do nothing on a CPU and that valgrind recognises. The sequences are those
of valgrind.h 3.19 (x86-64, arm64) and of VEX's guest_riscv64_toIR.c (valgrind 3.25); those of aarch64 and riscv64 were
never executed inside valgrind. `connect` asks for an answer first, so that a wrong one is an error, not a wrong count.

Standard library only: the measured process imports this.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
from collections.abc import Callable, Mapping
from typing import Any

from hwprof.errors import CaseFailed


def _words(*words: int) -> bytes:
    """Instructions of 32 bits, as they lie in memory."""
    return b"".join(word.to_bytes(4, "little") for word in words)


# machine -> a function of C's calling convention: the address of six 64-bit words (request, five arguments) in, the
# answer out, 0 outside valgrind
CODE: Mapping[str, bytes] = {
    # mov rax,rdi; xor edx,edx; rol rdi,3; rol rdi,13; rol rdi,61; rol rdi,51; xchg rbx,rbx; mov rax,rdx; ret
    "x86_64": bytes.fromhex("4889f8 31d2 48c1c703 48c1c70d 48c1c73d 48c1c733 4887db 4889d0 c3"),
    # mov x4,x0; mov x3,#0; ror x12,x12,#3; #13; #51; #61; orr x10,x10,x10; mov x0,x3; ret
    "aarch64": _words(
        *(0xAA0003E4, 0xD2800003, 0x93CC0D8C, 0x93CC358C, 0x93CCCD8C, 0x93CCF58C, 0xAA0A014A, 0xAA0303E0, 0xD65F03C0)
    ),
    # mv a4,a0; li a3,0; srli zero,zero,3; 13; 51; 61; or a0,a0,a0; mv a0,a3; ret
    "riscv64": _words(
        *(0x00050713, 0x00000693, 0x00305013, 0x00D05013, 0x03305013, 0x03D05013, 0x00A56533, 0x00068513, 0x00008067)
    ),
}
# valgrind.h: RUNNING_ON_VALGRIND; callgrind.h: VG_USERREQ_TOOL_BASE('C','T') and what follows
RUNNING_ON_VALGRIND = 0x1001
ZERO_STATS, DUMP_STATS_AT, START_INSTRUMENTATION = (0x43540000 + n for n in (1, 3, 4))

# What the dumps are called that are read; the others are thrown away.
EMPTY, COUNTED, IGNORED = "hwprof empty", "hwprof counted", "hwprof ignored"


class Requests:
    """A way to callgrind out of this process. Zeroing and dumping are of all threads (toggling would not be)."""

    def __init__(self, machine: str) -> None:
        if machine not in CODE:
            raise CaseFailed(f"no client request of valgrind is known for {machine}")
        # never writable and executable at once, and the kernel sees to the instruction cache
        code = os.memfd_create("hwprof-client-request")
        os.write(code, CODE[machine])
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *(ctypes.c_int,) * 3, ctypes.c_long)
        at = libc.mmap(None, mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_EXEC, mmap.MAP_PRIVATE, code, 0)
        os.close(code)
        if at == ctypes.c_void_p(-1).value:
            raise CaseFailed(f"no executable page for client requests: {os.strerror(ctypes.get_errno())}")
        self._call: Callable[[Any], int] = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p)(at)
        self._texts = {tag: ctypes.create_string_buffer(tag.encode()) for tag in (EMPTY, COUNTED, IGNORED)}
        self._dumps = {tag: _request(DUMP_STATS_AT, ctypes.addressof(text)) for tag, text in self._texts.items()}
        self._zero, self._start = _request(ZERO_STATS), _request(START_INSTRUMENTATION)

    def valgrinds(self) -> int:
        """In how many valgrinds this process runs: 0 outside."""
        return self._call(_request(RUNNING_ON_VALGRIND))

    def start(self) -> None:
        """Instrumentation on: the simulated caches are cold."""
        self._call(self._start)

    def edges(self, tag: str) -> tuple[Callable[[Any], int], Any, Any]:
        """How to ask, and the requests at the edges of a window: zero the counts, dump them under `tag`.

        Looked up before the window, so that between its edges there is nothing but the loop.
        """
        return self._call, self._zero, self._dumps[tag]


def _request(number: int, argument: int = 0) -> Any:
    return (ctypes.c_uint64 * 6)(number, argument)


def connect(machine: str = "") -> Requests:
    """Requests of this process. Raises CaseFailed where nothing answers them."""
    requests = Requests(machine or platform.machine())
    if not requests.valgrinds():
        raise CaseFailed("client requests are not answered: this process does not run inside valgrind")
    return requests
