"""Waiting for one's own threads is told from waiting for others."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hwprof.machine.contention import cpus_allowed, share_taken


@pytest.mark.parametrize(
    ("cpus", "limit", "allowed"),
    [
        ((1, 2), None, 2.0),
        ((1, 2), "150000 100000", 1.5),
        ((1,), "400000 100000", 1.0),
        ((), "50000 100000", 0.5),
        ((), None, math.inf),
    ],
)
def test_the_cpus_allowed_are_those_bound_to_within_the_limit(
    cpus: tuple[int, ...], limit: str | None, allowed: float
) -> None:
    assert cpus_allowed(cpus, {} if limit is None else {"cgroup_cpu_max": limit}) == allowed


def share(waited: float, used: float, threads: int, allowed: float, busy: float = math.nan) -> float:
    """Over ten seconds."""
    return float(share_taken(waited, used, 10.0, threads, allowed, busy))


def test_two_threads_on_one_cpu_wait_for_each_other() -> None:
    assert share(waited=10.0, used=10.0, threads=2, allowed=1) == 0.0
    assert share(waited=10.0, used=9.9, threads=2, allowed=1) == pytest.approx(0.01)


def test_another_process_on_the_only_cpu_takes_its_share_however_many_threads_wait() -> None:
    # one thread of three ready ones is somebody else's: the process gets two thirds
    assert share(waited=13.3, used=6.7, threads=2, allowed=1, busy=10.0) == pytest.approx(0.33)
    assert share(waited=5.0, used=5.0, threads=1, allowed=1, busy=10.0) == pytest.approx(0.5)


def test_idle_time_of_a_serial_part_was_not_taken_by_others() -> None:
    # half of the time one thread of four on two CPUs, half of the time all
    waited, used = 5 * 2.0, 5 * 1.0 + 5 * 2.0
    assert share(waited, used, threads=4, allowed=2) == pytest.approx(0.25)  # at most, without a look at the CPUs
    assert share(waited, used, threads=4, allowed=2, busy=15.0) == 0.0
    assert share(waited, used, threads=4, allowed=2, busy=17.0) == pytest.approx(0.1)


def test_time_that_a_cpu_limit_held_back_was_not_taken_by_others() -> None:
    assert share(waited=5.0, used=5.0, threads=1, allowed=0.5) == 0.0
    # others of its group used the rest
    assert share(waited=7.0, used=3.0, threads=1, allowed=0.5) == pytest.approx(0.4)


def test_where_nothing_else_is_known_all_waiting_counts() -> None:
    assert share(waited=4.0, used=math.nan, threads=2, allowed=math.inf) == pytest.approx(0.2)
    assert math.isnan(share(waited=math.nan, used=1.0, threads=1, allowed=1))


def test_many_runs_at_once() -> None:
    found = share_taken(np.array([10.0, 4.0]), np.array([10.0, 6.0]), np.array([10.0, 10.0]), 2, np.array([1.0, 2.0]))
    assert found.tolist() == pytest.approx([0.0, 0.2])
