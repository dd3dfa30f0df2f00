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
from hwprof.machine.virtual import BOARD_COUNTS

PR_SET_PDEATHSIG = 1
TICK_S = 0.1
CACHE = "/root/.cache/hwprof"
APPLETS = "/tmp/.busybox"  # grep, sed and so on, last on the path
SHARE = "trans=virtio,version=9p2000.L,msize=524288"
# A name for the program, so that a command line that works at home works in the guest.
PROGRAM = '#!/bin/sh\nexec python3 -P -m hwprof "$@"\n'


class GuestFailed(CaseFailed):
    """A guest that hung, panicked or ended without an answer. `console`: what its kernel said; `stdout`, `stderr`."""

    def __init__(self, message: str, remedy: str, console: str, stdout: str = "", stderr: str = "") -> None:
        super().__init__(message, remedy)
        self.console = console
        self.stdout = stdout
        self.stderr = stderr


@dataclass(frozen=True, slots=True)
class GuestResult:
    """How a job ended. `console`: kernel and boot messages; `seconds`: from starting QEMU to its end, host time."""

    exit_code: int
    console: str
    seconds: float
    stdout: str = ""
    stderr: str = ""


Follow = Callable[[str, bytes], None]  # is told ("stdout" or "stderr", what was written) as it comes


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
        counts = "exact" if hardware.icount else "ticks"
        _prepare(control, script, {BOARD_COUNTS: counts, **(environ or {})})
        # Networks and conversions that guests make are kept as at home, but apart: versions and kernels differ.
        cache = image.folder.parent / f"made-on-{image.machine.arch}"
        cache.mkdir(exist_ok=True)
        shares = {"job": job_dir.resolve(), "control": control, "cache": cache}
        words = command(image, hardware, shares, writable)
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
        last = next((line.strip() for line in reversed(console.splitlines()) if line.strip()), "nothing")
        if ended is None:
            what += f" was not done after {timeout_s:g} s and was killed"
            remedy = "a job that hangs, or that needs longer (--timeout, timeout_s)"
        elif "Kernel panic" in console:
            what, remedy = f"{what}'s kernel panicked", f"with more memory, perhaps not. Its last line: {last}"
        else:
            what, remedy = f"{what} ended without an answer", f"QEMU's exit code is {ended}, its last line: {last}"
        raise GuestFailed(what, remedy, console, out, err)


def _prepare(control: Path, script: str, environ: Mapping[str, str]) -> None:
    """Lay out /control: this package, a name for it, environment, script."""
    package = Path(hwprof.__file__).parent
    shutil.copytree(package, control / "python/hwprof", ignore=shutil.ignore_patterns("__pycache__"))
    (control / "bin").mkdir()
    program = control / "bin/hwprof"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    settings = {
        "PATH": f"/control/bin:/usr/sbin:/usr/bin:/sbin:/bin:{APPLETS}",
        "HOME": "/root",
        "HWPROF_CACHE": CACHE,
        "LANG": "C.UTF-8",
        "PYTHONPATH": "/control/python",
        # Written below the root: bytecode beside the sources of Debian's packages would be looked for in vain.
        "PYTHONPYCACHEPREFIX": "/pyc",
        "OMP_NUM_THREADS": "1",
        **environ,
    }
    lines = [f"export {name}={shlex.quote(value)}" for name, value in settings.items()]
    lines += [f"mkdir -p {CACHE} {APPLETS}", f"busybox --install -s {APPLETS}"]
    lines += [f"busybox mount -t 9p -o {SHARE} cache {CACHE}", "cd /job"]
    (control / "start").write_text("\n".join([*lines, "exec /usr/bin/bash /control/script", ""]))
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
    said = {name: (control / name).open("rb") for name in ("stdout", "stderr")} if follow else {}
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
                    for name, opened in said.items():
                        if follow and (new := opened.read()):
                            follow(name, new)
        finally:
            process.kill()
            process.wait()
            for opened in said.values():
                opened.close()


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except FileNotFoundError:
        return ""


def to_terminal(name: str, new: bytes) -> None:
    """A `follow` that passes the guest's output on as it is."""
    stream = sys.stdout if name == "stdout" else sys.stderr
    stream.flush()
    stream.buffer.write(new)
    stream.flush()
