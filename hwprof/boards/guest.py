"""Boots a guest, runs one job in it as root, and hands back its exit code and what it said.

The guest sees two folders of the host: /job, the caller's, and /control, where hwprof itself, the script and the
answers lie. What the job prints goes to files there, so that it is not mixed with the kernel's messages.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import hwprof
from hwprof.boards.machines import Hardware, Image, command
from hwprof.errors import CaseFailed, UsageError

PR_SET_PDEATHSIG = 1
TICK_S = 0.1
CONSOLE_LINES = 12
# A name for the program, so that a command line that works at home works in the guest.
PROGRAM = '#!/bin/sh\nexec python3 -m hwprof "$@"\n'


class GuestFailed(CaseFailed):
    """A guest that hung, panicked or ended without an answer. `console`: what its kernel said."""

    def __init__(self, message: str, remedy: str, console: str) -> None:
        lines = [line for line in console.splitlines() if line.strip()][-CONSOLE_LINES:]
        said = "".join(f"\n    {line}" for line in lines) or " nothing"
        super().__init__(message, f"{remedy}. Its console's last lines:{said}")
        self.console = console


@dataclass(frozen=True, slots=True)
class GuestResult:
    """How a job ended. `console`: kernel and boot messages; `seconds`: from starting QEMU to its end, host time."""

    exit_code: int
    console: str
    seconds: float
    stdout: str = ""
    stderr: str = ""


Follow = Callable[[str, str], None]  # is told ("stdout" or "stderr", text) as it comes


def run_guest(
    image: Image,
    job_dir: Path,
    script: str,
    *,
    smp: int = 1,
    icount: bool = True,
    memory: str = "3G",
    timeout_s: float = 900,
    cpu_options: Mapping[str, str | int | bool] | None = None,
    environ: Mapping[str, str] | None = None,
    follow: Follow | None = None,
) -> GuestResult:
    """Run the bash `script` in a fresh guest, in /job, which is `job_dir`; what else it writes is forgotten.

    With `icount` guest time is 1 ns per instruction and counts repeat (one CPU only); without it, cycles and
    instructions on riscv64 are ticks of the host. `cpu_options` are QEMU's, as {"v": False}. `timeout_s` is host time.
    Raises UsageError, NotInstalled (no QEMU) and GuestFailed (hung, panicked).
    """
    if smp < 1 or (icount and smp > 1):
        raise UsageError(f"{smp} CPUs with exact instruction counts", "QEMU counts exactly on one: icount=False")
    hardware = Hardware(smp, icount, memory, dict(cpu_options or {}))
    return boot(image, job_dir, script, hardware, timeout_s, environ=environ, follow=follow)


def boot(
    image: Image,
    job_dir: Path,
    script: str,
    hardware: Hardware,
    timeout_s: float,
    *,
    writable: bool = False,
    environ: Mapping[str, str] | None = None,
    follow: Follow | None = None,
) -> GuestResult:
    """As `run_guest`; `writable`: what the guest writes to its disk stays."""
    if not job_dir.is_dir():
        raise UsageError(f"{job_dir} is no folder", "the job's folder must exist")
    with tempfile.TemporaryDirectory(prefix="hwprof-board-") as folder:
        control = Path(folder)
        _prepare(control, image, script, environ or {})
        words = command(image, hardware, {"job": job_dir.resolve(), "control": control}, writable)
        console_file = control.parent / f"{control.name}.console"
        started = time.monotonic()
        try:
            ended = _emulate(words, console_file, control, timeout_s, follow)
            console = console_file.read_text(errors="replace").replace("\r", "")
        finally:
            console_file.unlink(missing_ok=True)
        seconds = time.monotonic() - started
        out, err = (_text(control / name) for name in ("stdout", "stderr"))
        answer = _text(control / "exit-code").strip()
        if answer:
            return GuestResult(int(answer), console, seconds, out, err)
        what = f"the {image.machine.arch} guest"
        if ended is None:
            raise GuestFailed(f"{what} gave no answer within {timeout_s:g} s", "it hangs, or needs longer", console)
        if "Kernel panic" in console:
            raise GuestFailed(f"{what}'s kernel panicked", "perhaps it has too little memory", console)
        raise GuestFailed(
            f"{what} ended without an answer (QEMU's exit code {ended})", "QEMU or the guest's init failed", console
        )


def _prepare(control: Path, image: Image, script: str, environ: Mapping[str, str]) -> None:
    """Lay out /control: this package, a name for it, environment, script."""
    package = Path(hwprof.__file__).parent
    shutil.copytree(package, control / "python/hwprof", ignore=shutil.ignore_patterns("__pycache__"))
    (control / "bin").mkdir()
    program = control / "bin/hwprof"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    settings = {
        "PATH": "/control/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "PYTHONPATH": "/control/python",
        # Written below the root: bytecode beside the sources of Debian's packages would be looked for in vain.
        "PYTHONPYCACHEPREFIX": "/pyc",
        "OMP_NUM_THREADS": "1",
        **environ,
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in settings.items()]
    (control / "start").write_text("\n".join([*lines, "cd /job", "exec /usr/bin/bash /control/script", ""]))
    (control / "script").write_text(script + "\n")
    # Others in the guest (`nobody`) read them too.
    control.chmod(0o755)
    for name in ("stdout", "stderr"):
        (control / name).touch()


def _emulate(words: list[str], console: Path, control: Path, timeout_s: float, follow: Follow | None) -> int | None:
    """Run QEMU to its end: its exit code; None: it had to be killed at the deadline."""
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def die_with_parent() -> None:  # between fork and exec: nothing that allocates or takes a lock
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    deadline = time.monotonic() + timeout_s
    said = {name: _Tail(control / name) for name in ("stdout", "stderr")} if follow else {}
    with console.open("wb") as file:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=file, stderr=file, preexec_fn=die_with_parent
        )
        try:
            while True:
                try:
                    return process.wait(timeout=TICK_S if follow else max(0.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    if time.monotonic() >= deadline:
                        return None
                finally:
                    for name, tail in said.items():
                        if follow and (text := tail.new()):
                            follow(name, text)
        finally:
            process.kill()
            process.wait()


class _Tail:
    """What is added to a file, as text."""

    def __init__(self, path: Path) -> None:
        import codecs

        self._file = path.open("rb")
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def new(self) -> str:
        """Text since the last call."""
        return self._decoder.decode(self._file.read())


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except FileNotFoundError:
        return ""


def to_terminal(name: str, text: str) -> None:
    """A `follow` that passes the guest's output on."""
    stream = sys.stdout if name == "stdout" else sys.stderr
    stream.write(text)
    stream.flush()
