"""Ctrl-C and `kill` while a command is observed: they are the command's, and what was counted until then is kept."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

TERMINATING = (signal.SIGINT, signal.SIGTERM)
# Ends the thread that waits. Not one of the above: what a shell has us ignore (`hwprof ... &`) is never delivered.
_STOP = signal.SIGRTMIN + 2
# siginfo.si_code (asm-generic/siginfo.h) of what the terminal's driver sends, to the whole foreground group.
_SI_KERNEL = 0x80


@dataclass(slots=True)
class Forwarding:
    """While this is entered, SIGINT and SIGTERM don't end hwprof. `heard`: the last one that came, 0: none.

    A signal sent to hwprof alone is passed on to `pid` (0: to nobody any more); what the terminal sends (Ctrl-C) has
    reached it already. What hwprof was started to ignore it goes on ignoring.
    `react` is called instead of passing on, where it is given: to stop observing a process that is not ours.
    To be entered before any other thread is started: the signals are blocked, and threads inherit that.
    """

    pid: int
    react: Callable[[], None] | None = None
    heard: int = 0
    _mask: set[int] = field(default_factory=set)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Forwarding:
        if threading.current_thread() is threading.main_thread():
            waited_for = {s for s in TERMINATING if signal.getsignal(s) is not signal.SIG_IGN} | {_STOP}
            self._mask = set(signal.pthread_sigmask(signal.SIG_BLOCK, waited_for))
            self._thread = threading.Thread(target=self._wait, args=(waited_for,), name="hwprof-signals", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is not None and self._thread.ident is not None:
            signal.pthread_kill(self._thread.ident, _STOP)
            self._thread.join()
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
            self._thread = None

    def _wait(self, waited_for: set[int]) -> None:
        while (told := signal.sigwaitinfo(waited_for)).si_signo != _STOP:
            self.heard = told.si_signo
            if self.react is not None:
                self.react()
            elif self.pid and told.si_code != _SI_KERNEL:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(self.pid, told.si_signo)
