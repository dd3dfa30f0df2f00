"""What a kernel or a PMU refuses, and what is counted nonetheless."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from hwprof.collectors.perf import PerfCollector, abi
from hwprof.collectors.perf.abi import Attr
from hwprof.collectors.protocol import Target, Unavailable
from hwprof.errors import HwprofError, NotAvailable, UnknownEvent
from tests.collectors.perf.fake import SOFTWARE, SPIN_NS, FakeKernel
from tests.collectors.perf.windows import window


def test_without_a_pmu_the_hardware_is_missing_and_the_kernel_counts(tmp_path: Path) -> None:
    kernel = FakeKernel(events=SOFTWARE)
    with PerfCollector(tmp_path, kernel).open(Target(), ["auto"]) as session:
        assert {"cycles", "instructions", "cache-misses"} <= set(session.unavailable)
        assert "vPMU" in session.unavailable["cycles"].reason
        assert [p.metrics[0] for p in session.passes] == ["task-clock"]
        assert window(session, kernel)["task-clock"].value == SPIN_NS


def test_an_anchor_nobody_asked_for_is_not_reported_missing(tmp_path: Path) -> None:
    with PerfCollector(tmp_path, FakeKernel(events=SOFTWARE)).open(Target(), ["page-faults"]) as session:
        assert not session.unavailable


def unprivileged(attr: Attr, pid: int) -> int:
    return 0 if attr.flags & abi.EXCLUDE_KERNEL else errno.EACCES


def test_without_the_right_to_the_kernel_hardware_counts_user_code(root: Path) -> None:
    kernel = FakeKernel(refuse=unprivileged)
    with PerfCollector(root, kernel).open(Target(), ["branches,context-switches,page-faults"]) as session:
        assert "read 0" in session.unavailable["context-switches"].reason
        found = window(session, kernel)
    assert found["branches"].domain == "user"
    assert found["page-faults"].domain == "user"
    assert found["task-clock"].domain == "user+kernel", "the clock includes the kernel all the same"
    assert "context-switches" not in found


def test_eacces_names_the_paranoid_level_it_found(root: Path) -> None:
    (root / "proc/sys/kernel").mkdir(parents=True)
    (root / "proc/sys/kernel/perf_event_paranoid").write_text("3\n")
    kernel = FakeKernel(refuse=lambda attr, pid: errno.EACCES)
    with PerfCollector(root, kernel).open(Target(), ["cycles,page-faults"]) as session:
        assert "perf_event_paranoid is 3" in session.unavailable["cycles"].reason
        assert not session.passes
        session.select(None)
        assert session.read() == ()


@pytest.mark.parametrize(("code", "words"), [(errno.EPERM, "seccomp"), (errno.EMFILE, "too many open files")])
def test_other_refusals_have_their_reason(root: Path, code: int, words: str) -> None:
    found = PerfCollector(root, FakeKernel(refuse=lambda attr, pid: code)).probe(["cycles", "page-faults"])
    assert all(isinstance(f, Unavailable) and words in f.reason for f in found.values())


def test_running_out_of_descriptors_while_opening_is_an_error_and_leaks_nothing(root: Path) -> None:
    kernel = FakeKernel(threads=tuple(range(1, 20)), most_files=30)
    with pytest.raises(NotAvailable, match="ulimit"):
        with PerfCollector(root, kernel).open(Target(pid=1), ["page-faults,branches"]):
            pass
    assert not kernel.opened


def no_exclusion(attr: Attr, pid: int) -> int:
    return errno.EINVAL if attr.type != 1 and attr.flags & (abi.EXCLUDE_KERNEL | abi.EXCLUDE_USER) else 0


def test_a_pmu_without_exclusion_counts_all_and_says_so(root: Path) -> None:
    kernel = FakeKernel(refuse=no_exclusion)
    with PerfCollector(root, kernel).open(Target(), ["branches:u"]) as session:
        found = window(session, kernel)["branches:u"]
    assert found.domain == "user+kernel"
    assert "had no effect" in found.meaning


def test_a_pmu_without_exclusion_and_no_right_to_the_kernel_is_unavailable(root: Path) -> None:
    kernel = FakeKernel(refuse=lambda a, p: no_exclusion(a, p) or (unprivileged(a, p) if a.type != 1 else 0))
    found = PerfCollector(root, kernel).probe(["cycles"])["cycles"]
    assert isinstance(found, Unavailable)
    assert "user code alone" in found.reason


def test_opening_refuses_a_process_that_has_threads(root: Path) -> None:
    with pytest.raises(HwprofError, match="2 threads"):
        with PerfCollector(root, FakeKernel(threads=(1, 2))).open(Target(), ["cycles"]):
            pass


def test_a_pid_that_is_gone_is_not_available(root: Path) -> None:
    with pytest.raises(NotAvailable, match="no process 7"):
        with PerfCollector(root, FakeKernel(threads=())).open(Target(pid=7), ["cycles"]):
            pass


def test_an_unknown_name_is_an_error_before_anything_is_opened(root: Path) -> None:
    kernel = FakeKernel()
    with pytest.raises(UnknownEvent):
        with PerfCollector(root, kernel).open(Target(), ["nonsense"]):
            pass
    assert not kernel.attrs


def test_an_unknown_name_among_others_is_unavailable_with_the_nearest_ones(root: Path) -> None:
    with PerfCollector(root, FakeKernel()).open(Target(), ["cycles,cache-mises"]) as session:
        assert "cycles" in {counter.metric for group in session.groups for counter in group.counters}
        assert "unknown event" in session.unavailable["cache-mises"].reason
        assert "cache-misses" in session.unavailable["cache-mises"].remedy
