"""Processes for pieces of a large report: a piece of its analysis (`Aside`, see ahead.py), or its figures (drawing.py).

Where there is one core, or little to do, there are no such processes: to start them takes longer than they save.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any

from hwprof.errors import HwprofError, ResultsError

REMEDY = "free some memory, or report on fewer runs"


def begin(module: str, function: str) -> subprocess.Popen[bytes]:
    """A process that calls `function` of a module."""
    # the same modules as here, wherever they were found
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}  # noqa: PTH109
    return subprocess.Popen(
        [sys.executable, "-P", "-c", f"from {module} import {function}; {function}()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    )


def told(process: subprocess.Popen[bytes], what: str) -> Any:
    """The next thing that the process puts on its output. ResultsError where it ended before its time."""
    assert process.stdout is not None
    try:
        return pickle.load(process.stdout)
    except (EOFError, pickle.UnpicklingError):
        status = process.wait()
        how = f"signal {-status}" if status < 0 else f"status {status}"
        raise ResultsError(f"{what}: a process that worked on it ended with {how}", REMEDY) from None


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


class Aside:
    """A generator function called with `order` in another process, from entering on; `take` what it yields.

    The function is found there by its name: its module should load quickly, and import the rest when it is called.
    """

    def __init__(self, function: Callable[[Any], Iterator[Any]], order: Any, what: str) -> None:
        """`what`: what it is about, for the error of a process that ended early."""
        self._order, self._what = (function, order), what

    def __enter__(self) -> Aside:
        self._process = begin(__name__, "call")
        pipe = self._process.stdin
        assert pipe is not None
        with contextlib.suppress(BrokenPipeError):  # `take` tells how it ended
            pickle.dump(self._order, pipe, protocol=5)
            pipe.flush()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end(self._process)

    def take(self) -> Any:
        """The next thing that it yields, as soon as it is there.

        Raises the HwprofError that it ended with, ResultsError where the process ended before its time.
        """
        found = told(self._process, self._what)
        if isinstance(found, HwprofError):
            raise found
        return found


def call() -> None:
    """What the other process does. It goes on with its work while what it has found is waited for or fetched."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # who interrupts the report sees one message, not one per process
    gc.disable()  # it would look at millions of objects again and again, in a process that soon ends
    function, order = pickle.load(sys.stdin.buffer)
    with ThreadPoolExecutor(1) as writer:
        try:
            for found in function(order):
                writer.submit(_say, pickle.dumps(found, protocol=5))
        except HwprofError as error:
            writer.submit(_say, pickle.dumps(error))
    leave()


def leave() -> None:
    """End this process at once: to take down what it holds, object by object, would keep a core from who waits."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def _say(found: bytes) -> None:
    with contextlib.suppress(BrokenPipeError):  # who asked is gone
        sys.stdout.buffer.write(found)
        sys.stdout.buffer.flush()


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))
