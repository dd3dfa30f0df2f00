"""stdout and stderr while a command runs: what nobody reads any more is dropped, and the command goes on.

`hwprof compare OLD NEW | head -1` still ends with the exit code of the comparison, and `hwprof report | head` still
writes its files. Without this, Python raises BrokenPipeError at a place that depends on sizes of buffers. The same
holds for a terminal that has hung up. A pipe that does not block is waited for.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hwprof.printable import ESCAPE, accept_everything, printable, sentence


class EnduringFile(io.FileIO):
    """A descriptor that drops what is written once its reader has gone."""

    is_gone = False

    def write(self, data: Any) -> int:
        """Bytes taken: all of them where nobody reads them."""
        if not self.is_gone:
            try:
                while (taken := super().write(data)) is None:
                    self._wait()
                return taken
            except (BrokenPipeError, ConnectionResetError):
                self.is_gone = True
            except OSError as error:
                if error.errno != errno.EIO or not stat.S_ISCHR(os.fstat(self.fileno()).st_mode):
                    raise
                self.is_gone = True  # a terminal that has hung up
        return memoryview(data).nbytes

    def _wait(self) -> None:
        """Until it takes more."""
        poll = select.poll()
        poll.register(self.fileno(), select.POLLOUT)
        poll.poll()


def enduring(stream: Any) -> Any:
    """A stream to the same descriptor that outlives its reader; the stream itself where it is no file.

    None, which Python has in the place of a closed stream, becomes one that drops everything.
    """
    if stream is None:
        return Path(os.devnull).open("w")
    below = getattr(stream, "buffer", None)
    is_raw = isinstance(below, io.FileIO)  # python -u
    if not isinstance(stream, io.TextIOWrapper) or not (is_raw or isinstance(getattr(below, "raw", None), io.FileIO)):
        return stream
    with contextlib.suppress(BrokenPipeError):
        stream.flush()
    raw = EnduringFile(stream.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(
        raw if is_raw else io.BufferedWriter(raw),  # as Python itself does
        encoding=stream.encoding,
        errors=ESCAPE,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def occupy_standard_descriptors() -> None:
    """Open /dev/null in the place of a stdin, stdout or stderr that is closed.

    Else a results file that is opened later gets its number, and whatever is printed. Programs that hwprof starts find
    them closed, as hwprof did.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free; not inherited


@contextlib.contextmanager
def enduring_streams() -> Iterator[None]:
    """Within the block both streams outlive their readers and take any text; afterwards they are flushed."""
    occupy_standard_descriptors()
    before = sys.stdout, sys.stderr
    ours = tuple(map(enduring, before))
    for stream in ours:
        accept_everything(stream)
    sys.stdout, sys.stderr = ours
    try:
        yield
    finally:
        for stream in ours:
            with contextlib.suppress(OSError):  # of a full disk: the command's own flush has reported it
                stream.flush()
        sys.stdout, sys.stderr = before
        for old, new in zip(before, ours, strict=True):
            if old is None:
                new.close()


def complain(message: str, remedy: str = "", about: str = "") -> None:
    """One line on stderr: what happened, and what to do; nothing where stderr takes none.

    `about`: the case, framework or file that the sentences are about.
    """
    with contextlib.suppress(OSError):
        where = f"{about}: " if about else ""
        print(f"hwprof: {printable(where + sentence(message, remedy))}", file=sys.stderr, flush=True)
