"""The program `perf`: whether it is there and may count, and a running one, controlled through --control."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import stat
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hwprof.errors import NotAvailable, PerfMissing

TIMEOUT_S = 60.0
CAP_SYS_ADMIN, CAP_PERFMON = 21, 38


def program() -> str:
    """Path of perf. Raises PerfMissing."""
    found = shutil.which("perf")
    if found is None:
        raise PerfMissing()
    return found


def environment() -> dict[str, str]:
    """This process's environment with English messages: they are parsed."""
    return {**os.environ, "LC_ALL": "C"}


def may_count() -> bool:
    """Whether perf's own file gives it rights that this process may lack: setuid root, CAP_PERFMON, CAP_SYS_ADMIN."""
    found = shutil.which("perf")
    if found is None:
        return False
    path = Path(found).resolve()
    status = path.stat()
    if status.st_uid == 0 and status.st_mode & stat.S_ISUID:
        return True
    try:
        data = os.getxattr(path, "security.capability")
    except OSError:
        return False
    # struct vfs_cap_data (linux/capability.h): magic, then permitted and inheritable of the low and of the high half
    words = struct.unpack(f"<{len(data) // 4}I", data[: len(data) // 4 * 4])
    permitted = words[1] | (words[3] << 32 if len(words) > 3 else 0)
    return bool(permitted & (1 << CAP_SYS_ADMIN | 1 << CAP_PERFMON))


class PerfProcess:
    """A running `perf stat` or `perf record` that was started with its events disabled and then enabled.

    `command`: its words up to the options; `output`: the name of the file it writes, in a folder of its own.
    """

    def __init__(self, command: Sequence[str], options: Sequence[str], output: str, remedy: str = "") -> None:
        self._remedy = remedy
        self._folder = tempfile.TemporaryDirectory(prefix="hwprof-perf-")
        self.file = Path(self._folder.name) / output
        ctl_read, self._ctl = os.pipe()
        self._ack, ack_write = os.pipe()
        control = ["-D", "-1", f"--control=fd:{ctl_read},{ack_write}", "-o", str(self.file)]
        with (Path(self._folder.name) / "stderr").open("w+b") as messages:
            self._process = subprocess.Popen(
                [*command, *control, *options],
                stdin=subprocess.DEVNULL,
                stdout=messages,
                stderr=messages,
                pass_fds=[ctl_read, ack_write],
                env=environment(),
                process_group=0,  # Ctrl-C is the command's: perf has to see it end
            )
        os.close(ctl_read)
        os.close(ack_write)
        try:
            self.say("enable")
        except BaseException:
            self.close()
            raise

    def say(self, word: str) -> None:
        """One control word, and wait for perf's `ack`. Raises NotAvailable with perf's own words where none comes."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._ctl, f"{word}\n".encode())
        poll = select.poll()  # select takes no descriptor above 1023
        poll.register(self._ack, select.POLLIN)
        ready = poll.poll(1000 * TIMEOUT_S)
        if not ready or b"ack" not in os.read(self._ack, 64):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(TIMEOUT_S if ready else 0.0)  # it closes its end a moment before it is gone
            raise NotAvailable(f"perf would not {word}: {self.message()}", self._remedy)

    def message(self) -> str:
        """The first lines of its stderr, or how it ended without any."""
        if self._process.poll() is None:
            return f"no answer within {TIMEOUT_S:g} s"
        lines = (Path(self._folder.name) / "stderr").read_text(errors="replace").splitlines()
        texts = [line.strip() for line in lines if line.strip() and not set(line.strip()) <= set("\\_^ ")]
        first = "; ".join([text.rstrip(".;") for text in texts if text != "Error:"][:2])[:300]
        return first or f"it ended with code {self._process.returncode}"

    def end(self) -> None:
        """Let it write its file. Raises NotAvailable where it does not end."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)  # else it looks only once a second whether the process lives
        try:
            self._process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise NotAvailable("perf did not end", "is the disk full?") from error

    def close(self) -> None:
        """Kill it where it still runs, and delete its file."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for name in ("_ctl", "_ack"):
            if (fd := getattr(self, name)) >= 0:
                os.close(fd)
                setattr(self, name, -1)
        self._folder.cleanup()
