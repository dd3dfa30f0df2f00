"""How a command can fail to start, with the exit codes that env, nohup, timeout and the shells use for it."""

from __future__ import annotations

from hwprof.errors import NotInstalled, UsageError

EXIT_NOT_EXECUTABLE = 126
EXIT_NOT_FOUND = 127

PERF_INSTALL = "apt-get install linux-perf (Debian; Ubuntu: linux-tools-generic)"


class CommandNotFound(UsageError):
    """No program of that name."""

    exit_code = EXIT_NOT_FOUND


class CommandNotExecutable(UsageError):
    """A file that is there and can't be run."""

    exit_code = EXIT_NOT_EXECUTABLE


class PerfMissing(NotInstalled):
    """No `perf` on this machine."""

    def __init__(self) -> None:
        super().__init__("perf", PERF_INSTALL)
