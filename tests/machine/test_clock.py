"""Clocks of other processes."""

from __future__ import annotations

import os
import sys
import threading

from hwprof.machine.clock import cpu_time_ns


def test_the_cpu_time_of_a_process_is_of_all_its_threads() -> None:
    before = cpu_time_ns(os.getpid())
    busy = threading.Thread(target=lambda: sum(range(200_000)))
    busy.start()
    busy.join()
    after = cpu_time_ns(os.getpid())
    assert before is not None
    assert after is not None
    assert after > before
    child = os.posix_spawn(sys.executable, [sys.executable, "-S", "-c", ""], os.environ)
    os.waitpid(child, 0)
    assert cpu_time_ns(child) is None
