"""stdout and stderr while a command runs: what nobody reads any more is dropped, and the command goes on.

`hwprof compare OLD NEW | head -1` still ends with the exit code of the comparison, and `hwprof report | head` still
writes its files. Without this, Python raises BrokenPipeError at a place that depends on sizes of buffers.
"""

from __future__ import annotations

import contextlib
import io
import os
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
                return super().write(data)
            except (BrokenPipeError, ConnectionResetError):
                self.is_gone = True
        return memoryview(data).nbytes


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


@contextlib.contextmanager
def enduring_streams() -> Iterator[None]:
    """Within the block both streams outlive their readers and take any text; afterwards they are flushed."""
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
