"""The output of a command: passed on as it comes, and searched for the command's own figure of speed."""

from __future__ import annotations

import os
import re
import selectors
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from hwprof.errors import UsageError
from hwprof.programs.interrupts import Forwarding

# A line longer than this is searched in parts: a program that writes no line ends must not eat the memory.
LONGEST_LINE = 1 << 16
_CHUNK = 1 << 16
POLL_S = 0.02


def compile_figure(text: str) -> re.Pattern[str]:
    """The expression of --fps-from, checked. Raises UsageError where it is none, or has not exactly one group."""
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise UsageError(
            f"--fps-from '{text}' is no regular expression: {error}", "as in --fps-from 'FPS: ([0-9.]+)'"
        ) from error
    if pattern.groups != 1:
        raise UsageError(
            f"--fps-from '{text}' has {pattern.groups} groups, not one",
            "put the number, and nothing else, in parentheses: 'FPS: ([0-9.]+)'; (?:...) groups without taking",
        )
    return pattern


@dataclass(slots=True)
class Search:
    """Looks for FPS line by line; the last match counts (programs print it as they go, and then for the whole)."""

    pattern: re.Pattern[str] | None
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
        for match in self.pattern.finditer(line.decode(errors="replace")):
            text = match[1] or ""
            try:
                value = float(text.replace(",", ""))
            except ValueError:
                self.wrong = text
                continue
            if value > 0 and value != float("inf"):
                self.value, self.matches = value, self.matches + 1
            else:
                self.wrong = text


@dataclass(slots=True)
class Follower:
    """Follows a child to its end; passes its output on where that goes through pipes.

    `pipes`: read end -> where to write it (a descriptor).
    """

    pipes: dict[int, int]
    search: Search
    others: Sequence[Search] = ()  # look at the same output for something else

    def follow(self, pid: int, over: Callable[[], bool], signals: Forwarding) -> None:
        """Until the child has ended and its output is passed on; what its own children still write is not awaited."""
        with selectors.DefaultSelector() as selector:
            for pipe in self.pipes:
                os.set_blocking(pipe, False)
                selector.register(pipe, selectors.EVENT_READ)
            selector.register(signals.wake, selectors.EVENT_READ)
            handle = _pidfd(pid)
            if handle is not None:
                selector.register(handle, selectors.EVENT_READ)
            try:
                while not over():
                    for key, _ in selector.select(None if handle is not None else POLL_S):
                        if key.fd == signals.wake:
                            signals.drain()
                        elif key.fd in self.pipes and not self._pass(key.fd):
                            selector.unregister(key.fd)
            finally:
                if handle is not None:
                    os.close(handle)
        for pipe in self.pipes:
            while self._pass(pipe):
                pass
        for search in (self.search, *self.others):
            search.end()

    def _pass(self, pipe: int) -> bool:
        """One piece; False: nothing there now, or the end."""
        try:
            data = os.read(pipe, _CHUNK)
        except BlockingIOError:
            return False
        if data:
            for search in (self.search, *self.others):
                search.feed(pipe, data)
            with suppress(BrokenPipeError):  # nobody reads any more: the measurement goes on
                _write(self.pipes[pipe], data)
        return bool(data)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:  # an old kernel, or a sandbox: look again and again instead
        return None
