"""One SQLite file behind SQLAlchemy: connections, transactions, and each error as one line.

The journal is SQLite's rollback journal with full synchronisation, not the write-ahead log: a results file is then one
file at any moment between transactions (it is copied off boards), it works on network file systems, and a killed
process leaves whole transactions only. A connection lives for one transaction: a file that was removed under a running
sweep is noticed at the next write, not lost silently.
"""

from __future__ import annotations

import os
import re
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, exc
from sqlalchemy.pool import NullPool

from hwprof.errors import ResultsError
from hwprof.store.masking import Masker

if TYPE_CHECKING:
    from hwprof.store.scope import Condition

T = TypeVar("T")
# How long to wait for another process that is writing, and how often to begin again after that.
TIMEOUT_S = 30.0
TRIES = 2
MAGIC = b"SQLite format 3\x00"
DEFAULT = "hwprof.db"
VARIABLE = "HWPROF_RESULTS"
_WRITES = "hwprof_writes"
# A Path has one slash where the URL had two or three; its password is not repeated.
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def default_path(explicit: str | None = None) -> Path:
    """Where results lie: --results, else HWPROF_RESULTS, else hwprof.db in the working directory."""
    return Path(explicit or os.environ.get(VARIABLE) or DEFAULT)


class Database:
    """Transactions on one file. `timeout_s`: how long to wait for a lock."""

    def __init__(self, path: Path, timeout_s: float = TIMEOUT_S) -> None:
        self.path = path
        self.timeout_s = timeout_s
        self.masker: Masker | None = None  # changes what is read for others to see
        self.condition: Condition | None = None  # restricts what is read to the runs that were chosen
        self._copy: IO[bytes] | None = None
        self._place = os.fspath(path.resolve())  # found again where the working directory is removed meanwhile
        self._mode = "rw"  # never create a file by merely looking at it
        self._engine = self._make()
        self._writing = self._engine.execution_options(**{_WRITES: True})

    def _make(self) -> Engine:
        def connect() -> sqlite3.Connection:
            file = self._place if self._copy is None else self._copy.name
            address = f"file:{quote(file)}?mode={self._mode}"
            connection = sqlite3.connect(
                address, uri=True, timeout=self.timeout_s, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA foreign_keys = ON")
            return connection

        engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)

        # sqlite3 does not begin transactions itself (isolation_level=None). A writing one takes its lock at once: one
        # that read first could not wait for another writer without a deadlock.
        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            writes = connection.get_execution_options().get(_WRITES)
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

        return engine

    @property
    def name(self) -> str:
        """The file as a command has to name it: "" where that is the default one, and without the folder where that is
        hidden.
        """
        if self.path == default_path():
            return ""
        path = str(self.path)
        return self.path.name if self.masker is not None and self.masker.text(path) != path else path

    @property
    def engine(self) -> Engine:
        """For tests that reach below."""
        return self._engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view; keep it short, a writer waits for it."""
        with translate_errors(self.path), self._engine.begin() as connection:
            yield connection

    def write(self, action: Callable[[Connection], T]) -> T:
        """Do `action` in one transaction: all of it or nothing. Begun again when the file stayed locked."""
        for attempt in range(1, TRIES + 1):
            try:
                with translate_errors(self.path), self._writing.begin() as connection:
                    return action(connection)
            except Locked:
                if attempt == TRIES:
                    raise
        raise AssertionError("unreachable")

    @contextmanager
    def private_copy(self) -> Iterator[None]:
        """Let a file that may not be written be changed as a private copy, which is then read in its place."""
        copy = tempfile.NamedTemporaryFile(prefix="hwprof-", suffix=".db")  # noqa: SIM115  closed with all else
        address = f"file:{quote(os.fspath(self.path.absolute()))}?mode=ro"
        with translate_errors(self.path), closing(sqlite3.connect(address, uri=True)) as source:
            with closing(sqlite3.connect(copy.name)) as target:
                source.backup(target)
        self._copy = copy
        yield
        self._mode = "ro"

    def close(self) -> None:
        """Release everything."""
        self._engine.dispose()
        if self._copy is not None:
            self._copy.close()


class Locked(ResultsError):
    """Another process kept the file locked."""


class NotWritable(ResultsError):
    """The file, or its folder, may not be written."""


def check_file(path: Path) -> bool:
    """Whether a SQLite file lies at `path`; an empty file does not count. ResultsError for anything else there.

    What is no regular file is not opened: that of a FIFO would wait for a writer.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise ResultsError(f"{path} is {file_kind(mode)}", "name the results file itself")
        with path.open("rb") as file:
            head = file.read(len(MAGIC))
    except FileNotFoundError:
        if (url := _URL.match(os.fspath(path))) is not None and not path.parent.exists():
            raise ResultsError(
                f"a database URL ({url[1]}://...) is no results file", "name an SQLite file by its path"
            ) from None
        return False
    except OSError as error:
        raise ResultsError(f"{path} can't be read: {error.strerror}", "check its permissions") from error
    if head and head != MAGIC:
        raise not_ours(path)
    return bool(head)


def file_kind(mode: int) -> str:
    """What a file of this mode is where it is no regular one, with its article."""
    kinds = {
        stat.S_IFDIR: "a directory",
        stat.S_IFIFO: "a FIFO",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "no regular file")


def make_file(path: Path) -> bool:
    """An empty file at `path`; False where there was one. ResultsError where it can't be written."""
    is_new = not path.exists()
    try:
        path.open("ab").close()
    except FileNotFoundError:
        raise ResultsError(f"{path.parent} does not exist", "make the folder, or name another --results FILE") from None
    except OSError as error:
        raise ResultsError(f"{path} can't be written: {error.strerror}", "name another --results FILE") from error
    return is_new


def not_ours(path: Path) -> ResultsError:
    """The error for a file of another program."""
    return ResultsError(f"{path} is no hwprof results file", "name another one with --results FILE")


@contextmanager
def translate_errors(path: Path) -> Iterator[None]:
    """Raise the database's errors as ResultsError with a remedy."""
    try:
        yield
    except exc.DBAPIError as error:
        raise _translate(path, error.orig or error) from error
    except sqlite3.Error as error:
        raise _translate(path, error) from error
    except UnicodeEncodeError as error:
        raise ResultsError(f"{path}: a name is not valid text: {error.object!r}", "rename the file") from error


def _translate(path: Path, error: Any) -> ResultsError:
    code = getattr(error, "sqlite_errorcode", None)
    primary = code & 0xFF if isinstance(code, int) else None
    if primary == sqlite3.SQLITE_NOTADB:
        return not_ours(path)
    if primary == sqlite3.SQLITE_FULL:
        return ResultsError(
            f"{path}: the disk is full ({error})", "free some space and start again: what was saved is whole"
        )
    if primary in _BUSY:
        return Locked(f"{path} is locked by another process", "wait until it is done, or use another --results FILE")
    if primary in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return NotWritable(f"{path} can't be written ({error})", "check its permissions, or use another --results FILE")
    if primary == sqlite3.SQLITE_CANTOPEN:
        return NotWritable(f"{path} can't be opened ({error})", "check that it and its folder exist and are writable")
    if primary == sqlite3.SQLITE_CORRUPT:
        return ResultsError(f"{path} is damaged ({error})", f"`sqlite3 {path} .recover` saves what can be saved")
    if primary == sqlite3.SQLITE_IOERR:
        return ResultsError(f"{path}: reading or writing failed ({error})", "check the disk; what was saved is whole")
    return ResultsError(f"{path}: {error}", "the file may be of another version; name another with --results FILE")
