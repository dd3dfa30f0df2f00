"""Processes for pieces of a large report: one piece of its analysis (`Aside`), or its figures (drawing.py).

Modules are loaded there while the readings are still being read here. Where there is one core, or little to do, there
are no such processes: to start them takes longer than they save.
"""

from __future__ import annotations

import importlib
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, TypeVar

from hwprof.errors import ResultsError

T = TypeVar("T")
REMEDY = "free some memory, or report on fewer runs"


def begin(module: str, function: str, *words: str, order: Any = subprocess.PIPE) -> subprocess.Popen[bytes]:
    """A process that calls `function` of a module, with `words` in its sys.argv; `order`: what it reads."""
    # the same modules as here, wherever they were found
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}  # noqa: PTH109
    return subprocess.Popen(
        [sys.executable, "-c", f"from {module} import {function}; {function}()", *words],
        stdin=order,
        stdout=subprocess.PIPE,
        env=environment,
    )


def told(process: subprocess.Popen[bytes], what: str) -> Any:
    """What the process puts on its output. ResultsError where it ended before its time."""
    answer, _ = process.communicate()
    if process.returncode:
        how = f"signal {-process.returncode}" if process.returncode < 0 else f"status {process.returncode}"
        raise ResultsError(f"{what}: a process that worked on it ended with {how}", REMEDY)
    return pickle.loads(answer)


def end(process: subprocess.Popen[bytes]) -> None:
    """End the process, whatever it is doing."""
    if process.poll() is None:
        process.kill()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:
                continue  # what was not read of its order
    process.wait()


class Aside(Generic[T]):
    """`function` of this package called in another process: `give` it its argument, and ask for its `result`."""

    def __init__(self, function: Callable[[Any], T], what: str) -> None:
        """`what`: what it is about, for the error of a process that ended early."""
        self._function, self._what = function, what
        self._process = begin(__name__, "call", function.__module__)

    def __enter__(self) -> Aside[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end(self._process)

    def give(self, value: Any) -> None:
        """Begin."""
        pipe = self._process.stdin
        assert pipe is not None
        try:
            pickle.dump((self._function, value), pipe, protocol=5)
            pipe.flush()
        except BrokenPipeError:
            told(self._process, self._what)
            raise

    def result(self) -> T:
        """What came of it. ResultsError where the process ended before its time."""
        found: T = told(self._process, self._what)
        return found


def call() -> None:
    """What the other process does."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # who interrupts the report sees one message, not one per process
    for module in sys.argv[1:]:
        importlib.import_module(module)
    function, value = pickle.load(sys.stdin.buffer)
    pickle.dump(function(value), sys.stdout.buffer, protocol=5)


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))
