"""Stops and continues all that a worker runs: its process group, with every thread. Confirmed by /proc.

A process that waits may still use a CPU: thread pools spin for a while after their last work. Stopped, it can't.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from pathlib import Path

# A stop takes 0.1 ms. A task in an uninterruptible call (a slow disk) stops when it returns.
LOOKS = 5000
LOOK_S = 0.001
RESTING = frozenset("TtZXx")  # stopped, traced, dead: proc_pid_stat(5)


def processes(group: int) -> tuple[int, ...]:
    """Processes of a group, from /proc; each of them may end at any time."""
    return tuple(int(name) for name in os.listdir("/proc") if name.isdigit() and group_of(int(name)) == group)  # noqa: PTH208


def group_of(pid: int) -> int | None:
    """Process group of a process; None: it has ended."""
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def state(path: Path) -> str:
    """State of a task from its file `stat`, one letter; X: it has ended."""
    try:
        return path.read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def tasks(pid: int) -> list[Path]:
    """The file `stat` of every task of a process."""
    folder = Path("/proc") / str(pid) / "task"
    try:
        return [folder / name / "stat" for name in os.listdir(folder)]  # noqa: PTH208
    except (FileNotFoundError, ProcessLookupError):
        return []


def is_stopped(pids: Iterable[int]) -> bool:
    """Whether no task of these processes can run."""
    return all(state(path) in RESTING for pid in pids for path in tasks(pid))


def stop(group: int) -> tuple[int, ...] | None:
    """Stop every process of a group; these processes once none can run, None where one still can after seconds."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGSTOP)
    for look in range(LOOKS):
        pids = processes(group)  # one that was just being forked comes later, and is stopped too
        if is_stopped(pids):
            return pids
        time.sleep(LOOK_S if look > 10 else 0.0)
    return None


def go_on(group: int) -> None:
    """Continue every process of a group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGCONT)


def cpu_ns(pid: int) -> int | None:
    """CPU time of a process by its own clock, clock_getcpuclockid(3); None: it has ended."""
    try:
        return time.clock_gettime_ns(~pid << 3 | 2)
    except OSError:
        return None


def moved_ns(before: dict[int, int | None]) -> int:
    """By how much the CPU clocks of processes have moved since `before`; of those that still live."""
    return sum(max(0, now - then) for pid, then in before.items() if then is not None and (now := cpu_ns(pid)))
