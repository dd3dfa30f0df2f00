"""Output is passed on to readers that are slow, full, closed or gone, and searched whatever its bytes are."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Iterator

import pytest

from hwprof.programs.figures import compile_figure
from hwprof.programs.interrupts import Forwarding
from hwprof.programs.output import Outlet, Search


@pytest.fixture
def signals() -> Iterator[Forwarding]:
    with Forwarding(0) as forwarding:
        yield forwarding


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe whose writing end does not block."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    yield read, write
    for end in (read, write):
        try:
            os.close(end)
        except OSError:
            assert end == read  # closed by the test


def test_a_pipe_that_does_not_block_gets_everything_from_a_slow_reader(
    pipe: tuple[int, int], signals: Forwarding
) -> None:
    read, write = pipe
    data, found = bytes(range(256)) * 4000, b""
    outlet = Outlet(write)
    writer = threading.Thread(target=outlet.write, args=(data, signals))
    writer.start()
    while len(found) < len(data):
        found += os.read(read, 1000)
    writer.join()
    assert found == data
    assert outlet.loss == ""


def test_a_full_device_ends_the_passing_on_and_says_why(signals: Forwarding) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    outlet = Outlet(full)
    outlet.write(b"x", signals)
    outlet.write(b"y", signals)
    os.close(full)
    assert (outlet.code, outlet.loss) == (errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_closed_descriptor_is_no_exception(signals: Forwarding, pipe: tuple[int, int]) -> None:
    outlet = Outlet(1023)
    outlet.write(b"x", signals)
    assert outlet.code == errno.EBADF


def test_of_a_reader_that_has_gone_nothing_is_said(signals: Forwarding, pipe: tuple[int, int]) -> None:
    read, write = pipe
    os.close(read)
    outlet = Outlet(write)
    outlet.write(b"x" * 100_000, signals)
    assert (outlet.code, outlet.loss) == (errno.EPIPE, "")


def test_a_signal_ends_the_waiting_for_a_reader_that_does_not_read(signals: Forwarding, pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1])
    os.kill(os.getpid(), signal.SIGTERM)
    outlet.write(b"x" * 1_000_000, signals)
    assert (signals.received, outlet.code) == (signal.SIGTERM, errno.EINTR)


def test_an_expression_with_bytes_that_are_no_utf_8_finds_them() -> None:
    search = Search(compile_figure(os.fsdecode(b"d\xe9bit ([0-9.,]+)")))
    search.feed(1, b"d\xe9bit 42,5\n")
    assert search.value == 42.5
