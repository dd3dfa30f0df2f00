"""Ctrl-C, `kill` and hang-up while a command is observed: they end it, and what was counted until then is kept."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

TERMINATING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(slots=True)
class Forwarding:
    """While this is entered, SIGINT, SIGTERM and SIGHUP don't end hwprof. `received`: the last one that came, 0: none.

    They are passed on to `pid` (0: to nobody), except the first Ctrl-C of a terminal, which its whole foreground group
    receives, and so the command too. What hwprof was started to ignore stays ignored. `wake` can be read when one has
    come: it may have interrupted a library's thread and not the one that waits.

    A terminal that is gone may say so twice (the kernel's SIGHUP, then the shell's), and the second one often comes
    while what was counted is being saved. So after the first one hwprof ignores what follows.
    """

    pid: int
    received: int = 0
    wake: int = -1
    _waker: int = -1
    _before: dict[int, Any] = field(default_factory=dict)
    _fd_before: int = -1

    def __enter__(self) -> Forwarding:
        self.wake, self._waker = os.pipe()
        os.set_blocking(self.wake, False)
        os.set_blocking(self._waker, False)
        if threading.current_thread() is threading.main_thread():
            self._fd_before = signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
            for number in TERMINATING:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._receive)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            has_hung_up = number == self.received == signal.SIGHUP
            signal.signal(number, signal.SIG_IGN if has_hung_up else handler)
        if threading.current_thread() is threading.main_thread():
            signal.set_wakeup_fd(self._fd_before)
        os.close(self.wake)
        os.close(self._waker)

    def drain(self) -> None:
        """Make `wake` wait for the next one."""
        with contextlib.suppress(BlockingIOError):
            os.read(self.wake, 512)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        known = number == signal.SIGINT and not self.received and is_foreground()
        self.received = number
        if self.pid and not known:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def is_foreground() -> bool:
    """Whether a terminal sends its Ctrl-C to this process and to those it starts."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False  # none: what comes was sent to this process
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
