"""Accounts of the own process: sums over tasks that come and go, from files that stay open."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hwprof.collectors import cpu
from hwprof.collectors.protocol import Target, Unavailable


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    """The tasks of a process, of which 1 has run 100 ns and waited 10, and 2 has run 50 and waited 5."""
    for task, account in ((1, "100 10 3"), (2, "50 5 1")):
        write(tmp_path, task, account)
    return tmp_path


def write(tasks: Path, task: int, account: str) -> None:
    (tasks / str(task)).mkdir(exist_ok=True)
    (tasks / str(task) / "schedstat").write_text(account + "\n")


def test_times_are_sums_over_tasks_and_of_all_but_the_first(tasks: Path) -> None:
    times = cpu.TaskTimes(tasks)
    assert times.read("1") == (15, 150, 50)
    write(tasks, 2, "70 6 1")
    write(tasks, 3, "1 1 1")
    assert times.read("1") == (17, 171, 71)
    times.close()


def test_what_a_task_that_has_ended_did_is_not_lost(tasks: Path) -> None:
    times = cpu.TaskTimes(tasks)
    times.read("1")
    (tasks / "2/schedstat").unlink()
    (tasks / "2").rmdir()
    assert times.read("1") == (15, 150, 50), "a sum that fell would be a giant, modulo 2^64"
    write(tasks, 2, "7 1 1")  # another task of the same number
    assert times.read("1") == (16, 157, 57)
    times.close()


def test_files_of_tasks_are_opened_once_and_closed(tasks: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    times = cpu.TaskTimes(tasks)
    for _ in range(3):
        times.read("1")
        assert len(os.listdir("/proc/self/fd")) == before + 3, "theirs and the folder's"  # noqa: PTH208
    (tasks / "2/schedstat").unlink()
    (tasks / "2").rmdir()
    times.read("1")
    assert len(os.listdir("/proc/self/fd")) == before + 2  # noqa: PTH208
    times.close()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_kernel_without_such_accounts_is_said_and_not_read_as_zero(tmp_path: Path) -> None:
    (tmp_path / "proc/self/task/1").mkdir(parents=True)
    assert cpu.TaskTimes(tmp_path / "proc/self/task").read("1") is None
    found = {**cpu.CpuCollector(tmp_path).probe([]), **cpu.MigrationsCollector(tmp_path).probe([])}
    absent = {name for name, state in found.items() if isinstance(state, Unavailable)}
    assert absent == {"run-queue-wait", "run-time", "helper-run-time", "migrations"}
    with cpu.MigrationsCollector(tmp_path).open(Target(), []) as session:
        assert (session.groups, session.read()) == ([], ())


def test_only_migrations_are_too_slow_for_the_edges_of_slices() -> None:
    with cpu.CpuCollector().open(Target(), []) as session:
        assert [group.slow for group in session.groups] == [False, False]
    assert cpu.MIGRATIONS[0].metric == "migrations"


def test_migrations_are_summed_over_tasks(tmp_path: Path) -> None:
    for task, moved in ((1, 3), (2, 4)):
        folder = tmp_path / "proc/self/task" / str(task)
        folder.mkdir(parents=True)
        (folder / "sched").write_text(f"python (1, #threads: 2)\nse.nr_migrations   :   {moved}\n")
    with cpu.MigrationsCollector(tmp_path).open(Target(), []) as session:
        (group,) = session.groups
        assert group.slow
        assert session.read()[0].raw == (7,)
