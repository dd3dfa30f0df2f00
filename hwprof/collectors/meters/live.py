"""A meter that a program reads while cases run: `--meter exec:COMMAND`.

The protocol: the command prints lines of time and watts, separated by white space, a comma or a semicolon. Time is
seconds since 1970 (with decimals), ISO 8601, or `-` for the moment at which hwprof reads the line. Lines that begin
with # are comments; what stands behind the watts is not read. The command runs until hwprof ends it by SIGTERM.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shlex
import signal
import subprocess
import tempfile
import threading
import time
from array import array
from dataclasses import dataclass, field
from typing import IO

from hwprof.collectors.meters.times import number, wall_ns
from hwprof.errors import UsageError
from hwprof.machine.clock import clock_ns
from hwprof.printable import plural

FIRST_S, LAST_S = 10.0, 2.0  # to wait for the first line, and for the end
PR_SET_PDEATHSIG = 1
MOST_VALUES = 1 << 20
PROTOCOL = "it prints a line for each sample: seconds since 1970 (or -) and watts, as in: 1700000000.25 5.31"
_libc = ctypes.CDLL(None)


def _die_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


@dataclass(slots=True)
class LiveMeter:
    """A running meter program. Its failure costs no run: what it had said until then is kept."""

    command: str
    first_s: float = FIRST_S
    fault: str = ""  # why it gives no more values; empty: it runs
    _process: subprocess.Popen[bytes] | None = None
    _thread: threading.Thread | None = None
    _errors: IO[bytes] | None = None
    _ready: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _at: array[int] = field(default_factory=lambda: array("q"))
    _watts: array[float] = field(default_factory=lambda: array("d"))
    _wrong: list[str] = field(default_factory=list)

    @property
    def source(self) -> str:
        """Where its readings come from: without the command's arguments, which may have a password."""
        return f"meter:exec:{os.path.basename(shlex.split(self.command)[0])}"  # noqa: PTH119  no path is opened

    def start(self) -> None:
        """Start it, and wait for its first line. Raises UsageError where there is none."""
        try:
            words = shlex.split(self.command)
        except ValueError as error:
            raise UsageError(f"--meter exec:{self.command}: {error}", "quote it as in a shell") from error
        if not words:
            raise UsageError("--meter exec: has no command", f"--meter 'exec:COMMAND ARGS'; {PROTOCOL}")
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed by stop
        try:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        except OSError as error:
            self._errors.close()
            raise UsageError(f"the meter '{words[0]}' can't be started: {error.strerror}", PROTOCOL) from error
        self._thread = threading.Thread(target=self._read, name="hwprof-meter", daemon=True)
        self._thread.start()
        in_time = self._ready.wait(self.first_s)
        if len(self._at):
            return
        why = self.fault if in_time else f"printed no sample within {self.first_s:g} s"
        why = f"{why}; {self._wrong_lines()}" if self._wrong else why
        self.stop()
        raise UsageError(f"the meter '{words[0]}' {why}", PROTOCOL)

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._take(line.decode(errors="replace").strip())
        self.fault = self._end_of(self._process.wait())
        self._ready.set()

    def _take(self, line: str) -> None:
        if not line or line.startswith("#"):
            return
        now, wall = clock_ns(), time.time_ns()
        try:
            at_ns, watts = sample_of(line, now, wall)
        except ValueError:
            self._wrong.append(line[:80])
            return
        with self._lock:
            self._at.append(at_ns)
            self._watts.append(float("nan") if watts is None else watts)
            if len(self._at) > MOST_VALUES:
                self._at, self._watts = self._at[::2], self._watts[::2]
        self._ready.set()

    def _end_of(self, code: int) -> str:
        said = ""
        if self._errors is not None:
            with contextlib.suppress(OSError, ValueError):
                self._errors.seek(0)
                said = " ".join(self._errors.read()[-300:].decode(errors="replace").split())
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return f"{how}: {said}" if said else how

    def _wrong_lines(self) -> str:
        return f"{plural(len(self._wrong), 'line')} can't be read, first '{self._wrong[0]}'"

    @property
    def doubts(self) -> list[str]:
        """What is wrong with it: it ended, or printed what can't be read."""
        found = [f"the meter {self.fault}"] if self.fault else []
        return found + ([f"of the meter {self._wrong_lines()}"] if self._wrong else [])

    def samples(self) -> tuple[tuple[int, ...], tuple[float | None, ...]]:
        """(CLOCK_MONOTONIC_RAW in ns, W) so far, in order of time; None: the meter had no value."""
        with self._lock:
            pairs = sorted(dict(zip(self._at, self._watts, strict=True)).items())
        return tuple(at for at, _ in pairs), tuple(None if watts != watts else watts for _, watts in pairs)

    def stop(self) -> None:
        """End it with everything it started: SIGTERM, then SIGKILL."""
        if self._process is None:
            return
        for sent in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, sent)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(LAST_S)
                if sent is signal.SIGTERM:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(self._process.pid, signal.SIGKILL)  # children that it left
                break
        if self._thread is not None:
            self._thread.join(LAST_S)
        if self._process.stdout is not None and (self._thread is None or not self._thread.is_alive()):
            self._process.stdout.close()
        if self._errors is not None:
            self._errors.close()
        self._process = self._thread = None


def sample_of(line: str, now_ns: int, wall_now_ns: int) -> tuple[int, float | None]:
    """(CLOCK_MONOTONIC_RAW in ns, W) of a line that was read at these two times. Raises ValueError."""
    words = [word for word in re.split(r"[;,]\s*|\s+", line) if word]
    if len(words) > 2 and re.fullmatch(r"\d{4}-\d{2}-\d{2}", words[0]):
        words = [f"{words[0]} {words[1]}", *words[2:]]
    if len(words) < 2:
        raise ValueError(line)
    value = number(words[1])
    at_ns = now_ns if words[0] == "-" else wall_ns(words[0]) + now_ns - wall_now_ns
    return at_ns, None if value is None else float(value)
