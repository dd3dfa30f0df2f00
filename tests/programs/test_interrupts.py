"""A terminal that hangs up ends the command and not what was counted."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from hwprof.programs.interrupts import Forwarding


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGHUP)
    yield
    signal.signal(signal.SIGHUP, before)


def test_a_hang_up_is_passed_on_and_a_second_one_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, int]] = []
    kill = os.kill
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup, which may have started these tests, ignores it
    with Forwarding(4711) as signals:
        monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
        kill(os.getpid(), signal.SIGHUP)
    assert (signals.received, sent) == (signal.SIGHUP, [(4711, signal.SIGHUP)])
    kill(os.getpid(), signal.SIGHUP)  # the shell's, while what was counted is saved
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_without_a_hang_up_its_handler_is_as_before() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    with Forwarding(0):
        assert signal.getsignal(signal.SIGHUP) is not signal.SIG_DFL
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


def test_what_was_started_by_nohup_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with Forwarding(0):
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
