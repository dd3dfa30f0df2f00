"""Errors: one root class, each with its remedy and its exit code.

Exit codes: 0 ok, 1 regression found, 2 usage or bad input, 3 asked for and not available, 4 some cases failed,
5 undecided, 6 nothing meets what was asked for, 130 interrupted. `hwprof.cli.main` is the only place that turns an
exception into a line on stderr and a code.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable

from hwprof.printable import sentence

EXIT_OK = 0
EXIT_REGRESSION = 1
EXIT_USAGE = 2
EXIT_UNAVAILABLE = 3
EXIT_CASES_FAILED = 4
EXIT_UNDECIDED = 5
EXIT_UNMET = 6
EXIT_INTERRUPTED = 130


class HwprofError(Exception):
    """What went wrong in one line, and what to do about it (`remedy`, may be empty)."""

    exit_code = EXIT_USAGE

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return sentence(self.message, self.remedy)


class UsageError(HwprofError):
    """A wrong word or value on the command line or in an experiment."""


class UnknownNameError(UsageError):
    """A name that is in no list; the remedy names the nearest ones."""

    kind = "name"
    listing = ""

    def __init__(self, name: str, choices: Iterable[str] = ()) -> None:
        self.name = name
        options = sorted(set(choices))
        near = difflib.get_close_matches(name, options, n=3, cutoff=0.5)
        remedy = f"Did you mean {' or '.join(near)}? " if near else ""
        super().__init__(f"unknown {self.kind} '{name}'", (remedy + self.listing).strip())


class UnknownEvent(UnknownNameError):
    """An event name that neither hwprof, this CPU's table nor this kernel knows."""

    kind = "event"
    listing = "`hwprof events` lists what this machine offers"


class UnknownNetwork(UnknownNameError):
    """Neither a built-in network nor a path to an .onnx file."""

    kind = "network"
    listing = "`hwprof list networks` lists the built-in ones; a path must end in .onnx or .pt2"


class UnknownFramework(UnknownNameError):
    """No adapter of that name is registered."""

    kind = "framework"
    listing = "`hwprof list frameworks` lists them"


class BadModel(UsageError):
    """A model file that can't be read, or that hwprof can't drive."""

    def __init__(self, path: str | os.PathLike[str], reason: str, remedy: str = "") -> None:
        self.path = os.fspath(path)
        super().__init__(f"{self.path}: {reason}", remedy)


class BadExperiment(UsageError):
    """An experiment file with an unknown key or an impossible value."""


class ResultsError(HwprofError):
    """A results file that can't be read or written, or is none."""


class NotAvailable(HwprofError):
    """Asked for and not to be had on this machine."""

    exit_code = EXIT_UNAVAILABLE


class NotInstalled(NotAvailable):
    """A framework or tool that isn't installed; the remedy is the command that installs it."""

    def __init__(self, what: str, remedy: str) -> None:
        self.what = what
        super().__init__(f"{what} is not installed", remedy)


class CaseFailed(HwprofError):
    """A case whose worker failed, died or hung."""

    exit_code = EXIT_CASES_FAILED


class UnsupportedModel(CaseFailed):
    """A framework that can't take this network: the operator and the node are named where they are known."""


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
