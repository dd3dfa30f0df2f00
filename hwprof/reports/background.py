"""Worker processes for parts of a large report: its frame and correlations, and the PNGs of its figures.

With one core, or little to do, everything is done in this process: a start takes longer than it saves.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import itertools
import os
import pickle
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, TypeVar

from sqlalchemy import select

from hwprof.errors import ResultsError
from hwprof.store import Results, schema
from hwprof.store.scope import Condition, RunFilter

if TYPE_CHECKING:
    from concurrent.futures import Future
    from multiprocessing.process import BaseProcess

    import pandas as pd

    from hwprof.analysis.correlation.findings import Analysis

MANY = 4000  # runs from which on the analysis is worth a process
REMEDY = "free some memory, or report on fewer runs"
P = ParamSpec("P")
T = TypeVar("T")


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


class Processes:
    """`number` processes (0: none but this one) that call functions; at the end they are killed, and no others.

    Each of the first calls starts one; they import the module of the function.
    """

    def __init__(self, number: int, what: str) -> None:
        """`what` they work on, for the error of a process that ended early."""
        # -E without -P or -I: its processes would take modules from the working directory
        self.number = 0 if sys.flags.ignore_environment and not sys.flags.safe_path else number
        self._what = what
        self._names = itertools.count()
        self.children: Mapping[int, BaseProcess] = {}  # by process id

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.children:
            for process in tuple(self.children.values()):
                process.kill()
            self._pool.shutdown(cancel_futures=True)
            self._folder.cleanup()

    def begin(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Callable[[], T]:
        """Begin to call a function of a module; the returned function waits for its result or exception.

        ResultsError where the process ended early. Without processes the call is made then, in this process.
        """
        if not self.number:
            return functools.partial(function, *args, **kwargs)
        from concurrent.futures.process import BrokenProcessPool

        with _start():
            if not self.children:
                self._open()
            path = Path(self._folder.name) / str(next(self._names))
            try:
                future = self._pool.submit(_call, path, function, args, kwargs)
            except BrokenProcessPool as error:
                raise self._end_error() from error
        return functools.partial(self._take, future, path)

    def _open(self) -> None:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        self._folder = tempfile.TemporaryDirectory(prefix="hwprof-")
        self._pool = ProcessPoolExecutor(self.number, multiprocessing.get_context("spawn"), _prepare)
        self.children = self._pool._processes  # a public way to kill them comes with Python 3.14

    def _take(self, future: Future[None], path: Path) -> Any:
        from concurrent.futures.process import BrokenProcessPool

        try:
            future.result()
        except BrokenProcessPool as error:
            raise self._end_error() from error
        with path.open("rb") as file:
            found = pickle.load(file)
        path.unlink()
        return found

    def _end_error(self) -> ResultsError:
        """The first of them that ended ends the others by SIGTERM."""
        self._pool.shutdown()
        codes = [process.exitcode or 0 for process in self.children.values()]
        status = next((code for code in codes if code not in (0, -signal.SIGTERM)), -signal.SIGTERM)
        how = f"signal {-status}" if status < 0 else f"status {status}"
        return ResultsError(f"{self._what}: a process that worked on it ended with {how}", REMEDY)


@contextlib.contextmanager
def _start() -> Iterator[None]:
    """While processes start: they import no module from the working directory, and ignore an interrupt."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before


def _prepare() -> None:
    """Prepare a process: it ends at an interrupt without a message, and with its parent."""
    import multiprocessing

    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    gc.disable()  # it would visit millions of objects again and again, in a process that soon ends
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _call(path: Path, function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> None:
    """Write the result to a file: a process killed while it fills the pool's pipe would block the pool."""
    found = function(*args, **kwargs)
    try:
        with path.open("wb") as file:
            pickle.dump(found, file, protocol=5)
    except OSError as error:
        raise ResultsError(f"cannot write to {path.parent}: {error.strerror}", "is there room?") from error


class _Order(NamedTuple):
    path: Path
    runs: frozenset[str]  # uids; a run that is added later is in no part of the report
    masked: bool
    condition: Condition | None


class Background:
    """The frame of all native runs and its correlations with FPS, read in another process."""

    def __init__(self, processes: Processes, order: _Order, correlate: bool) -> None:
        """The one process reads the frame, then correlates."""
        self.runs = order.runs  # uids of those that the report is about
        self.frame = processes.begin(_frame, order)
        self.correlations = processes.begin(_correlations, order) if correlate else list


@contextlib.contextmanager
def begin(results: Results, against: Sequence[str]) -> Iterator[Background | None]:
    """Frame and correlations from another process; None where there are few runs, or one core."""
    condition, masked = results.database.condition, results.database.masker is not None
    with results.database.read() as connection:
        runs = frozenset(connection.scalars(RunFilter(None, condition).apply(select(schema.run.c.uid))))
    with Processes(int(cores() > 1 and len(runs) >= MANY), "reading and correlating the runs") as processes:
        order = _Order(results.path.absolute(), runs, masked, condition)
        yield Background(processes, order, "fps" in against) if processes.number else None


@functools.cache
def _frame(order: _Order) -> pd.DataFrame:
    with Results.open(order.path, masked=order.masked) as results:
        results.database.condition = order.condition
        frame = results.frame()
    if not frame["run"].isin(order.runs).all():
        frame = frame[frame["run"].isin(order.runs)].reset_index(drop=True)
    return frame


def _correlations(order: _Order) -> list[Analysis]:
    from hwprof.analysis.correlation import analyse

    return analyse.analyse(_frame(order))
