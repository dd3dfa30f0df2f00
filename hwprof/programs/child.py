"""A process that waits, with everything prepared, until it may become the command.

Between its start and its exec, counters can be opened on it. It is a small Python of its own and no fork of this
process, whose threads and memory would come along. Standard library only.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import resource
import shutil
import signal
import socket
import stat
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwprof.collectors.perf.abi import FILE_LIMITS
from hwprof.errors import CommandNotExecutable, CommandNotFound, NotAvailable, UsageError
from hwprof.machine.clock import clock_ns, cpu_time_ns

# Python ignores SIGPIPE and SIGXFSZ, and what is ignored stays so over exec: the command shall find the defaults.
STUB = """
import ctypes, json, os, resource, signal, socket, sys
link = socket.socket(fileno=int(sys.argv[1]))
link.set_inheritable(False)
job = json.loads(link.makefile("rb").readline())
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(1, signal.SIGTERM, 0, 0, 0)
if os.getppid() != job["parent"]:
    os._exit(1)
for number in job["default"]:
    signal.signal(number, signal.SIG_DFL)
if job["cpus"]:
    os.sched_setaffinity(0, job["cpus"])
resource.setrlimit(resource.RLIMIT_NOFILE, job["files"])
used = resource.getrusage(resource.RUSAGE_SELF)
link.sendall(json.dumps({"used": list(used)}).encode() + b"\\n")
if link.recv(1) != b"g":
    os._exit(1)
if job["stop"] and libc.ptrace(0, 0, 0, 0) != 0:
    link.sendall(json.dumps({"errno": ctypes.get_errno(), "stage": "ptrace"}).encode() + b"\\n")
    os._exit(1)
try:
    os.execve(job["path"], job["argv"], job["env"])
except OSError as error:
    link.sendall(json.dumps({"errno": error.errno, "stage": "exec"}).encode() + b"\\n")
os._exit(126)
"""
PTRACE_DETACH = 17
Usage = resource.struct_rusage


@dataclass(frozen=True, slots=True)
class ProcessEnd:
    """How the process ended. `usage`: of itself and the children it waited for, from its very start."""

    status: int
    usage: Usage
    at_ns: int

    @property
    def signal(self) -> int:
        """The signal that killed it; 0: none."""
        return os.WTERMSIG(self.status) if os.WIFSIGNALED(self.status) else 0

    @property
    def exit_code(self) -> int:
        """As a shell has it: 128 + signal for a process that was killed."""
        return 128 + self.signal if self.signal else os.waitstatus_to_exitcode(self.status)


def find(argv: Sequence[str]) -> str:
    """The file that a command's first word stands for. CommandNotFound, CommandNotExecutable, UsageError."""
    if not argv or not argv[0]:
        raise UsageError("no command", "as in hwprof run -e cycles -- ./benchmark --size 224")
    word = argv[0]
    if "/" not in word:
        found = shutil.which(word)
        if found:
            return found
        for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
            if folder and (Path(folder) / word).is_file():
                raise CommandNotExecutable(f"{folder}/{word} is not executable", f"chmod +x {folder}/{word}")
        local = f"; it is here: ./{word}" if Path(word).is_file() else ""
        raise CommandNotFound(f"no command '{word}' on PATH{local}", "name it with its path, or install it")
    try:
        mode = Path(word).stat().st_mode
    except OSError as error:
        raise CommandNotFound(f"no command '{word}': {error.strerror}") from error
    if stat.S_ISDIR(mode):
        raise CommandNotExecutable(f"'{word}' is a directory")
    if not os.access(word, os.X_OK):
        raise CommandNotExecutable(f"'{word}' is not executable", f"chmod +x {word}")
    return word


def working_directory() -> str:
    """Where this process is; of a folder that was removed what the kernel says: `/tmp/x (deleted)`."""
    try:
        return os.getcwd()  # noqa: PTH109  Path.cwd is the same with more steps
    except OSError:
        with contextlib.suppress(OSError):
            return os.readlink("/proc/self/cwd")  # noqa: PTH115  text that is no path any more
    return ""


class Child:
    """The waiting process. `stop`: after exec, hold it before its first instruction until `resume` (by ptrace).

    `used` is what the waiting process itself took; `exec_ns` at most what its exec took of CPU time after that.
    To be used from one thread: ptrace belongs to the thread that started the child.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environ: Mapping[str, str] | None = None,
        cpus: Sequence[int] = (),
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        stop: bool = False,
    ) -> None:
        self.argv = tuple(argv)
        self.path = find(argv)
        self.ended: ProcessEnd | None = None
        self.exec_ns = 0
        self._stop = stop
        self._held = False
        ours, theirs = socket.socketpair()
        theirs.set_inheritable(True)
        actions = [(os.POSIX_SPAWN_DUP2, fd, to) for fd, to in ((stdin, 0), (stdout, 1), (stderr, 2)) if fd is not None]
        command = [sys.executable, "-I", "-S", "-c", STUB, str(theirs.fileno())]
        try:
            self.pid = os.posix_spawn(sys.executable, command, os.environ, file_actions=actions)
        except OSError as error:
            ours.close()
            raise NotAvailable(
                f"{sys.executable} can't be started: {error.strerror}",
                "it starts the command; its folders must be open to this user",
            ) from error
        finally:
            theirs.close()
        self._link = ours
        job = {
            "path": self.path,
            "argv": list(argv),
            "env": dict(os.environ if environ is None else environ),
            "cpus": list(cpus),
            "parent": os.getpid(),
            "stop": stop,
            "files": list(FILE_LIMITS),  # not those that counters may have raised
            "default": [int(s) for s in (signal.SIGPIPE, signal.SIGXFSZ)],
        }
        with contextlib.suppress(BrokenPipeError):  # it died: what comes next says so
            self._link.sendall(json.dumps(job).encode() + b"\n")
        answer = self._receive()
        if "used" not in answer:
            self.close()
            raise NotAvailable("the process that was to become the command died", "perhaps no memory is left")
        self.used = Usage(answer["used"])  # by the waiting process itself: no part of the command

    def _receive(self) -> dict[str, Any]:
        data = b""
        while not data.endswith(b"\n") and (more := self._link.recv(65536)):
            data += more
        found: dict[str, Any] = json.loads(data) if data else {}
        return found

    def release(self) -> int:
        """Exec; the moment just before, CLOCK_MONOTONIC_RAW in ns. Raises where the kernel refuses the file."""
        at_ns = clock_ns()
        self._link.sendall(b"g")
        if self._stop:
            _, status = os.waitpid(self.pid, 0)
            if os.WIFSTOPPED(status):
                self._held = True
                self._measure_exec()
                return at_ns
            self.ended = ProcessEnd(status, self.used, clock_ns())
        refused = self._receive()  # nothing: the socket was closed by a successful exec
        self._measure_exec()
        if refused:
            self.wait()
            text = os.strerror(refused["errno"])
            if refused["stage"] == "ptrace":
                raise NotAvailable(f"ptrace is not allowed here: {text}", "omit --backend perf, which needs it")
            kind = CommandNotFound if refused["errno"] == errno.ENOENT else CommandNotExecutable
            hint = "a script needs #! and its interpreter; a program must be of this architecture"
            raise kind(f"'{self.argv[0]}' can't be executed: {text}", hint)
        return at_ns

    def _measure_exec(self) -> None:
        """Of a command that has ended since, nothing is known: its own time is in its clock."""
        now_ns = cpu_time_ns(self.pid)
        if now_ns is not None and not self.has_ended():
            self.exec_ns = max(0, now_ns - round(1e9 * (self.used.ru_utime + self.used.ru_stime)))

    def resume(self) -> int:
        """Let the stopped command continue; the moment just before, in ns."""
        at_ns = clock_ns()
        if self._held:
            libc = ctypes.CDLL(None, use_errno=True)
            libc.ptrace(
                ctypes.c_long(PTRACE_DETACH), ctypes.c_long(self.pid), ctypes.c_void_p(None), ctypes.c_void_p(None)
            )
            self._held = False
        return at_ns

    def has_ended(self) -> bool:
        """Whether it has ended; it is not yet reaped then."""
        if self.ended is not None:
            return True
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def wait(self) -> ProcessEnd:
        """Until it ends."""
        if self.ended is None:
            _, status, usage = os.wait4(self.pid, 0)
            self.ended = ProcessEnd(status, usage, clock_ns())
        return self.ended

    def close(self) -> None:
        """Kill it where it still runs, and reap it."""
        if self.ended is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self.wait()
        self._link.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
