"""The output of a command: passed on as it comes, and searched for the command's own figure of speed."""

from __future__ import annotations

import errno
import os
import re
import select
import selectors
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hwprof.programs.figures import parse_figure
from hwprof.programs.interrupts import Forwarding
from hwprof.programs.region import RegionControl

# A line longer than this is searched in parts: a program that writes no line ends must not eat the memory.
LONGEST_LINE = 1 << 16
_CHUNK = 1 << 16
# What a pipe that is ready takes without blocking (PIPE_BUF of Linux).
_PIECE = 4096
POLL_S = 0.02


@dataclass(slots=True)
class Search:
    """Looks for FPS line by line; the last match counts (programs print it as they go, and then for the whole).

    Bytes that are no UTF-8 are what Python makes of them in arguments, so that an expression with such bytes finds
    them. `decimal`: what separates decimals in the program's locale.
    """

    pattern: re.Pattern[str] | None
    decimal: str = "."
    value: float | None = None
    matches: int = 0
    wrong: str = ""  # what stood in the group of a match that is no number
    _rest: dict[int, bytes] = field(default_factory=dict)

    def feed(self, stream: int, data: bytes) -> None:
        """Search more output of one stream."""
        if self.pattern is None:
            return
        *lines, rest = re.split(rb"[\r\n]", self._rest.get(stream, b"") + data)
        for line in lines:
            self._look(line)
        if len(rest) > LONGEST_LINE:
            self._look(rest)
            rest = rest[-256:]  # a figure that is cut in two
        self._rest[stream] = rest

    def end(self) -> None:
        """Search the last line, which may have no line end."""
        for rest in self._rest.values():
            self._look(rest)
        self._rest.clear()

    def _look(self, line: bytes) -> None:
        assert self.pattern is not None
        for match in self.pattern.finditer(line.decode(errors="surrogateescape")):
            text = match[1] or ""
            value = parse_figure(text, self.decimal)
            if value is not None and 0 < value < float("inf"):
                self.value, self.matches = value, self.matches + 1
            else:
                self.wrong = text


@dataclass(slots=True)
class Outlet:
    """A descriptor that output is passed on to. What it does not take costs the command nothing: `code` says why.

    `code`: errno of what ended the passing on; EPIPE: nobody reads any more; 0: nothing has.
    """

    descriptor: int
    code: int = 0

    def write(self, data: bytes, signals: Forwarding) -> None:
        """All of it, however slowly it is read. A signal to hwprof ends the waiting for a reader."""
        while data and not self.code:
            try:
                if self._is_ready(signals):
                    data = data[os.write(self.descriptor, data[:_PIECE]) :]
                else:
                    self.code = errno.EINTR
            except BlockingIOError:
                continue  # somebody else has filled it
            except OSError as error:
                self.code = error.errno or errno.EIO

    def _is_ready(self, signals: Forwarding) -> bool:
        """Whether it takes more, or has an error to tell; False where a signal came first."""
        poll = select.poll()
        poll.register(self.descriptor, select.POLLOUT)
        poll.register(signals.wake, select.POLLIN)
        return self.descriptor in {descriptor for descriptor, _ in poll.poll()}

    @property
    def loss(self) -> str:
        """Why output was lost that somebody may have wanted; empty: none was."""
        return "" if self.code in (0, errno.EPIPE) else os.strerror(self.code)


@dataclass(slots=True)
class Follower:
    """Follows a child to its end; passes its output on where that goes through pipes.

    `pipes`: read end -> where to write it; `control`: answers the child's words about what is to be counted.
    """

    pipes: dict[int, Outlet]
    search: Search
    others: Sequence[Search] = ()  # look at the same output for something else
    control: RegionControl | None = None

    def follow(self, pid: int, over: Callable[[], bool], signals: Forwarding) -> None:
        """Until the child has ended and its output is passed on; what its own children still write is not awaited."""
        with selectors.DefaultSelector() as selector:
            for pipe in self.pipes:
                os.set_blocking(pipe, False)
                selector.register(pipe, selectors.EVENT_READ)
            selector.register(signals.wake, selectors.EVENT_READ)
            if self.control is not None and not self.control.failure:
                selector.register(self.control.control, selectors.EVENT_READ)
            handle = _pidfd(pid)
            if handle is not None:
                selector.register(handle, selectors.EVENT_READ)
            try:
                while not over():
                    for key, _ in selector.select(None if handle is not None else POLL_S):
                        if key.fd == signals.wake:
                            signals.drain()
                        elif self.control is not None and key.fd == self.control.control:
                            self.control.answer()
                        elif key.fd in self.pipes and self._pass(key.fd, signals) is False:
                            selector.unregister(key.fd)
            finally:
                if handle is not None:
                    os.close(handle)
        for pipe in self.pipes:
            while self._pass(pipe, signals):
                pass
        for search in (self.search, *self.others):
            search.end()

    def _pass(self, pipe: int, signals: Forwarding) -> bool | None:
        """One piece; None: nothing is there now; False: its end."""
        try:
            data = os.read(pipe, _CHUNK)
        except BlockingIOError:
            return None
        if data:
            for search in (self.search, *self.others):
                search.feed(pipe, data)
            self.pipes[pipe].write(data, signals)
        return bool(data)


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:  # an old kernel, or a sandbox: look again and again instead
        return None
