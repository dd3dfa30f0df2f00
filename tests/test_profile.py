"""Counters around a block of Python: what a block counted, what is missing and why."""

from __future__ import annotations

import mmap
import threading
import time
from pathlib import Path

import pytest

from hwprof.errors import UnknownEvent, UnknownNameError, UsageError
from hwprof.profile import Profile
from hwprof.records import Exactness
from tests.collectors.perf.fake import SOFTWARE, SPIN_NS, FakeKernel


def test_readings_of_a_block(tmp_path: Path) -> None:
    kernel = FakeKernel(threads=(1, 2))
    with Profile(["cycles", "page-faults", "task-clock"], root=tmp_path, kernel=kernel) as profile:
        kernel.spin()
    assert profile["cycles"].value == 2 * 2_000_000
    assert profile["page-faults"].value == 2 * 16
    assert profile["task-clock"].value == 2 * SPIN_NS
    assert [r.metric for r in profile][:2] == ["cycles", "page-faults"]
    assert profile.elapsed_s is not None
    assert not kernel.opened


def test_a_missing_event_is_not_zero_and_the_table_says_why(tmp_path: Path) -> None:
    kernel = FakeKernel(events=SOFTWARE)
    with Profile(["cycles,page-faults"], root=tmp_path, kernel=kernel) as profile:
        kernel.spin()
    assert profile["cycles"].value is None
    assert profile["cycles"].exactness is Exactness.MISSING
    text = str(profile)
    assert "<not available>  cycles" in text
    assert "vPMU" in text
    assert "exact" in text


def test_what_needs_a_second_pass_is_missing_with_a_remedy(tmp_path: Path) -> None:
    names = ["branches", "branch-misses"]
    kernel = FakeKernel(counters=3)
    with Profile(names, root=tmp_path, kernel=kernel) as profile:
        kernel.spin()
    assert profile["branches"].exactness is Exactness.EXACT
    assert "multiplex=True" in profile["branch-misses"].why
    with Profile(names, root=tmp_path, kernel=kernel, multiplex=True) as profile:
        kernel.spin()
    assert profile["branch-misses"].value is not None


def test_it_can_be_used_again_and_starts_afresh(tmp_path: Path) -> None:
    kernel = FakeKernel()
    profile = Profile(["branches"], root=tmp_path, kernel=kernel)
    assert str(profile) == "nothing counted yet"
    for spins in (1, 3):
        with profile:
            for _ in range(spins):
                kernel.spin()
        assert profile["branches"].value == spins * 400_000


def test_it_can_not_be_nested_in_itself(tmp_path: Path) -> None:
    profile = Profile(["branches"], root=tmp_path, kernel=FakeKernel())
    with profile, pytest.raises(UsageError, match="already counting"):
        profile.__enter__()


def test_an_exception_in_the_block_comes_out_and_nothing_stays_open(tmp_path: Path) -> None:
    kernel = FakeKernel()
    profile = Profile(["branches"], root=tmp_path, kernel=kernel)

    def fail() -> None:
        with profile:
            kernel.spin()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert profile["branches"].value == 400_000
    assert not kernel.opened


def test_threads_that_come_or_go_are_a_doubt(tmp_path: Path) -> None:
    kernel = FakeKernel(threads=(1,))
    with Profile(["branches"], root=tmp_path, kernel=kernel) as profile:
        kernel.threads = (1, 2)
    assert [d.code for d in profile.doubts] == ["threads-changed"]
    assert "threads started or ended" in str(profile)


def test_names_are_checked_on_construction(tmp_path: Path) -> None:
    with pytest.raises(UnknownEvent, match="page-faults"):
        Profile("page-fault", root=tmp_path, kernel=FakeKernel())
    with pytest.raises(UsageError, match="No events"):
        Profile([], root=tmp_path, kernel=FakeKernel())


def test_a_metric_that_was_not_asked_for_is_unknown(tmp_path: Path) -> None:
    with Profile("page-faults", root=tmp_path, kernel=FakeKernel()) as profile:
        pass
    with pytest.raises(UnknownNameError):
        profile["page-fault"]


@pytest.mark.counting
def test_page_faults_are_counted() -> None:
    pages = 300
    with mmap.mmap(-1, pages * mmap.PAGESIZE) as area:
        area.madvise(mmap.MADV_NOHUGEPAGE)
        with Profile(["page-faults"]) as profile:
            for page in range(pages):
                area[page * mmap.PAGESIZE] = 1
    value = profile["page-faults"].value
    assert value is not None
    # a few of Python's own beside them, more where memory is short; not each page twice
    assert pages <= value < 2 * pages


@pytest.mark.counting
def test_threads_that_exist_already_are_counted() -> None:
    start, stop = threading.Event(), threading.Event()

    def work() -> None:
        start.wait()
        end = time.thread_time() + 0.05
        while time.thread_time() < end:
            pass
        stop.wait()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    with Profile(["task-clock"]) as profile:
        start.set()
        end = time.process_time() + 0.12
        while time.process_time() < end:
            pass
    stop.set()
    for thread in threads:
        thread.join()
    value = profile["task-clock"].value
    assert value is not None
    assert value >= 0.1e9
    assert profile.doubts == ()
